// SIGINT and SIGTERM as a question a loop can ask, so that it ends well instead of at once.
#pragma once

namespace weir::tool {

// Catches both signals while it lives and gives back the handlers it found. One at a time.
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  // Whether one has come; any thread may ask. System calls that wait return with EINTR when it
  // does, in the thread that the signal comes to.
  bool requested() const;
};

}  // namespace weir::tool
