// attach_tc_rule() of tc.h.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "xdp/hooks/clsact.h"
#include "xdp/hooks/tc.h"
#include "xdp/hooks/tc_change.h"
#include "xdp/hooks/tc_message.h"
#include "xdp/kernel/inspect.h"
#include "xdp/kernel/netlink.h"

namespace weir::xdp {
namespace {

constexpr std::uint32_t kLastPriority = 0xffff;
constexpr char kAttaching[] = "attaching a tc filter";

tl::unexpected<Error> changed_meanwhile(const TcRulePlace& place) {
  return fail(ErrorCode::kBusy,
              fmt::format("another program changed the tc filters of '{}' meanwhile; try again",
                          place.interface));
}

// The first priority that no filter has.
Result<std::uint32_t> free_priority(Netlink& netlink, const TcRulePlace& place) {
  const auto qdisc = ingress_qdisc(netlink, place.index);
  if (!qdisc) {
    return tl::make_unexpected(qdisc.error());
  }
  if (!*qdisc) {
    return changed_meanwhile(place);
  }
  const auto filters = tc_filters(netlink, **qdisc, place.direction);
  if (!filters) {
    return tl::make_unexpected(filters.error());
  }
  for (std::uint32_t priority = kRulePriority; priority <= kLastPriority; ++priority) {
    if (std::none_of(filters->begin(), filters->end(), [&](const TcFilter& filter) {
          return filter.chain == 0 && filter.priority == priority;
        })) {
      return priority;
    }
  }
  return fail(ErrorCode::kBusy, fmt::format("every tc priority of '{}' is taken", place.interface));
}

// The filter at a place of its own.
Result<TcFilter> create(Netlink& netlink, const TcRulePlace& place, bool made_qdisc, int fd) {
  const auto priority = free_priority(netlink, place);
  if (!priority) {
    return tl::make_unexpected(priority.error());
  }
  const ChangeResult made =
      change_filter(netlink, {place.index, place.direction, *priority, kRuleHandle},
                    Change::kCreate, made_qdisc, extended_program(fd));
  if (made.answer.error == EEXIST) {
    return changed_meanwhile(place);
  }
  if (made.answer.error != 0) {
    return tc_error(kAttaching, made.answer);
  }
  return made.filter;
}

// The same filter with another program.
Result<TcFilter> exchange(Netlink& netlink, const TcRulePlace& place, const TcFilter& old,
                          bool made_qdisc, int fd) {
  const auto there = is_in_place(netlink, place.index, place.direction, old);
  if (!there) {
    return tl::make_unexpected(there.error());
  }
  if (!*there) {
    return changed_meanwhile(place);
  }
  const ChangeResult made =
      change_filter(netlink, {place.index, place.direction, old.priority, old.handle},
                    Change::kReplace, made_qdisc, extended_program(fd));
  if (made.answer.error == ENOENT) {
    return changed_meanwhile(place);
  }
  if (made.answer.error != 0) {
    return tc_error("replacing a tc filter", made.answer);
  }
  return made.filter;
}

// The end of the link of a filter that replaced another: the other's program comes back, under the
// same condition.
Status put_back(const TcRulePlace& place, const TcFilter& own, const TcFilter& old, int old_fd) {
  const auto lock = HookLock::take(place.interface, place.index, LockedHook::kTc);
  if (!lock) {
    return tl::make_unexpected(lock.error());
  }
  auto netlink = Netlink::open();
  if (!netlink) {
    return tl::make_unexpected(netlink.error());
  }
  const auto there = is_in_place(*netlink, place.index, place.direction, own);
  if (!there || !*there) {
    return there ? Status{} : tl::make_unexpected(there.error());
  }
  const auto back = exchange(*netlink, place, own, old.made_qdisc || own.made_qdisc, old_fd);
  return back ? Status{} : tl::make_unexpected(back.error());
}

Result<Link> replace(Netlink& netlink, const TcRulePlace& place, const LoadedProgram& program,
                     const TcFilter& old, bool made_qdisc) {
  auto opened = open_program(old.program_id);
  if (!opened) {
    return tl::make_unexpected(opened.error());
  }
  const auto old_fd = std::make_shared<Fd>(std::move(*opened));
  const auto own = exchange(netlink, place, old, made_qdisc, program.fd());
  if (!own) {
    return tl::make_unexpected(own.error());
  }
  return Link(
      [place, own = *own, old, old_fd]() { return put_back(place, own, old, old_fd->get()); });
}

}  // namespace

Result<Link> attach_tc_rule(const HookLock& lock, const TcRulePlace& place,
                            const LoadedProgram& program, const std::optional<TcFilter>& replaced) {
  auto netlink = Netlink::open();
  if (!netlink) {
    return tl::make_unexpected(netlink.error());
  }
  const auto weirs = provide_clsact(*netlink, place.interface, place.index, place.direction);
  if (!weirs) {
    return tl::make_unexpected(weirs.error());
  }
  if (replaced) {
    return replace(*netlink, place, program, *replaced, *weirs);
  }
  const auto own = create(*netlink, place, *weirs, program.fd());
  if (!own) {
    if (*weirs) {
      static_cast<void>(remove_empty_clsact(*netlink, place.index));
    }
    return tl::make_unexpected(own.error());
  }
  // A plain `ingress` qdisc that took clsact's place in between would run it in the wrong
  // direction.
  if (const auto right = has_direction(*netlink, place.index, place.direction); !right || !*right) {
    static_cast<void>(detach_tc(lock, place.index, TcDirection::kIngress, *own));
    return right ? changed_meanwhile(place) : tl::make_unexpected(right.error());
  }
  return Link([place, own = *own]() -> Status {
    const auto relock = HookLock::take(place.interface, place.index, LockedHook::kTc);
    return relock ? detach_tc(*relock, place.index, place.direction, own)
                  : tl::make_unexpected(relock.error());
  });
}

}  // namespace weir::xdp
