// Reading pcapng: blocks of a type and a length, in sections of one byte order each.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "cbpf/link_type.h"
#include "cbpf/savefile/host_order.h"
#include "cbpf/savefile/scan.h"

namespace weir::cbpf {
namespace {

// Types of blocks. All others are passed over; they stay in the bytes of the batch.
enum BlockType : std::uint32_t {
  kInterfaceBlock = 1,
  kObsoletePacketBlock = 2,
  kSimplePacketBlock = 3,
  kEnhancedPacketBlock = 6,
  kSectionBlock = 0x0a0d0d0a,
};

constexpr std::size_t kBlockHeader = 8;     // Type and length.
constexpr std::size_t kBlockOverhead = 12;  // And the length again at the end.
constexpr std::size_t kSectionFixed = 16;

// libpcap takes no larger block, except for the link types whose packets alone are larger.
constexpr std::uint32_t kMaxBlock = 16U << 20;
constexpr std::uint32_t kMaxOptions = 128U << 10;
constexpr std::uint32_t kMaxSectionBlock = 1U << 20;

// Packet blocks of old could tell no more apart; a file that wants more wants the memory.
constexpr std::size_t kMaxInterfaces = 1U << 16;

constexpr std::uint64_t kNanoseconds = 1'000'000'000;

// `ticks` of 1 / `per_second` seconds in nanoseconds, rounded down, modulo 2^64. `per_second` is a
// power of ten up to 10^19 or of two up to 2^63.
std::uint64_t to_nanoseconds(std::uint64_t ticks, std::uint64_t per_second) {
  if (per_second <= kNanoseconds && kNanoseconds % per_second == 0) {
    return ticks * (kNanoseconds / per_second);
  }
  if (per_second % kNanoseconds == 0) {
    return ticks / (per_second / kNanoseconds);
  }
  const std::uint64_t seconds = ticks / per_second;
  const std::uint64_t rest = ticks % per_second;
  if (per_second <= std::uint64_t{1} << 34) {
    return seconds * kNanoseconds + rest * kNanoseconds / per_second;
  }
  // A large power of two: 64 by 30 bits in two halves, the division being a shift.
  const std::uint64_t low = (rest & 0xffffffff) * kNanoseconds;
  const std::uint64_t high = (rest >> 32) * kNanoseconds + (low >> 32);
  return seconds * kNanoseconds + high / (per_second >> 32);
}

// One block: where it lies in the window, and how long.
struct Block {
  std::uint32_t type = 0;
  std::uint32_t length = 0;  // All of it.
  const std::uint8_t* data = nullptr;

  const std::uint8_t* body() const { return data + kBlockHeader; }
  std::size_t body_length() const { return length - kBlockOverhead; }
};

// What the three kinds of packet blocks have in common.
struct PacketFields {
  std::uint32_t interface = 0;  // In its section.
  std::uint64_t ticks = 0;
  bool has_time = true;
  std::uint32_t captured = 0;
  std::uint32_t wire = 0;
  std::size_t fixed = 0;  // Length of the fields before the packet.
};

class PcapngReader final : public SavefileFormatReader {
 public:
  explicit PcapngReader(SavefileScan& scan) : scan_(scan) {}

  // Reads up to the first interface, as far as that is possible.
  Status open() override;
  Status find_records() override;
  std::uint64_t record_length() const override;
  tl::unexpected<Error> cut_off() const override;

 private:
  // What taking a packet of an interface needs to know of it.
  struct PlainInterface {
    int link_type = 0;
    std::uint32_t most = 0;         // Captured bytes.
    std::uint64_t ns_per_tick = 0;  // 0: each packet is taken by itself.
    std::uint64_t ns_of_offset = 0;
  };

