// A network of one's own, to measure or to test in: a namespace without a name and veth pairs in
// it.
#pragma once

#include <string>

#include "cbpf/base/fd.h"
#include "cbpf/base/result.h"

namespace weir::xdp {

// Moves the calling thread into a fresh network namespace and back at the end of its life. The
// namespace, and every interface and program attached in it, ends with the last descriptor to it,
// also when the process is killed.
class PrivateNetwork {
 public:
  // kPermission without CAP_SYS_ADMIN.
  static Result<PrivateNetwork> enter();

  // Makes a veth pair, both ends up, MTU 3400, without IPv6 talk of its own. kSystem with the
  // kernel's word.
  Status add_veth_pair(const std::string& name, const std::string& peer);

  PrivateNetwork(PrivateNetwork&&) noexcept = default;
  PrivateNetwork& operator=(PrivateNetwork&&) noexcept = delete;
  ~PrivateNetwork();

 private:
  explicit PrivateNetwork(Fd before) : before_(std::move(before)) {}
  Fd before_;  // The namespace the thread came from.
};

// A socket that sends whole frames out of an interface and receives nothing. kPermission without
// CAP_NET_RAW, kNoInterface.
Result<Fd> open_injector(const std::string& interface);

}  // namespace weir::xdp
