#include "xdp/hooks/xdp_attach.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>

#include "xdp/hooks/dispatcher.h"
#include "xdp/kernel/errors.h"
#include "xdp/kernel/inspect.h"
#include "xdp/kernel/interface.h"
#include "xdp/kernel/netlink.h"

namespace weir::xdp {
namespace {

std::uint32_t mode_flag(XdpMode mode) {
  return mode == XdpMode::kNative ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE;
}

tl::unexpected<Error> xdp_error(const std::string& what, const NetlinkAnswer& answer) {
  switch (answer.error) {
    case EBUSY:
    case EEXIST: {
      Error error = netlink_error(what, answer);
      error.code = ErrorCode::kBusy;
      return tl::make_unexpected(std::move(error));
    }
    // Of drivers: an MTU too large, too few queues.
    case ERANGE:
    case E2BIG:
    case ENOSPC:
    case EINVAL:
    case EOPNOTSUPP: {
      Error error = netlink_error(what, answer);
      error.code = ErrorCode::kUnsupported;
      return tl::make_unexpected(std::move(error));
    }
    default:
      return tl::make_unexpected(netlink_error(what, answer));
  }
}

// Puts `fd` (-1: nothing) at the hook if `expected` (-1: nothing) is what stands there.
Result<NetlinkAnswer> replace(std::uint32_t interface, XdpMode mode, std::int32_t expected,
                              std::int32_t fd) {
  auto netlink = Netlink::open();
  if (!netlink) {
    return tl::make_unexpected(netlink.error());
  }
  ifinfomsg header{};
  header.ifi_index = static_cast<int>(interface);
  NetlinkRequest request(RTM_SETLINK, NLM_F_ACK, header);
  const std::size_t nest = request.begin_nest(IFLA_XDP);
  request.attribute(IFLA_XDP_FD, fd);
  if (expected < 0) {
    request.attribute(IFLA_XDP_FLAGS, mode_flag(mode) | XDP_FLAGS_UPDATE_IF_NOEXIST);
  } else {
    request.attribute(IFLA_XDP_FLAGS, mode_flag(mode) | XDP_FLAGS_REPLACE);
    request.attribute(IFLA_XDP_EXPECTED_FD, expected);
  }
  request.end_nest(nest);
  return netlink->ask(request);
}

// Takes the program of that descriptor away. Fine when another stands there, or the interface went.
Status take_away(std::uint32_t interface, XdpMode mode, int fd) {
  const auto answer = replace(interface, mode, fd, -1);
  if (!answer) {
    return tl::make_unexpected(answer.error());
  }
  if (answer->error == 0 || answer->error == ENODEV || answer->error == EEXIST ||
      answer->error == ENOENT) {
    return {};
  }
  return xdp_error("detaching an XDP program", *answer);
}

// The one program at the hook itself (which may be a dispatcher).
std::optional<XdpStanding> main_program(const Interface& interface) {
  if (interface.native_program != 0) {
    return XdpStanding{interface.native_program, XdpMode::kNative, false};
  }
  if (interface.generic_program != 0) {
    return XdpStanding{interface.generic_program, XdpMode::kGeneric, false};
  }
  return std::nullopt;
}

tl::unexpected<Error> in_the_way(const Interface& interface, std::uint32_t program_id) {
  return fail(ErrorCode::kBusy, fmt::format("the XDP program {} is already attached to '{}'",
                                            describe_program(program_id), interface.name));
}

tl::unexpected<Error> needs_gap(const Interface& interface, const XdpStanding& old, XdpMode mode) {
  return fail(
      ErrorCode::kUnsupported,
      fmt::format("the program {} on '{}' runs in {} mode, and the kernel cannot replace it "
                  "by one in {} mode in one step; --with-gap detaches it first, and every "
                  "packet passes in between",
                  describe_program(old.program_id), interface.name, xdp_mode_name(old.mode),
                  xdp_mode_name(mode)));
}

tl::unexpected<Error> other_dispatcher_mode(const Interface& interface, XdpMode there,
                                            XdpMode mode) {
  return fail(ErrorCode::kUnsupported,
              fmt::format("libxdp's dispatcher runs its programs on '{}' in {} mode; detach them, "
                          "then attach in {} mode",
                          interface.name, xdp_mode_name(there), xdp_mode_name(mode)));
}

// The descriptors an attachment needs to undo itself: the kernel is told which program it takes
// away and which comes back.
struct Exchange {
  std::uint32_t interface = 0;
  XdpMode mode = XdpMode::kNative;
  Fd program;
  XdpMode old_mode = XdpMode::kNative;
  Fd old;  // None when nothing was replaced.
};

// Puts `to` in the place of `from`; by two operations when their modes differ. When the second
// fails, `from` comes back.
Status exchange(std::uint32_t interface, XdpMode from_mode, int from, XdpMode to_mode, int to,
                const std::string& what) {
  const bool one_step = from < 0 || to < 0 || from_mode == to_mode;
  if (!one_step) {
    if (auto gone = take_away(interface, from_mode, from); !gone) {
      return gone;
    }
  }
  const auto answer = replace(interface, to_mode, one_step ? from : -1, to);
  if (answer && answer->error == 0) {
    return {};
  }
  Error error = answer ? xdp_error(what, *answer).value() : answer.error();
  if (!one_step) {
    const auto back = replace(interface, from_mode, -1, from);
    if (!back || back->error != 0) {
      error.message += "; the program that was there could not be put back";
    }
  }
  return tl::make_unexpected(std::move(error));
}

Status undo(const Exchange& done) {
  if (!done.old.valid()) {
    return take_away(done.interface, done.mode, done.program.get());
  }
  auto back = exchange(done.interface, done.mode, done.program.get(), done.old_mode, done.old.get(),
                       "putting an XDP program back");
  // Another program is there by now, or the interface has gone.
  if (!back &&
      (back.error().code == ErrorCode::kBusy || back.error().code == ErrorCode::kNoInterface)) {
    return {};
  }
  return back;
}

// A driver refuses for reasons of its own (no XDP at all, the MTU, offloads); the generic mode and
// tc do not depend on it.
Error with_other_hooks(Error error, XdpMode mode) {
  if (error.code == ErrorCode::kUnsupported) {
    error.message += mode == XdpMode::kNative
                         ? "; --mode generic or --hook tc works without the driver's support"
                         : "; --hook tc works without XDP";
  }
  return error;
}

// Attaches the program itself, in the place of `old` or where nothing is.
Result<XdpAttachment> attach_alone(const Interface& interface, const LoadedProgram& program,
                                   const XdpOptions& options, const std::optional<XdpStanding>& old,
                                   std::string fallback) {
  const std::string what = fmt::format("attaching an XDP program to '{}'", interface.name);
  const auto done = std::make_shared<Exchange>();
  done->interface = interface.index;
  done->mode = options.mode;
  done->program = Fd(fcntl(program.fd(), F_DUPFD_CLOEXEC, 0));
  if (!done->program.valid()) {
    return tl::make_unexpected(system_error(what, errno));
  }
  if (old) {
    auto opened = open_program(old->program_id);
    if (!opened) {
      return tl::make_unexpected(opened.error());
    }
    done->old = std::move(*opened);
    done->old_mode = old->mode;
  }
  if (auto attached = exchange(interface.index, done->old_mode, done->old.get(), options.mode,
                               program.fd(), what);
      !attached) {
    return tl::make_unexpected(with_other_hooks(attached.error(), options.mode));
  }
  XdpAttachment attachment;
  attachment.link = Link([done]() { return undo(*done); });
  attachment.program_id = program.info().id;
  attachment.fallback = std::move(fallback);
  return attachment;
}

Result<XdpAttachment> attach_shared(const Interface& interface, const LoadedProgram& program,
                                    const XdpOptions& options) {
  const auto entry = add_to_dispatcher(interface.index, options.mode, program);
  if (!entry) {
    return tl::make_unexpected(entry.error());
  }
  // libxdp falls back by itself where a later step of the dispatcher fails.
  const auto standing = xdp_programs(interface.name);
  const bool shared =
      standing && std::any_of(standing->begin(), standing->end(), [&](const XdpStanding& one) {
        return one.in_dispatcher && one.program_id == entry->program_id;
      });
  XdpAttachment attachment;
  attachment.program_id = entry->program_id;
  attachment.dispatcher = shared;
  attachment.fallback = shared ? "" : "libxdp could not make its dispatcher";
  const XdpStanding own{entry->program_id, options.mode, shared};
  attachment.link = Link([index = interface.index, own]() { return detach_xdp(index, own); });
  return attachment;
}

}  // namespace

std::string_view xdp_mode_name(XdpMode mode) {
  switch (mode) {
    case XdpMode::kNative:
      return "native";
    case XdpMode::kGeneric:
      return "generic";
  }
  return {};
}

Result<XdpAttachment> attach_xdp(const std::string& interface, const LoadedProgram& program,
                                 const XdpOptions& options) {
  const auto there = interface_named(interface);
  if (!there) {
    return tl::make_unexpected(there.error());
  }
  const auto standing = main_program(*there);
  const bool dispatcher = standing && is_dispatcher(standing->program_id);
  if (dispatcher && options.alone) {
    return in_the_way(*there, standing->program_id);
  }
  std::string fallback = options.alone
                             ? "the driver tells it VLAN tags, which no dispatcher can pass on"
                             : why_no_dispatcher();
  const bool joins = dispatcher && fallback.empty();
  if (standing && !joins) {
    if (!options.force && options.replaced != standing->program_id) {
      return in_the_way(*there, standing->program_id);
    }
    if (standing->mode != options.mode && !options.with_gap) {
      return needs_gap(*there, *standing, options.mode);
    }
    return attach_alone(*there, program, options, standing,
                        fallback.empty() ? "the program it replaces was alone" : fallback);
  }
  if (joins && standing->mode != options.mode) {
    return other_dispatcher_mode(*there, standing->mode, options.mode);
  }
  if (fallback.empty()) {
    auto shared = attach_shared(*there, program, options);
    if (joins || shared || shared.error().code != ErrorCode::kUnsupported) {
      return shared;
    }
    fallback = shared.error().message;
  }
  return attach_alone(*there, program, options, std::nullopt, std::move(fallback));
}

Result<std::vector<XdpStanding>> xdp_programs(const std::string& interface) {
  const auto there = interface_named(interface);
  if (!there) {
    return tl::make_unexpected(there.error());
  }
  return xdp_programs(*there);
}

std::vector<XdpStanding> xdp_programs(const Interface& interface) {
  std::vector<XdpStanding> standing;
  const auto main = main_program(interface);
  if (!main) {
    return standing;
  }
  if (is_dispatcher(main->program_id)) {
    for (const DispatcherEntry& entry :
         dispatcher_entries(interface.index, main->program_id, main->mode)) {
      standing.push_back({entry.program_id, entry.mode, true});
    }
  }
  if (standing.empty()) {
    standing.push_back(*main);
  }
  return standing;
}

Status detach_xdp(std::uint32_t interface, const XdpStanding& standing) {
  if (standing.in_dispatcher) {
    return remove_from_dispatcher(interface, {standing.program_id, standing.mode});
  }
  const auto fd = find_program(standing.program_id);
  if (!fd) {
    return tl::make_unexpected(fd.error());
  }
  return *fd ? take_away(interface, standing.mode, (*fd)->get()) : Status{};
}

}  // namespace weir::xdp
