// What a SavefileReader has behind it: one class a format, made by the functions below.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "cbpf/savefile.h"
#include "cbpf/savefile_input.h"

namespace weir::cbpf {

// A format's way of finding the records in the bytes. scan() is all that a format has to bring.
class SavefileSource {
 public:
  explicit SavefileSource(SavefileInput input) : input_(std::move(input)) {
    packets_.reserve(kMaxBatch);
    records_.reserve(kMaxBatch);
  }
  virtual ~SavefileSource() = default;

  const SavefileHeader& header() const { return header_; }
  const std::vector<SavefileInterface>& interfaces() const { return interfaces_; }
  Result<Batch> next_batch();
  bool is_reading(const std::string& path) const { return input_.is_reading(path); }

 protected:
  // Takes the records that are whole in the window, from `scanned_` on, into the batch while it has
  // room, and moves `scanned_` past them. Fails at a record that cannot be, with everything before
  // it taken.
  virtual Status scan() = 0;

  // The error for a file that ends in the middle of the record at the front of the window.
  virtual tl::unexpected<Error> cut_off() const = 0;

  virtual RecordLayout layout() const = 0;

  // kInvalidFile at this file.
  tl::unexpected<Error> invalid(std::string message) const {
    return fail(ErrorCode::kInvalidFile, std::move(message), {.file = input_.name()});
  }

  SavefileInput input_;
  SavefileHeader header_;
  std::vector<SavefileInterface> interfaces_;

  // The batch in the making: its packets, and how much of the window it covers.
  std::vector<Packet> packets_;
  std::vector<Record> records_;
  std::size_t scanned_ = 0;
  int link_type_ = 0;
  bool altered_ = false;
  std::uint64_t packets_before_ = 0;  // Packets of the batches before this one.
  // The batch was begun when the file was opened, and has not been handed out.
  bool begun_ = false;

 private:
  void begin_batch();
};

// Both take a window that begins with the format's magic number.
Result<std::unique_ptr<SavefileSource>> open_pcap(SavefileInput input);
Result<std::unique_ptr<SavefileSource>> open_pcapng(SavefileInput input);

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

// tcpdump's reading of a snapshot length in a header (pcap_adjust_snapshot).
std::uint32_t adjusted_snaplen(std::uint32_t snaplen, int link_type);

}  // namespace weir::cbpf
