#include "translator/lower/classic/set_membership.h"

#include <bit>
#include <map>

namespace weir::lower::classic {
namespace {

using ir::Op;

// Fewer than this with one mask are ranges.
constexpr std::size_t kFewestMasked = 3;

// Whether the range takes its first word's bounds with whatever words follow.
bool all_later(const ir::Range& range, std::uint32_t later) {
  for (std::uint32_t word = 0; word < later; ++word) {
    if (range.low.word(word) != 0 || range.high.word(word) != 0xffffffff) {
      return false;
    }
  }
  return true;
}

// The numbers from low to high as blocks of a power of two, each at a multiple of its size.
template <typename Visit>
void for_each_block(std::uint32_t low, std::uint32_t high, Visit&& visit) {
  std::uint64_t next = low;
  while (next <= high) {
    std::uint64_t size = next == 0 ? std::uint64_t{1} << 32 : next & (~next + 1);
    while (next + size - 1 > high) {
      size /= 2;
    }
    visit(static_cast<std::uint32_t>(next), size);
    next += size;
  }
}

}  // namespace

SetTest::SetTest(Registers& registers, const ir::Function& function, const ir::Value& test,
                 const TreeOptions& options)
    : registers_(registers), options_(options) {
  ir::ValueId key = test.a;
  for (; function.values[key].op == Op::kJoin; key = function.values[key].a) {
    words_.insert(words_.begin(), function.values[key].b);
  }
  words_.insert(words_.begin(), key);
  divide(function.sets[test.k]);
  // Numbers of 32 bits, and those that are asked for with masks first, keep A as it is.
  if (words_.size() != 1 || !masked_.empty() || ranges_.size() < kFewestPacked ||
      registers_.bound_of(words_[0]) > kWidestPacked) {
    options_.packer = nullptr;
  }
  registers_.to_a(words_[0]);
}

void SetTest::divide(const ir::Set& set) {
  if (set.words != 1) {
    ranges_ = set.ranges;
    return;
  }
  // By the size of their blocks, ranges of one or two blocks.
  std::map<std::uint64_t, std::vector<std::uint32_t>> blocks;
  const auto of = [](const ir::Range& range, auto&& visit) {
    for_each_block(range.low.word(0), range.high.word(0), visit);
  };
  const auto is_wide = [&](const ir::Range& range) {
    std::size_t count = 0;
    of(range, [&](std::uint32_t, std::uint64_t) { ++count; });
    return range.low != range.high && count <= 2 && range.high.word(0) - range.low.word(0) > 1;
  };
  for (const ir::Range& range : set.ranges) {
    if (is_wide(range)) {
      of(range, [&](std::uint32_t low, std::uint64_t size) { blocks[size].push_back(low); });
    }
  }
  const auto is_masked = [&](const ir::Range& range) {
    bool all = is_wide(range);
    of(range, [&](std::uint32_t, std::uint64_t size) {
      all = all && size > 1 && size <= 0x80000000 && blocks[size].size() >= kFewestMasked;
    });
    return all;
  };
  std::map<std::uint64_t, std::vector<std::uint32_t>> masked;
  for (const ir::Range& range : set.ranges) {
    if (is_masked(range)) {
      of(range, [&](std::uint32_t low, std::uint64_t size) { masked[size].push_back(low); });
    } else {
      ranges_.push_back(range);
    }
  }
  for (auto& [size, numbers] : masked) {
    masked_.push_back({~static_cast<std::uint32_t>(size - 1), std::move(numbers)});
  }
}

void SetTest::forget_registers() {
  State& state = registers_.state();
  if (words_.size() > 1) {
    state.a = state.x = ir::kNoValue;  // Which words were loaded depends on the way.
  } else if (!masked_.empty() || options_.packer != nullptr) {
    state.a = ir::kNoValue;
  }
}

void SetTest::end_block(BlockId hit, BlockId miss) {
  hit_ = hit;
  miss_ = miss;
  const BlockId here = registers_.here();
  BlockId next = miss;
  for (std::size_t i = masked_.size(); i-- > 0;) {
    next = masked_tree(masked_[i], next);
  }
  const BlockId first = ranges_.empty() ? next : tree(0, ranges_, next);
  registers_.go_to(here);
  registers_.end_jump(first);
}

BlockId SetTest::masked_tree(const Masked& group, BlockId miss) {
  const BlockId head = registers_.add_block();
  registers_.go_to(head);
  registers_.emit(cbpf::kAlu | cbpf::kAnd | cbpf::kK, group.mask);
  std::vector<ir::Range> ranges;
  for (const std::uint32_t number : group.numbers) {
    ranges.push_back({ir::Key::of(number), ir::Key::of(number)});
  }
  const BlockId first = tree(words_.size() - 1, ranges, miss);
  registers_.go_to(head);
  registers_.end_jump(first);
  return head;
}

// What follows once A holds word number `at` and those before it have been found in all ranges.
BlockId SetTest::tree(std::size_t at, std::span<const ir::Range> ranges, BlockId miss) {
  const auto later = static_cast<std::uint32_t>(words_.size() - 1 - at);
  std::vector<Segment> segments;
  std::uint64_t next = 0;
  const auto add = [&](std::uint32_t low, std::uint32_t high, BlockId to) {
    if (low > next) {
      segments.push_back({static_cast<std::uint32_t>(next), miss});
    }
    segments.push_back({low, to});
    next = std::uint64_t{high} + 1;
  };
  for (std::size_t i = 0; i < ranges.size();) {
    const std::uint32_t low = ranges[i].low.word(later);
    const std::uint32_t high = ranges[i].high.word(later);
    if (later == 0 || low != high) {
      if (!all_later(ranges[i], later)) {
        registers_.give_up("a range of keys goes across words");
      }
      add(low, high, hit_);
      ++i;
      continue;
    }
    std::size_t same = i + 1;
    while (same < ranges.size() && ranges[same].low.word(later) == low &&
           ranges[same].high.word(later) == low) {
      ++same;
    }
    add(low, low, later_words(at + 1, ranges.subspan(i, same - i)));
    i = same;
  }
  if (next <= 0xffffffff) {
    segments.push_back({static_cast<std::uint32_t>(next), miss});
  }
  const std::size_t before = registers_.code().blocks.size();
  TreeOptions options = options_;
  options.largest = registers_.bound_of(words_[at]);
  const BlockId first = add_switch_tree(registers_.code(), merge_neighbours(segments), options);
  registers_.count(registers_.code().blocks.size() - before);
  return first;
}

BlockId SetTest::later_words(std::size_t at, std::span<const ir::Range> ranges) {
  const State before = registers_.state();
  const BlockId head = registers_.add_block();
  registers_.go_to(head);
  registers_.to_a(words_[at]);
  const BlockId here = registers_.here();
  const BlockId first = tree(at, ranges, miss_);
  registers_.go_to(here);
  registers_.end_jump(first);
  registers_.state() = before;
  return head;
}

}  // namespace weir::lower::classic
