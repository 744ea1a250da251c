#include "tests/kernel/kernel.h"

#include <sched.h>
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

}  // namespace weir::testing
