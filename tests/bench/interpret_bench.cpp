// The classic interpreter beside libpcap's bpf_filter on generated traffic.
//
//   weir_bench_interpret --benchmark_min_time=1
//
// One line a filter and traffic: CPU nanoseconds a packet of both (medians over the rounds) and the
// median, least and greatest of the rounds' ratios libpcap / weir; above 1 weir is faster. A round
// runs both over all packets, in turns the one or the other first. `hot` traffic is small enough
// for the branch predictor to learn, `unseen` is not.

#include <benchmark/benchmark.h>
#include <pcap/pcap.h>

#include <algorithm>
#include <ctime>
#include <string>
#include <vector>

#include "cbpf/compile.h"
#include "cbpf/interpret.h"
#include "tests/cbpf/libpcap_filter.h"
#include "tests/random/random_packet.h"

namespace weir::cbpf {
namespace {

constexpr std::size_t kHotPackets = 2000;
constexpr std::size_t kUnseenPackets = 100000;
constexpr std::size_t kWarmUps = 2;

double cpu_nanoseconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

std::string hosts(int count) {
  std::string expression = "host 10.0.0.1";
  for (int n = 1; n < count; ++n) {
    expression += " or host 172.16." + std::to_string(n) + ".9";
  }
  return expression;
}

std::vector<random::RandomPacket> traffic(std::size_t count) {
  random::Choices choices(std::uint64_t{1});
  std::vector<random::RandomPacket> packets;
  packets.reserve(count);
  while (packets.size() < count) {
    packets.push_back(random::random_packet(choices, {.whole = true}));
  }
  return packets;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// CPU nanoseconds of one pass over the packets.
template <typename Run>
double pass(const std::vector<random::RandomPacket>& packets, const Run& run) {
  const double begin = cpu_nanoseconds();
  std::uint32_t sum = 0;
  for (const random::RandomPacket& packet : packets) {
    sum += run(packet);
  }
  benchmark::DoNotOptimize(sum);
  return cpu_nanoseconds() - begin;
}

void compare(benchmark::State& state, const std::string& expression, std::size_t count) {
  const Program program = compile(expression).value();
  const ValidatedProgram valid = validate(program).value();
  const LibpcapFilter filter(program);
  const std::vector<random::RandomPacket> packets = traffic(count);
  const auto ours = [&valid](const random::RandomPacket& packet) {
    return interpret(valid, {.captured = packet.bytes, .wire_length = packet.wire_length});
  };
  const auto theirs = [&filter](const random::RandomPacket& packet) {
    return filter.run({.captured = packet.bytes, .wire_length = packet.wire_length});
  };
  for (const random::RandomPacket& packet : packets) {
    if (ours(packet) != theirs(packet)) {
      state.SkipWithError("the engines disagree");
      return;
    }
  }
  std::vector<double> weir;
  std::vector<double> libpcap;
  std::vector<double> ratios;
  for (std::size_t n = 0; n < kWarmUps; ++n) {
    pass(packets, ours);
    pass(packets, theirs);
  }
  const double size = static_cast<double>(count);
  bool turn = false;
  for ([[maybe_unused]] const auto round : state) {
    turn = !turn;  // Who goes first finds the caches as the other one left them.
    if (turn) weir.push_back(pass(packets, ours) / size);
    libpcap.push_back(pass(packets, theirs) / size);
    if (!turn) weir.push_back(pass(packets, ours) / size);
    ratios.push_back(libpcap.back() / weir.back());
  }
  state.counters["weir_ns"] = median(weir);
  state.counters["libpcap_ns"] = median(libpcap);
  state.counters["ratio"] = median(ratios);
  state.counters["ratio_min"] = *std::min_element(ratios.begin(), ratios.end());
  state.counters["ratio_max"] = *std::max_element(ratios.begin(), ratios.end());
}

void add(const std::string& name, const std::string& expression) {
  benchmark::RegisterBenchmark((name + "/hot").c_str(), compare, expression, kHotPackets)
      ->MinTime(0.5);
  benchmark::RegisterBenchmark((name + "/unseen").c_str(), compare, expression, kUnseenPackets)
      ->MinTime(1);
}

}  // namespace
}  // namespace weir::cbpf

int main(int argc, char** argv) {
  weir::cbpf::add("ip", "ip");
  weir::cbpf::add("tcp_port_80", "tcp port 80");
  weir::cbpf::add("udp_53_and_host", "udp port 53 and host 10.0.0.1");
  weir::cbpf::add("50_hosts", weir::cbpf::hosts(50));
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
