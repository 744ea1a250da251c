#include "tools/bench/test_run_cost.h"

#include "tools/engine/programs.h"
#include "translator/ebpf/assembler.h"
#include "xdp/load.h"
#include "xdp/test_run.h"

namespace weir::bench {
namespace {

ebpf::Program returning(std::int32_t value) {
  ebpf::Assembler assembler;
  assembler.emit(ebpf::Alu{.is64 = false, .dst = ebpf::Reg::kR0, .src = value});
  assembler.emit(ebpf::Exit{});
  return std::move(assembler).finish();
}

// The mean over the packets, in ns.
Result<double> mean_run(const xdp::LoadedProgram& program, std::span<const cbpf::Packet> packets,
                        std::uint32_t repeat) {
  double sum = 0;
  for (const cbpf::Packet& packet : packets) {
    const auto run = xdp::test_run(program, packet.captured, repeat);
    if (!run) {
      return tl::make_unexpected(run.error());
    }
    sum += run->duration_ns;
  }
  return sum / static_cast<double>(packets.size());
}

std::vector<cbpf::Packet> spread_packets(const xdp::LoadedProgram& program,
                                         std::span<const cbpf::Packet> packets,
                                         std::uint32_t most) {
  std::vector<cbpf::Packet> chosen;
  const std::size_t step = packets.size() / most + 1;
  for (std::size_t i = 0; i < packets.size(); i += step) {
    if (xdp::can_test_run(program, packets[i].captured)) {
      chosen.push_back(packets[i]);
    }
  }
  return chosen;
}

}  // namespace

Result<std::vector<double>> test_run_cost(engine::EngineId id, const engine::Filter& filter,
                                          std::span<const cbpf::Packet> packets,
                                          const TestRunOptions& options) {
  const bool tc = id == engine::EngineId::kKernelTc;
  const lower::TargetId target = tc ? lower::TargetId::kTc : lower::TargetId::kXdp;
  const auto type = tc ? xdp::ProgramType::kTc : xdp::ProgramType::kXdp;
  const auto program = translate(filter.program, engine::translate_options(filter, target));
  if (!program) {
    return tl::make_unexpected(program.error());
  }
  const auto loaded = xdp::load(*program, type);
  if (!loaded) {
    return tl::make_unexpected(loaded.error());
  }
  const auto empty = xdp::load(returning(lower::target(target).drop), type);
  if (!empty) {
    return tl::make_unexpected(empty.error());
  }
  const auto chosen = spread_packets(*loaded, packets, options.packets);
  if (chosen.empty()) {
    return fail(ErrorCode::kUnsupported, "no packet of this traffic can be test-run");
  }
  std::vector<double> ns;
  for (std::uint32_t round = 0; round < options.rounds; ++round) {
    const auto with = mean_run(*loaded, chosen, options.repeat);
    const auto without = mean_run(*empty, chosen, options.repeat);
    if (!with || !without) {
      return tl::make_unexpected(with ? without.error() : with.error());
    }
    ns.push_back(*with - *without);
  }
  return ns;
}

}  // namespace weir::bench
