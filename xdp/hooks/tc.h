// The tc hook: a program as a classifier of the clsact qdisc (cls_bpf), before the network stack
// (ingress) or after it (egress).
//
// cls_bpf and not tcx: it is there on every kernel since 4.5, `tc filter show` lists it, and it
// remains without a pinned link when the process has gone. Its price against tcx is one indirect
// call.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cbpf/base/result.h"
#include "cbpf/program.h"
#include "xdp/hooks/hook_lock.h"
#include "xdp/hooks/link.h"
#include "xdp/hooks/tc_listing.h"
#include "xdp/kernel/load.h"

namespace weir::xdp {

// Attaches an extended program of type kTc in direct-action mode: it returns TC_ACT_* itself. It
// replaces no other filter, and comes before those already there, but after those that were given a
// priority below 32768 by hand. TC_ACT_UNSPEC lets the next one decide, any other verdict is final.
// Makes the clsact qdisc when the interface has none; undoing removes that again unless another
// filter uses it by then.
// kNoInterface; kPermission; kBusy as HookLock::take(); kUnsupported when the kernel has no
// cls_bpf, and for egress where the interface has a plain `ingress` qdisc.
Result<Link> attach_tc(const std::string& interface, TcDirection direction,
                       const LoadedProgram& program);

// What a classic program's number means at tc.
enum class TcClassic : std::uint8_t {
  kMatch,         // 0: no match, the next filter is tried; else the packet passes.
  kDirectAction,  // It is TC_ACT_*, as of an extended program.
};
Result<Link> attach_tc_classic(const std::string& interface, TcDirection direction,
                               const cbpf::Program& program, TcClassic meaning);

// The place of weir's rule in a direction: before every other filter, at priority 1, unless that is
// taken, then at the first priority that is free. cls_bpf keeps several filters of one priority,
// but deleting "priority 1" deletes all of them: weir shares none.
inline constexpr std::uint32_t kRulePriority = 1;
inline constexpr std::uint32_t kRuleHandle = 0x77656972;  // "weir".

struct TcRulePlace {
  std::string interface;
  std::uint32_t index = 0;  // Of the interface.
  TcDirection direction = TcDirection::kIngress;
};

// As attach_tc(), at the place of weir's rule. With `replaced`, a filter that the caller has found
// there under the same lock, the kernel exchanges its program in one step, at the same priority and
// handle: every packet meets the one or the other. Undoing puts the replaced program back the same
// way; when anything fails, it is still there.
// kBusy when a foreign tool changes the place meanwhile.
Result<Link> attach_tc_rule(const HookLock& lock, const TcRulePlace& place,
                            const LoadedProgram& program,
                            const std::optional<TcFilter>& replaced = std::nullopt);

// Removes one filter, and the clsact qdisc with the last filter that says it was made for weir, if
// no other is left. Fine when the filter is no longer there. The kernel deletes whatever is at the
// place: kBusy when a foreign tool has put another program there in the last moment, naming it.
Status detach_tc(const HookLock& lock, std::uint32_t interface, TcDirection direction,
                 const TcFilter& filter);

// Removes a clsact qdisc without any filter, which a killed weir leaves.
Status remove_empty_clsact(const HookLock& lock, std::uint32_t interface);

}  // namespace weir::xdp
