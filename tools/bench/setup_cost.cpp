#include "tools/bench/setup_cost.h"

#include <fmt/format.h>

#include <cstring>

#include "tools/bench/measure/bounded_child.h"
#include "tools/bench/measure/clock.h"
#include "tools/bench/measure/statistics.h"
#include "tools/bench/peers.h"
#include "tools/engine/programs.h"
#include "tools/engine/socket_program.h"
#include "translator/frontend/compile.h"
#include "translator/jit/jit.h"
#include "xdp/kernel/load.h"

namespace weir::bench {
namespace {

// The answer of the child process: the time, then the instructions as they stand in memory.
std::vector<std::uint8_t> pack(const PeerProgram& made) {
  const std::size_t size = made.program.instructions.size() * sizeof(cbpf::Instruction);
  std::vector<std::uint8_t> bytes(sizeof made.ns + size);
  std::memcpy(bytes.data(), &made.ns, sizeof made.ns);
  std::memcpy(bytes.data() + sizeof made.ns, made.program.instructions.data(), size);
  return bytes;
}

std::optional<PeerProgram> unpack(const std::vector<std::uint8_t>& bytes) {
  PeerProgram made;
  if (bytes.size() <= sizeof made.ns) {
    return std::nullopt;
  }
  std::memcpy(&made.ns, bytes.data(), sizeof made.ns);
  const std::size_t size = bytes.size() - sizeof made.ns;
  made.program.instructions.resize(size / sizeof(cbpf::Instruction));
  std::memcpy(made.program.instructions.data(), bytes.data() + sizeof made.ns, size);
  return made;
}

// The times of translate()'s stages, told apart by the moments at which its passes report.
struct Stages {
  double build_ns = 0;
  double optimise_ns = 0;
  double lower_ns = 0;
  double total() const { return build_ns + optimise_ns + lower_ns; }
};

Result<ebpf::Program> translate_in_stages(const cbpf::ValidatedProgram& program,
                                          TranslateOptions options, Stages& stages) {
  const std::uint64_t begin = thread_cpu_ns();
  std::uint64_t built = begin;
  std::uint64_t optimised = begin;
  options.passes.dump = [&](std::string_view pass, const ir::Function&) {
    optimised = thread_cpu_ns();
    built = pass.empty() ? optimised : built;
  };
  auto made = translate(program, options);
  stages = {static_cast<double>(built - begin), static_cast<double>(optimised - built),
            static_cast<double>(thread_cpu_ns() - optimised)};
  return made;
}

std::optional<xdp::ProgramType> program_type(lower::TargetId target) {
  switch (target) {
    case lower::TargetId::kUser:
      return std::nullopt;
    case lower::TargetId::kSocket:
      return xdp::ProgramType::kSocketFilter;
    case lower::TargetId::kTc:
    case lower::TargetId::kTcEgress:
      return xdp::ProgramType::kTc;
    case lower::TargetId::kXdp:
      return xdp::ProgramType::kXdp;
  }
  return std::nullopt;
}

void measure_load(const ebpf::Program& program, xdp::ProgramType type, TargetCost& cost) {
  std::string refusal;
  KernelLoad load;
  load.ns = best_cpu_ns([&] {
    const auto loaded = xdp::load(program, type);
    if (!loaded) {
      refusal = to_string(loaded.error());
      return;
    }
    load.processed_instructions = loaded->statistics().processed_instructions;
    load.native_bytes = loaded->info().native_bytes;
  });
  cost.skipped = refusal;
  if (refusal.empty()) {
    cost.load = load;
  }
}

// The best of three translations, and the last program.
Result<ebpf::Program> measure_translation(const engine::Filter& filter, TargetCost& cost) {
  TranslateOptions options = engine::translate_options(filter, cost.target);
  if (cost.target == lower::TargetId::kSocket) {
    options.skb_layout = engine::socket_layout();
  }
  Result<ebpf::Program> made = fail(ErrorCode::kSystem, "not translated");
  Stages best;
  best_cpu_ns([&] {
    Stages stages;
    made = translate_in_stages(filter.program, options, stages);
    best = best.total() == 0 || stages.total() < best.total() ? stages : best;
  });
  cost.build_ns = best.build_ns;
  cost.optimise_ns = best.optimise_ns;
  cost.lower_ns = best.lower_ns;
  return made;
}

TargetCost measure_target(const engine::Filter& filter, lower::TargetId target, bool load,
                          std::optional<double>& jit_ns) {
  TargetCost cost{.target = target};
  const auto program = measure_translation(filter, cost);
  if (!program) {
    cost.skipped = to_string(program.error());
    return cost;
  }
  cost.instructions = ebpf::slot_count(program->instructions);
  const auto type = program_type(target);
  if (type && load) {
    measure_load(*program, *type, cost);
  }
  if (!type) {
    const auto compile = [&] {
      return jit::NativeProgram::compile(*program, {}, {.runs_on = jit::RunsOn::kPackets});
    };
    if (compile()) {
      jit_ns = best_cpu_ns([&] { static_cast<void>(compile()); });
    }
  }
  return cost;
}

}  // namespace

Result<PeerProgram> compile_by_peer(const std::string& expression,
                                    const cbpf::CompileOptions& options, std::uint32_t seconds) {
  const auto answer = run_bounded(seconds, [&] {
    PeerProgram made;
    made.ns = best_cpu_ns([&] {
      if (auto program = cbpf::compile(expression, options)) {
        made.program = std::move(*program);
      }
    });
    return pack(made);
  });
  if (!answer) {
    return fail(answer.error().code,
                fmt::format("libpcap's {}: {}", options.optimize ? "optimiser" : "generator",
                            answer.error().message));
  }
  auto made = unpack(*answer);
  if (!made) {
    return fail(ErrorCode::kUnsupported, "libpcap does not compile it");
  }
  return std::move(*made);
}

Result<engine::Filter> compile_filter(const std::string& expression,
                                      const cbpf::CompileOptions& options) {
  auto compiled = frontend::compile(expression, {.compile = options});
  if (!compiled) {
    return tl::make_unexpected(compiled.error());
  }
  auto valid = cbpf::validate(std::move(compiled->program));
  if (!valid) {
    return tl::make_unexpected(valid.error());
  }
  return engine::Filter{.program = std::move(*valid),
                        .link_type = options.link_type,
                        .set_tests = std::move(compiled->tests)};
}

Result<SetupCost> setup_cost(const std::string& expression, const SetupOptions& options) {
  SetupCost cost;
  Result<engine::Filter> filter = fail(ErrorCode::kSystem, "not compiled");
  cost.front_end_ns = best_cpu_ns([&] { filter = compile_filter(expression, options.compile); });
  if (!filter) {
    return tl::make_unexpected(filter.error());
  }
  cost.classic_ns = best_cpu_ns([&] {
    if (const auto classic = weir_classic(*filter)) {
      cost.classic_instructions =
          static_cast<std::uint32_t>(classic->program().instructions.size());
    }
  });
  for (const lower::TargetId target : {lower::TargetId::kUser, lower::TargetId::kSocket,
                                       lower::TargetId::kTc, lower::TargetId::kXdp}) {
    cost.targets.push_back(measure_target(*filter, target, options.load, cost.jit_ns));
  }
  return cost;
}

std::optional<double> SetupCost::total_ns(lower::TargetId target) const {
  for (const TargetCost& cost : targets) {
    if (cost.target == target && cost.instructions != 0) {
      return front_end_ns + cost.build_ns + cost.optimise_ns + cost.lower_ns;
    }
  }
  return std::nullopt;
}

}  // namespace weir::bench
