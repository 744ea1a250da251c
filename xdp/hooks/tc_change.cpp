#include "xdp/hooks/tc_change.h"

#include <fmt/format.h>
#include <linux/bpf.h>
#include <linux/netlink.h>
#include <linux/pkt_cls.h>
#include <linux/rtnetlink.h>

#include <algorithm>

#include "xdp/hooks/tc_message.h"
#include "xdp/kernel/inspect.h"

namespace weir::xdp {
namespace {

// The filter of the echoed notification, which the kernel sends for exactly this request.
TcFilter echoed(const NetlinkAnswer& answer, std::uint16_t type) {
  for (const NetlinkMessage& message : answer.messages) {
    if (message.type == type) {
      return parse_filter(message).value_or(TcFilter{});
    }
  }
  return {};
}

}  // namespace

ProgramAttributes extended_program(int fd) {
  return [fd](NetlinkRequest& request) {
    request.attribute(TCA_BPF_FD, static_cast<std::uint32_t>(fd));
    request.attribute(TCA_BPF_FLAGS, std::uint32_t{TCA_BPF_FLAG_ACT_DIRECT});
  };
}

ChangeResult change_filter(Netlink& netlink, const FilterPlace& place, Change change,
                           bool made_qdisc, const ProgramAttributes& program) {
  const int kind = change == Change::kCreate ? NLM_F_CREATE | NLM_F_EXCL : NLM_F_REPLACE;
  NetlinkRequest request =
      filter_request(RTM_NEWTFILTER, static_cast<std::uint16_t>(NLM_F_ACK | NLM_F_ECHO | kind),
                     place.interface, place.direction, place.priority, place.handle);
  request.attribute(TCA_KIND, std::string("bpf"));
  const std::size_t options = request.begin_nest(TCA_OPTIONS);
  request.attribute(TCA_BPF_NAME, std::string(made_qdisc ? kFilterNameWithQdisc : kFilterName));
  program(request);
  request.end_nest(options);
  ChangeResult result;
  result.answer = netlink.ask(request);
  result.filter = echoed(result.answer, RTM_NEWTFILTER);
  return result;
}

Status delete_filter(Netlink& netlink, std::uint32_t interface, TcDirection direction,
                     const TcFilter& filter) {
  const auto there = is_in_place(netlink, interface, direction, filter);
  if (!there) {
    return tl::make_unexpected(there.error());
  }
  if (!*there) {
    return {};
  }
  NetlinkRequest request = filter_request(RTM_DELTFILTER, NLM_F_ACK | NLM_F_ECHO, interface,
                                          direction, filter.priority, filter.handle);
  request.attribute(TCA_KIND, std::string("bpf"));
  const NetlinkAnswer answer = netlink.ask(request);
  if (answer.error != 0) {
    // Fine when the filter, its qdisc or its interface went meanwhile, which has several errors.
    const auto left = is_in_place(netlink, interface, direction, filter);
    return left && !*left ? Status{} : tc_error("detaching a tc filter", answer);
  }
  // An echo without an id tells nothing.
  const TcFilter deleted = echoed(answer, RTM_DELTFILTER);
  if (deleted.program_id != 0 && deleted.program_id != filter.program_id) {
    return fail(ErrorCode::kBusy,
                fmt::format("another program took the place of weir's tc filter and was detached "
                            "with it: {}",
                            describe_program(deleted.program_id)));
  }
  return {};
}

Result<bool> is_in_place(Netlink& netlink, std::uint32_t interface, TcDirection direction,
                         const TcFilter& filter) {
  const auto qdisc = ingress_qdisc(netlink, interface);
  if (!qdisc) {
    return tl::make_unexpected(qdisc.error());
  }
  if (!*qdisc) {
    return false;
  }
  const auto filters = tc_filters(netlink, **qdisc, direction);
  if (!filters) {
    return tl::make_unexpected(filters.error());
  }
  return std::any_of(filters->begin(), filters->end(), [&](const TcFilter& other) {
    return other.priority == filter.priority && other.handle == filter.handle &&
           other.name == filter.name && other.program_id == filter.program_id;
  });
}

}  // namespace weir::xdp
