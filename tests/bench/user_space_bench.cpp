// The engines of user space beside libpcap's bpf_filter, and what their compilation costs.
//
//   weir_bench_user_space                                  everything
//   weir_bench_user_space --benchmark_filter=tcp_port_80   one filter, hot and unseen
//
// One line a filter and traffic: CPU nanoseconds a packet of each engine (medians over the rounds)
// and how many times faster than libpcap it is (the median of the rounds' ratios, with the least
// and the greatest for extended-jit). A round runs every engine over all packets, some times over
// where they are few, each time beginning with another. `hot` traffic stays in the second cache and
// the branch predictor learns it; of `unseen` traffic, 100,000 packets, it remembers little.
// libpcap and classic run the program that libpcap's own optimiser makes, as tcpdump does; for the
// longest filter that takes five seconds. `each` and `lanes` are the two codes of the JIT, packets
// one by one and eight at a time, of which `jit` takes the faster; `written` is C++ by hand, as the
// compiler optimises it. The lines `ordinary` are the geometric means over the first four filters.
//
// `set_up` lines: microseconds from the extended program to machine code in memory that can be
// executed, and from the classic program to the extended one, the optimiser included.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cbpf/compile.h"
#include "cbpf/interpret.h"
#include "tests/bench/written_filters.h"
#include "tests/cbpf/libpcap_filter.h"
#include "tools/bench/measure/clock.h"
#include "tools/bench/measure/statistics.h"
#include "tools/bench/traffic/traffic.h"
#include "translator/jit/code_memory.h"
#include "translator/jit/jit.h"
#include "translator/translate.h"
#include "translator/vm/machine.h"

namespace weir {
namespace {

constexpr std::size_t kHotPackets = 2000;
constexpr std::size_t kUnseenPackets = 100000;
constexpr std::uint64_t kSeed = 1;
// As many packets at least are run between two looks at the clock, which is slow.
constexpr std::size_t kLeastPackets = 20000;
constexpr int kWarmUps = 2;
constexpr int kRounds = 31;

struct FilterCase {
  std::string name;
  std::string expression;
  written::Batch written = nullptr;                     // The same by hand.
  bool ordinary() const { return written != nullptr; }  // Counts for the mean.
};

std::string hosts(int count) {
  std::string expression;
  for (int n = 0; n < count; ++n) {
    expression += (n == 0 ? "host 172." : " or host 172.") + std::to_string(16 + n / 250 % 16) +
                  "." + std::to_string(n % 250) + "." + std::to_string(1 + n * 7 % 254);
  }
  return expression;
}

std::vector<FilterCase> filter_cases() {
  return {{"ip", "ip", written::ip},
          {"tcp_port_80", "tcp port 80", written::tcp_port_80},
          {"syn_and_net", "tcp[tcpflags] & tcp-syn != 0 and net 10.0.0.0/8", written::syn_and_net},
          {"mix_of_three", "(tcp port 443 and ip6) or udp port 53 or icmp", written::mix_of_three},
          {"50_hosts", hosts(50)},
          {"500_hosts", hosts(500)}};
}

// Kept, for the same filter comes twice.
const cbpf::Program& optimised_by_libpcap(const std::string& expression) {
  static std::map<std::string, cbpf::Program> made;
  const auto found = made.find(expression);
  if (found != made.end()) {
    return found->second;
  }
  return made.emplace(expression, cbpf::compile(expression, {.optimize = true}).value())
      .first->second;
}

// One engine on one traffic: a pass over all packets.
struct Contender {
  std::string name;
  std::function<void(std::vector<std::uint32_t>& verdicts)> pass;
  std::vector<double> times;   // Nanoseconds a packet, by round.
  std::vector<double> ratios;  // libpcap's over these, by round.
  std::vector<std::uint32_t> verdicts;
};

// A filter in every form, and the packets.
class Contest {
 public:
  Contest(const FilterCase& filter, std::size_t packets)
      : traffic_(bench::generate_mix(kSeed, packets)),
        optimised_(cbpf::validate(optimised_by_libpcap(filter.expression)).value()),
        peer_(optimised_.program()) {
    const auto classic = cbpf::validate(cbpf::compile(filter.expression).value()).value();
    const ebpf::Program program = translate(classic).value();
    machine_ = std::make_unique<vm::Machine>(vm::Machine::load(program).value());
    const auto native = [&program](jit::SimdUse lanes) {
      return std::make_unique<jit::NativeProgram>(
          jit::NativeProgram::compile(program, {},
                                      {.runs_on = jit::RunsOn::kPackets, .lanes = lanes})
              .value());
    };
    native_ = native(jit::SimdUse::kMeasured);
    each_ = native(jit::SimdUse::kNever);
    lanes_ = native(jit::SimdUse::kAlways);
    for (const cbpf::Packet& packet : traffic_.packets) {
      user_.push_back({.data = packet.captured.data(),
                       .captured = static_cast<std::uint32_t>(packet.captured.size()),
                       .length = packet.wire_length});
    }
    add("libpcap", [this](std::vector<std::uint32_t>& verdicts) {
      for (std::size_t i = 0; i < verdicts.size(); ++i) {
        verdicts[i] = peer_.run(traffic_.packets[i]);
      }
    });
    add("classic", [this](std::vector<std::uint32_t>& verdicts) {
      for (std::size_t i = 0; i < verdicts.size(); ++i) {
        verdicts[i] = cbpf::interpret(optimised_, traffic_.packets[i]);
      }
    });
    add("vm", [this](std::vector<std::uint32_t>& verdicts) {
      (void)machine_->run_packets(user_, verdicts);
    });
    add("each", [this](std::vector<std::uint32_t>& verdicts) {
      (void)each_->run_packets(user_, verdicts);
    });
    add("lanes", [this](std::vector<std::uint32_t>& verdicts) {
      (void)lanes_->run_packets(user_, verdicts);
    });
    if (filter.written != nullptr) {
      add("written", [this, batch = filter.written](std::vector<std::uint32_t>& verdicts) {
        batch(user_, verdicts.data());
      });
    }
    add("jit", [this](std::vector<std::uint32_t>& verdicts) {
      (void)native_->run_packets(user_, verdicts);
    });
  }

