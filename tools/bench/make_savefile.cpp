// Makes a savefile of any size to measure with: the generated mix of traffic.h, whole packets.
//
//   weir_make_savefile FILE PACKETS [SEED]
//
// The same file for the same numbers on every machine. 10 million packets take 3.7 GB.
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <utility>

#include "cbpf/base/printable.h"
#include "cbpf/savefile/writer.h"
#include "tools/bench/number.h"
#include "tools/bench/traffic/traffic.h"

namespace weir::bench {
namespace {

constexpr std::uint64_t kChunk = 100'000;  // Packets in memory at a time.
constexpr std::uint64_t kGap = 1'000;      // Nanoseconds between two packets.

Status make_savefile(const char* path, std::uint64_t packets, std::uint64_t seed) {
  auto writer = cbpf::SavefileWriter::create(path, {});
  if (!writer) {
    return tl::make_unexpected(writer.error());
  }
  std::uint64_t time = 1'000'000'000'000'000'000;
  while (writer->packets() < packets) {
    const Traffic traffic =
        generate_mix(seed++, std::min(kChunk, packets - writer->packets()), FrameSizes::kImix);
    for (const cbpf::Packet& packet : traffic.packets) {
      if (auto written = writer->write(packet, time += kGap); !written) {
        return written;
      }
    }
  }
  return writer->close();
}

}  // namespace
}  // namespace weir::bench

int main(int argc, char** argv) {
  const auto packets = argc > 2 ? weir::bench::number(argv[2]) : std::nullopt;
  const auto seed = argc > 3 ? weir::bench::number(argv[3]) : std::optional<std::uint64_t>(1);
  if (argc > 4 || !packets || !seed) {
    fmt::print(stderr, "usage: weir_make_savefile FILE PACKETS [SEED]\n");
    return 2;
  }
  if (const auto made = weir::bench::make_savefile(argv[1], *packets, *seed); !made) {
    fmt::print(stderr, "weir_make_savefile: {}\n", weir::printable(weir::to_string(made.error())));
    return 1;
  }
  return 0;
}
