// The privileges the kernel asks of a process, by their names in capabilities(7).
#pragma once

#include <linux/capability.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cbpf/base/result.h"

namespace weir::xdp {

enum class Capability : std::uint8_t {
  kNetAdmin = CAP_NET_ADMIN,
  kNetRaw = CAP_NET_RAW,
  kSysAdmin = CAP_SYS_ADMIN,
  kPerfmon = CAP_PERFMON,
  kBpf = CAP_BPF,
};

// Whether the thread has it in its effective set. CAP_SYS_ADMIN stands for CAP_BPF and CAP_PERFMON,
// as it does in the kernel.
bool has_capability(Capability capability);

// The refusal of a system call that requires these capabilities, at least one: "WHAT needs …",
// which of them this process lacks, and what to do about it. `often` is one that only some filters
// need. kPermission.
Error missing_privilege(const std::string& what, const std::vector<Capability>& needs,
                        std::optional<Capability> often = std::nullopt);

}  // namespace weir::xdp
