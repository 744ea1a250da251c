// The loads of a classic program as IR: where an offset lies, in each dialect.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "cbpf/base/result.h"
#include "cbpf/program.h"
#include "translator/ir/build/bounded_builder.h"

namespace weir::ir {

// The parts of Linux's offsets; a load means another place in each.
enum class Region : std::uint8_t { kPacket, kNetwork, kLink, kNowhere };
inline constexpr std::size_t kRegions = 4;

// Appends loads of 1, 2 or 4 bytes to the builder's block, each behind the need of its bytes. A
// load whose region is told by the packet leaves the builder in a new block, behind the branches.
// All give kNoValue when the load ends the filter with 0 whatever the packet. `at` is the
// instruction, for errors.
class ClassicLoads {
 public:
  // `header` is the length of the link type's header, where that is fixed.
  ClassicLoads(BoundedBuilder& builder, cbpf::Dialect dialect, std::optional<std::uint32_t> header)
      : builder_(builder), dialect_(dialect), header_(header) {}

  // At the constant offset.
  ValueId absolute(std::uint32_t offset, std::uint8_t bytes, std::uint32_t at);
  // At X + k.
  ValueId indirect(ValueId x, std::uint32_t k, std::uint8_t bytes, std::uint32_t at);

  // kUnsupported once a load has counted from a network header whose place is not fixed.
  const std::optional<Error>& error() const { return error_; }

 private:
  ValueId plain(ValueId base, std::uint32_t k, std::uint8_t bytes);
  ValueId from_regions(ValueId offset, const std::array<bool, kRegions>& possible,
                       std::uint8_t bytes, std::uint32_t at);
  ValueId in_region(ValueId offset, Region region, std::uint8_t bytes, std::uint32_t at);
  BlockId branch_to_region(ValueId offset, Region region);
  ValueId join(const std::vector<std::pair<BlockId, ValueId>>& loads);
  std::uint32_t network_header(std::uint32_t at);

  BoundedBuilder& builder_;
  const cbpf::Dialect dialect_;
  const std::optional<std::uint32_t> header_;
  std::optional<Error> error_;
};

}  // namespace weir::ir
