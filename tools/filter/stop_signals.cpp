#include "tools/filter/stop_signals.h"

#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <string_view>

namespace weir::filter {
namespace {

// A signal handler can reach nothing but what is static.
std::atomic<int> g_stop = 0;  // The first signal that ends the run.
std::atomic<bool> g_active = false;
std::atomic<bool> g_broke_off = false;
std::atomic<std::uint64_t> g_packets = 0;
std::atomic<std::uint64_t> g_matched = 0;
static_assert(std::atomic<int>::is_always_lock_free);
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

constexpr std::array<int, 4> kSignals = {SIGINT, SIGTERM, SIGHUP, SIGUSR1};
std::array<struct sigaction, kSignals.size()> g_old;

void on_stop(int number) {
  int none = 0;
  g_stop.compare_exchange_strong(none, number);
}

// Writes one line to standard error, by calls that a signal handler may make.
void on_report(int) {
  const int error = errno;
  std::array<char, 128> line{};
  std::size_t size = 0;
  const auto add = [&](std::string_view text) {
    for (std::size_t i = 0; i < text.size() && size < line.size(); ++i) {
      line[size++] = text[i];
    }
  };
  const auto add_number = [&](std::uint64_t number) {
    std::array<char, 20> digits{};
    const char* const end = std::to_chars(digits.begin(), digits.end(), number).ptr;
    add({digits.data(), static_cast<std::size_t>(end - digits.data())});
  };
  add("weir: ");
  add_number(g_packets.load());
  add(" packets so far, ");
  add_number(g_matched.load());
  add(" match\n");
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), size);
  errno = error;
}

}  // namespace

StopSignals::StopSignals() {
  g_stop = 0;
  g_broke_off = false;
  report(0, 0);
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    const bool reports = kSignals[i] == SIGUSR1;
    struct sigaction action {};
    action.sa_handler = reports ? on_report : on_stop;
    action.sa_flags = reports ? SA_RESTART : 0;
    sigaction(kSignals[i], &action, &g_old[i]);
    // Under nohup the end of a session ends nothing.
    if (kSignals[i] == SIGHUP && g_old[i].sa_handler == SIG_IGN) {
      sigaction(kSignals[i], &g_old[i], nullptr);
    }
  }
  g_active = true;
}

StopSignals::~StopSignals() {
  g_active = false;
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    sigaction(kSignals[i], &g_old[i], nullptr);
  }
}

bool StopSignals::requested() { return g_stop != 0; }

bool StopSignals::active() { return g_active; }

int StopSignals::broke_off() { return g_broke_off ? g_stop.load() : 0; }

void StopSignals::break_off() { g_broke_off = true; }

// Signals stay with the other threads, which wait in system calls. Without a thread the task is
// done in this one.
std::thread StopSignals::start(const std::shared_ptr<std::packaged_task<void()>>& task) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread thread;
  try {
    thread = std::thread([task] { (*task)(); });
  } catch (const std::system_error&) {
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (!thread.joinable()) {
    (*task)();
  }
  return thread;
}

void StopSignals::report(std::uint64_t packets, std::uint64_t matched) {
  g_packets = packets;
  g_matched = matched;
}

}  // namespace weir::filter
