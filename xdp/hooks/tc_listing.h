// What is at tc of an interface: the qdisc of its ingress place and the filters in it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cbpf/base/result.h"
#include "xdp/kernel/netlink.h"

namespace weir::xdp {

enum class TcDirection : std::uint8_t { kIngress, kEgress };

// A filter at tc.
struct TcFilter {
  std::uint32_t priority = 0;
  std::uint32_t handle = 0;
  std::uint32_t program_id = 0;  // 0: not an extended program.
  std::uint32_t chain = 0;       // Another than 0 is reached only from a filter of chain 0.
  std::string kind;              // "bpf", "u32", …
  std::string name;              // Of a cls_bpf filter, as given when it was attached.
  // Whether the clsact qdisc was made by weir and goes with the last filter that says so.
  bool made_qdisc = false;
};

// The qdisc with the handle ffff:. Both kinds have that handle, and `ingress` takes filters with
// the parent of clsact's egress too, but runs them at ingress.
struct IngressQdisc {
  std::uint32_t interface = 0;
  std::string kind;           // "clsact", "ingress".
  bool shared_block = false;  // Whether its filters are in a block that other qdiscs share.
};

// One message of a dump, as the kernel sent it; nothing for a message of another kind.
std::optional<TcFilter> parse_filter(const NetlinkMessage& message);
std::optional<IngressQdisc> parse_ingress_qdisc(const NetlinkMessage& message);

// Of every interface that has one.
Result<std::vector<IngressQdisc>> ingress_qdiscs(Netlink& netlink);
// Of one interface, if it has one.
Result<std::optional<IngressQdisc>> ingress_qdisc(Netlink& netlink, std::uint32_t interface);

// The filters of one direction in the order in which the kernel tries them, the chains after 0
// last. `ingress` has none at egress. kNoInterface when the interface has gone.
Result<std::vector<TcFilter>> tc_filters(Netlink& netlink, const IngressQdisc& qdisc,
                                         TcDirection direction);

// The same for an interface whose qdisc is not known yet: none when it has no such qdisc.
Result<std::vector<TcFilter>> tc_filters(std::uint32_t interface, TcDirection direction);

// Whether the qdisc holds no filter in either direction and shares no block.
Result<bool> is_empty(Netlink& netlink, const IngressQdisc& qdisc);

}  // namespace weir::xdp
