// The tc hook: a program as a classifier of the clsact qdisc (cls_bpf), before the network stack
// (ingress) or after it (egress).
//
// cls_bpf and not tcx: it is there on every kernel since 4.5, `tc filter show` lists it, and it
// stands without a pinned link when the process has gone. Its price against tcx is one indirect
// call.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cbpf/base/result.h"
#include "cbpf/program.h"
#include "xdp/link.h"
#include "xdp/load.h"

namespace weir::xdp {

enum class TcDirection : std::uint8_t { kIngress, kEgress };

// Attaches an extended program of type kTc in direct-action mode: it returns TC_ACT_* itself. It
// replaces no other filter, and is put before those that already stand there, but behind those to
// which someone gave a priority below 32768 by hand. TC_ACT_UNSPEC lets the next
// one decide, any other verdict is final. Makes the clsact qdisc when the interface has none;
// undoing takes that away again unless another filter uses it by then.
// kNoInterface; kPermission; kUnsupported when the kernel has no cls_bpf.
Result<Link> attach_tc(const std::string& interface, TcDirection direction,
                       const LoadedProgram& program);

// What a classic program's number means at tc.
enum class TcClassic : std::uint8_t {
  kMatch,         // 0: no match, the next filter is tried; else the packet passes.
  kDirectAction,  // It is TC_ACT_*, as of an extended program.
};
Result<Link> attach_tc_classic(const std::string& interface, TcDirection direction,
                               const cbpf::Program& program, TcClassic meaning);

// A filter that stands at tc.
struct TcFilter {
  std::uint32_t priority = 0;
  std::uint32_t handle = 0;
  std::uint32_t program_id = 0;  // 0: not an extended program.
  std::string kind;              // "bpf", "u32", …
  std::string name;              // Of a cls_bpf filter, as given when it was attached.
  // Whether weir made the clsact qdisc for this filter.
  bool made_qdisc = false;
};

// In the order in which the kernel tries them; none when the interface has no clsact qdisc.
Result<std::vector<TcFilter>> tc_filters(std::uint32_t interface, TcDirection direction);

// Takes one filter away, and the clsact qdisc if weir made it and nothing else is in it. Fine when
// the filter is no longer there.
Status detach_tc(std::uint32_t interface, TcDirection direction, const TcFilter& filter);

}  // namespace weir::xdp
