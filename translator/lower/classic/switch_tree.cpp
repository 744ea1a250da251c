#include "translator/lower/classic/switch_tree.h"

#include <algorithm>
#include <cstddef>

namespace weir::lower::classic {
namespace {

// So many compares are not worth a tree.
constexpr std::size_t kAlone = 32;

constexpr std::uint32_t kLastNumber = 0xffffffff;

void add(std::vector<Segment>& segments, std::uint32_t low, BlockId to) {
  if (segments.empty() || segments.back().to != to) {
    segments.push_back({low, to});
  }
}

class Tree {
 public:
  Tree(Code& code, std::span<const Segment> segments, const TreeOptions& options)
      : code_(code), segments_(segments), options_(options) {}

  BlockId build() { return build(0, segments_.size()); }

 private:
  std::uint32_t high(std::size_t i) const {
    return i + 1 < segments_.size() ? segments_[i + 1].low - 1 : kLastNumber;
  }

  BlockId jump(cbpf::Code operation, std::uint32_t k, BlockId yes, BlockId no) {
    const auto id = static_cast<BlockId>(code_.blocks.size());
    Block& block = code_.blocks.emplace_back();
    block.end = End::kBranch;
    block.last = {static_cast<cbpf::Code>(cbpf::kJmp | operation | cbpf::kK), 0, 0, k};
    block.yes = yes;
    block.no = no;
    return id;
  }

  // The segments first .. last - 1; what comes here is in one of them.
  BlockId build(std::size_t first, std::size_t last) {
    if (last - first == 1) {
      return segments_[first].to;
    }
    // Of two neighbours, one leads to where most numbers lead.
    const BlockId one = segments_[first].to;
    const BlockId other = segments_[first + 1].to;
    const BlockId rest = compares(first, last, one) <= compares(first, last, other) ? one : other;
    const std::size_t count = compares(first, last, rest);
    const bool packs = may_pack(first, last, count);
    const bool whole = last - first == segments_.size();
    const std::size_t most = whole ? std::max(options_.leaf, kAlone) : options_.leaf;
    if (count <= (packs ? kMostPacked : most)) {
      return packs ? packed(first, last, rest) : chain(first, last, rest);
    }
    const std::size_t middle = packs ? first + (last - first) / 2 : split(first, last, count);
    const BlockId low = build(first, middle);
    const BlockId high = build(middle, last);
    return jump(cbpf::kJge, segments_[middle].low, high, low);
  }

  // Half of the leaves on either side, all about as large.
  std::size_t split(std::size_t first, std::size_t last, std::size_t count) const {
    const std::size_t leaves = (count + options_.leaf - 1) / options_.leaf;
    return first + std::max<std::size_t>(1, (last - first) * (leaves / 2) / leaves);
  }

  std::uint32_t last_of(std::size_t last) const {
    return std::min(high(last - 1), options_.largest);
  }

  bool may_pack(std::size_t first, std::size_t last, std::size_t count) const {
    const std::uint32_t low = segments_[first].low;
    return options_.packer != nullptr && count >= kFewestPacked && low <= last_of(last) &&
           last_of(last) - low <= kWidestPacked;
  }

  // Ranges by compares, single numbers by what the packer finds.
  BlockId packed(std::size_t first, std::size_t last, BlockId rest) {
    std::vector<std::uint32_t> members;
    std::vector<std::size_t> ranges;
    BlockId hit = rest;
    for (std::size_t i = first; i < last; ++i) {
      const auto [low, to] = segments_[i];
      if (to == rest) {
        continue;
      }
      hit = to;
      if (low == high(i)) {
        members.push_back(low);
      } else {
        ranges.push_back(i);
      }
    }
    const PackedSet& set = options_.packer->pack(members, segments_[first].low, last_of(last));
    if (set.steps.empty()) {
      return chain(first, last, rest);
    }
    BlockId next = rest;
    for (const std::uint32_t number : set.rest) {
      next = jump(cbpf::kJeq, number, hit, next);
    }
    for (std::size_t i = set.steps.size(); i-- > 0;) {
      const PackedStep& step = set.steps[i];
      for (const std::uint32_t mask : step.masks) {
        next = jump(cbpf::kJset, mask, next, hit);
      }
      next = compute(step, next);
    }
    for (const std::size_t i : ranges) {
      const BlockId inside = jump(cbpf::kJgt, high(i), next, hit);
      next = jump(cbpf::kJge, segments_[i].low, inside, next);
    }
    return next;
  }

  BlockId compute(const PackedStep& step, BlockId next) {
    const auto id = static_cast<BlockId>(code_.blocks.size());
    Block& block = code_.blocks.emplace_back();
    block.body.push_back(
        {static_cast<cbpf::Code>(cbpf::kAlu | step.operation | cbpf::kK), 0, 0, step.k});
    block.end = End::kJump;
    block.yes = next;
    return id;
  }

  // How many compares find out what does not lead to `rest`.
  std::size_t compares(std::size_t first, std::size_t last, BlockId rest) const {
    std::size_t count = 0;
    for (std::size_t i = first; i < last; ++i) {
      const bool one_end = segments_[i].low == 0 || high(i) == kLastNumber;
      count += segments_[i].to == rest ? 0 : segments_[i].low == high(i) || one_end ? 1 : 2;
    }
    return count;
  }

  // One compare after the other, from the lowest number up.
  BlockId chain(std::size_t first, std::size_t last, BlockId rest) {
    BlockId next = rest;
    for (std::size_t i = last; i-- > first;) {
      const auto [low, to] = segments_[i];
      if (to == rest) {
        continue;
      }
      if (low == high(i)) {
        next = jump(cbpf::kJeq, low, to, next);
      } else if (low == 0) {
        next = jump(cbpf::kJgt, high(i), next, to);
      } else {
        // What is below this segment is in none of the later ones.
        const BlockId inside = high(i) == kLastNumber ? to : jump(cbpf::kJgt, high(i), next, to);
        next = jump(cbpf::kJge, low, inside, rest);
      }
    }
    return next;
  }

  Code& code_;
  const std::span<const Segment> segments_;
  const TreeOptions options_;
};

}  // namespace

std::vector<Segment> segments_of(const ir::Terminator& end, std::span<const BlockId> targets) {
  std::vector<Segment> segments;
  std::uint64_t next = 0;
  for (const ir::Case& each : end.cases) {
    if (each.low > next) {
      add(segments, static_cast<std::uint32_t>(next), targets[0]);
    }
    add(segments, each.low, targets[each.edge]);
    next = std::uint64_t{each.high} + 1;
  }
  if (next <= kLastNumber) {
    add(segments, static_cast<std::uint32_t>(next), targets[0]);
  }
  return segments;
}

std::vector<Segment> merge_neighbours(std::span<const Segment> segments) {
  std::vector<Segment> merged;
  for (const Segment& segment : segments) {
    add(merged, segment.low, segment.to);
  }
  return merged;
}

BlockId add_switch_tree(Code& code, std::span<const Segment> segments, const TreeOptions& options) {
  return Tree(code, segments, options).build();
}

}  // namespace weir::lower::classic
