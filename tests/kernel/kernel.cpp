#include "tests/kernel/kernel.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <string_view>

namespace weir::testing {
namespace {

bool set_capabilities(const std::vector<int>& kept) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3]{};
  for (const int capability : kept) {
    auto& set = sets[CAP_TO_INDEX(capability)];
    set.effective |= CAP_TO_MASK(capability);
    set.permitted |= CAP_TO_MASK(capability);
  }
  return syscall(SYS_capset, &header, sets) == 0;
}

// Programs that root starts have what is in the bounding set.
bool keep_capabilities(const std::vector<int>& kept) {
  for (int capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; ++capability) {
    if (std::find(kept.begin(), kept.end(), capability) == kept.end() &&
        prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) {
      return false;
    }
  }
  return set_capabilities(kept);
}

bool become_ordinary_user() {
  return prctl(PR_SET_SECUREBITS, SECBIT_NOROOT, 0, 0, 0) == 0 && set_capabilities({});
}

bool write_file(const char* path, const char* text) {
  std::ofstream file(path);
  file << text << std::flush;
  return file.good();
}

bool enter_user_namespace() {
  return unshare(CLONE_NEWUSER) == 0 && write_file("/proc/self/setgroups", "deny") &&
         write_file("/proc/self/uid_map", "0 0 1") && write_file("/proc/self/gid_map", "0 0 1");
}

// What the deed says in a child process that was prepared for it; nothing when it could not be.
std::optional<std::string> in_child(const std::function<bool()>& prepare,
                                    const std::function<std::string()>& deed) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) {
    return std::nullopt;
  }
  const pid_t child = fork();
  if (child == 0) {
    if (!prepare()) {
      _exit(1);
    }
    const std::string said = deed();
    _exit(write(ends[1], said.data(), said.size()) == static_cast<ssize_t>(said.size()) ? 0 : 1);
  }
  close(ends[1]);
  std::string said;
  char buffer[4096];
  for (ssize_t count = 0; (count = read(ends[0], buffer, sizeof(buffer))) > 0;) {
    said.append(buffer, static_cast<std::size_t>(count));
  }
  close(ends[0]);
  int status = 0;
  const bool done = child > 0 && waitpid(child, &status, 0) == child && status == 0;
  return done ? std::optional(said) : std::nullopt;
}

}  // namespace

std::optional<std::string> kernel_tests_impossible() {
  if (geteuid() != 0) {
    return "kernel tests need root";
  }
  // Tried in a child, so that this process stays where it is.
  const pid_t child = fork();
  if (child == 0) {
    _exit(unshare(CLONE_NEWNET) == 0 ? 0 : 1);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child || status != 0) {
    return "kernel tests need network namespaces, which this machine does not give";
  }
  return std::nullopt;
}

bool kernel_tests_required() {
  const char* value = std::getenv("WEIR_REQUIRE_KERNEL");
  return value != nullptr && std::string_view(value) == "1";
}

std::string with_capabilities(const std::vector<int>& kept,
                              const std::function<std::string()>& deed) {
  return in_child([&] { return keep_capabilities(kept); }, deed)
      .value_or("no capabilities to drop");
}

std::string without_capabilities(const std::function<std::string()>& deed) {
  return with_capabilities({}, deed);
}

std::string as_ordinary_user(const std::function<std::string()>& deed) {
  return in_child(become_ordinary_user, deed).value_or("no capabilities to drop");
}

std::optional<std::string> as_root_of_user_namespace(const std::function<std::string()>& deed) {
  return in_child(enter_user_namespace, deed);
}

}  // namespace weir::testing
