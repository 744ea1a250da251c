// Standing rules: filters that stay on an interface when the process has gone.
//
// There is no state file, no daemon and no pin (but libxdp's own, where its dispatcher runs). What
// stands where is asked of the kernel: the interfaces of the network namespace one is in, the
// programs on them, and the read-only map in which each of weir's carries its rule.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cbpf/base/result.h"
#include "translator/ebpf/program.h"
#include "xdp/link.h"
#include "xdp/load.h"
#include "xdp/rule_text.h"
#include "xdp/tc.h"
#include "xdp/xdp_attach.h"

namespace weir::xdp {

struct RulePlace {
  std::string interface;
  Hook hook = Hook::kXdp;
  XdpMode mode = XdpMode::kNative;  // Of kXdp alone.
};

struct AttachedRule {
  // Undoes the rule at the end of its life. Release it, and the rule stands.
  Link link;
  std::uint32_t program_id = 0;
  ProgramInfo program;
  VerifierStatistics statistics;
  bool dispatcher = false;
  std::string fallback;  // As in XdpAttachment.
};

// Loads a program that was lowered with a rule for the hook's target (its text made by
// encode_rule()) and attaches it.
//
// kBusy when a rule of weir's already stands at that hook of the interface, or another program is
// in its way at XDP. With `force` it takes their place; a program that the verifier refuses takes
// nobody's. Programs at tc and those in a dispatcher are in nobody's way.
// Errors of load(), attach_xdp() and attach_tc().
Result<AttachedRule> attach_rule(const ebpf::Program& program, const RulePlace& place,
                                 bool force = false);

// A program attached to an interface, or why the kernel does not tell what is attached there.
struct StandingRule {
  std::string interface;
  std::uint32_t interface_index = 0;
  Hook hook = Hook::kXdp;
  ProgramInfo program;  // With `error` only the id, or not even that (0).
  // The rule; nothing when the program is not one of weir's.
  std::optional<RuleText> rule;
  XdpStanding xdp;  // Of kXdp.
  TcFilter tc;      // Of the others.
  // What is odd about the program, without the program's name; empty when nothing is: "its map
  // 'weir_rule' is not frozen" of a foreign program, "its rule was made for tc-egress" of weir's.
  std::string remark;
  // Why this program, or this hook, could not be queried.
  std::optional<Error> error;
};

// Every extended program at XDP and tc, weir's and foreign ones, of one interface or of all, by
// interface and hook. What cannot be queried is an element with its error (an interface that goes
// away meanwhile, a program that the kernel does not open) and keeps no other from being listed.
// kNoInterface; kPermission when there are programs and none can be opened without CAP_SYS_ADMIN.
Result<std::vector<StandingRule>> list_rules(const std::optional<std::string>& interface = {});

// Takes the rules of weir's away from an interface, at one hook or at all, and gives what it took
// away. Nothing is left of them: no program, no map, no pin, no qdisc that weir made. Foreign
// programs stay.
Result<std::vector<StandingRule>> detach_rules(const std::string& interface,
                                               std::optional<Hook> hook = std::nullopt);

}  // namespace weir::xdp
