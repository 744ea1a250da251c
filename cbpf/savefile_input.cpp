#include "cbpf/savefile_input.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace weir::cbpf {
namespace {

constexpr std::size_t kInitialCapacity = std::size_t{256} << 10;

// No read is asked for less than this while bytes are wanted, so that a window nearly full does not
// lead to a hundred small reads.
constexpr std::size_t kLeastRead = std::size_t{64} << 10;

}  // namespace

SavefileInput::SavefileInput(Fd fd, std::string name)
    : fd_(std::move(fd)),
      name_(std::move(name)),
      buffer_(std::make_unique_for_overwrite<std::uint8_t[]>(kInitialCapacity)),
      capacity_(kInitialCapacity) {}

bool SavefileInput::is_reading(const std::string& path) const {
  struct stat own {};
  struct stat other {};
  return ::fstat(fd_.get(), &own) == 0 && ::stat(path.c_str(), &other) == 0 &&
         S_ISREG(own.st_mode) && own.st_dev == other.st_dev && own.st_ino == other.st_ino;
}

void SavefileInput::consume(std::size_t count) {
  begin_ += count;
  offset_ += count;
}

void SavefileInput::make_room() {
  const std::size_t kept = size();
  if (kept == 0) {
    begin_ = end_ = 0;
  }
  if (capacity_ - end_ >= kLeastRead) {
    return;
  }
  if (capacity_ - kept >= kLeastRead) {
    std::memmove(buffer_.get(), data(), kept);
  } else {
    auto larger = std::make_unique_for_overwrite<std::uint8_t[]>(capacity_ * 2);
    std::memcpy(larger.get(), data(), kept);
    buffer_ = std::move(larger);
    capacity_ *= 2;
  }
  begin_ = 0;
  end_ = kept;
}

Result<bool> SavefileInput::fill() {
  make_room();
  ssize_t count = ::read(fd_.get(), buffer_.get() + end_, capacity_ - end_);
  while (count < 0 && errno == EAGAIN) {
    // Somebody who shares the descriptor has made it non-blocking.
    pollfd readable = {.fd = fd_.get(), .events = POLLIN, .revents = 0};
    if (::poll(&readable, 1, -1) < 0) {
      break;
    }
    count = ::read(fd_.get(), buffer_.get() + end_, capacity_ - end_);
  }
  if (count < 0) {
    return fail(ErrorCode::kSystem, fmt::format("cannot read: {}", std::strerror(errno)),
                {.file = name_});
  }
  end_ += static_cast<std::size_t>(count);
  return count > 0;
}

}  // namespace weir::cbpf
