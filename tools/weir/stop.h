// Signals while a run reads and writes, as tcpdump takes them: SIGINT, SIGTERM and SIGHUP end it
// well instead of at once, SIGUSR1 prints the counts.
#pragma once

#include <cstdint>

namespace weir::tool {

// Catches the signals while it lives and restores the handlers it found; SIGHUP stays ignored where
// it was (nohup). One at a time.
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  // Whether one of the three that end the run has come. Thread-safe. System calls that wait return
  // with EINTR when it does, in the thread that the signal comes to.
  bool requested() const;

  // The counts that SIGUSR1 prints from now on. Thread-safe.
  void report(std::uint64_t packets, std::uint64_t matched);
};

}  // namespace weir::tool
