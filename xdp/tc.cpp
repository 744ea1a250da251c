#include "xdp/tc.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/netlink.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <cerrno>
#include <functional>

#include "xdp/errors.h"
#include "xdp/interface.h"
#include "xdp/netlink.h"

namespace weir::xdp {
namespace {

// Names of weir's filters. The name is the only place where it can be kept, without a state file,
// that the qdisc was made for the filter and is to go with it.
constexpr char kName[] = "weir";
constexpr char kNameWithQdisc[] = "weir+clsact";

constexpr std::uint32_t kClsactParent = TC_H_CLSACT;
constexpr std::uint32_t kClsactHandle = TC_H_MAKE(TC_H_CLSACT, 0);

std::uint32_t parent_of(TcDirection direction) {
  return direction == TcDirection::kIngress ? TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS)
                                            : TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS);
}

tcmsg header_of(std::uint32_t interface, std::uint32_t parent) {
  tcmsg header{};
  header.tcm_family = AF_UNSPEC;
  header.tcm_ifindex = static_cast<int>(interface);
  header.tcm_parent = parent;
  return header;
}

tl::unexpected<Error> tc_error(const std::string& what, const NetlinkAnswer& answer) {
  if (answer.error == EPERM) {
    return tl::make_unexpected(missing_privilege(what));
  }
  Error error = netlink_error(what, answer);
  if (answer.error == ENOENT) {
    error.code = ErrorCode::kUnsupported;  // A classifier or qdisc the kernel does not have.
  }
  return tl::make_unexpected(std::move(error));
}

// True when it was made, false when there was one.
Result<bool> make_clsact(Netlink& netlink, std::uint32_t interface) {
  tcmsg header = header_of(interface, kClsactParent);
  header.tcm_handle = kClsactHandle;
  NetlinkRequest request(RTM_NEWQDISC, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, header);
  request.attribute(TCA_KIND, std::string("clsact"));
  const NetlinkAnswer answer = netlink.ask(request);
  if (answer.error == EEXIST) {
    return false;
  }
  if (answer.error != 0) {
    return tc_error("making the clsact qdisc", answer);
  }
  return true;
}

TcFilter read_filter(const NetlinkMessage& message) {
  TcFilter filter;
  const auto header = message.header<tcmsg>();
  const Bytes attributes = message.attributes(sizeof(tcmsg));
  filter.priority = header ? TC_H_MAJ(header->tcm_info) >> 16 : 0;
  filter.handle = header ? header->tcm_handle : 0;
  filter.kind = text_attribute(attributes, TCA_KIND);
  if (const auto options = find_attribute(attributes, TCA_OPTIONS);
      options && filter.kind == "bpf") {
    filter.name = text_attribute(*options, TCA_BPF_NAME);
    filter.program_id = u32_attribute(*options, TCA_BPF_ID).value_or(0);
  }
  filter.made_qdisc = filter.name == kNameWithQdisc;
  return filter;
}

Result<std::vector<TcFilter>> list_filters(Netlink& netlink, std::uint32_t interface,
                                           TcDirection direction) {
  NetlinkRequest request(RTM_GETTFILTER, NLM_F_DUMP, header_of(interface, parent_of(direction)));
  const NetlinkAnswer answer = netlink.ask(request);
  std::vector<TcFilter> filters;
  if (answer.error == EINVAL || answer.error == ENOENT || answer.error == EOPNOTSUPP) {
    return filters;  // How kernels say that there is no such qdisc.
  }
  if (answer.error != 0) {
    return tc_error("listing tc filters", answer);
  }
  for (const NetlinkMessage& message : answer.messages) {
    // A filter is listed with its handle; the line with handle 0 is the classifier itself.
    const TcFilter filter = read_filter(message);
    if (message.type == RTM_NEWTFILTER && filter.handle != 0) {
      filters.push_back(filter);
    }
  }
  return filters;
}

void remove_clsact_if_unused(Netlink& netlink, std::uint32_t interface) {
  for (const TcDirection direction : {TcDirection::kIngress, TcDirection::kEgress}) {
    const auto filters = list_filters(netlink, interface, direction);
    if (!filters || !filters->empty()) {
      return;
    }
  }
  tcmsg header = header_of(interface, kClsactParent);
  header.tcm_handle = kClsactHandle;
  NetlinkRequest request(RTM_DELQDISC, NLM_F_ACK, header);
  static_cast<void>(netlink.ask(request));
}

