// Reading pcap: a header of 24 bytes, then records of 16 bytes, or 24 where the file is one of the
// modified libpcap of old Linux distributions, and the packet.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "cbpf/link_type.h"
#include "cbpf/savefile/host_order.h"
#include "cbpf/savefile/scan.h"

namespace weir::cbpf {
namespace {

constexpr std::size_t kFileHeader = 24;
constexpr int kLinkTypeEthernet = 1;
constexpr std::uint32_t kEthernetHeader = 14;

// Where the next record begins is known when this one has come from the second cache, which takes
// longer than all else that is done for it. So some lines of the records ahead are asked for,
// blindly.
constexpr std::size_t kAhead = 1024;

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
  std::optional<SavefileRecordRules> record_rules() const override;
  std::uint64_t record_length() const override;
  tl::unexpected<Error> cut_off() const override;

 private:
  struct Lengths {
    std::uint32_t captured = 0;
    std::uint32_t wire = 0;
  };

  template <bool kSwapped, bool kMapped>
  void find_plain_records();
  Status find_in_order();
  Result<bool> find_any_record();
  void turn_headers(std::size_t first);
  Lengths lengths_of(std::uint32_t first, std::uint32_t second) const;
  Status read_version(std::uint16_t major, std::uint16_t minor);
  RecordLayout layout() const;