  std::vector<Contender>& contenders() { return contenders_; }

  // Whether all give the same; to be asked after a round.
  bool agree() const {
    return std::all_of(contenders_.begin(), contenders_.end(), [this](const Contender& one) {
      return one.verdicts == contenders_.front().verdicts;
    });
  }

  void round(std::size_t number, bool keep) {
    const std::size_t count = contenders_.size();
    for (std::size_t i = 0; i < count; ++i) {
      Contender& one = contenders_[(i + number) % count];
      const std::size_t passes = std::max<std::size_t>(kLeastPackets / one.verdicts.size(), 1);
      const std::uint64_t begin = bench::thread_cpu_ns();
      for (std::size_t pass = 0; pass < passes; ++pass) {
        one.pass(one.verdicts);
      }
      const auto time = static_cast<double>(bench::thread_cpu_ns() - begin);
      one.times.push_back(time / static_cast<double>(one.verdicts.size() * passes));
    }
    for (Contender& one : contenders_) {
      one.ratios.push_back(contenders_.front().times.back() / one.times.back());
    }
    if (!keep) {
      for (Contender& one : contenders_) {
        one.times.clear();
        one.ratios.clear();
      }
    }
  }

 private:
  void add(const char* name, std::function<void(std::vector<std::uint32_t>&)> pass) {
    contenders_.push_back({.name = name, .pass = std::move(pass)});
    contenders_.back().verdicts.resize(traffic_.packets.size());
  }

