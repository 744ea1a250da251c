#include "tools/weir/stop.h"

#include <atomic>
#include <csignal>

namespace weir::tool {
namespace {

// A signal handler can reach nothing but what is static.
std::atomic<bool> g_stop = false;
static_assert(std::atomic<bool>::is_always_lock_free);
struct sigaction g_old_int;
struct sigaction g_old_term;

void on_signal(int) { g_stop = true; }

}  // namespace

StopSignals::StopSignals() {
  g_stop = false;
  struct sigaction action {};
  action.sa_handler = on_signal;
  sigaction(SIGINT, &action, &g_old_int);
  sigaction(SIGTERM, &action, &g_old_term);
}

StopSignals::~StopSignals() {
  sigaction(SIGINT, &g_old_int, nullptr);
  sigaction(SIGTERM, &g_old_term, nullptr);
}

bool StopSignals::requested() const { return g_stop; }

}  // namespace weir::tool
