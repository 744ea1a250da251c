// One weir at a time changes a hook of an interface.
//
// Two of the kernel's operations at tc name no expected program (replacing and deleting a filter),
// and "no rule is attached yet" is not a condition the kernel can check. The lock is an abstract
// UNIX socket: it belongs to the network namespace and ends with the process that holds it, however
// that ends. Only weir takes it; foreign tools are not kept out.
#pragma once

#include <cstdint>
#include <string>

#include "cbpf/base/fd.h"
#include "cbpf/base/result.h"

namespace weir::xdp {

enum class LockedHook : std::uint8_t { kXdp, kTc };  // Both directions of tc share clsact.

class HookLock {
 public:
  // Waits up to ten seconds for another process to give it back. kBusy then, naming that process
  // and its user: any user of the machine can hold it, so a process that is not weir's is to be
  // ended. Not recursive. `interface` is for the message, `index` identifies it.
  static Result<HookLock> take(const std::string& interface, std::uint32_t index, LockedHook hook);

 private:
  explicit HookLock(Fd socket) : socket_(std::move(socket)) {}
  Fd socket_;
};

}  // namespace weir::xdp