  bench::Traffic traffic_;
  cbpf::ValidatedProgram optimised_;
  cbpf::LibpcapFilter peer_;
  std::unique_ptr<vm::Machine> machine_;
  std::unique_ptr<jit::NativeProgram> native_;
  std::unique_ptr<jit::NativeProgram> each_;
  std::unique_ptr<jit::NativeProgram> lanes_;
  std::vector<ebpf::UserPacket> user_;
  std::vector<Contender> contenders_;
};

// The ratios of the ordinary filters, by traffic and engine, for the means at the end.
std::map<std::string, std::map<std::string, std::vector<double>>> ordinary_ratios;

void compare(benchmark::State& state, const FilterCase& filter, const std::string& traffic,
             std::size_t packets) {
  Contest contest(filter, packets);
  for (std::size_t n = 0; n < kWarmUps; ++n) {
    contest.round(n, false);
  }
  if (!contest.agree()) {
    state.SkipWithError("the engines disagree");
    return;
  }
  std::size_t number = 0;
  for ([[maybe_unused]] const auto round : state) {
    contest.round(number++, true);
  }
  for (const Contender& one : contest.contenders()) {
    state.counters[one.name + "_ns"] = bench::spread_of(one.times).median;
    if (one.name != "libpcap") {
      state.counters[one.name + "_x"] = bench::spread_of(one.ratios).median;
      if (filter.ordinary()) {
        ordinary_ratios[traffic][one.name].push_back(bench::spread_of(one.ratios).median);
      }
    }
  }
  const std::vector<double>& ratios = contest.contenders().back().ratios;
  state.counters["jit_x_min"] = *std::min_element(ratios.begin(), ratios.end());
  state.counters["jit_x_max"] = *std::max_element(ratios.begin(), ratios.end());
}

// Says the means of what ran before it.
void mean(benchmark::State& state, const std::string& traffic) {
  for ([[maybe_unused]] const auto round : state) {
  }
  for (const auto& [engine, ratios] : ordinary_ratios[traffic]) {
    double logarithms = 0;
    for (const double ratio : ratios) {
      logarithms += std::log(ratio);
    }
    state.counters[engine + "_x"] = std::exp(logarithms / static_cast<double>(ratios.size()));
  }
}

void set_up(benchmark::State& state, const FilterCase& filter) {
  const auto classic = cbpf::validate(cbpf::compile(filter.expression).value()).value();
  const ebpf::Program program = translate(classic).value();
  const jit::CompileOptions options{.runs_on = jit::RunsOn::kPackets,
                                    .pool = std::make_shared<jit::CodePool>()};
  std::vector<double> compile_times;
  std::vector<double> translate_times;
  for ([[maybe_unused]] const auto round : state) {
    const std::uint64_t begin = bench::thread_cpu_ns();
    const auto made = jit::NativeProgram::compile(program, {}, options);
    const std::uint64_t middle = bench::thread_cpu_ns();
    benchmark::DoNotOptimize(made.has_value());
    compile_times.push_back(static_cast<double>(middle - begin) / 1e3);
    if (translate_times.size() < kRounds) {
      benchmark::DoNotOptimize(translate(classic).has_value());
      translate_times.push_back(static_cast<double>(bench::thread_cpu_ns() - middle) / 1e3);
    }
  }
  const auto instructions = static_cast<double>(classic.program().instructions.size());
  state.counters["classic"] = instructions;
  state.counters["extended"] = static_cast<double>(program.instructions.size());
  state.counters["jit_us"] = bench::spread_of(compile_times).median;
  state.counters["jit_us_min"] = *std::min_element(compile_times.begin(), compile_times.end());
  state.counters["translate_us"] = bench::spread_of(translate_times).median;
}

void add_all() {
  const std::vector<FilterCase> cases = filter_cases();
  for (const auto& [traffic, packets] :
       {std::pair<std::string, std::size_t>{"hot", kHotPackets}, {"unseen", kUnseenPackets}}) {
    for (const FilterCase& filter : cases) {
      benchmark::RegisterBenchmark((filter.name + "/" + traffic).c_str(), compare, filter, traffic,
                                   packets)
          ->Iterations(traffic == "hot" ? 4 * kRounds : kRounds);
    }
    benchmark::RegisterBenchmark(("ordinary/" + traffic).c_str(), mean, traffic)->Iterations(1);
  }
  for (const FilterCase& filter : cases) {
    benchmark::RegisterBenchmark(("set_up/" + filter.name).c_str(), set_up, filter)
        ->Iterations(10 * kRounds);
  }
}

}  // namespace
}  // namespace weir

int main(int argc, char** argv) {
  weir::bench::pin_to_current_cpu();
  weir::add_all();
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
