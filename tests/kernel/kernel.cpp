#include "tests/kernel/kernel.h"

#include <linux/capability.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <string_view>

namespace weir::testing {

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

std::string without_capabilities(const std::function<std::string()>& deed) {
  int ends[2];
  if (pipe(ends) != 0) {
    return "no pipe";
  }
  const pid_t child = fork();
  if (child == 0) {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct none[2]{};
    syscall(SYS_capset, &header, none);
    const std::string said = deed();
    _exit(write(ends[1], said.data(), said.size()) > 0 ? 0 : 1);
  }
  close(ends[1]);
  std::string said(512, '\0');
  const ssize_t count = read(ends[0], said.data(), said.size());
  said.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
  close(ends[0]);
  waitpid(child, nullptr, 0);
  return said;
}

}  // namespace weir::testing
