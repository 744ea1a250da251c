#include "tools/weir/stop.h"

#include <csignal>

namespace weir::tool {
namespace {

// A signal handler can reach nothing but what is static.
volatile std::sig_atomic_t g_stop = 0;
struct sigaction g_old_int;
struct sigaction g_old_term;

void on_signal(int) { g_stop = 1; }

}  // namespace

StopSignals::StopSignals() {
  g_stop = 0;
  struct sigaction action {};
  action.sa_handler = on_signal;
  sigaction(SIGINT, &action, &g_old_int);
  sigaction(SIGTERM, &action, &g_old_term);
}

StopSignals::~StopSignals() {
  sigaction(SIGINT, &g_old_int, nullptr);
  sigaction(SIGTERM, &g_old_term, nullptr);
}

bool StopSignals::requested() const { return g_stop != 0; }

}  // namespace weir::tool
