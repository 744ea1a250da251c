// Reading savefiles, beside libpcap's reader.
//
//   weir_bench_savefile
//
// One line a format: CPU nanoseconds a packet (medians over the rounds) of
//
//   floor     read() of the whole file in blocks of 512 KiB, nothing else
//   libpcap   pcap_next_ex() to the end
//   batches   SavefileReader, batch by batch
//   copied    SavefileParallelReader in one thread, its bytes copied by pread()
//   pieces    the same with a guard, so that the file is read as memory where that is cheaper
//
// and how many times faster than libpcap each is (the median of the rounds' ratios). The file is
// 500,000 packets of the IMIX mix, 186 MB, more than the caches hold, in a file without a name in
// $TMPDIR or /tmp; its pages are in the kernel's cache. A round reads it in every way, each time
// beginning with another. How fast the mapped ways are hangs on how the kernel keeps the file:
// large folios are better, a tmpfs is worse.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <pcap/pcap.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "cbpf/savefile/parallel_reader.h"
#include "cbpf/savefile/writer.h"
#include "tools/bench/measure/clock.h"
#include "tools/bench/measure/statistics.h"
#include "tools/bench/traffic/traffic.h"

namespace weir {
namespace {

constexpr std::size_t kPackets = 500'000;
constexpr std::size_t kChunk = 100'000;  // Of them in memory at a time.
constexpr int kWarmUps = 2;
constexpr int kRounds = 15;

Fd nameless_file() {
  const char* const folder = std::getenv("TMPDIR");
  return Fd(::open(folder != nullptr ? folder : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
}

Fd duplicate(const Fd& file) {
  Fd copy(::dup(file.get()));
  ::lseek(copy.get(), 0, SEEK_SET);
  return copy;
}

// The file of the packets; none when it cannot be written.
Fd make_file(cbpf::SavefileFormat format) {
  Fd file = nameless_file();
  if (!file.valid()) {
    return file;
  }
  auto writer = cbpf::SavefileWriter::to_fd(Fd(::dup(file.get())), "file", {.format = format});
  for (std::uint64_t seed = 1; writer->packets() < kPackets; ++seed) {
    const bench::Traffic traffic = bench::generate_mix(seed, kChunk, bench::FrameSizes::kImix);
    for (const cbpf::Packet& packet : traffic.packets) {
      if (!writer->write(packet, writer->packets() * 1000)) {
        return {};
      }
    }
  }
  return writer->close() ? std::move(file) : Fd();
}

// What a reader has to find: the packets and the sum of their captured lengths.
struct Found {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
  friend bool operator==(const Found&, const Found&) = default;
};

void add(const cbpf::Batch& batch, Found& found) {
  found.packets += batch.packets.size();
  for (const PacketBytes& packet : batch.packets) {
    found.bytes += packet.captured;
  }
}

Found read_floor(const Fd& file) {
  const Fd copy = duplicate(file);
  static constexpr std::size_t kBlock = std::size_t{512} << 10;
  const cbpf::Pages block = cbpf::make_pages(kBlock);
  Found found;
  for (ssize_t count = 0; (count = ::read(copy.get(), block.get(), kBlock)) > 0;) {
    found.bytes += static_cast<std::uint64_t>(count);
  }
  return found;
}

Found read_by_libpcap(const Fd& file) {
  Found found;
  char why[PCAP_ERRBUF_SIZE] = {};
  pcap_t* const pcap = pcap_fopen_offline(::fdopen(duplicate(file).release(), "rb"), why);
  pcap_pkthdr* header = nullptr;
  const u_char* data = nullptr;
  while (pcap != nullptr && pcap_next_ex(pcap, &header, &data) == 1) {
    ++found.packets;
    found.bytes += header->caplen;
  }
  if (pcap != nullptr) {
    pcap_close(pcap);
  }
  return found;
}

Found read_in_batches(const Fd& file) {
  Found found;
  auto reader = cbpf::SavefileReader::from_fd(duplicate(file), "file");
  for (;;) {
    const auto batch = reader->next_batch();
    if (!batch || batch->done()) {
      return found;
    }
    add(*batch, found);
  }
}

Found read_in_pieces(const Fd& file, SigbusGuard* guard) {
  Found found;
  auto reader = cbpf::SavefileReader::from_fd(duplicate(file), "file");
  cbpf::SavefileParallelReader pieces(*reader, guard);
  cbpf::SavefilePiece piece;
  while (pieces.next(piece)) {
    for (const cbpf::Batch& batch : piece.batches()) {
      add(batch, found);
    }
  }
  return found;
}

Found read_guarded(const Fd& file) {
  SigbusGuard guard;
  return read_in_pieces(file, &guard);
}

struct Way {
  std::string name;
  std::function<Found(const Fd&)> read;
};

void compare(benchmark::State& state, cbpf::SavefileFormat format) {
  const std::vector<Way> ways = {
      {"floor", read_floor},
      {"libpcap", read_by_libpcap},
      {"batches", read_in_batches},
      {"copied", [](const Fd& file) { return read_in_pieces(file, nullptr); }},
      {"pieces", read_guarded}};
  const Fd file = make_file(format);
  if (!file.valid()) {
    state.SkipWithError("the file cannot be written");
    return;
  }
  const Found wanted = read_by_libpcap(file);
  for (const Way& way : ways) {
    if (way.name != "floor" && (way.read(file) != wanted || wanted.packets != kPackets)) {
      state.SkipWithError("the readers disagree");
      return;
    }
  }
  std::map<std::string, std::vector<double>> times;
  std::map<std::string, std::vector<double>> ratios;
  int round = -kWarmUps;
  for ([[maybe_unused]] const auto iteration : state) {
    std::map<std::string, double> now;
    for (std::size_t i = 0; i < ways.size(); ++i) {
      const Way& way = ways[(i + static_cast<std::size_t>(round + kWarmUps)) % ways.size()];
      const std::uint64_t before = bench::thread_cpu_ns();
      Found found = way.read(file);
      now[way.name] = static_cast<double>(bench::thread_cpu_ns() - before) / kPackets;
      benchmark::DoNotOptimize(found);
    }
    if (round++ < 0) {
      continue;
    }
    for (const auto& [name, time] : now) {
      times[name].push_back(time);
      ratios[name].push_back(now["libpcap"] / time);
    }
  }
  for (const Way& way : ways) {
    state.counters[way.name + "_ns"] = bench::spread_of(times[way.name]).median;
    if (way.name != "libpcap" && way.name != "floor") {
      state.counters[way.name + "_x"] = bench::spread_of(ratios[way.name]).median;
    }
  }
}

}  // namespace
}  // namespace weir

int main(int argc, char** argv) {
  weir::bench::pin_to_current_cpu();
  for (const auto& [name, format] : {std::pair("pcap", weir::cbpf::SavefileFormat::kPcap),
                                     std::pair("pcapng", weir::cbpf::SavefileFormat::kPcapng)}) {
    benchmark::RegisterBenchmark(name, weir::compare, format)
        ->Iterations(weir::kWarmUps + weir::kRounds);
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
