#include "tools/bench/measure/bounded_child.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "cbpf/base/fd.h"

namespace weir::bench {
namespace {

tl::unexpected<Error> system_failure(const char* what) {
  return fail(ErrorCode::kSystem, fmt::format("{}: {}", what, std::strerror(errno)));
}

// The child's whole life.
[[noreturn]] void answer_and_end(int to, std::uint32_t seconds,
                                 const std::function<std::vector<std::uint8_t>()>& work) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const rlimit limit{seconds, seconds};
  setrlimit(RLIMIT_CPU, &limit);
  const std::vector<std::uint8_t> answer = work();
  std::size_t at = 0;
  while (at < answer.size()) {
    const ssize_t n = write(to, answer.data() + at, answer.size() - at);
    if (n < 0 && errno != EINTR) {
      _exit(1);
    }
    at += n > 0 ? static_cast<std::size_t>(n) : 0;
  }
  _exit(0);
}

std::vector<std::uint8_t> read_to_end(int from) {
  std::vector<std::uint8_t> all;
  std::uint8_t block[65536];
  while (true) {
    const ssize_t n = read(from, block, sizeof block);
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n <= 0) {
      return all;
    }
    all.insert(all.end(), block, block + n);
  }
}

}  // namespace

Result<std::vector<std::uint8_t>> run_bounded(
    std::uint32_t seconds, const std::function<std::vector<std::uint8_t>()>& work) {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0) {
    return system_failure("making a pipe");
  }
  const Fd from(fds[0]);
  Fd to(fds[1]);
  const pid_t child = fork();
  if (child < 0) {
    return system_failure("making a process");
  }
  if (child == 0) {
    answer_and_end(to.get(), seconds, work);
  }
  to.reset();
  std::vector<std::uint8_t> answer = read_to_end(from.get());
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFSIGNALED(status) && (WTERMSIG(status) == SIGKILL || WTERMSIG(status) == SIGXCPU)) {
    return fail(ErrorCode::kUnsupported, fmt::format("it takes more than {} s", seconds));
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    return fail(ErrorCode::kSystem, "it ended without an answer");
  }
  return answer;
}

}  // namespace weir::bench
