#include "translator/opt/extended/combine_field_tests.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "translator/ir/builder.h"
#include "translator/ir/graph.h"
#include "translator/ir/rewrite.h"
#include "translator/opt/analysis/known_bytes.h"

namespace weir::lower {
namespace {

using ir::BlockId;
using ir::Compare;
using ir::Op;
using ir::Value;
using ir::ValueId;

constexpr std::uint32_t all_bits(std::uint32_t width) {
  return width == 4 ? 0xffffffff : (1U << 8 * width) - 1;
}

// (field & mask) == value; `yes` is the edge of the branch that is taken then.
struct Test {
  ValueId load = ir::kNoValue;
  ValueId masked = ir::kNoValue;  // The `and` of the load, if there is one.
  ValueId base = ir::kNoValue;
  std::uint64_t offset = 0;
  std::uint32_t width = 0;
  std::uint32_t mask = 0;
  std::uint32_t value = 0;
  std::size_t yes = 0;

  std::uint64_t end() const { return offset + width; }
};

class Widener {
 public:
  explicit Widener(ir::Function& function)
      : function_(function),
        builder_(function),
        predecessors_(function),
        uses_(ir::count_uses(function)) {}

  void run() {
    find_known();
    // From the last block, so that a test that took another in can be taken in itself.
    bool changed = false;
    for (std::size_t at = function_.blocks.size(); at-- > 0;) {
      while (join(static_cast<BlockId>(at))) {
        changed = true;
      }
    }
    if (changed) {
      ir::remove_unreachable_blocks(function_);
    }
  }

 private:
  // What is known to be there at the end of each block.
  void find_known() {
    known_ = known_at_beginnings(function_);
    for (BlockId at = 0; at < function_.blocks.size(); ++at) {
      for (const ValueId id : function_.blocks[at].body) {
        if (ir::is_effect(function_.values[id].op)) {
          known_[at].add(function_.values[id]);
        }
      }
    }
  }

  std::optional<std::uint32_t> number(ValueId id) const {
    const Value& value = function_.values[id];
    return value.op == Op::kConstant ? std::optional(value.k) : std::nullopt;
  }

  std::optional<Test> test_of(const ir::Terminator& end) const {
    if (end.end != ir::End::kBranch || !number(end.b)) {
      return std::nullopt;
    }
    Test test{.load = end.a};
    test.mask = 0xffffffff;
    if (const Value& value = function_.values[end.a]; value.op == Op::kAnd && number(value.b)) {
      test.masked = end.a;
      test.load = value.a;
      test.mask = *number(value.b);
    }
    const Value& load = function_.values[test.load];
    if (load.op != Op::kLoad || (load.a != ir::kNoValue && number(load.a))) {
      return std::nullopt;
    }
    test.base = load.a;
    test.offset = load.k;
    test.width = load.width;
    test.mask &= all_bits(load.width);
    const std::uint32_t k = *number(end.b);
    switch (end.compare) {
      case Compare::kEq:
      case Compare::kNe:
        test.value = k;
        test.yes = end.compare == Compare::kEq ? 0 : 1;
        break;
      case Compare::kSet:
      case Compare::kClear:
        test.mask &= k;
        test.yes = end.compare == Compare::kClear ? 0 : 1;
        break;
      case Compare::kGt:
      case Compare::kGe:
      case Compare::kLt:
      case Compare::kLe:
        return std::nullopt;
    }
    const bool only_here =
        uses_[test.load] == 1 && (test.masked == ir::kNoValue || uses_[test.masked] == 1);
    const bool can_be = test.mask != 0 && (test.value & ~test.mask) == 0;
    return only_here && can_be ? std::optional(test) : std::nullopt;
  }

  // Whether the block does nothing but the test.
  bool is_only(const ir::Block& block, const Test& test) const {
    return block.parameters.empty() &&
           std::all_of(block.body.begin(), block.body.end(),
                       [&](ValueId id) { return id == test.load || id == test.masked; });
  }

