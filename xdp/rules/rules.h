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
#include "xdp/carried_rule/rule_text.h"
#include "xdp/hooks/link.h"
#include "xdp/hooks/tc.h"
#include "xdp/hooks/xdp_attach.h"
#include "xdp/kernel/load.h"
#include "xdp/rules/vlan_tags.h"

namespace weir::xdp {

struct RulePlace {
  std::string interface;
  Hook hook = Hook::kXdp;
  XdpMode mode = XdpMode::kNative;  // Of kXdp alone.
};

// Something that sees packets before a rule, at the same hook, and may keep them from it.
struct InFront {
  std::string kind;  // "tcx", "xdp" (in the same dispatcher), or the kind of a tc filter: "flower".
  std::uint32_t priority = 0;    // Of a tc filter.
  std::uint32_t program_id = 0;  // 0: not an extended program.
  std::string name;              // Of the program or filter; foreign text.
};
// "the tcx program 'x' (id 7)", "the flower filter at priority 1".
std::string in_front_text(const InFront& in_front);

// A program attached to an interface, or why the kernel does not tell what is attached there.
struct StandingRule {
  std::string interface;
  std::uint32_t interface_index = 0;
  Hook hook = Hook::kXdp;
  ProgramInfo program;  // With `error` only the id, or not even that (0).
  // The rule; nothing when the program is not one of weir's.
  std::optional<RuleText> rule;
  XdpStanding xdp;  // Of kXdp.
  // What weir's rule at XDP knows of VLAN tags, the interface's offloads being as they are now.
  std::optional<VlanTags> vlan_tags;
  TcFilter tc;       // Of the others, unless it is a tcx program.
  bool tcx = false;  // Attached by tcx (Linux 6.6), which runs before every tc filter.
  // What sees packets before it, in that order.
  std::vector<InFront> in_front;
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

// What may be done to what is already attached at the hook.
struct RuleOptions {
  // Replace weir's rule; where there is none, attach.
  bool replace = false;
  // The same, and replace a foreign XDP program that is in the way.
  bool force = false;
  // Allow a replacement in the other XDP mode, which the kernel cannot do in one step.
  bool with_gap = false;
};

// What a rule at XDP knows of VLAN tags; nothing for other hooks, foreign programs, and link types
// without tags.
std::optional<VlanTags> vlan_tags_of(const StandingRule& row);

struct AttachedRule {
  // Undoes the attachment at the end of its life and puts what it replaced back in its place.
  Link link;
  std::uint32_t program_id = 0;
  ProgramInfo program;
  VerifierStatistics statistics;
  bool dispatcher = false;
  std::string fallback;  // As in XdpAttachment.
  std::vector<InFront> in_front;
  // Rules of weir's that still run beside the new one and are to go: those in libxdp's dispatcher,
  // which the new one can only join, and second rules of the same hook.
  std::vector<StandingRule> leaving;

  // Detaches the leaving rules and releases the link: from here on the rule remains without this
  // process. On an error the link still undoes it. Call it last, when nothing else can fail.
  Status keep();
};

// Loads a program that was lowered with a rule for the hook's target (its text made by
// encode_rule()) and attaches it; one whose rule takes VLAN tags from the driver is loaded for the
// interface and attached alone. Where it replaces one of weir's, every packet meets the old or
// the new rule, or both; none passes unfiltered. Whatever fails, also later when the process is
// killed, the old rule or the new one is attached.
//
// kBusy when a rule of weir's is already attached at that hook and may not be replaced, when a
// foreign program is in the way at XDP (never at tc, nor in a dispatcher), or as HookLock::take().
// kUnsupported for the other XDP mode without a gap. kPermission without CAP_SYS_ADMIN when a
// program is there. Errors of load(), attach_xdp() and attach_tc_rule().
Result<AttachedRule> attach_rule(const ebpf::Program& program, const RulePlace& place,
                                 const RuleOptions& options = {});

// Detaches the rules of weir's from an interface, at one hook or at all, and returns them. Nothing
// is left of them: no program, no map, no pin, no qdisc that weir made, and no clsact qdisc without
// filters, which a killed weir may have left. Foreign programs stay. An error when the kernel does
// not tell of a program there whether it is weir's; those it does tell of are detached first.
Result<std::vector<StandingRule>> detach_rules(const std::string& interface,
                                               std::optional<Hook> hook = std::nullopt);

}  // namespace weir::xdp