  SavefileScan& scan_;
  bool swapped_ = false;
  bool turned_ = false;  // Packets begin with a header in the other byte order.
  std::size_t header_ = kPcapRecordHeader;
  LengthOrder order_ = LengthOrder::kCapturedFirst;
  std::uint32_t max_captured_ = 0;
  std::uint32_t least_limit_ = 0;  // No record up to this length is altered or wrong.
};

Status PcapReader::open() {
  while (scan_.window.size < kFileHeader) {
    const auto more = scan_.fill();
    if (!more) {
      return tl::make_unexpected(more.error());
    }
    if (!*more) {
      return scan_.invalid(
          fmt::format("the header of the file is cut off after {} of 24 bytes", scan_.window.size));
    }
  }
  const std::uint8_t* p = scan_.window.data;
  const std::uint32_t magic = load_file32(p, false);
  swapped_ = magic != 0xa1b2c3d4 && magic != 0xa1b23c4d && magic != kModifiedPcapMagic;
  scan_.header.swapped = scan_.swapped = swapped_;
  if (load_file32(p, swapped_) == kModifiedPcapMagic) {
    header_ = kModifiedRecordHeader;
  }
  scan_.header.nanoseconds = load_file32(p, swapped_) == 0xa1b23c4d;
  if (auto status = read_version(load_file16(p + 4, swapped_), load_file16(p + 6, swapped_));
      !status) {
    return status;
  }
  const std::uint32_t snaplen = load_file32(p + 16, swapped_);
  const std::uint32_t link_type = load_file32(p + 20, swapped_);
  scan_.layout = layout();
  scan_.link_type = dlt_of_linktype(link_type & kLinkTypeMask);
  turned_ = swapped_ && has_host_order_header(scan_.link_type);
  max_captured_ = max_captured_length(scan_.link_type);
  scan_.header.link_type = scan_.link_type;
  scan_.header.link_type_bits = link_type & ~kLinkTypeMask;
  scan_.header.snaplen = adjusted_snaplen(snaplen, scan_.link_type);
  if (header_ == kModifiedRecordHeader && scan_.link_type == kLinkTypeEthernet) {
    // As libpcap: what was captured "raw" may be longer by the header that was added.
    scan_.header.snaplen += kEthernetHeader;
  }
  scan_.interfaces.push_back(
      {.link_type = scan_.link_type,
       .snaplen = snaplen,
       .ticks_per_second = scan_.header.nanoseconds ? 1'000'000'000U : 1'000'000U});
  least_limit_ = std::min(max_captured_, scan_.header.snaplen);
  scan_.input.consume(kFileHeader);
  scan_.window = scan_.input.window();
  return {};
}

RecordLayout PcapReader::layout() const {
  if (header_ == kModifiedRecordHeader) {
    return swapped_ ? RecordLayout::kPcapModifiedSwapped : RecordLayout::kPcapModified;
  }
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
  const std::size_t first = scan_.found->count;
  Status status = find_in_order();
  if (turned_) {
    turn_headers(first);
  }
  return status;
}

// In place: a record is found once, and the window holds no other bytes.
void PcapReader::turn_headers(std::size_t first) {
  for (std::size_t i = first; i < scan_.found->count; ++i) {
    const PacketBytes& packet = scan_.found->packets[i];
    std::uint8_t* const data = scan_.window.data + (packet.data - scan_.window.data);
    swap_host_order_header(scan_.link_type, {data, packet.captured}, packet.length);
  }
}

Status PcapReader::find_in_order() {
  const bool swapped = swapped_;
  for (;;) {
    if (order_ == LengthOrder::kCapturedFirst && header_ == kPcapRecordHeader) {
      if (scan_.window.mapped) {
        swapped ? find_plain_records<true, true>() : find_plain_records<false, true>();
      } else {
        swapped ? find_plain_records<true, false>() : find_plain_records<false, false>();
      }
    }
    const auto taken = find_any_record();
    if (!taken) {
      return tl::make_unexpected(taken.error());
    }
    if (!*taken) {
      return {};
    }
  }
}

// Takes records as long as they are whole, in the usual order and of a length that says nothing
// special.
template <bool kSwapped, bool kMapped>
void PcapReader::find_plain_records() {
  const std::uint8_t* const begin = scan_.window.data + scan_.scanned;
  const std::uint8_t* const end = scan_.window.data + scan_.window.size;
  const std::uint8_t* p = begin;
  PacketBytes* out = scan_.found->packets.get() + scan_.found->count;
  PacketBytes* const full = out + scan_.room();
  const std::uint32_t limit = least_limit_;
  SavefileAhead ahead(p);
  while (out != full && static_cast<std::size_t>(end - p) >= kPcapRecordHeader) {
    if (kMapped) {
      ahead.from(p);
    } else {
      __builtin_prefetch(p + kAhead);
      __builtin_prefetch(p + kAhead + 64);
    }
    const std::uint32_t captured = load_file32<kSwapped>(p + 8);
    const std::size_t length = kPcapRecordHeader + captured;
    if (captured > limit || static_cast<std::size_t>(end - p) < length) {
      break;
    }
    *out++ = {p + kPcapRecordHeader, captured, load_file32<kSwapped>(p + 12)};
    p += length;
  }
  scan_.found->count = static_cast<std::size_t>(out - scan_.found->packets.get());
  scan_.scanned += static_cast<std::size_t>(p - begin);
}

// Takes one record of any kind. False when there is none that is whole, or no room for it.
Result<bool> PcapReader::find_any_record() {
  const std::uint8_t* const p = scan_.window.data + scan_.scanned;
  const std::size_t left = scan_.window.size - scan_.scanned;
  if (scan_.room() == 0 || left < header_) {
    return false;
  }
  const std::uint32_t first = load_file32(p + 8, swapped_);
  const Lengths lengths = lengths_of(first, load_file32(p + 12, swapped_));
  if (lengths.captured > max_captured_) {
    return scan_.invalid(fmt::format(
        "packet {} at byte {} claims {} captured bytes, more than the {} a packet can have",
        scan_.packet_number(), scan_.position(), lengths.captured, max_captured_));
  }
  const std::size_t length = header_ + lengths.captured;
  if (left < length) {
    return false;
  }
  // A packet longer than the file's snapshot length is cut to it.
  const std::uint32_t captured = std::min(lengths.captured, scan_.header.snaplen);
  scan_.altered |= captured != first;
  scan_.found->packets[scan_.found->count++] = {p + header_, captured, lengths.wire};
  scan_.scanned += length;
  return true;
}

std::optional<SavefileRecordRules> PcapReader::record_rules() const {
  if (order_ != LengthOrder::kCapturedFirst || turned_ || header_ != kPcapRecordHeader) {
    return std::nullopt;
  }
  return SavefileRecordRules{.swapped = swapped_,
                             .most_captured = least_limit_,
                             .ticks = scan_.header.nanoseconds ? 1'000'000'000U : 1'000'000U};
}

std::uint64_t PcapReader::record_length() const {
  const std::uint8_t* const p = scan_.window.data + scan_.scanned;
  if (scan_.window.size - scan_.scanned < header_) {
    return 0;
  }
  return header_ +
         std::uint64_t{
             lengths_of(load_file32(p + 8, swapped_), load_file32(p + 12, swapped_)).captured};
}

tl::unexpected<Error> PcapReader::cut_off() const {
  const std::uint8_t* const p = scan_.window.data + scan_.scanned;
  const std::size_t left = scan_.window.size - scan_.scanned;
  const std::uint64_t number = scan_.packet_number();
  if (left < header_) {
    return scan_.invalid(
        fmt::format("the header of packet {} at byte {} is cut off after {} of {} bytes", number,
                    scan_.position(), left, header_));
  }
  const Lengths lengths = lengths_of(load_file32(p + 8, swapped_), load_file32(p + 12, swapped_));
  return scan_.invalid(fmt::format("packet {} at byte {} is cut off after {} of its {} bytes",
                                   number, scan_.position(), left - header_, lengths.captured));
}

}  // namespace

std::unique_ptr<SavefileFormatReader> make_pcap_reader(SavefileScan& scan) {
  return std::make_unique<PcapReader>(scan);
}

}  // namespace weir::cbpf