// Adds a cls_bpf filter whose program the caller fills in; gives what the kernel made of it.
Result<TcFilter> add_filter(Netlink& netlink, std::uint32_t interface, TcDirection direction,
                            bool made_qdisc, const std::function<void(NetlinkRequest&)>& program) {
  tcmsg header = header_of(interface, parent_of(direction));
  header.tcm_info = TC_H_MAKE(0, htons(ETH_P_ALL));  // Priority 0: the kernel chooses, in front.
  NetlinkRequest request(RTM_NEWTFILTER, NLM_F_ACK | NLM_F_ECHO | NLM_F_CREATE | NLM_F_EXCL,
                         header);
  request.attribute(TCA_KIND, std::string("bpf"));
  const std::size_t options = request.begin_nest(TCA_OPTIONS);
  request.attribute(TCA_BPF_NAME, std::string(made_qdisc ? kNameWithQdisc : kName));
  program(request);
  request.end_nest(options);
  const NetlinkAnswer answer = netlink.ask(request);
  if (answer.error != 0) {
    return tc_error("attaching a tc filter", answer);
  }
  for (const NetlinkMessage& message : answer.messages) {
    if (message.type == RTM_NEWTFILTER) {
      return read_filter(message);
    }
  }
  return fail(ErrorCode::kSystem, "the kernel did not say where it put the tc filter");
}

Result<Link> attach(const std::string& interface, TcDirection direction,
                    const std::function<void(NetlinkRequest&)>& program) {
  const auto index = interface_index(interface);
  if (!index) {
    return tl::make_unexpected(index.error());
  }
  auto netlink = Netlink::open();
  if (!netlink) {
    return tl::make_unexpected(netlink.error());
  }
  const auto made = make_clsact(*netlink, *index);
  if (!made) {
    return tl::make_unexpected(made.error());
  }
  const auto filter = add_filter(*netlink, *index, direction, *made, program);
  if (!filter) {
    if (*made) {
      remove_clsact_if_unused(*netlink, *index);
    }
    return tl::make_unexpected(filter.error());
  }
  return Link([interface = *index, direction, filter = *filter]() {
    return detach_tc(interface, direction, filter);
  });
}

}  // namespace

Result<Link> attach_tc(const std::string& interface, TcDirection direction,
                       const LoadedProgram& program) {
  return attach(interface, direction, [&](NetlinkRequest& request) {
    request.attribute(TCA_BPF_FD, static_cast<std::uint32_t>(program.fd()));
    request.attribute(TCA_BPF_FLAGS, std::uint32_t{TCA_BPF_FLAG_ACT_DIRECT});
  });
}

Result<Link> attach_tc_classic(const std::string& interface, TcDirection direction,
                               const cbpf::Program& program, TcClassic meaning) {
  if (program.instructions.size() > cbpf::kMaxLinuxInstructions) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("the kernel takes {} classic instructions, not {}",
                            cbpf::kMaxLinuxInstructions, program.instructions.size()));
  }
  std::vector<sock_filter> wire;
  wire.reserve(program.instructions.size());
  for (const cbpf::Instruction& i : program.instructions) {
    wire.push_back({i.code, i.jt, i.jf, i.k});
  }
  return attach(interface, direction, [&](NetlinkRequest& request) {
    const auto count = static_cast<std::uint16_t>(wire.size());
    request.attribute(TCA_BPF_OPS_LEN, &count, sizeof(count));
    request.attribute(TCA_BPF_OPS, wire.data(), wire.size() * sizeof(sock_filter));
    if (meaning == TcClassic::kDirectAction) {
      request.attribute(TCA_BPF_FLAGS, std::uint32_t{TCA_BPF_FLAG_ACT_DIRECT});
    }
  });
}

Result<std::vector<TcFilter>> tc_filters(std::uint32_t interface, TcDirection direction) {
  auto netlink = Netlink::open();
  if (!netlink) {
    return tl::make_unexpected(netlink.error());
  }
  return list_filters(*netlink, interface, direction);
}

Status detach_tc(std::uint32_t interface, TcDirection direction, const TcFilter& filter) {
  auto netlink = Netlink::open();
  if (!netlink) {
    return tl::make_unexpected(netlink.error());
  }
  // Between then and now the place may have gone to someone else's filter.
  const auto filters = list_filters(*netlink, interface, direction);
  if (!filters) {
    return tl::make_unexpected(filters.error());
  }
  const bool standing = std::any_of(filters->begin(), filters->end(), [&](const TcFilter& other) {
    return other.priority == filter.priority && other.handle == filter.handle &&
           other.name == filter.name && other.program_id == filter.program_id;
  });
  if (standing) {
    tcmsg header = header_of(interface, parent_of(direction));
    header.tcm_info = TC_H_MAKE(filter.priority << 16, htons(ETH_P_ALL));
    header.tcm_handle = filter.handle;
    NetlinkRequest request(RTM_DELTFILTER, NLM_F_ACK, header);
    request.attribute(TCA_KIND, std::string("bpf"));
    if (const NetlinkAnswer answer = netlink->ask(request); answer.error != 0) {
      return tc_error("detaching a tc filter", answer);
    }
  }
  if (filter.made_qdisc) {
    remove_clsact_if_unused(*netlink, interface);
  }
  return {};
}

}  // namespace weir::xdp