  // The test as one of a field of `width` bytes at `offset`, which holds its own.
  static void stretch(Test& test, std::uint64_t offset, std::uint32_t width) {
    const std::uint64_t behind = offset + width - test.end();
    test.mask <<= 8 * behind;
    test.value <<= 8 * behind;
    test.offset = offset;
    test.width = width;
  }

  // The test that both hold; none if no field that is there has both.
  std::optional<Test> both(Test first, Test second, const opt::CheckedBytes& known) const {
    const std::uint64_t low = std::min(first.offset, second.offset);
    const std::uint64_t high = std::max(first.end(), second.end());
    if (first.base != second.base || high - low > 4) {
      return std::nullopt;
    }
    const std::uint32_t width = high - low == 1 ? 1 : high - low == 2 ? 2 : 4;
    const auto is_there = [&](std::uint64_t offset) {
      return offset + width <= 0xffffffff &&
             known.covers({.op = Op::kNeed,
                           .k = static_cast<std::uint32_t>(offset + width),
                           .a = first.base});
    };
    std::uint64_t offset = low;
    if (!is_there(low)) {
      if (high < width || !is_there(high - width)) {
        return std::nullopt;
      }
      offset = high - width;
    }
    stretch(first, offset, width);
    stretch(second, offset, width);
    if (((first.value ^ second.value) & first.mask & second.mask) != 0) {
      return std::nullopt;
    }
    first.mask |= second.mask;
    first.value |= second.value;
    return first;
  }

  // Takes the test behind the block's own in.
  bool join(BlockId at) {
    ir::Block& block = function_.blocks[at];
    const std::optional<Test> first = test_of(block.terminator);
    if (!first) {
      return false;
    }
    const BlockId behind = block.terminator.edges[first->yes].to;
    const ir::Block& next = function_.blocks[behind];
    const std::optional<Test> second = test_of(next.terminator);
    if (!second || predecessors_.of(behind).size() != 1 || !is_only(next, *second)) {
      return false;
    }
    const ir::Edge& no = block.terminator.edges[1 - first->yes];
    const ir::Edge& other_no = next.terminator.edges[1 - second->yes];
    if (no.to != other_no.to || no.arguments != other_no.arguments) {
      return false;
    }
    const std::optional<Test> joined = both(*first, *second, known_[at]);
    if (!joined) {
      return false;
    }
    write(block, *first, *joined, next.terminator.edges[second->yes]);
    return true;
  }

  void write(ir::Block& block, const Test& old, const Test& test, ir::Edge yes) {
    std::erase_if(block.body, [&](ValueId id) { return id == old.load || id == old.masked; });
    builder_.set_origin(block.terminator.origin);
    const auto append = [&](const Value& value) {
      const ValueId id = builder_.add_value(value);
      uses_.resize(function_.values.size(), 0);
      uses_[id] = 1;
      block.body.push_back(id);
      return id;
    };
    ValueId field = append({.op = Op::kLoad,
                            .width = static_cast<std::uint8_t>(test.width),
                            .k = static_cast<std::uint32_t>(test.offset),
                            .a = test.base});
    if (test.mask != all_bits(test.width)) {
      field = append({.op = Op::kAnd, .a = field, .b = builder_.constant(test.mask)});
    }
    ir::Edge no = std::move(block.terminator.edges[1 - old.yes]);
    block.terminator = {.end = ir::End::kBranch,
                        .compare = Compare::kEq,
                        .a = field,
                        .b = builder_.constant(test.value),
                        .origin = block.terminator.origin};
    block.terminator.edges.push_back(std::move(yes));
    block.terminator.edges.push_back(std::move(no));
    uses_.resize(function_.values.size(), 0);
  }

  ir::Function& function_;
  ir::FunctionBuilder builder_;
  const ir::Predecessors predecessors_;
  std::vector<std::uint32_t> uses_;
  std::vector<opt::CheckedBytes> known_;  // By block.
};

}  // namespace

void combine_field_tests(ir::Function& function) { Widener(function).run(); }

}  // namespace weir::lower
