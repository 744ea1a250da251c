#include "tools/filter/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace weir::filter {
namespace {

constexpr double kBetweenLines = 0.5;  // Seconds.
constexpr double kMegabyte = 1e6;

}  // namespace

std::string progress_line(std::uint64_t done, std::uint64_t total, std::uint64_t packets,
                          double seconds) {
  const double megabytes = static_cast<double>(done) / kMegabyte;
  const double rate = seconds > 0 ? megabytes / seconds : 0;
  if (total == 0) {
    return fmt::format("{:.0f} MB, {} packets, {:.1f} MB/s", megabytes, packets, rate);
  }
  const double whole = static_cast<double>(total) / kMegabyte;
  const double left = rate > 0 ? std::max(0.0, whole - megabytes) / rate : 0;
  return fmt::format("{:.0f}% of {:.0f} MB, {} packets, {:.1f} MB/s, {:.0f} s left",
                     std::min(100.0, 100 * megabytes / whole), whole, packets, rate, left);
}

Progress::Progress(std::FILE* terminal, std::uint64_t total, Clock clock)
    : terminal_(terminal), total_(total), clock_(std::move(clock)) {
  if (terminal_ != nullptr) {
    begun_ = said_ = clock_();
  }
}

void Progress::update(std::uint64_t done, std::uint64_t packets) {
  if (terminal_ == nullptr) {
    return;
  }
  const double now = clock_();
  if (now - said_ < kBetweenLines) {
    return;
  }
  said_ = now;
  shown_ = true;
  fmt::print(terminal_, "\r{}\x1b[K", progress_line(done, total_, packets, now - begun_));
  std::fflush(terminal_);
}

void Progress::clear() {
  if (std::exchange(shown_, false)) {
    fmt::print(terminal_, "\r\x1b[K");
    std::fflush(terminal_);
  }
}

}  // namespace weir::filter
