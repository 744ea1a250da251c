#include "xdp/hooks/hook_lock.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <optional>
#include <thread>

#include "xdp/kernel/errors.h"

namespace weir::xdp {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::seconds kPatience{10};

struct Address {
  sockaddr_un name{};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&name); }
};

// An abstract name begins with a zero byte and has no other.
Address address_of(std::uint32_t index, LockedHook hook) {
  const std::string text =
      fmt::format("weir.lock.{}.{}", index, hook == LockedHook::kXdp ? "xdp" : "tc");
  Address address;
  address.name.sun_family = AF_UNIX;
  text.copy(address.name.sun_path + 1, sizeof(address.name.sun_path) - 1);
  address.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + text.size());
  return address;
}

Fd unix_socket() { return Fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)); }

// Waits until the holder's socket is closed, and learns who holds it. Returns early when the holder
// does not listen yet.
void wait_for_holder(const Address& address, Clock::time_point end, std::optional<ucred>& holder) {
  const Fd waiting = unix_socket();
  if (!waiting.valid() || connect(waiting.get(), address.get(), address.size) != 0) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return;
  }
  ucred peer{};
  socklen_t size = sizeof(peer);
  if (getsockopt(waiting.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0) {
    holder = peer;
  }
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now());
  pollfd closed{.fd = waiting.get(), .events = 0, .revents = 0};
  if (left.count() > 0) {
    poll(&closed, 1, static_cast<int>(left.count()));
  }
}

}  // namespace

Result<HookLock> HookLock::take(const std::string& interface, std::uint32_t index,
                                LockedHook hook) {
  const Address address = address_of(index, hook);
  const Clock::time_point end = Clock::now() + kPatience;
  std::optional<ucred> holder;
  do {
    Fd own = unix_socket();
    if (own.valid() && bind(own.get(), address.get(), address.size) == 0 &&
        listen(own.get(), SOMAXCONN) == 0) {
      return HookLock(std::move(own));
    }
    if (errno != EADDRINUSE) {
      return tl::make_unexpected(
          system_error(fmt::format("locking a hook of '{}'", interface), errno));
    }
    wait_for_holder(address, end, holder);
  } while (Clock::now() < end);
  const std::string who =
      holder ? fmt::format("process {} of user {}", holder->pid, holder->uid) : "another process";
  return fail(ErrorCode::kBusy,
              fmt::format("{} has been changing the programs of '{}' for {} seconds; if it hangs, "
                          "end it and try again",
                          who, interface, kPatience.count()));
}

}  // namespace weir::xdp
