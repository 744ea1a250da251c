// Reading pcap: a header of 24 bytes, then records of 16 bytes and the packet.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "cbpf/savefile_link_type.h"
#include "cbpf/savefile_source.h"

namespace weir::cbpf {
namespace {

constexpr std::size_t kFileHeader = 24;
constexpr std::size_t kRecordHeader = 16;

// The upper six bits of the link type field tell of the frame check sequence.
constexpr std::uint32_t kLinkTypeMask = 0x03ffffff;

// Whether the two lengths of a record stand in the order of files before version 2.3.
enum class LengthOrder : std::uint8_t {
  kCapturedFirst,
  kWireFirst,
  kEither,  // Version 2.3 was written in both orders: the smaller one is the captured length.
};

class PcapReader final : public SavefileFormatReader {
 public:
  explicit PcapReader(SavefileScan& scan) : scan_(scan) {}

  Status open() override;
  Status find_records() override;
  tl::unexpected<Error> cut_off() const override;

 private:
  struct Lengths {
    std::uint32_t captured = 0;
    std::uint32_t wire = 0;
  };

  template <bool kSwapped>
  Status find_records_in_order();
  Lengths lengths_of(std::uint32_t first, std::uint32_t second) const;
  Status read_version(std::uint16_t major, std::uint16_t minor);
  RecordLayout layout() const;

  SavefileScan& scan_;
  bool swapped_ = false;
  LengthOrder order_ = LengthOrder::kCapturedFirst;
  std::uint32_t max_captured_ = 0;
};

Status PcapReader::open() {
  while (scan_.input.size() < kFileHeader) {
    const auto more = scan_.input.fill();
    if (!more) {
      return tl::make_unexpected(more.error());
    }
    if (!*more) {
      return scan_.invalid(fmt::format("the header of the file is cut off after {} of 24 bytes",
                                       scan_.input.size()));
    }
  }
  const std::uint8_t* p = scan_.input.data();
  const std::uint32_t magic = load_file32(p, false);
  swapped_ = magic != 0xa1b2c3d4 && magic != 0xa1b23c4d;
  scan_.header.swapped = swapped_;
  scan_.header.nanoseconds = load_file32(p, swapped_) == 0xa1b23c4d;
  if (auto status = read_version(load_file16(p + 4, swapped_), load_file16(p + 6, swapped_));
      !status) {
    return status;
  }
  const std::uint32_t snaplen = load_file32(p + 16, swapped_);
  const std::uint32_t link_type = load_file32(p + 20, swapped_);
  scan_.layout = layout();
  scan_.link_type = dlt_of_linktype(link_type & kLinkTypeMask);
  max_captured_ = max_captured_length(scan_.link_type);
  scan_.header.link_type = scan_.link_type;
  scan_.header.link_type_bits = link_type & ~kLinkTypeMask;
  scan_.header.snaplen = adjusted_snaplen(snaplen, scan_.link_type);
  scan_.interfaces.push_back(
      {.link_type = scan_.link_type,
       .snaplen = snaplen,
       .ticks_per_second = scan_.header.nanoseconds ? 1'000'000'000U : 1'000'000U});
  scan_.input.consume(kFileHeader);
  return {};
}

RecordLayout PcapReader::layout() const {
  if (swapped_) {
    return scan_.header.nanoseconds ? RecordLayout::kPcapSwappedNano : RecordLayout::kPcapSwapped;
  }
  return scan_.header.nanoseconds ? RecordLayout::kPcapNano : RecordLayout::kPcap;
}

// 2.0 to 2.4, and 543.0, which DG/UX wrote.
Status PcapReader::read_version(std::uint16_t major, std::uint16_t minor) {
  if (!(major == 2 && minor <= 4) && !(major == 543 && minor == 0)) {
    return scan_.invalid(fmt::format("pcap version {}.{} is not known", major, minor));
  }
  if (major == 543 || minor < 3) {
    order_ = LengthOrder::kWireFirst;
  } else if (minor == 3) {
    order_ = LengthOrder::kEither;
  }
  return {};
}

PcapReader::Lengths PcapReader::lengths_of(std::uint32_t first, std::uint32_t second) const {
  const bool wire_first =
      order_ == LengthOrder::kWireFirst || (order_ == LengthOrder::kEither && first > second);
  return wire_first ? Lengths{.captured = second, .wire = first}
                    : Lengths{.captured = first, .wire = second};
}

Status PcapReader::find_records() {
  return swapped_ ? find_records_in_order<true>() : find_records_in_order<false>();
}

template <bool kSwapped>
Status PcapReader::find_records_in_order() {
  const std::uint8_t* const base = scan_.input.data();
  const std::size_t size = scan_.input.size();
  const std::uint64_t nanoseconds = scan_.header.nanoseconds ? 1 : 1000;
  while (scan_.packets.size() < kMaxBatch) {
    const std::uint8_t* const p = base + scan_.scanned;
    const std::size_t left = size - scan_.scanned;
    if (left < kRecordHeader) {
      return {};
    }
    const Lengths lengths = lengths_of(load_file32<kSwapped>(p + 8), load_file32<kSwapped>(p + 12));
    if (lengths.captured > max_captured_) {
      return scan_.invalid(fmt::format(
          "packet {} at byte {} claims {} captured bytes, more than the {} a packet can have",
          scan_.packet_number(), scan_.position(), lengths.captured, max_captured_));
    }
    const std::size_t length = kRecordHeader + lengths.captured;
    if (left < length) {
      return {};
    }
    // A packet longer than the file's snapshot length is cut to it.
    const std::uint32_t captured = std::min(lengths.captured, scan_.header.snaplen);
    scan_.altered |= captured != load_file32<kSwapped>(p + 8);
    scan_.packets.push_back(
        {.captured = {p + kRecordHeader, captured}, .wire_length = lengths.wire});
    scan_.records.push_back({.timestamp = load_file32<kSwapped>(p) * std::uint64_t{1'000'000'000} +
                                          load_file32<kSwapped>(p + 4) * nanoseconds,
                             .raw = {p, length}});
    scan_.scanned += length;
  }
  return {};
}

tl::unexpected<Error> PcapReader::cut_off() const {
  const std::uint8_t* const p = scan_.input.bytes().data();
  const std::size_t left = scan_.input.size();
  const std::uint64_t number = scan_.packets_before + 1;
  if (left < kRecordHeader) {
    return scan_.invalid(
        fmt::format("the header of packet {} at byte {} is cut off after {} of 16 bytes", number,
                    scan_.input.offset(), left));
  }
  const Lengths lengths = lengths_of(load_file32(p + 8, swapped_), load_file32(p + 12, swapped_));
  return scan_.invalid(fmt::format("packet {} at byte {} is cut off after {} of its {} bytes",
                                   number, scan_.input.offset(), left - kRecordHeader,
                                   lengths.captured));
}

}  // namespace

std::unique_ptr<SavefileFormatReader> make_pcap_reader(SavefileScan& scan) {
  return std::make_unique<PcapReader>(scan);
}

}  // namespace weir::cbpf
