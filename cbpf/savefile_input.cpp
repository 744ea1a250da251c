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

Status SavefileInput::decompress(Compression compression) {
  decompressor_ = make_decompressor(compression);
  if (decompressor_ == nullptr) {
    return fail(ErrorCode::kSystem,
                fmt::format("no memory to unpack {}", compression_name(compression)),
                {.file = name_});
  }
  compression_ = compression;
  packed_ = std::make_unique_for_overwrite<std::uint8_t[]>(kInitialCapacity);
  packed_end_ = size();
  std::memcpy(packed_.get(), data(), packed_end_);
  begin_ = end_ = 0;
  return {};
}

Result<std::size_t> SavefileInput::read_some(std::uint8_t* to, std::size_t room) {
  ssize_t count = ::read(fd_.get(), to, room);
  while (count < 0 && errno == EAGAIN) {
    // Somebody who shares the descriptor has made it non-blocking.
    pollfd readable = {.fd = fd_.get(), .events = POLLIN, .revents = 0};
    if (::poll(&readable, 1, -1) < 0) {
      break;
    }
    count = ::read(fd_.get(), to, room);
  }
  if (count < 0) {
    return fail(ErrorCode::kSystem, fmt::format("cannot read: {}", std::strerror(errno)),
                {.file = name_});
  }
  bytes_read_ += static_cast<std::uint64_t>(count);
  return static_cast<std::size_t>(count);
}

Result<std::size_t> SavefileInput::unpack_some(std::uint8_t* to, std::size_t room) {
  for (;;) {
    const Bytes packed(packed_.get() + packed_begin_, packed_end_ - packed_begin_);
    const auto step = decompressor_->run(packed, {to, room});
    if (!step) {
      return fail(step.error().code, step.error().message, {.file = name_});
    }
    packed_begin_ += step->taken;
    if (step->made > 0) {
      return step->made;
    }
    if (packed_begin_ < packed_end_) {
      continue;  // A member has ended, another begins.
    }
    const auto more = read_some(packed_.get(), kInitialCapacity);
    if (!more) {
      return more;
    }
    packed_begin_ = 0;
    packed_end_ = *more;
    if (*more == 0) {
      if (!decompressor_->at_end()) {
        return fail(ErrorCode::kInvalidFile,
                    fmt::format("the {} data break off", compression_name(compression_)),
                    {.file = name_});
      }
      return 0;
    }
  }
}

Result<bool> SavefileInput::fill() {
  make_room();
  std::uint8_t* const to = buffer_.get() + end_;
  const std::size_t room = capacity_ - end_;
  const auto count = decompressor_ != nullptr ? unpack_some(to, room) : read_some(to, room);
  if (!count) {
    return tl::make_unexpected(count.error());
  }
  end_ += *count;
  return *count > 0;
}

}  // namespace weir::cbpf
