#include "xdp/hooks/clsact.h"

#include <fmt/format.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <cerrno>

#include "xdp/hooks/tc_message.h"

namespace weir::xdp {
namespace {

constexpr char kKind[] = "clsact";
constexpr int kTries = 4;

tl::unexpected<Error> no_egress(const std::string& interface, const std::string& kind) {
  return fail(
      ErrorCode::kUnsupported,
      fmt::format("'{0}' has the qdisc '{1}', which has no egress: use --hook tc or xdp, or "
                  "remove it with its filters ('tc qdisc del dev {0} handle ffff: {1}') and "
                  "try again",
                  interface, kind));
}

// Whether a qdisc that was found is to be removed with weir's last filter.
Result<bool> is_weirs(Netlink& netlink, const IngressQdisc& qdisc) {
  if (qdisc.kind != kKind) {
    return false;
  }
  for (const TcDirection direction : {TcDirection::kIngress, TcDirection::kEgress}) {
    const auto filters = tc_filters(netlink, qdisc, direction);
    if (!filters) {
      return tl::make_unexpected(filters.error());
    }
    if (std::any_of(filters->begin(), filters->end(),
                    [](const TcFilter& filter) { return filter.made_qdisc; })) {
      return true;
    }
  }
  return is_empty(netlink, qdisc);
}

}  // namespace

Result<bool> provide_clsact(Netlink& netlink, const std::string& interface, std::uint32_t index,
                            TcDirection direction) {
  NetlinkAnswer answer;
  for (int tries = 0; tries < kTries; ++tries) {
    NetlinkRequest request =
        qdisc_request(RTM_NEWQDISC, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, index);
    request.attribute(TCA_KIND, std::string(kKind));
    answer = netlink.ask(request);
    if (answer.error == 0) {
      return true;
    }
    if (answer.error != EEXIST) {
      break;
    }
    const auto there = ingress_qdisc(netlink, index);
    if (!there) {
      return tl::make_unexpected(there.error());
    }
    if (!*there) {
      continue;  // Removed meanwhile.
    }
    if (direction == TcDirection::kEgress && (*there)->kind != kKind) {
      return no_egress(interface, (*there)->kind);
    }
    return is_weirs(netlink, **there);
  }
  return tc_error("making the clsact qdisc", answer);
}

Result<bool> has_direction(Netlink& netlink, std::uint32_t index, TcDirection direction) {
  const auto there = ingress_qdisc(netlink, index);
  if (!there) {
    return tl::make_unexpected(there.error());
  }
  return *there && (direction == TcDirection::kIngress || (*there)->kind == kKind);
}

Status remove_empty_clsact(Netlink& netlink, std::uint32_t index) {
  const auto there = ingress_qdisc(netlink, index);
  if (!there) {
    return tl::make_unexpected(there.error());
  }
  if (!*there || (*there)->kind != kKind) {
    return {};
  }
  const auto empty = is_empty(netlink, **there);
  if (!empty) {
    return tl::make_unexpected(empty.error());
  }
  if (!*empty) {
    return {};
  }
  NetlinkRequest request = qdisc_request(RTM_DELQDISC, NLM_F_ACK, index);
  const NetlinkAnswer answer = netlink.ask(request);
  if (answer.error == 0 || answer.error == ENOENT || answer.error == EINVAL ||
      answer.error == ENODEV) {
    return {};  // EINVAL, ENOENT: removed meanwhile.
  }
  return tc_error("removing the clsact qdisc", answer);
}

}  // namespace weir::xdp
