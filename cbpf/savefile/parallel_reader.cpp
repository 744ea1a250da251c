#include "cbpf/savefile/parallel_reader.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

namespace weir::cbpf {
namespace {

constexpr std::size_t kPage = 4096;
// Large pieces have fewer edges, and each one that is given back interrupts the processors of the
// other threads; but enough of them have to be left to share.
constexpr std::size_t kSharedPieces = 32;
constexpr std::size_t kFirstArea = std::size_t{64} << 10;

// The shortest record: of pcap its header, of pcapng a simple packet block.
constexpr std::size_t kLeastRecord = 16;

}  // namespace

// False without memory.
bool SavefilePiece::make_memory(std::size_t size) {
  if (!has_memory(size)) {
    area_ = kFirstArea;
    size_ = size;
    memory_ = make_pages(area_ + size);
  }
  return memory_ != nullptr;
}

// Puts what is left of the piece before in front of the bytes that were read.
SavefileWindow SavefilePiece::place_before(Bytes left, std::size_t read) {
  if (left.size() > area_) {
    const std::size_t area = (2 * left.size() + kPage - 1) / kPage * kPage;
    Pages larger = make_pages(area + size_);
    if (larger == nullptr) {
      return {};
    }
    std::memcpy(larger.get() + area, this->area(), read);
    memory_ = std::move(larger);
    area_ = area;
    chains_.clear();  // They are about the old memory.
  }
  std::uint8_t* const begin = area() - left.size();
  if (!left.empty()) {
    std::memcpy(begin, left.data(), left.size());
  }
  return {.data = begin, .size = left.size() + read, .offset = 0};
}

SavefileParallelReader::SavefileParallelReader(SavefileReader& reader, SigbusGuard* guard,
                                               SavefileCut cut)
    : source_(*reader.source_), cut_(cut), size_(cut.least_piece) {
  SavefileScan& scan = source_.scan();
  const auto position = scan.input.place();
  if (!position) {
    return;
  }
  at_any_place_ = true;
  position_ = *position;
  origin_ = position_ - (scan.window.offset + scan.window.size);
  rules_ = source_.format().record_rules();
  if (rules_ && scan.window.size >= kPcapRecordHeader) {
    seconds_ = load_file32(scan.window.data, rules_->swapped);
  }
  if (guard != nullptr) {
    map_ = scan.input.map_rest(*guard);
  }
  if (map_) {
    const std::size_t share = map_->size() / kSharedPieces / kPage * kPage;
    size_ = std::clamp(share, cut.least_piece, cut.most_piece);
  }
}

Status SavefileParallelReader::intact() const {
  if (shorter_ || (map_ && map_->broken())) {
    return source_.scan().invalid("the file became shorter while it was read");
  }
  return {};
}

bool SavefileParallelReader::next(SavefilePiece& piece) {
  piece.number_ = numbers_.fetch_add(1, std::memory_order_relaxed);
  piece.batches_.clear();
  piece.chains_.clear();
  piece.found_.turned.clear();
  piece.end_ = {};
  Result<std::size_t> read = 0;
  try {
    if (at_any_place_ && piece.number_ > 0) {
      read = read_ahead(piece);
    }
  } catch (const std::bad_alloc&) {
    read = no_memory();
  }
  const Turn turn(turns_, piece.number_);
  if (ended_) {
    return false;
  }
  try {
    if (piece.number_ == 0) {
      find_first(piece);
    } else {
      find(piece, at_any_place_ ? std::move(read) : read_on(piece));
    }
  } catch (const std::bad_alloc&) {
    ended_ = true;
    piece.end_ = no_memory();
  }
  piece.bytes_read_ = bytes_read_;
  return true;
}

// Brings a piece into reach and guesses where its records are, and remembers what that took.
Result<std::size_t> SavefileParallelReader::read_ahead(SavefilePiece& piece) {
  const std::uint64_t before = cpu_nanoseconds();
  // The first piece has to find memory for what it writes.
  bool costs_the_usual = std::exchange(piece.used_, true);
  if (map_) {
    map_->give_back(std::exchange(piece.held_begin_, 0), std::exchange(piece.held_end_, 0));
  }
  const std::uint64_t position = position_of(piece);
  const bool mapped = map_ && position < map_->size();
  piece.way_ = mapped ? costs_.choose(piece.number_) : MapOrRead::kRead;
  Result<std::size_t> read = 0;
  switch (piece.way_) {
    case MapOrRead::kMap:
      read = bring(piece);
      guess(piece, {map_->data() + position, *read});
      break;
    case MapOrRead::kRead:
      costs_the_usual &= piece.has_memory(size_);
      if (!piece.make_memory(size_)) {
        return no_memory();
      }
      read = read_at(position, piece);
      guess(piece, {piece.area(), read.value_or(0)});
      if (mapped && read && *read < std::min<std::uint64_t>(size_, map_->size() - position)) {
        shorter_ = true;
      }
      break;
  }
  if (mapped && costs_the_usual) {
    costs_.add(piece.way_, read.value_or(0), cpu_nanoseconds() - before);
  }
  return read;
}

void SavefileParallelReader::guess(SavefilePiece& piece, Bytes bytes) const {
  if (rules_) {
    SavefileRecordRules rules = *rules_;
    rules.seconds = seconds_.load(std::memory_order_relaxed);
    piece.chains_.find(bytes, rules, cut_.least_part);
  }
}

// The same as read_at() for a mapped piece.
std::size_t SavefileParallelReader::bring(const SavefilePiece& piece) const {
  const std::uint64_t begin = position_of(piece);
  const std::uint64_t end = std::min<std::uint64_t>(begin + size_, map_->size());
  map_->bring(begin, end);
  return end - begin;
}

// What is left of the piece before stands in front of this one as it is.
SavefileWindow SavefileParallelReader::mapped_window(SavefilePiece& piece,
                                                     std::size_t brought) const {
  const std::uint64_t begin = origin_ + rest_offset_;
  const std::uint64_t end = position_of(piece) + brought;
  piece.held_begin_ = begin;
  return {.data = map_->data() + begin, .size = end - begin, .offset = 0, .mapped = true};
}

Result<SavefileWindow> SavefileParallelReader::window(SavefilePiece& piece, std::size_t read) {
  if (piece.way_ == MapOrRead::kMap) {
    return mapped_window(piece, read);
  }
  Bytes rest(rest_.get(), rest_size_);
  if (rest_in_map_) {
    const std::uint64_t begin = origin_ + rest_offset_;
    rest = {map_->data() + begin, static_cast<std::size_t>(position_of(piece) - begin)};
  }
  const SavefileWindow window = piece.place_before(rest, read);
  if (window.data == nullptr) {
    return no_memory();
  }
  bytes_copied_ += rest.size();
  return window;
}

tl::unexpected<Error> SavefileParallelReader::no_memory() const {
  return source_.scan().no_memory();
}

// Keeps a piece in which the record at its front does not end, so that such a record is copied once
// and not with each of its pieces. True when that is all there is to do.
bool SavefileParallelReader::gather(SavefilePiece& piece, std::size_t read) {
  const std::uint64_t have =
      rest_in_map_ ? position_of(piece) - origin_ - rest_offset_ : rest_size_;
  if (piece.way_ == MapOrRead::kMap || read == 0 || have + read >= record_length_) {
    return false;
  }
  if (rest_in_map_ && position_of(piece) + read > map_->size()) {
    return false;  // The file has grown past its map.
  }
  if (!rest_in_map_ && !keep({piece.area(), read})) {
    piece.end_ = no_memory();
    ended_ = true;
  }
  return true;
}

// Adds to what is left. False without memory.
bool SavefileParallelReader::keep(Bytes more) {
  const std::size_t size = rest_size_ + more.size();
  if (size > rest_capacity_) {
    Pages larger = make_pages(2 * size);
    if (larger == nullptr) {
      return false;
    }
    std::copy_n(rest_.get(), rest_size_, larger.get());
    bytes_copied_ += rest_size_;
    rest_ = std::move(larger);
    rest_capacity_ = 2 * size;
  }
  std::copy(more.begin(), more.end(), rest_.get() + rest_size_);
  bytes_copied_ += more.size();
  rest_size_ = size;
  return true;
}

// A whole piece, or less at the end of the file.
Result<std::size_t> SavefileParallelReader::read_at(std::uint64_t position,
                                                    SavefilePiece& piece) const {
  std::uint8_t* const to = piece.area();
  std::size_t count = 0;
  while (count < size_) {
    auto more = source_.scan().input.read_at(position + count, {to + count, size_ - count});
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
Result<std::size_t> SavefileParallelReader::read_on(SavefilePiece& piece) {
  SavefileInput& input = source_.scan().input;
  piece.way_ = MapOrRead::kRead;
  if (!piece.make_memory(size_)) {
    return no_memory();
  }
  const std::size_t least = input.compressed() ? size_ / 2 : 1;
  std::size_t count = 0;
  while (count < least) {
    auto more = input.read({piece.area() + count, size_ - count});
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
void SavefileParallelReader::find_first(SavefilePiece& piece) {
  SavefileScan& scan = source_.scan();
  bytes_read_ = scan.input.bytes_read();
  piece.way_ = MapOrRead::kRead;
  if (scan.scanned != 0) {
    piece.batches_.push_back(scan.batch());
  }
  scan.packets_before += scan.found->count;
  scan.found = &piece.found_;
  piece.found_.count = 0;
  scan.next();
  guess(piece, scan.window.bytes().subspan(scan.scanned));
  find_batches(piece);
  keep_rest(piece);
}

void SavefileParallelReader::find(SavefilePiece& piece, Result<std::size_t> read) {
  SavefileScan& scan = source_.scan();
  if (!read) {
    piece.end_ = tl::make_unexpected(std::move(read.error()));
    ended_ = true;
    return;
  }
  bytes_read_ = at_any_place_ ? bytes_read_ + *read : scan.input.bytes_read();
  const bool at_end = at_any_place_ ? *read < size_ : *read == 0;
  if (!at_end && gather(piece, *read)) {
    return;
  }
  auto window = this->window(piece, *read);
  if (!window) {
    piece.end_ = tl::make_unexpected(std::move(window.error()));
    ended_ = true;
    return;
  }
  scan.window = *window;
  scan.window.offset = rest_offset_;
  scan.scanned = 0;
  scan.found = &piece.found_;
  piece.found_.count = 0;
  scan.next();
  find_batches(piece);
  if (piece.end_ && at_end) {
    ended_ = true;
    if (scan.scanned < scan.window.size) {
      piece.end_ = source_.format().cut_off();
    }
  }
  if (piece.way_ == MapOrRead::kMap) {
    piece.held_end_ = origin_ + scan.position();
  }
  keep_rest(piece);
}

// All batches of the window, and the error behind them.
void SavefileParallelReader::find_batches(SavefilePiece& piece) {
  SavefileScan& scan = source_.scan();
  const std::size_t size = scan.window.size;
  const std::size_t first = std::min<std::uint64_t>(record_length_, size - scan.scanned);
  piece.found_.reserve((size - scan.scanned - first) / kLeastRecord + 2, scan.header.format);
  bool wrong = false;
  for (const SavefileRecordFinder::Chain& chain : piece.chains_.chains()) {
    const auto begin = static_cast<std::size_t>(chain.begin - scan.window.data);
    if (!find_up_to(piece, begin)) {
      return;
    }
    if (scan.scanned == begin) {
      take_chain(piece, chain);
    } else {
      wrong = true;
    }
  }
  if (wrong) {
    piece.chains_.distrust();
  }
  scan.window.size = size;
  if (find_up_to(piece, size)) {
    scan.packets_before += piece.found_.count;
    piece.found_.count = 0;
  }
}

// Takes, one by one, the records that are whole before this place. False at an error.
bool SavefileParallelReader::find_up_to(SavefilePiece& piece, std::size_t end) {
  SavefileScan& scan = source_.scan();
  scan.window.size = end;
  while (scan.scanned < end) {
    Status status = source_.format().find_records();
    if (scan.scanned > scan.begin) {
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
  return !ended_;
}

// Takes a chain that begins where the records before it end.
void SavefileParallelReader::take_chain(SavefilePiece& piece,
                                        const SavefileRecordFinder::Chain& chain) {
  SavefileScan& scan = source_.scan();
  const std::uint8_t* begin = chain.begin;
  for (std::size_t first = 0; first < chain.packets.size(); first += kMaxBatch) {
    const auto packets =
        chain.packets.subspan(first).first(std::min(kMaxBatch, chain.packets.size() - first));
    const std::uint8_t* const end = packets.back().data + packets.back().captured;
    piece.batches_.push_back({.link_type = scan.link_type,
                              .number = scan.packet_number(),
                              .packets = packets,
                              .blocks = {},
                              .bytes = {begin, end},
                              .layout = scan.layout,
                              .altered = false,
                              .swapped = scan.swapped});
    scan.packets_before += packets.size();
    begin = end;
  }
  scan.scanned = static_cast<std::size_t>(chain.end - scan.window.data);
  scan.next();
  if (!chain.packets.empty()) {
    seconds_.store(load_file32(chain.packets.back().data - kPcapRecordHeader, rules_->swapped),
                   std::memory_order_relaxed);
  }
}

void SavefileParallelReader::keep_rest(SavefilePiece& piece) {
  const SavefileScan& scan = source_.scan();
  rest_in_map_ = piece.way_ == MapOrRead::kMap;
  rest_size_ = 0;
  if (!ended_ && !rest_in_map_ && !keep(scan.window.bytes().subspan(scan.scanned))) {
    piece.end_ = no_memory();
    ended_ = true;
  }
  rest_offset_ = scan.position();
  record_length_ = ended_ ? 0 : source_.format().record_length();
}

}  // namespace weir::cbpf
