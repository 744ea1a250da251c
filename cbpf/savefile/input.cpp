#include "cbpf/savefile/input.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

namespace weir::cbpf {
namespace {

constexpr std::size_t kPage = 4096;

// At most so much is read at once: little enough to stay in the second cache with what the filter
// needs beside it, and enough to make the call cheap.
constexpr std::size_t kPiece = std::size_t{512} << 10;
constexpr std::size_t kInitialArea = std::size_t{64} << 10;
constexpr std::size_t kInitialCapacity = kInitialArea + 2 * kPiece;
constexpr std::size_t kPackedCapacity = std::size_t{256} << 10;

// No read is asked for less than this while bytes are wanted, so that a window nearly full does not
// lead to a hundred small reads.
constexpr std::size_t kLeastRead = std::size_t{64} << 10;

}  // namespace

Pages make_pages(std::size_t size) {
  return Pages(new (PageDelete::kAlignment, std::nothrow) std::uint8_t[size]);
}

SavefileInput::SavefileInput(Fd fd, std::string name)
    : fd_(std::move(fd)),
      name_(std::move(name)),
      buffer_(make_pages(kInitialCapacity)),
      area_(kInitialArea),
      capacity_(kInitialCapacity) {
  // Standard input may stand in the middle of a page of a file.
  const off_t position = ::lseek(fd_.get(), 0, SEEK_CUR);
  begin_ = end_ = area_ + (position > 0 ? static_cast<std::size_t>(position) % kPage : 0);
}

void SavefileInput::consume(std::size_t count) {
  begin_ += count;
  offset_ += count;
}

Status SavefileInput::make_room() {
  if (buffer_ == nullptr) {
    return fail(ErrorCode::kSystem, "no memory to read it", {.file = name_});
  }
  return capacity_ - end_ < kLeastRead ? move_before_area() : Status();
}

// The window to where the next read() goes on behind it.
Status SavefileInput::move_before_area() {
  const std::size_t kept = size();
  const std::uint8_t* const from = buffer_.get() + begin_;
  Pages old;
  if (kept > area_) {
    const std::size_t area = (2 * kept + kPage - 1) / kPage * kPage;
    const std::size_t capacity = area + std::max(2 * kPiece, area / 2);
    Pages larger = make_pages(capacity);
    if (larger == nullptr) {
      return fail(ErrorCode::kSystem,
                  fmt::format("no memory for a record of more than {} bytes", kept),
                  {.file = name_});
    }
    old = std::exchange(buffer_, std::move(larger));
    area_ = area;
    capacity_ = capacity;
  }
  std::memmove(buffer_.get() + area_ - kept, from, kept);
  begin_ = area_ - kept;
  end_ = area_;
  return {};
}

std::optional<SavefileMap> SavefileInput::map_rest(SigbusGuard& guard) const {
  const auto position = place();
  auto map = position ? SavefileMap::of_file(fd_.get(), guard) : std::nullopt;
  if (map && *position >= map->size()) {
    map.reset();
  }
  return map;
}

Status SavefileInput::decompress(Compression compression) {
  decompressor_ = make_decompressor(compression);
  packed_end_ = size();
  packed_.reset(new (std::nothrow) std::uint8_t[std::max(packed_end_, kPackedCapacity)]);
  if (decompressor_ == nullptr || packed_ == nullptr) {
    return fail(ErrorCode::kSystem,
                fmt::format("no memory to unpack {}", compression_name(compression)),
                {.file = name_});
  }
  compression_ = compression;
  std::memcpy(packed_.get(), buffer_.get() + begin_, packed_end_);
  begin_ = end_ = area_;
  offset_ = 0;
  return {};
}

Result<bool> SavefileInput::skip_frames() {
  constexpr std::size_t kHeader = 8;
  bool any = false;
  for (;;) {
    while (size() < kHeader) {
      auto more = fill();
      if (!more) {
        return more;
      }
      if (!*more) {
        return any;
      }
    }
    const auto length = skippable_frame_length(window().bytes());
    if (!length) {
      return any;
    }
    any = true;
    for (std::uint64_t left = std::uint64_t{*length} + kHeader;;) {
      const auto skipped = static_cast<std::size_t>(std::min<std::uint64_t>(left, size()));
      consume(skipped);
      left -= skipped;
      if (left == 0) {
        break;
      }
      const auto more = fill();
      if (!more || !*more) {
        return more ? Result<bool>(any) : more;
      }
    }
  }
}

tl::unexpected<Error> SavefileInput::cannot_read() const {
  return fail(ErrorCode::kSystem, fmt::format("cannot read: {}", std::strerror(errno)),
              {.file = name_});
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
    return cannot_read();
  }
  bytes_read_ += static_cast<std::uint64_t>(count);
  return static_cast<std::size_t>(count);
}

Result<std::size_t> SavefileInput::unpack_some(std::uint8_t* to, std::size_t room) {
  if (broken_) {
    return tl::make_unexpected(*broken_);
  }
  for (;;) {
    const Bytes packed(packed_.get() + packed_begin_, packed_end_ - packed_begin_);
    const auto step = decompressor_->run(packed, {to, room});
    if (!step) {
      broken_ = Error{step.error().code, step.error().message, {.file = name_}, {}};
      return tl::make_unexpected(*broken_);
    }
    packed_begin_ += step->taken;
    if (step->made > 0) {
      return step->made;
    }
    if (packed_begin_ < packed_end_) {
      continue;  // A member has ended, another begins.
    }
    auto more = read_some(packed_.get(), kPackedCapacity);
    if (!more) {
      return more;
    }
    packed_begin_ = 0;
    packed_end_ = *more;
    if (*more == 0) {
      if (!decompressor_->at_end()) {
        return fail(ErrorCode::kInvalidFile,
                    fmt::format("the {} data end too early", compression_name(compression_)),
                    {.file = name_});
      }
      return 0;
    }
  }
}

std::optional<std::uint64_t> SavefileInput::place() const {
  struct stat own {};
  const off_t position = ::lseek(fd_.get(), 0, SEEK_CUR);
  if (compressed() || position < 0 || ::fstat(fd_.get(), &own) != 0 || !S_ISREG(own.st_mode)) {
    return std::nullopt;
  }
  return static_cast<std::uint64_t>(position);
}

Result<std::size_t> SavefileInput::read_at(std::uint64_t place, std::span<std::uint8_t> to) const {
  const ssize_t count = ::pread(fd_.get(), to.data(), to.size(), static_cast<off_t>(place));
  if (count < 0) {
    return cannot_read();
  }
  return static_cast<std::size_t>(count);
}

Result<std::size_t> SavefileInput::read(std::span<std::uint8_t> to) {
  return compressed() ? unpack_some(to.data(), to.size()) : read_some(to.data(), to.size());
}

Result<bool> SavefileInput::fill() {
  if (auto room = make_room(); !room) {
    return tl::make_unexpected(std::move(room.error()));
  }
  const auto count = read({buffer_.get() + end_, std::min(capacity_ - end_, kPiece)});
  if (!count) {
    return tl::make_unexpected(count.error());
  }
  end_ += *count;
  return *count > 0;
}

}  // namespace weir::cbpf
