#include "xdp/hooks/tc.h"

#include <fmt/format.h>
#include <linux/filter.h>
#include <linux/pkt_cls.h>

#include "xdp/hooks/clsact.h"
#include "xdp/hooks/tc_change.h"
#include "xdp/hooks/tc_message.h"
#include "xdp/kernel/interface.h"
#include "xdp/kernel/netlink.h"

namespace weir::xdp {
namespace {

// Detaches under a lock of its own; the end of a link.
Status undo(const std::string& name, std::uint32_t interface, TcDirection direction,
            const TcFilter& filter) {
  const auto lock = HookLock::take(name, interface, LockedHook::kTc);
  return lock ? detach_tc(*lock, interface, direction, filter) : tl::make_unexpected(lock.error());
}

Result<Link> attach(const std::string& interface, TcDirection direction,
                    const ProgramAttributes& program) {
  const auto index = interface_index(interface);
  if (!index) {
    return tl::make_unexpected(index.error());
  }
  const auto lock = HookLock::take(interface, *index, LockedHook::kTc);
  if (!lock) {
    return tl::make_unexpected(lock.error());
  }
  auto netlink = Netlink::open();
  if (!netlink) {
    return tl::make_unexpected(netlink.error());
  }
  const auto weirs = provide_clsact(*netlink, interface, *index, direction);
  if (!weirs) {
    return tl::make_unexpected(weirs.error());
  }
  const ChangeResult made = change_filter(*netlink, {.interface = *index, .direction = direction},
                                          Change::kCreate, *weirs, program);
  if (made.answer.error != 0 || made.filter.handle == 0) {
    if (*weirs) {
      static_cast<void>(remove_empty_clsact(*netlink, *index));
    }
    return made.answer.error != 0
               ? tc_error("attaching a tc filter", made.answer)
               : fail(ErrorCode::kSystem, "the kernel did not say where it put the tc filter");
  }
  return Link([interface, index = *index, direction, filter = made.filter]() {
    return undo(interface, index, direction, filter);
  });
}

}  // namespace

Result<Link> attach_tc(const std::string& interface, TcDirection direction,
                       const LoadedProgram& program) {
  return attach(interface, direction, extended_program(program.fd()));
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

Status detach_tc(const HookLock& /*lock*/, std::uint32_t interface, TcDirection direction,
                 const TcFilter& filter) {
  auto netlink = Netlink::open();
  if (!netlink) {
    return tl::make_unexpected(netlink.error());
  }
  if (auto deleted = delete_filter(*netlink, interface, direction, filter); !deleted) {
    return deleted;
  }
  return filter.made_qdisc ? remove_empty_clsact(*netlink, interface) : Status{};
}

Status remove_empty_clsact(const HookLock& /*lock*/, std::uint32_t interface) {
  auto netlink = Netlink::open();
  return netlink ? remove_empty_clsact(*netlink, interface) : tl::make_unexpected(netlink.error());
}

}  // namespace weir::xdp
