#include "xdp/kernel/capabilities.h"

#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <string_view>

namespace weir::xdp {
namespace {

// Of the initial user namespace in /proc/PID/ns, the same on every machine (PROC_USER_INIT_INO of
// linux/proc_ns.h).
constexpr ino_t kInitialUserNamespace = 0xEFFFFFFD;

constexpr Capability kAll[] = {Capability::kBpf, Capability::kNetAdmin, Capability::kPerfmon,
                               Capability::kSysAdmin, Capability::kNetRaw};

std::string_view name_of(Capability capability) {
  switch (capability) {
    case Capability::kNetAdmin:
      return "CAP_NET_ADMIN";
    case Capability::kNetRaw:
      return "CAP_NET_RAW";
    case Capability::kSysAdmin:
      return "CAP_SYS_ADMIN";
    case Capability::kPerfmon:
      return "CAP_PERFMON";
    case Capability::kBpf:
      return "CAP_BPF";
  }
  return {};
}

bool is_effective(Capability capability) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3]{};
  const auto bit = static_cast<unsigned>(capability);
  return syscall(SYS_capget, &header, sets) == 0 &&
         (sets[CAP_TO_INDEX(bit)].effective & CAP_TO_MASK(bit)) != 0;
}

// Whether no program that this process starts can have it.
bool is_out_of_reach(Capability capability) {
  return prctl(PR_CAPBSET_READ, static_cast<unsigned long>(capability), 0, 0, 0) == 0;
}

// "CAP_A", "CAP_A and CAP_B", "CAP_A, CAP_B and CAP_C".
std::string list_of(const std::vector<Capability>& capabilities) {
  std::string text;
  for (std::size_t i = 0; i < capabilities.size(); ++i) {
    const bool last = i + 1 == capabilities.size();
    text += i == 0 ? "" : last ? " and " : ", ";
    text += name_of(capabilities[i]);
  }
  return text;
}

// Whether capabilities count here for what belongs to this namespace only, and not for bpf(2).
bool in_user_namespace() {
  struct stat own {};
  return stat("/proc/self/ns/user", &own) == 0 && own.st_ino != kInitialUserNamespace;
}

// These and what the process has already, as setcap(8) takes them: it takes away what it does not
// name.
std::string for_setcap(const std::vector<Capability>& needs) {
  std::string text;
  for (const Capability capability : kAll) {
    if (is_effective(capability) ||
        std::find(needs.begin(), needs.end(), capability) != needs.end()) {
      text += text.empty() ? "" : ",";
      text += name_of(capability);
    }
  }
  std::transform(text.begin(), text.end(), text.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return text;
}

std::string what_to_do(const std::vector<Capability>& needs,
                       const std::vector<Capability>& missing) {
  if (std::any_of(missing.begin(), missing.end(), is_out_of_reach)) {
    return fmt::format(
        "the container or service it runs in has to be given {} (docker --cap-add, systemd "
        "AmbientCapabilities=)",
        missing.size() == 1 ? "it" : "them");
  }
  return fmt::format("run it as root (sudo), or give the program what it needs (setcap {}=ep FILE)",
                     for_setcap(needs));
}

}  // namespace

bool has_capability(Capability capability) {
  if (is_effective(capability)) {
    return true;
  }
  const bool implied = capability == Capability::kBpf || capability == Capability::kPerfmon;
  return implied && is_effective(Capability::kSysAdmin);
}

Error missing_privilege(const std::string& what, const std::vector<Capability>& needs,
                        std::optional<Capability> often) {
  std::string message = fmt::format("{} needs {}", what, list_of(needs));
  std::vector<Capability> all = needs;
  if (often && !has_capability(*often)) {
    message += fmt::format(" (for most filters {} too)", name_of(*often));
    all.push_back(*often);
  }
  std::vector<Capability> missing = all;
  std::erase_if(missing, has_capability);
  if (in_user_namespace()) {
    message +=
        " in the initial user namespace, and this process is in another one (unshare -U, a "
        "rootless container), whose root has no privileges there: run it outside, as root";
  } else if (missing.empty()) {
    message +=
        ", which this process has: a security policy of the system (seccomp, a security module) "
        "forbids it";
  } else if (missing.size() == all.size()) {
    message += fmt::format(", which this process lacks: {}", what_to_do(all, missing));
  } else {
    message +=
        fmt::format("; this process lacks {}: {}", list_of(missing), what_to_do(all, missing));
  }
  return {ErrorCode::kPermission, std::move(message), {}, {}};
}

}  // namespace weir::xdp
