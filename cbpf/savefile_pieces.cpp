#include "cbpf/savefile_pieces.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace weir::cbpf {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kPieceBytes = std::size_t{1} << 20;
// Of a mapped file: every piece that is given back interrupts the processors of the other threads,
// so pieces are larger there, as long as enough of them are left to share.
constexpr std::size_t kMostMappedBytes = std::size_t{4} << 20;
constexpr std::size_t kSharedPieces = 32;
constexpr std::size_t kFirstArea = std::size_t{64} << 10;

// The shortest record: of pcap its header, of pcapng a simple packet block.
constexpr std::size_t kLeastRecord = 16;

}  // namespace

void SavefilePiece::make_memory() {
  if (memory_ == nullptr) {
    area_ = kFirstArea;
    memory_ = make_pages(area_ + kPieceBytes);
  }
}

// Puts what is left of the piece before in front of the bytes that were read.
SavefileWindow SavefilePiece::place_before(Bytes left, std::size_t read) {
  if (left.size() > area_) {
    const std::size_t area = (2 * left.size() + kPage - 1) / kPage * kPage;
    Pages larger = make_pages(area + kPieceBytes);
    std::memcpy(larger.get() + area, this->area(), read);
    memory_ = std::move(larger);
    area_ = area;
  }
  std::uint8_t* const begin = area() - left.size();
  if (!left.empty()) {
    std::memcpy(begin, left.data(), left.size());
  }
  return {.data = begin, .size = left.size() + read, .offset = 0};
}

SavefilePieces::SavefilePieces(SavefileReader& reader)
    : source_(*reader.source_), size_(kPieceBytes) {
  SavefileScan& scan = source_.scan();
  if (const auto position = scan.input.place()) {
    at_any_place_ = true;
    position_ = *position;
    origin_ = position_ - (scan.window.offset + scan.window.size);
    map_ = scan.input.map_rest();
    if (map_ != nullptr) {
      size_ =
          std::clamp(map_->size() / kSharedPieces / kPage * kPage, kPieceBytes, kMostMappedBytes);
    }
  }
}

bool SavefilePieces::next(SavefilePiece& piece) {
  if (map_ != nullptr) {
    map_->give_back(std::exchange(piece.held_begin_, 0), std::exchange(piece.held_end_, 0));
  } else {
    piece.make_memory();
  }
  piece.number_ = numbers_.fetch_add(1, std::memory_order_relaxed);
  piece.batches_.clear();
  piece.end_ = {};
  Result<std::size_t> read = 0;
  if (at_any_place_ && piece.number_ > 0) {
    read = map_ != nullptr ? bring(piece) : read_at(position_of(piece), piece.area());
  }
  turns_.wait(piece.number_);
  const bool more = !ended_;
  if (more) {
    if (piece.number_ == 0) {
      find_first(piece);
    } else {
      find(piece, at_any_place_ ? std::move(read) : read_on(piece));
    }
    piece.bytes_read_ = bytes_read_;
  }
  turns_.pass();
  return more;
}

// The same as read_at() for a mapped file.
std::size_t SavefilePieces::bring(SavefilePiece& piece) const {
  const std::uint64_t begin = std::min<std::uint64_t>(position_of(piece), map_->size());
  const std::uint64_t end = std::min<std::uint64_t>(begin + size_, map_->size());
  map_->bring(begin, end);
  return end - begin;
}

// What is left of the piece before stands in front of this one as it is.
SavefileWindow SavefilePieces::mapped_window(SavefilePiece& piece, std::size_t brought) const {
  const std::uint64_t begin = origin_ + rest_offset_;
  const std::uint64_t end = std::min<std::uint64_t>(position_of(piece), map_->size()) + brought;
  piece.held_begin_ = begin;
  return {.data = map_->data() + begin, .size = end - begin, .offset = 0, .mapped = true};
}

// A whole piece, or less at the end of the file.
Result<std::size_t> SavefilePieces::read_at(std::uint64_t position, std::uint8_t* to) const {
  std::size_t count = 0;
  while (count < kPieceBytes) {
    auto more = source_.scan().input.read_at(position + count, {to + count, kPieceBytes - count});
    if (!more) {
      return more;
    }
    if (*more == 0) {
      break;
    }
    count += *more;
  }
  return count;
}

// What is there, as from a pipe, as soon as it holds a whole record. A compressed file is unpacked
// for a good part of a piece, since every call gives a little.
Result<std::size_t> SavefilePieces::read_on(SavefilePiece& piece) {
  SavefileInput& input = source_.scan().input;
  const std::size_t least = input.compressed() ? kPieceBytes / 2 : 1;
  std::size_t count = 0;
  while (count < least) {
    auto more = input.read({piece.area() + count, kPieceBytes - count});
    if (!more && count == 0) {
      return more;
    }
    if (!more || *more == 0) {
      break;  // What was unpacked before an error comes first; the next call meets it again.
    }
    count += *more;
  }
  return count;
}

// What has been read with the header of the file.
void SavefilePieces::find_first(SavefilePiece& piece) {
  SavefileScan& scan = source_.scan();
  bytes_read_ = scan.input.bytes_read();
  if (scan.scanned != 0) {
    piece.batches_.push_back(scan.batch());
  }
  scan.packets_before += scan.found->count;
  scan.found = &piece.found_;
  piece.found_.count = 0;
  scan.next();
  find_batches(piece);
  keep_rest();
}

void SavefilePieces::find(SavefilePiece& piece, Result<std::size_t> read) {
  SavefileScan& scan = source_.scan();
  if (!read) {
    piece.end_ = tl::make_unexpected(std::move(read.error()));
    ended_ = true;
    return;
  }
  bytes_read_ = at_any_place_ ? bytes_read_ + *read : scan.input.bytes_read();
  scan.window = map_ != nullptr ? mapped_window(piece, *read) : piece.place_before(rest_, *read);
  scan.window.offset = rest_offset_;
  scan.scanned = 0;
  scan.found = &piece.found_;
  piece.found_.count = 0;
  scan.next();
  find_batches(piece);
  const bool at_end = at_any_place_ ? *read < size_ : *read == 0;
  if (piece.end_ && at_end) {
    ended_ = true;
    if (scan.scanned < scan.window.size) {
      piece.end_ = source_.format().cut_off();
    }
  }
  if (map_ != nullptr) {
    piece.held_end_ = origin_ + scan.position();
  }
  keep_rest();
}

// All batches of the window, and the error behind them.
void SavefilePieces::find_batches(SavefilePiece& piece) {
  SavefileScan& scan = source_.scan();
  piece.found_.reserve((scan.window.size - scan.scanned) / kLeastRecord + 1, scan.header.format);
  for (;;) {
    Status status = source_.format().find_records();
    const bool some = scan.scanned > scan.begin;
    if (some) {
      piece.batches_.push_back(scan.batch());
      scan.next();
      continue;  // An error is met again, without batch.
    }
    if (!status) {
      piece.end_ = std::move(status);
      ended_ = true;
    }
    break;
  }
  scan.packets_before += piece.found_.count;
  piece.found_.count = 0;
}

void SavefilePieces::keep_rest() {
  const SavefileScan& scan = source_.scan();
  if (map_ == nullptr) {
    const Bytes rest = scan.window.bytes().subspan(scan.scanned);
    rest_.assign(rest.begin(), rest.end());
  }
  rest_offset_ = scan.position();
}

}  // namespace weir::cbpf
