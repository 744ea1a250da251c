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

class PcapSource final : public SavefileSource {
 public:
  explicit PcapSource(SavefileInput input) : SavefileSource(std::move(input)) {}

  // Reads the file header.
  Status read_header();

 private:
  struct Lengths {
    std::uint32_t captured = 0;
    std::uint32_t wire = 0;
  };

  Status scan() override;
  tl::unexpected<Error> cut_off() const override;
  RecordLayout layout() const override {
    if (swapped_) {
      return header_.nanoseconds ? RecordLayout::kPcapSwappedNano : RecordLayout::kPcapSwapped;
    }
    return header_.nanoseconds ? RecordLayout::kPcapNano : RecordLayout::kPcap;
  }

  template <bool kSwapped>
  Status scan_records();
  Lengths lengths_of(std::uint32_t first, std::uint32_t second) const;
  Status read_version(std::uint16_t major, std::uint16_t minor);

  bool swapped_ = false;
  LengthOrder order_ = LengthOrder::kCapturedFirst;
  std::uint32_t max_captured_ = 0;
};

Status PcapSource::read_header() {
  while (input_.size() < kFileHeader) {
    const auto more = input_.fill();
    if (!more) {
      return tl::make_unexpected(more.error());
    }
    if (!*more) {
      return invalid(
          fmt::format("the header of the file is cut off after {} of 24 bytes", input_.size()));
    }
  }
  const std::uint8_t* p = input_.data();
  const std::uint32_t magic = load_file32(p, false);
  swapped_ = magic != 0xa1b2c3d4 && magic != 0xa1b23c4d;
  header_.nanoseconds = load_file32(p, swapped_) == 0xa1b23c4d;
  if (auto status = read_version(load_file16(p + 4, swapped_), load_file16(p + 6, swapped_));
      !status) {
    return status;
  }
  const std::uint32_t snaplen = load_file32(p + 16, swapped_);
  const std::uint32_t link_type = load_file32(p + 20, swapped_);
  link_type_ = dlt_of_linktype(link_type & kLinkTypeMask);
  max_captured_ = max_captured_length(link_type_);
  header_.link_type = link_type_;
  header_.link_type_bits = link_type & ~kLinkTypeMask;
  header_.snaplen = adjusted_snaplen(snaplen, link_type_);
  interfaces_.push_back({.link_type = link_type_,
                         .snaplen = snaplen,
                         .ticks_per_second = header_.nanoseconds ? 1'000'000'000U : 1'000'000U});
  input_.consume(kFileHeader);
  return {};
}

// 2.0 to 2.4, and 543.0, which DG/UX wrote.
Status PcapSource::read_version(std::uint16_t major, std::uint16_t minor) {
  if (!(major == 2 && minor <= 4) && !(major == 543 && minor == 0)) {
    return invalid(fmt::format("pcap version {}.{} is not known", major, minor));
  }
  if (major == 543 || minor < 3) {
    order_ = LengthOrder::kWireFirst;
  } else if (minor == 3) {
    order_ = LengthOrder::kEither;
  }
  return {};
}

PcapSource::Lengths PcapSource::lengths_of(std::uint32_t first, std::uint32_t second) const {
  const bool wire_first =
      order_ == LengthOrder::kWireFirst || (order_ == LengthOrder::kEither && first > second);
  return wire_first ? Lengths{.captured = second, .wire = first}
                    : Lengths{.captured = first, .wire = second};
}

Status PcapSource::scan() { return swapped_ ? scan_records<true>() : scan_records<false>(); }

template <bool kSwapped>
Status PcapSource::scan_records() {
  const std::uint8_t* const base = input_.data();
  const std::size_t size = input_.size();
  const std::uint64_t nanoseconds = header_.nanoseconds ? 1 : 1000;
  while (packets_.size() < kMaxBatch) {
    const std::uint8_t* const p = base + scanned_;
    const std::size_t left = size - scanned_;
    if (left < kRecordHeader) {
      return {};
    }
    const Lengths lengths = lengths_of(load_file32<kSwapped>(p + 8), load_file32<kSwapped>(p + 12));
    if (lengths.captured > max_captured_) {
      return invalid(fmt::format(
          "packet {} at byte {} claims {} captured bytes, more than the {} a packet can have",
          packets_before_ + packets_.size() + 1, input_.offset() + scanned_, lengths.captured,
          max_captured_));
    }
    const std::size_t length = kRecordHeader + lengths.captured;
    if (left < length) {
      return {};
    }
    // A packet longer than the file's snapshot length is cut to it.
    const std::uint32_t captured = std::min(lengths.captured, header_.snaplen);
    altered_ |= captured != load_file32<kSwapped>(p + 8);
    packets_.push_back({.captured = {p + kRecordHeader, captured}, .wire_length = lengths.wire});
    records_.push_back({.timestamp = load_file32<kSwapped>(p) * std::uint64_t{1'000'000'000} +
                                     load_file32<kSwapped>(p + 4) * nanoseconds,
                        .raw = {p, length}});
    scanned_ += length;
  }
  return {};
}

tl::unexpected<Error> PcapSource::cut_off() const {
  const std::uint8_t* const p = input_.bytes().data();
  const std::size_t left = input_.size();
  const std::uint64_t number = packets_before_ + 1;
  if (left < kRecordHeader) {
    return invalid(fmt::format("the header of packet {} at byte {} is cut off after {} of 16 bytes",
                               number, input_.offset(), left));
  }
  const Lengths lengths = lengths_of(load_file32(p + 8, swapped_), load_file32(p + 12, swapped_));
  return invalid(fmt::format("packet {} at byte {} is cut off after {} of its {} bytes", number,
                             input_.offset(), left - kRecordHeader, lengths.captured));
}

}  // namespace

Result<std::unique_ptr<SavefileSource>> open_pcap(SavefileInput input) {
  auto source = std::make_unique<PcapSource>(std::move(input));
  if (auto status = source->read_header(); !status) {
    return tl::make_unexpected(std::move(status.error()));
  }
  return std::unique_ptr<SavefileSource>(std::move(source));
}

}  // namespace weir::cbpf
