// How far a long run is, on one line of a terminal that is written over and over.
#pragma once

#include <cstdint>
#include <cstdio>
#include <functional>
#include <string>

namespace weir::filter {

// "43% of 3712 MB, 12345678 packets, 210.5 MB/s, 10 s left" after `seconds` of work; `total` 0 is
// unknown, and then there is neither a share nor a time left.
std::string progress_line(std::uint64_t done, std::uint64_t total, std::uint64_t packets,
                          double seconds);

class Progress {
 public:
  using Clock = std::function<double()>;  // Seconds from any beginning.

  // Writes to `terminal`, or nothing at all where it is null. `total` is what there is to read.
  Progress(std::FILE* terminal, std::uint64_t total, Clock clock);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() { clear(); }

  // Says so when the last line is half a second old.
  void update(std::uint64_t done, std::uint64_t packets);

  // Takes the line away, for whoever has something else to say.
  void clear();

 private:
  std::FILE* terminal_;
  std::uint64_t total_;
  Clock clock_;
  double begun_ = 0;
  double said_ = 0;
  bool shown_ = false;
};

}  // namespace weir::filter
