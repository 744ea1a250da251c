// The ways from a classic program to an extended one and to a better classic one, on one screen.
#pragma once

#include <optional>
#include <span>

#include "cbpf/base/result.h"
#include "cbpf/validate.h"
#include "translator/ebpf/program.h"
#include "translator/ir/build/join.h"
#include "translator/ir/build/set_tests.h"
#include "translator/ir/function.h"
#include "translator/ir/loops.h"
#include "translator/lower/to_extended.h"
#include "translator/opt/pass.h"

namespace weir {

struct TranslateOptions {
  int link_type = 1;  // A DLT_* number.
  lower::TargetId target = lower::TargetId::kUser;
  std::optional<lower::Rule> rule;
  // For the target `socket`: read packets in place on the kernel that this was asked of
  // (xdp::find_skb_layout); the program runs nowhere else. A program with a loop is not read so.
  std::optional<ebpf::SkbLayout> skb_layout;
  // For the target `xdp`: the BTF id of bpf_xdp_metadata_rx_vlan_tag in the running kernel
  // (xdp/rules/vlan_tags.h), where the interface strips VLAN tags and its driver can tell them. The
  // program puts them back; it runs only on an interface whose driver it was loaded for.
  std::int32_t vlan_tag_kfunc = 0;
  // For the target `xdp`: whether the verifier is to take the program from a loader without
  // CAP_PERFMON, if its offsets are fixed. It costs a call for each packet whose length is asked
  // for, as the counters of a rule do.
  bool without_perfmon = false;
  opt::PassOptions passes;
  // Of the program (ir/build/set_tests.h); not owned, nullptr for none.
  const ir::SetTests* set_tests = nullptr;
};

// The first step alone: the function that gives the program's verdict at the target. Where the hook
// takes VLAN tags out of packets, they are put back (ir/build/restore_vlan_tag.h); where all
// packets travel one way, `inbound` and `outbound` are decided (lower/target/packet_direction.h).
Result<ir::Function> build_function(const cbpf::ValidatedProgram& program, int link_type,
                                    const lower::Target& target, const ir::SetTests& set_tests = {},
                                    ir::Loops::Form loops = ir::Loops::Form::kRepeat);

// Build for the target, optimise, lower, check. Errors are those of the steps.
Result<ebpf::Program> translate(const cbpf::ValidatedProgram& program,
                                const TranslateOptions& options = {});

// One of several filters that are run together.
struct JoinedFilter {
  const cbpf::ValidatedProgram* program = nullptr;
  const ir::SetTests* set_tests = nullptr;  // As TranslateOptions::set_tests.
};

// Up to ir::kMostJoined filters for packets of one link type, at least one, as one program of the
// target `user`, which loads and tests once what they have in common. Its result is what `result`
// says (ir/build/join.h). Errors are those of translate() for one of the filters; kUnsupported when
// one has a loop, which runs alone.
Result<ebpf::Program> translate_together(std::span<const JoinedFilter> filters, int link_type,
                                         ir::JoinedResult result);

struct ClassicOptions {
  int link_type = 1;  // A DLT_* number.
  // Where the program is attached. `user` is any machine of the program's dialect. `socket` and
  // `tc` are the Linux kernel, which reads it in the linux dialect and has taken VLAN tags out: the
  // program puts them back with the extensions vlan_avail, vlan_tci and vlan_tpid.
  lower::TargetId target = lower::TargetId::kUser;
  opt::PassOptions passes;
  const ir::SetTests* set_tests = nullptr;  // As TranslateOptions::set_tests.
};

// The same filter as a shorter classic program: build for the target, optimise, lower to the
// machine of 1993, validate. It gives the program's own number for every packet, in the dialect
// where it runs as in its own.
//
// For `user`, where nothing shorter comes of it (a program with a loop; what lower/to_classic.h
// cannot say), it is the program as it was given, if there are no set tests. Elsewhere kUnsupported
// when the machine of 1993 cannot say it, in 4096 instructions for the kernel; kUsage for XDP,
// which runs no classic programs. Errors are otherwise those of building and of the passes.
Result<cbpf::ValidatedProgram> translate_classic(const cbpf::ValidatedProgram& program,
                                                 const ClassicOptions& options = {});

// The last steps alone, to a program of that dialect. kUnsupported when the machine of 1993 cannot
// say it.
Result<cbpf::ValidatedProgram> translate_classic(ir::Function function, cbpf::Dialect dialect,
                                                 const opt::PassOptions& passes = {});

}  // namespace weir
