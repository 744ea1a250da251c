#include "translator/ir/build/classic_loads.h"

#include <algorithm>
#include <limits>

#include "cbpf/link_layer.h"

namespace weir::ir {
namespace {

constexpr std::uint64_t kTwo32 = std::uint64_t{1} << 32;
constexpr std::uint32_t kNegative = 0x80000000;  // Where Linux's offsets become negative.

constexpr std::array<Region, kRegions> kAllRegions = {Region::kPacket, Region::kNetwork,
                                                      Region::kLink, Region::kNowhere};

struct Offsets {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
};

constexpr Offsets range_of(Region region) {
  switch (region) {
    case Region::kPacket:
      return {0, kNegative - 1};
    case Region::kNetwork:
      return {cbpf::kNetworkOffset, kTwo32 - 1};
    case Region::kLink:
      return {cbpf::kLinkOffset, cbpf::kNetworkOffset - 1};
    case Region::kNowhere:
      return {kNegative, cbpf::kLinkOffset - 1};
  }
  return {};
}

Region region_of(std::uint32_t offset) {
  for (const Region region : kAllRegions) {
    const Offsets range = range_of(region);
    if (range.low <= offset && offset <= range.high) {
      return region;
    }
  }
  return Region::kNowhere;
}

}  // namespace

// Bytes at base + k over the natural numbers.
ValueId ClassicLoads::plain(ValueId base, std::uint32_t k, std::uint8_t bytes) {
  if (k > std::numeric_limits<std::uint32_t>::max() - bytes) {
    return kNoValue;
  }
  builder_.need(base, k + bytes);
  return builder_.append({.op = Op::kLoad, .width = bytes, .k = k, .a = base});
}

ValueId ClassicLoads::absolute(std::uint32_t offset, std::uint8_t bytes, std::uint32_t at) {
  if (dialect_ == cbpf::Dialect::kLibpcap) {
    return plain(kNoValue, offset, bytes);
  }
  switch (region_of(offset)) {
    case Region::kPacket:
      return plain(kNoValue, offset, bytes);
    case Region::kNetwork:
      return plain(kNoValue, offset - cbpf::kNetworkOffset + network_header(at), bytes);
    case Region::kLink:
      return plain(kNoValue, offset - cbpf::kLinkOffset, bytes);
    case Region::kNowhere:
      return kNoValue;
  }
  return kNoValue;
}

std::uint32_t ClassicLoads::network_header(std::uint32_t at) {
  if (!header_ && !error_) {
    error_ = Error{ErrorCode::kUnsupported,
                   "the load counts from the network header, and where that begins is not "
                   "fixed for this link type",
                   {.instruction = at},
                   {}};
  }
  return header_.value_or(0);
}

ValueId ClassicLoads::indirect(ValueId x, std::uint32_t k, std::uint8_t bytes, std::uint32_t at) {
  const std::uint64_t highest = std::uint64_t{builder_.bound_of(x)} + k;
  if (dialect_ == cbpf::Dialect::kLibpcap || highest < kNegative) {
    return plain(x, k, bytes);
  }
  if (builder_.is_constant(x)) {
    return absolute(builder_.number(x) + k, bytes, at);
  }
  std::array<bool, kRegions> possible{};
  for (const Region region : kAllRegions) {
    // The sum is in k .. highest, and what is past 2^32 comes round to the small offsets.
    const Offsets range = range_of(region);
    possible[static_cast<std::size_t>(region)] =
        (range.low <= highest && k <= range.high) || range.low + kTwo32 <= highest;
  }
  const ValueId offset = k == 0 ? x : builder_.arithmetic(Op::kAdd, x, builder_.constant(k));
  return from_regions(offset, possible, bytes, at);
}

// Tells the possible regions apart by branches and loads in each.
ValueId ClassicLoads::from_regions(ValueId offset, const std::array<bool, kRegions>& possible,
                                   std::uint8_t bytes, std::uint32_t at) {
  std::vector<std::pair<BlockId, ValueId>> loads;
  auto left = std::count(possible.begin(), possible.end(), true);
  for (const Region region : kAllRegions) {
    if (!possible[static_cast<std::size_t>(region)]) {
      continue;
    }
    BlockId otherwise = builder_.block();
    if (--left > 0) {
      otherwise = branch_to_region(offset, region);
    }
    const ValueId value = in_region(offset, region, bytes, at);
    if (value != kNoValue) {
      loads.emplace_back(builder_.block(), value);
    } else if (left == 0 && !loads.empty()) {
      builder_.end_return(builder_.constant(0));
    }
    builder_.start(otherwise);
  }
  return join(loads);
}

// Branches on whether the offset is in the region, the ones before it in kAllRegions being out of
// question; goes on in the region's block and gives the other one.
BlockId ClassicLoads::branch_to_region(ValueId offset, Region region) {
  const BlockId inside = builder_.add_block();
  const BlockId otherwise = builder_.add_block();
  const bool below = region == Region::kPacket;
  const auto limit =
      static_cast<std::uint32_t>(below ? range_of(region).high + 1 : range_of(region).low);
  builder_.end_branch(below ? Compare::kLt : Compare::kGe, offset, builder_.constant(limit),
                      {.to = inside, .arguments = {}}, {.to = otherwise, .arguments = {}});
  builder_.start(inside);
  return otherwise;
}

ValueId ClassicLoads::in_region(ValueId offset, Region region, std::uint8_t bytes,
                                std::uint32_t at) {
  switch (region) {
    case Region::kPacket:
      return plain(offset, 0, bytes);
    case Region::kNetwork: {
      const std::uint32_t header = network_header(at);
      return plain(builder_.arithmetic(Op::kSub, offset, builder_.constant(cbpf::kNetworkOffset)),
                   header, bytes);
    }
    case Region::kLink:
      return plain(builder_.arithmetic(Op::kSub, offset, builder_.constant(cbpf::kLinkOffset)), 0,
                   bytes);
    case Region::kNowhere:
      return kNoValue;
  }
  return kNoValue;
}

// Brings the blocks together that loaded, and goes on behind them.
ValueId ClassicLoads::join(const std::vector<std::pair<BlockId, ValueId>>& loads) {
  if (loads.empty()) {
    return kNoValue;
  }
  if (loads.size() == 1) {
    builder_.start(loads[0].first);
    return loads[0].second;
  }
  std::uint32_t bound = 0;
  for (const auto& [block, value] : loads) {
    bound = std::max(bound, builder_.bound_of(value));
  }
  const BlockId behind = builder_.add_block();
  for (const auto& [block, value] : loads) {
    builder_.start(block);
    builder_.end_jump({.to = behind, .arguments = {value}});
  }
  builder_.start(behind);
  return builder_.add_parameter(bound);
}

}  // namespace weir::ir
