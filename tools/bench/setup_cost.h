// What a filter costs before its first packet, stage by stage, and what size it comes to.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cbpf/base/result.h"
#include "cbpf/compile.h"
#include "cbpf/program.h"
#include "cbpf/validate.h"
#include "tools/engine/engine.h"
#include "translator/lower/target/target.h"

namespace weir::bench {

// libpcap's code for a filter and the CPU time it took.
struct PeerProgram {
  double ns = 0;
  cbpf::Program program;
};

// Compiles by libpcap in another process that is ended after `seconds` of CPU time: on long lists
// it takes minutes, with its optimiser hours. Errors are those of run_bounded(); kUnsupported where
// libpcap does not take the expression.
Result<PeerProgram> compile_by_peer(const std::string& expression,
                                    const cbpf::CompileOptions& options, std::uint32_t seconds);

// What the running kernel's verifier and JIT make of a program.
struct KernelLoad {
  double ns = 0;                             // CPU time of the system call, maps included.
  std::uint32_t processed_instructions = 0;  // By the verifier.
  std::uint32_t native_bytes = 0;
};

// One target of the extended machine.
struct TargetCost {
  lower::TargetId target = lower::TargetId::kUser;
  std::uint32_t instructions = 0;  // In slots; 0 when it could not be translated.
  double build_ns = 0;             // The classic program to IR.
  double optimise_ns = 0;
  double lower_ns = 0;  // IR to the extended program, checked.
  std::optional<KernelLoad> load;
  std::string skipped;  // Why something is not there.
};

struct SetupCost {
  double front_end_ns = 0;                 // The expression to libpcap's code and sets.
  double classic_ns = 0;                   // weir's own optimised classic program.
  std::uint32_t classic_instructions = 0;  // 0 where the machine of 1993 cannot say it.
  std::vector<TargetCost> targets;         // User, socket, tc, xdp.
  std::optional<double> jit_ns;            // The user program to native code.
  // From the expression to a program that is ready for that target, but for the kernel's part.
  std::optional<double> total_ns(lower::TargetId target) const;
};

struct SetupOptions {
  cbpf::CompileOptions compile;
  bool load = true;  // Into the kernel, too.
};

// CPU time, each the best of three. The kernel is left out, with the reason, where it refuses.
Result<SetupCost> setup_cost(const std::string& expression, const SetupOptions& options);

// The filter as weir compiles it, lists as sets.
Result<engine::Filter> compile_filter(const std::string& expression,
                                      const cbpf::CompileOptions& options);

}  // namespace weir::bench
