// What a SavefileReader has behind it: one class a format, made by the functions below.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cbpf/base/uninitialized_array.h"
#include "cbpf/savefile/input.h"
#include "cbpf/savefile/reader.h"
#include "cbpf/savefile/record_finder.h"

namespace weir::cbpf {

// The packets that were found. They are written without a look at the capacity, so whoever writes
// asks first.
struct SavefileFound {
  UninitializedArray<PacketBytes> packets;
  UninitializedArray<PacketBlock> blocks;  // As many, of pcapng.
  std::size_t capacity = 0;
  std::size_t count = 0;
  // Copies of packets that are not as they are in the file, for as long as the others hold.
  std::vector<std::unique_ptr<std::uint8_t[]>> turned;
  std::uint8_t* keep(Bytes packet);

  // Makes room for so many. What was found is lost when it has to grow.
  void reserve(std::size_t size, SavefileFormat format);
};

// A savefile in the middle of being read: the window on its bytes, and the batch in the making.
struct SavefileScan {
  SavefileInput input;
  SavefileWindow window;
  SavefileHeader header;
  std::vector<SavefileInterface> interfaces;

  SavefileFound* found = nullptr;
  std::size_t first = 0;    // Of what was found, the first packet of the batch.
  std::size_t begin = 0;    // Where in the window the batch begins.
  std::size_t scanned = 0;  // Where in the window it ends.
  int link_type = 0;
  RecordLayout layout = RecordLayout::kPcap;
  bool altered = false;
  bool swapped = false;              // The file or the section.
  std::uint64_t packets_before = 0;  // Packets before the first that was found.

  std::size_t packets() const { return found->count - first; }
  // How many more packets the batch takes.
  std::size_t room() const {
    return std::min(kMaxBatch - packets(), found->capacity - found->count);
  }
  Batch batch() const;
  // Begins a batch behind the one that is made.
  void next();

  // Where in the file the next record begins, and which packet is the next.
  std::uint64_t position() const { return window.offset + scanned; }
  std::uint64_t packet_number() const { return packets_before + found->count + 1; }

  // Reads more, if the input has the window.
  Result<bool> fill() {
    auto more = input.fill();
    window = input.window();
    return more;
  }

  tl::unexpected<Error> no_memory() const {
    return fail(ErrorCode::kSystem, "no memory for what is read of it", {.file = input.name()});
  }

  // kInvalidFile at this file.
  tl::unexpected<Error> invalid(std::string message) const {
    return fail(ErrorCode::kInvalidFile, std::move(message), {.file = input.name()});
  }
};

// Asks for the lines of a mapped window some way ahead of whoever walks through it: where the next
// record begins is known only when this one has come from memory, so what lies ahead is asked for
// blindly, bodies and all, as fast as the memory gives it.
class SavefileAhead {
 public:
  explicit SavefileAhead(const std::uint8_t* begin) : next_(begin) {}
  void from(const std::uint8_t* p) {
    for (; next_ < p + kDistance; next_ += kLine) {
      __builtin_prefetch(next_);
    }
  }

 private:
  static constexpr std::ptrdiff_t kLine = 64;
  static constexpr std::ptrdiff_t kDistance = 4096;
  const std::uint8_t* next_;
};

// A format's way of finding the records in the bytes of a scan, which outlives it.
class SavefileFormatReader {
 public:
  virtual ~SavefileFormatReader() = default;

  // Reads what stands before the first record. Leaves in the batch what of it belongs to a copy.
  virtual Status open() = 0;

  // Takes the records that are whole in the window into the batch while it has room, and moves
  // `scanned` past them. Fails at a record that cannot be, with everything before it taken.
  virtual Status find_records() = 0;

  // How to know an ordinary record wherever one may stand (all but the time); nothing where that
  // cannot be told. Holds from open() on, so any thread may use it.
  virtual std::optional<SavefileRecordRules> record_rules() const { return std::nullopt; }

  // The length of the record at `scanned`, as far as its header tells; 0 where it is not whole.
  virtual std::uint64_t record_length() const = 0;

  // The error for a file that ends in the middle of the record at the front of the window.
  virtual tl::unexpected<Error> cut_off() const = 0;
};

std::unique_ptr<SavefileFormatReader> make_pcap_reader(SavefileScan& scan);
std::unique_ptr<SavefileFormatReader> make_pcapng_reader(SavefileScan& scan);

class SavefileSource {
 public:
  explicit SavefileSource(SavefileInput input) : scan_{.input = std::move(input)} {}
  SavefileSource(const SavefileSource&) = delete;
  SavefileSource& operator=(const SavefileSource&) = delete;

  // Finds out the format and reads the header.
  Status open();
  Result<Batch> next_batch();

  SavefileScan& scan() { return scan_; }
  SavefileFormatReader& format() { return *format_; }

  const SavefileHeader& header() const { return scan_.header; }
  const std::vector<SavefileInterface>& interfaces() const { return scan_.interfaces; }
  std::uint64_t bytes_read() const { return scan_.input.bytes_read(); }

 private:
  Status read_magic();
  Status choose_format();
  Status open_format();
  Result<Batch> find_batch();
  void begin_batch();

  SavefileScan scan_;
  SavefileFound found_;
  std::unique_ptr<SavefileFormatReader> format_;
  // What open() left in the batch has not been handed out.
  bool begun_ = true;
};

// A number of a file as it lies there, swapped when the file has the other byte
// order.
template <bool kSwapped>
std::uint32_t load_file32(const std::uint8_t* p) {
  std::uint32_t value = 0;
  std::memcpy(&value, p, sizeof value);
  return kSwapped ? __builtin_bswap32(value) : value;
}
inline std::uint32_t load_file32(const std::uint8_t* p, bool swapped) {
  return swapped ? load_file32<true>(p) : load_file32<false>(p);
}
inline std::uint16_t load_file16(const std::uint8_t* p, bool swapped) {
  std::uint16_t value = 0;
  std::memcpy(&value, p, sizeof value);
  return swapped ? __builtin_bswap16(value) : value;
}

inline std::uint64_t load_file64(const std::uint8_t* p, bool swapped) {
  std::uint64_t value = 0;
  std::memcpy(&value, p, sizeof value);
  return swapped ? __builtin_bswap64(value) : value;
}

// How the bytes of pcap records are to be read.
inline bool is_swapped(RecordLayout layout) {
  return layout == RecordLayout::kPcapSwapped || layout == RecordLayout::kPcapSwappedNano ||
         layout == RecordLayout::kPcapModifiedSwapped;
}
inline bool is_nano(RecordLayout layout) {
  return layout == RecordLayout::kPcapNano || layout == RecordLayout::kPcapSwappedNano;
}
inline constexpr std::size_t kPcapRecordHeader = 16;
inline constexpr std::size_t kModifiedRecordHeader = 24;
inline bool is_modified(RecordLayout layout) {
  return layout == RecordLayout::kPcapModified || layout == RecordLayout::kPcapModifiedSwapped;
}
inline std::size_t record_header(RecordLayout layout) {
  return is_modified(layout) ? kModifiedRecordHeader : kPcapRecordHeader;
}
inline constexpr std::uint32_t kModifiedPcapMagic = 0xa1b2cd34;

// tcpdump's reading of a snapshot length in a header (pcap_adjust_snapshot).
std::uint32_t adjusted_snaplen(std::uint32_t snaplen, int link_type);

}  // namespace weir::cbpf
