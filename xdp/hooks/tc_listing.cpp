#include "xdp/hooks/tc_listing.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/netlink.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <cerrno>

#include "xdp/hooks/tc_message.h"

namespace weir::xdp {
namespace {

constexpr std::uint32_t kClsactHandle = TC_H_MAKE(TC_H_CLSACT, 0);

tcmsg header_of(std::uint32_t interface, std::uint32_t parent) {
  tcmsg header{};
  header.tcm_family = AF_UNSPEC;
  header.tcm_ifindex = static_cast<int>(interface);
  header.tcm_parent = parent;
  return header;
}

// The messages of a dump of filters, those of a classifier itself (handle 0) among them.
Result<std::vector<NetlinkMessage>> filter_messages(Netlink& netlink, std::uint32_t interface,
                                                    TcDirection direction) {
  NetlinkRequest request = filter_request(RTM_GETTFILTER, NLM_F_DUMP, interface, direction);
  NetlinkAnswer answer = netlink.ask(request);
  if (answer.error == EINVAL || answer.error == ENOENT || answer.error == EOPNOTSUPP) {
    return std::vector<NetlinkMessage>{};  // How kernels say that the qdisc has gone.
  }
  if (answer.error != 0) {
    return tc_error("listing tc filters", answer);
  }
  std::erase_if(answer.messages,
                [](const NetlinkMessage& message) { return message.type != RTM_NEWTFILTER; });
  return std::move(answer.messages);
}

}  // namespace

NetlinkRequest qdisc_request(std::uint16_t type, std::uint16_t flags, std::uint32_t interface) {
  tcmsg header = header_of(interface, TC_H_CLSACT);
  header.tcm_handle = kClsactHandle;
  return {type, flags, interface == 0 ? tcmsg{} : header};
}

NetlinkRequest filter_request(std::uint16_t type, std::uint16_t flags, std::uint32_t interface,
                              TcDirection direction, std::uint32_t priority, std::uint32_t handle) {
  const std::uint32_t minor =
      direction == TcDirection::kIngress ? TC_H_MIN_INGRESS : TC_H_MIN_EGRESS;
  tcmsg header = header_of(interface, TC_H_MAKE(TC_H_CLSACT, minor));
  if (type != RTM_GETTFILTER) {
    header.tcm_info = TC_H_MAKE(priority << 16, htons(ETH_P_ALL));
    header.tcm_handle = handle;
  }
  return {type, flags, header};
}

tl::unexpected<Error> tc_error(const std::string& what, const NetlinkAnswer& answer) {
  Error error = netlink_error(what, answer);
  if (answer.error == ENOENT) {
    error.code = ErrorCode::kUnsupported;
  }
  return tl::make_unexpected(std::move(error));
}

std::optional<TcFilter> parse_filter(const NetlinkMessage& message) {
  const auto header = message.header<tcmsg>();
  if (!header || (message.type != RTM_NEWTFILTER && message.type != RTM_DELTFILTER)) {
    return std::nullopt;
  }
  const Bytes attributes = message.attributes(sizeof(tcmsg));
  TcFilter filter;
  filter.priority = TC_H_MAJ(header->tcm_info) >> 16;
  filter.handle = header->tcm_handle;
  filter.chain = u32_attribute(attributes, TCA_CHAIN).value_or(0);
  filter.kind = text_attribute(attributes, TCA_KIND);
  if (const auto options = find_attribute(attributes, TCA_OPTIONS);
      options && filter.kind == "bpf") {
    filter.name = text_attribute(*options, TCA_BPF_NAME);
    filter.program_id = u32_attribute(*options, TCA_BPF_ID).value_or(0);
  }
  filter.made_qdisc = filter.name == kFilterNameWithQdisc;
  return filter;
}

std::optional<IngressQdisc> parse_ingress_qdisc(const NetlinkMessage& message) {
  const auto header = message.header<tcmsg>();
  if (!header || message.type != RTM_NEWQDISC || header->tcm_handle != kClsactHandle ||
      header->tcm_parent != TC_H_CLSACT) {
    return std::nullopt;
  }
  const Bytes attributes = message.attributes(sizeof(tcmsg));
  return IngressQdisc{.interface = static_cast<std::uint32_t>(header->tcm_ifindex),
                      .kind = text_attribute(attributes, TCA_KIND),
                      .shared_block = u32_attribute(attributes, TCA_INGRESS_BLOCK) ||
                                      u32_attribute(attributes, TCA_EGRESS_BLOCK)};
}

Result<std::vector<IngressQdisc>> ingress_qdiscs(Netlink& netlink) {
  NetlinkRequest request = qdisc_request(RTM_GETQDISC, NLM_F_DUMP, 0);
  const NetlinkAnswer answer = netlink.ask(request);
  if (answer.error != 0) {
    return tc_error("listing the qdiscs", answer);
  }
  std::vector<IngressQdisc> qdiscs;
  for (const NetlinkMessage& message : answer.messages) {
    if (auto qdisc = parse_ingress_qdisc(message)) {
      qdiscs.push_back(std::move(*qdisc));
    }
  }
  return qdiscs;
}

Result<std::optional<IngressQdisc>> ingress_qdisc(Netlink& netlink, std::uint32_t interface) {
  const auto all = ingress_qdiscs(netlink);
  if (!all) {
    return tl::make_unexpected(all.error());
  }
  const auto found = std::find_if(all->begin(), all->end(), [&](const IngressQdisc& qdisc) {
    return qdisc.interface == interface;
  });
  return found == all->end() ? std::nullopt : std::optional(*found);
}

Result<std::vector<TcFilter>> tc_filters(Netlink& netlink, const IngressQdisc& qdisc,
                                         TcDirection direction) {
  std::vector<TcFilter> filters;
  if (qdisc.kind != "clsact" && direction == TcDirection::kEgress) {
    return filters;
  }
  const auto messages = filter_messages(netlink, qdisc.interface, direction);
  if (!messages) {
    return tl::make_unexpected(messages.error());
  }
  for (const NetlinkMessage& message : *messages) {
    // A filter is listed with its handle; the line with handle 0 is the classifier itself.
    auto filter = parse_filter(message);
    if (filter && filter->handle != 0) {
      filters.push_back(std::move(*filter));
    }
  }
  std::stable_sort(filters.begin(), filters.end(), [](const TcFilter& a, const TcFilter& b) {
    return (a.chain != 0) < (b.chain != 0);
  });
  return filters;
}

Result<std::vector<TcFilter>> tc_filters(std::uint32_t interface, TcDirection direction) {
  auto netlink = Netlink::open();
  if (!netlink) {
    return tl::make_unexpected(netlink.error());
  }
  const auto qdisc = ingress_qdisc(*netlink, interface);
  if (!qdisc) {
    return tl::make_unexpected(qdisc.error());
  }
  return *qdisc ? tc_filters(*netlink, **qdisc, direction)
                : Result<std::vector<TcFilter>>(std::vector<TcFilter>{});
}

Result<bool> is_empty(Netlink& netlink, const IngressQdisc& qdisc) {
  if (qdisc.shared_block) {
    return false;
  }
  for (const TcDirection direction : {TcDirection::kIngress, TcDirection::kEgress}) {
    const auto messages = filter_messages(netlink, qdisc.interface, direction);
    if (!messages) {
      return tl::make_unexpected(messages.error());
    }
    if (!messages->empty()) {
      return false;
    }
  }
  return true;
}

}  // namespace weir::xdp
