#include "tools/bench/measure/executed_instructions.h"

#include <functional>

#include "cbpf/interpret.h"
#include "tools/bench/measure/instruction_counting.h"
#include "tools/bench/measure/statistics.h"
#include "tools/engine/programs.h"
#include "tools/engine/socket_program.h"
#include "translator/vm/machine.h"
#include "xdp/kernel/load.h"
#include "xdp/kernel/test_run.h"

namespace weir::bench {
namespace {

// Packets by what the filter says of them.
struct Kinds {
  std::vector<cbpf::Packet> matching;
  std::vector<cbpf::Packet> rejected;
};

Kinds sort_packets(const cbpf::ValidatedProgram& filter, std::span<const cbpf::Packet> packets,
                   std::size_t most) {
  Kinds kinds;
  for (const cbpf::Packet& packet : packets) {
    if (packet.captured.size() != packet.wire_length) {
      continue;
    }
    auto& kind = cbpf::interpret(filter, packet) != 0 ? kinds.matching : kinds.rejected;
    if (kind.size() < most) {
      kind.push_back(packet);
    }
    if (kinds.matching.size() == most && kinds.rejected.size() == most) {
      break;
    }
  }
  return kinds;
}

// Gives the count of a run, 0 or nothing where there is none.
using Count = std::function<std::optional<std::uint32_t>(const cbpf::Packet&)>;

std::optional<double> median_of(const std::vector<cbpf::Packet>& packets, const Count& count) {
  std::vector<double> counts;
  for (const cbpf::Packet& packet : packets) {
    if (const auto executed = count(packet); executed.value_or(0) != 0) {
      counts.push_back(*executed);
    }
  }
  return counts.empty() ? std::nullopt : std::optional(spread_of(std::move(counts)).median);
}

Executed executed_of(std::string name, const Kinds& kinds, const Count& count) {
  return {std::move(name), median_of(kinds.matching, count), median_of(kinds.rejected, count)};
}

Executed count_classic(std::string name, const cbpf::Program& program, cbpf::Dialect dialect,
                       const Kinds& kinds) {
  const auto copy = counting(program);
  if (!copy) {
    return {.program = std::move(name)};
  }
  const auto valid = cbpf::validate(*copy, dialect);
  if (!valid) {
    return {.program = std::move(name)};
  }
  return executed_of(std::move(name), kinds, [&](const cbpf::Packet& packet) {
    return std::optional(cbpf::interpret(*valid, packet));
  });
}

Executed count_user(std::string name, const ebpf::Program& copy, const Kinds& kinds) {
  const auto machine = vm::Machine::load(copy);
  if (!machine) {
    return {.program = std::move(name)};
  }
  return executed_of(std::move(name), kinds,
                     [&](const cbpf::Packet& packet) -> std::optional<std::uint32_t> {
                       ebpf::UserContext context;
                       context.data = reinterpret_cast<std::uintptr_t>(packet.captured.data());
                       context.data_end = context.data + packet.captured.size();
                       context.length = packet.wire_length;
                       const auto count = machine->run_packet(context);
                       return count ? std::optional(*count) : std::nullopt;
                     });
}

Executed count_in_kernel(std::string name, const ebpf::Program& copy, xdp::ProgramType type,
                         const Kinds& kinds) {
  const auto loaded = xdp::load(copy, type);
  if (!loaded) {
    return {.program = std::move(name)};
  }
  return executed_of(std::move(name), kinds,
                     [&](const cbpf::Packet& packet) -> std::optional<std::uint32_t> {
                       const auto run = xdp::test_run(*loaded, packet.captured);
                       return run ? std::optional(run->value) : std::nullopt;
                     });
}

Executed count_target(const engine::Filter& filter, lower::TargetId target, const Kinds& kinds) {
  std::string name(lower::target(target).name);
  TranslateOptions options = engine::translate_options(filter, target);
  if (target == lower::TargetId::kSocket) {
    options.skb_layout = engine::socket_layout();
  }
  const auto program = translate(filter.program, options);
  const auto copy = program ? counting(*program) : std::nullopt;
  if (!copy) {
    return {.program = std::move(name)};
  }
  switch (target) {
    case lower::TargetId::kUser:
      return count_user(std::move(name), *copy, kinds);
    case lower::TargetId::kSocket:
      return count_in_kernel(std::move(name), *copy, xdp::ProgramType::kSocketFilter, kinds);
    case lower::TargetId::kTc:
    case lower::TargetId::kTcEgress:
      return count_in_kernel(std::move(name), *copy, xdp::ProgramType::kTc, kinds);
    case lower::TargetId::kXdp:
      return count_in_kernel(std::move(name), *copy, xdp::ProgramType::kXdp, kinds);
  }
  return {.program = std::move(name)};
}

}  // namespace

std::vector<Executed> executed_means(const engine::Filter& filter,
                                     std::span<const NamedClassic> classics,
                                     std::span<const cbpf::Packet> packets,
                                     const ExecutedOptions& options) {
  std::vector<Executed> all;
  const auto whole = engine::classic_program(filter);
  if (!whole) {
    return all;
  }
  const Kinds kinds = sort_packets(*whole, packets, options.packets);
  for (const NamedClassic& classic : classics) {
    all.push_back(count_classic(classic.name, *classic.program, filter.program.dialect(), kinds));
  }
  all.push_back(count_target(filter, lower::TargetId::kUser, kinds));
  if (options.kernel) {
    for (const lower::TargetId target :
         {lower::TargetId::kSocket, lower::TargetId::kTc, lower::TargetId::kXdp}) {
      all.push_back(count_target(filter, target, kinds));
    }
  }
  return all;
}

}  // namespace weir::bench