  // Takes enhanced packet blocks as long as there is nothing special about them.
  template <bool kSwapped>
  void find_plain_packets(SavefileAhead& ahead);
  // The block at the end of the batch; none when it is not yet whole in the window.
  Result<std::optional<Block>> next_block();
  Result<std::uint32_t> block_length(std::uint32_t type, const std::uint8_t* p) const;
  // Takes one block. False when it belongs into the next batch: a packet of another link type, or
  // a section after packets.
  Result<bool> take(const Block& block);
  Result<bool> take_section(const Block& block);
  Result<bool> take_interface(const Block& block);
  Status take_options(Bytes options, SavefileInterface& interface) const;
  Status take_resolution(Bytes value, SavefileInterface& interface) const;
  Result<bool> take_packet(const Block& block);
  Result<PacketFields> packet_fields(const Block& block) const;

  std::uint32_t load32(const std::uint8_t* p) const { return load_file32(p, swapped_); }
  std::uint16_t load16(const std::uint8_t* p) const { return load_file16(p, swapped_); }

  SavefileScan& scan_;
  bool swapped_ = false;
  bool in_section_ = false;
  std::uint32_t max_block_ = kMaxBlock;
  std::vector<PlainInterface> plain_;  // Of scan_.interfaces.
};

Status PcapngReader::open() {
  scan_.layout = RecordLayout::kPcapng;
  for (;;) {
    Status status = find_records();
    if (!status && !in_section_) {
      return status;
    }
    if (!status || !scan_.interfaces.empty()) {
      break;
    }
    const auto more = scan_.fill();
    if (!more) {
      return tl::make_unexpected(more.error());
    }
    if (!*more) {
      if (!in_section_) {
        return cut_off();
      }
      break;
    }
  }
  return {};
}

Status PcapngReader::find_records() {
  SavefileAhead ahead(scan_.window.data + scan_.scanned);
  while (scan_.room() != 0) {
    swapped_ ? find_plain_packets<true>(ahead) : find_plain_packets<false>(ahead);
    if (scan_.room() == 0) {
      break;
    }
    const auto block = next_block();
    if (!block) {
      return tl::make_unexpected(block.error());
    }
    if (!*block) {
      return {};
    }
    const auto taken = take(**block);
    if (!taken) {
      return tl::make_unexpected(taken.error());
    }
    if (!*taken) {
      return {};
    }
    scan_.scanned += (*block)->length;
  }
  return {};
}

template <bool kSwapped>
void PcapngReader::find_plain_packets(SavefileAhead& ahead) {
  constexpr std::uint32_t kFixed = kBlockOverhead + 20;
  const std::uint8_t* const begin = scan_.window.data + scan_.scanned;
  const std::uint8_t* const end = scan_.window.data + scan_.window.size;
  const std::uint8_t* p = begin;
  const std::size_t first = scan_.found->count;
  const std::size_t full = first + scan_.room();
  std::size_t count = first;
  // The batch has the link type of its first packet.
  bool begun = scan_.packets() != 0;
  while (count != full && static_cast<std::size_t>(end - p) >= kFixed) {
    if (scan_.window.mapped) {
      ahead.from(p);
    }
    const std::uint32_t length = load_file32<kSwapped>(p + 4);
    const std::uint32_t interface = load_file32<kSwapped>(p + 8);
    if (load_file32<kSwapped>(p) != kEnhancedPacketBlock || length < kFixed ||
        length > max_block_ || length % 4 != 0 || static_cast<std::size_t>(end - p) < length ||
        load_file32<kSwapped>(p + length - 4) != length || interface >= plain_.size()) {
      break;
    }
    const PlainInterface& plain = plain_[interface];
    const std::uint32_t captured = load_file32<kSwapped>(p + 20);
    if (captured > std::min(length - kFixed, plain.most) || plain.ns_per_tick == 0 ||
        (begun && plain.link_type != scan_.link_type)) {
      break;
    }
    begun = true;
    scan_.link_type = plain.link_type;
    const std::uint64_t ticks =
        std::uint64_t{load_file32<kSwapped>(p + 12)} << 32 | load_file32<kSwapped>(p + 16);
    scan_.found->packets[count] = {p + kBlockHeader + 20, captured, load_file32<kSwapped>(p + 24)};
    scan_.found->blocks[count] = {.timestamp = ticks * plain.ns_per_tick + plain.ns_of_offset,
                                  .begin = p,
                                  .length = length,
                                  .interface = interface};
    ++count;
    p += length;
  }
  scan_.found->count = count;
  scan_.scanned += static_cast<std::size_t>(p - begin);
}

Result<std::optional<Block>> PcapngReader::next_block() {
  const std::uint8_t* const p = scan_.window.data + scan_.scanned;
  const std::size_t left = scan_.window.size - scan_.scanned;
  if (left < kBlockOverhead) {
    return std::nullopt;
  }
  const std::uint32_t type = load32(p);
  const auto length = block_length(type, p);
  if (!length) {
    return tl::make_unexpected(length.error());
  }
  if (left < *length) {
    return std::nullopt;
  }
  // A section may bring another byte order, and what is behind its type is in that order.
  const bool swapped = type == kSectionBlock ? load_file32(p + 8, false) != 0x1a2b3c4d : swapped_;
  if (const std::uint32_t again = load_file32(p + *length - 4, swapped); again != *length) {
    return scan_.invalid(
        fmt::format("the block at byte {} has {} as its length at one end and {} at "
                    "the other",
                    scan_.position(), *length, again));
  }
  return Block{.type = type, .length = *length, .data = p};
}

Result<std::uint32_t> PcapngReader::block_length(std::uint32_t type, const std::uint8_t* p) const {
  std::uint32_t length = load32(p + 4);
  std::uint32_t least = kBlockOverhead;
  std::uint32_t most = max_block_;
  if (type == kSectionBlock) {
    const std::uint32_t order = load_file32(p + 8, false);
    if (order != 0x1a2b3c4d && order != 0x4d3c2b1a) {
      return scan_.invalid(
          fmt::format("the section at byte {} has no byte-order magic number", scan_.position()));
    }
    length = load_file32(p + 4, order != 0x1a2b3c4d);
    least = kBlockOverhead + kSectionFixed;
    most = kMaxSectionBlock;
  }
  if (length < least || length > most || length % 4 != 0) {
    return scan_.invalid(
        fmt::format("the block at byte {} claims a length of {} bytes, which is not "
                    "a multiple of 4 from {} to {}",
                    scan_.position(), length, least, most));
  }
  return length;
}

Result<bool> PcapngReader::take(const Block& block) {
  switch (block.type) {
    case kSectionBlock:
      return take_section(block);
    case kInterfaceBlock:
      return take_interface(block);
    case kEnhancedPacketBlock:
    case kSimplePacketBlock:
    case kObsoletePacketBlock:
      return take_packet(block);
    default:
      return true;
  }
}

Result<bool> PcapngReader::take_section(const Block& block) {
  if (scan_.packets() != 0) {
    return false;
  }
  const bool swapped = load_file32(block.body(), false) != 0x1a2b3c4d;
  const std::uint16_t major = load_file16(block.body() + 4, swapped);
  const std::uint16_t minor = load_file16(block.body() + 6, swapped);
  if (major != 1 || (minor != 0 && minor != 2)) {
    return scan_.invalid(
        fmt::format("the section at byte {} has the pcapng version {}.{}, which is not "
                    "known",
                    scan_.position(), major, minor));
  }
  swapped_ = scan_.swapped = swapped;
  in_section_ = true;
  scan_.interfaces.clear();
  plain_.clear();
  // A copy with fewer packets is shorter than the section said, so it says "not known".
  std::fill_n(scan_.window.data + scan_.scanned + 16, 8, std::uint8_t{0xff});
  return true;
}

Result<bool> PcapngReader::take_interface(const Block& block) {
  constexpr std::size_t kFixed = 8;
  if (block.body_length() < kFixed) {
    return scan_.invalid(
        fmt::format("the interface block at byte {} is too short", scan_.position()));
  }
  if (scan_.interfaces.size() == kMaxInterfaces) {
    return scan_.invalid(
        fmt::format("the interface block at byte {} is one too many: the section has {} "
                    "already",
                    scan_.position(), kMaxInterfaces));
  }
  SavefileInterface interface;
  interface.link_type = dlt_of_linktype(load16(block.body()));
  interface.snaplen = load32(block.body() + 4);
  if (auto status = take_options({block.body() + kFixed, block.body_length() - kFixed}, interface);
      !status) {
    return tl::make_unexpected(std::move(status.error()));
  }
  max_block_ = std::max(max_block_, max_captured_length(interface.link_type) + kMaxOptions);
  if (!scan_.header.link_type) {
    scan_.header.swapped = swapped_;
    scan_.header.link_type = scan_.link_type = interface.link_type;
    scan_.header.snaplen = adjusted_snaplen(interface.snaplen, interface.link_type);
  }
  const std::uint64_t per_second = interface.ticks_per_second;
  // Headers in the other byte order are special.
  const bool whole = per_second <= kNanoseconds && kNanoseconds % per_second == 0 &&
                     !(swapped_ && has_host_order_header(interface.link_type));
  plain_.push_back(
      {.link_type = interface.link_type,
       .most = max_captured_length(interface.link_type),
       .ns_per_tick = whole ? kNanoseconds / per_second : 0,
       .ns_of_offset = static_cast<std::uint64_t>(interface.offset_seconds) * kNanoseconds});
  scan_.interfaces.push_back(std::move(interface));
  return true;
}

Status PcapngReader::take_options(Bytes options, SavefileInterface& interface) const {
  constexpr std::uint16_t kEnd = 0;
  constexpr std::uint16_t kName = 2;
  constexpr std::uint16_t kResolution = 9;
  constexpr std::uint16_t kTimeOffset = 14;
  while (!options.empty()) {
    const std::size_t length = options.size() < 4 ? 0 : load16(options.data() + 2);
    const std::size_t padded = (length + 3) / 4 * 4;
    if (options.size() < 4 + padded) {
      return scan_.invalid(
          fmt::format("the interface block at byte {} has an option that is longer than "
                      "the block",
                      scan_.position()));
    }
    const std::uint16_t code = load16(options.data());
    const Bytes value = options.subspan(4, length);
    if (code == kEnd) {
      break;
    }
    if (code == kName) {
      const Bytes kept = value.first(std::min(value.size(), kMaxInterfaceName));
      interface.name.assign(kept.begin(), kept.end());
    } else if (code == kResolution) {
      if (auto status = take_resolution(value, interface); !status) {
        return status;
      }
    } else if (code == kTimeOffset && length == 8) {
      interface.offset_seconds = static_cast<std::int64_t>(load_file64(value.data(), swapped_));
    }
    options = options.subspan(4 + padded);
  }
  return {};
}

Status PcapngReader::take_resolution(Bytes value, SavefileInterface& interface) const {
  const std::uint32_t exponent = value.size() == 1 ? value[0] & 0x7fU : 128;
  const bool binary = value.size() == 1 && (value[0] & 0x80) != 0;
  if (exponent > (binary ? 63U : 19U)) {
    return scan_.invalid(
        fmt::format("the interface block at byte {} has a timestamp resolution that "
                    "is not known",
                    scan_.position()));
  }
  interface.ticks_per_second = 1;
  for (std::uint32_t i = 0; i < exponent; ++i) {
    interface.ticks_per_second *= binary ? 2 : 10;
  }
  return {};
}

Result<PacketFields> PcapngReader::packet_fields(const Block& block) const {
  const std::uint8_t* const p = block.body();
  const bool simple = block.type == kSimplePacketBlock;
  PacketFields fields;
  fields.fixed = simple ? 4 : 20;
  if (block.body_length() < fields.fixed) {
    return scan_.invalid(fmt::format("the block of packet {} at byte {} is too short",
                                     scan_.packet_number(), scan_.position()));
  }
  if (simple) {
    fields.has_time = false;
    fields.wire = load32(p);
  } else {
    fields.interface = block.type == kEnhancedPacketBlock ? load32(p) : load16(p);
    fields.ticks = std::uint64_t{load32(p + 4)} << 32 | load32(p + 8);
    fields.captured = load32(p + 12);
    fields.wire = load32(p + 16);
  }
  if (fields.interface >= scan_.interfaces.size()) {
    return scan_.invalid(
        fmt::format("packet {} at byte {} is of interface {}, which the file does not "
                    "describe",
                    scan_.packet_number(), scan_.position(), fields.interface));
  }
  const SavefileInterface& interface = scan_.interfaces[fields.interface];
  if (simple) {
    fields.captured =
        std::min(fields.wire, adjusted_snaplen(interface.snaplen, interface.link_type));
  }
  return fields;
}

Result<bool> PcapngReader::take_packet(const Block& block) {
  const auto fields = packet_fields(block);
  if (!fields) {
    return tl::make_unexpected(fields.error());
  }
  const SavefileInterface& interface = scan_.interfaces[fields->interface];
  const std::size_t room = std::min<std::size_t>(block.body_length() - fields->fixed,
                                                 max_captured_length(interface.link_type));
  if (fields->captured > room) {
    return scan_.invalid(
        fmt::format("packet {} at byte {} claims {} captured bytes where {} can be",
                    scan_.packet_number(), scan_.position(), fields->captured, room));
  }
  if (scan_.packets() != 0 && interface.link_type != scan_.link_type) {
    return false;
  }
  scan_.link_type = interface.link_type;
  std::uint64_t timestamp = 0;
  if (fields->has_time) {
    timestamp = to_nanoseconds(fields->ticks, interface.ticks_per_second) +
                static_cast<std::uint64_t>(interface.offset_seconds) * kNanoseconds;
  }
  const std::size_t index = scan_.found->count++;
  const std::uint8_t* data = block.body() + fields->fixed;
  if (swapped_ && has_host_order_header(interface.link_type)) {
    // In a copy: the block stays in the order of its section.
    std::uint8_t* const turned = scan_.found->keep({data, fields->captured});
    swap_host_order_header(interface.link_type, {turned, fields->captured}, fields->wire);
    data = turned;
  }
  scan_.found->packets[index] = {data, fields->captured, fields->wire};
  scan_.found->blocks[index] = {.timestamp = timestamp,
                                .begin = block.data,
                                .length = block.length,
                                .interface = fields->interface};
  return true;
}

std::uint64_t PcapngReader::record_length() const {
  const std::uint8_t* const p = scan_.window.data + scan_.scanned;
  if (scan_.window.size - scan_.scanned < kBlockOverhead) {
    return 0;
  }
  return block_length(load32(p), p).value_or(0);
}

tl::unexpected<Error> PcapngReader::cut_off() const {
  const std::uint8_t* const p = scan_.window.data + scan_.scanned;
  const std::size_t left = scan_.window.size - scan_.scanned;
  if (left < kBlockOverhead) {
    return scan_.invalid(
        fmt::format("the block at byte {} is cut off after {} bytes", scan_.position(), left));
  }
  const std::uint32_t type = load32(p);
  const bool swapped = type == kSectionBlock ? load_file32(p + 8, false) != 0x1a2b3c4d : swapped_;
  const bool packet =
      type == kEnhancedPacketBlock || type == kSimplePacketBlock || type == kObsoletePacketBlock;
  return scan_.invalid(
      fmt::format("{} at byte {} is cut off after {} of {} bytes",
                  packet ? fmt::format("the block of packet {}", scan_.packet_number())
                         : std::string("the block"),
                  scan_.position(), left, load_file32(p + 4, swapped)));
}

}  // namespace

std::unique_ptr<SavefileFormatReader> make_pcapng_reader(SavefileScan& scan) {
  return std::make_unique<PcapngReader>(scan);
}

}  // namespace weir::cbpf
