#include "translator/ir/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "translator/ir/bounds.h"
#include "translator/ir/check_coverage.h"
#include "translator/ir/graph.h"
#include "translator/ir/names.h"
#include "translator/ir/numbering.h"
#include "translator/ir/operands.h"

namespace weir::ir {
namespace {

constexpr BlockId kNoBlock = 0xffffffff;

// The first breach stays.
class Checker {
 public:
  explicit Checker(const Function& function) : function_(function) {}

  Status run() {
    check_graph();
    check_definitions();
    check_constants();
    check_sets();
    check_values();
    if (!error_) {
      check_order();
    }
    if (!error_) {
      if (const auto uncovered = find_uncovered(function_)) {
        breach(uncovered->block, uncovered->value, uncovered->reason);
      }
    }
    if (error_) {
      return tl::make_unexpected(*std::move(error_));
    }
    return {};
  }

 private:
  // Messages.
  void fail_with(std::string message) {
    if (!error_) {
      error_ = Error{ErrorCode::kInvalidProgram, std::move(message), {}, {}};
    }
  }
  void breach(BlockId block, std::string_view reason) {
    fail_with(fmt::format("b{}: {}", block, reason));
  }
  void breach(BlockId block, ValueId id, std::string_view reason) {
    if (error_) {
      return;
    }
    if (id >= function_.values.size()) {
      breach(block, fmt::format("a value that does not exist: {}", reason));
      return;
    }
    const Value& value = function_.values[id];
    const std::uint32_t number = number_values(function_)[id];
    const std::string name = is_effect(value.op) || number == kNoValue
                                 ? std::string(op_name(value.op))
                                 : fmt::format("v{}", number);
    breach(block, fmt::format("{}: {}", name, reason));
  }

  // Blocks, edges and terminators.
  void check_graph() {
    if (function_.blocks.empty()) {
      fail_with("the function has no blocks");
      return;
    }
    if (!function_.blocks[0].parameters.empty()) {
      breach(0, "the entry has parameters");
    }
    std::vector<bool> reached(function_.blocks.size());
    reached[0] = true;
    for (BlockId block = 0; block < function_.blocks.size() && !error_; ++block) {
      if (!reached[block]) {
        breach(block, "no way from the entry leads here");
        return;
      }
      const Terminator& end = function_.blocks[block].terminator;
      check_terminator(block, end);
      for (const Edge& edge : end.edges) {
        check_edge(block, edge);
        if (error_) {
          return;
        }
        reached[edge.to] = true;
      }
    }
  }

  void check_edge(BlockId block, const Edge& edge) {
    if (edge.to >= function_.blocks.size()) {
      breach(block, "an edge leads to a block that does not exist");
    } else if (edge.to <= block) {
      breach(block, fmt::format("the edge to b{} does not go forward", edge.to));
    } else if (edge.arguments.size() != function_.blocks[edge.to].parameters.size()) {
      breach(block,
             fmt::format("the edge to b{} has {} arguments for {} parameters", edge.to,
                         edge.arguments.size(), function_.blocks[edge.to].parameters.size()));
    }
  }

  struct Shape {
    std::size_t least_edges = 0;
    std::size_t most_edges = 0;
    bool a = false;
    bool b = false;
  };
  static Shape shape_of(End end) {
    switch (end) {
      case End::kReturn:
        return {.a = true};
      case End::kJump:
        return {.least_edges = 1, .most_edges = 1};
      case End::kBranch:
        return {.least_edges = 2, .most_edges = 2, .a = true, .b = true};
      case End::kSwitch:
        return {.least_edges = 1, .most_edges = SIZE_MAX, .a = true};
      case End::kRepeat:
        return {};
    }
    return {};
  }

  void check_terminator(BlockId block, const Terminator& end) {
    const Shape shape = shape_of(end.end);
    if (end.edges.size() < shape.least_edges || end.edges.size() > shape.most_edges) {
      breach(block, "the terminator has a wrong number of edges");
    } else if ((end.a != kNoValue) != shape.a || (end.b != kNoValue) != shape.b) {
      breach(block, "the terminator has wrong operands");
    } else if (end.end != End::kSwitch && !end.cases.empty()) {
      breach(block, "a terminator that is no switch has cases");
    } else if (end.state.size() != (end.end == End::kRepeat ? function_.loop_words : 0)) {
      breach(block, "the terminator has a wrong number of words of loop state");
    } else if (end.end == End::kRepeat && end.state.size() < 2) {
      breach(block, "the function has no loop state to repeat with");
    }
    std::uint64_t next = 0;
    for (const Case& range : end.cases) {
      if (range.low > range.high || range.low < next) {
        breach(block, "the cases are not sorted and disjoint");
      } else if (range.edge >= end.edges.size()) {
        breach(block, "a case names an edge that does not exist");
      }
      next = std::uint64_t{range.high} + 1;
    }
  }

  // Where each value is defined: its block and its place there, parameters having 0.
  void check_definitions() {
    if (error_) {
      return;
    }
    block_of_.assign(function_.values.size(), kNoBlock);
    place_of_.assign(function_.values.size(), 0);
    for (BlockId block = 0; block < function_.blocks.size(); ++block) {
      for (const ValueId id : function_.blocks[block].parameters) {
        define(block, id, 0);
        if (!error_ && function_.values[id].op != Op::kParameter) {
          breach(block, id, "stands among the parameters and is none");
        }
      }
      std::uint32_t place = 1;
      for (const ValueId id : function_.blocks[block].body) {
        define(block, id, place++);
        if (error_) {
          return;
        }
        const Op op = function_.values[id].op;
        if (op == Op::kParameter || op == Op::kConstant) {
          breach(block, id, "stands in the body and is a parameter or a constant");
        }
      }
    }
  }

  void define(BlockId block, ValueId id, std::uint32_t place) {
    if (id >= function_.values.size()) {
      breach(block, id, "is defined");
    } else if (block_of_[id] != kNoBlock) {
      breach(block, id, "is defined twice");
    } else {
      block_of_[id] = block;
      place_of_[id] = place;
    }
  }

  void check_constants() {
    std::vector<std::uint32_t> numbers;
    for (const Value& value : function_.values) {
      if (value.op == Op::kConstant) {
        numbers.push_back(value.k);
      }
    }
    std::sort(numbers.begin(), numbers.end());
    const auto twice = std::adjacent_find(numbers.begin(), numbers.end());
    if (twice != numbers.end()) {
      fail_with(fmt::format("the constant {:#x} is there twice", *twice));
    }
  }

  void check_sets() {
    for (std::size_t i = 0; i < function_.sets.size() && !error_; ++i) {
      if (!is_right(function_.sets[i])) {
        fail_with(fmt::format("s{}: the members are not sorted, disjoint and merged", i));
      }
    }
  }

  // The fields of each value.
  void check_values() {
    for (BlockId block = 0; block < function_.blocks.size() && !error_; ++block) {
      for (const ValueId id : function_.blocks[block].body) {
        check_value(block, id);
      }
    }
  }

  void check_value(BlockId block, ValueId id) {
    const Value& value = function_.values[id];
    const bool needs_a = is_arithmetic(value.op) || value.op == Op::kGuard ||
                         value.op == Op::kJoin || value.op == Op::kIn;
    const bool needs_b = (is_arithmetic(value.op) && value.op != Op::kNeg) || value.op == Op::kJoin;
    const bool may_a =
        needs_a || value.op == Op::kLoad || value.op == Op::kNeed || value.op == Op::kHas;
    const bool may_k = value.op == Op::kLoad || value.op == Op::kNeed || value.op == Op::kHas ||
                       value.op == Op::kAncillary || value.op == Op::kLoopState ||
                       value.op == Op::kIn;
    if ((value.a == kNoValue && needs_a) || (value.a != kNoValue && !may_a) ||
        (value.b != kNoValue) != needs_b) {
      breach(block, id, "has wrong operands");
    } else if (value.k != 0 && !may_k) {
      breach(block, id, "has a k, which means nothing here");
    } else if (value.op == Op::kLoad && value.width != 1 && value.width != 2 && value.width != 4) {
      breach(block, id, "is not 1, 2 or 4 bytes wide");
    } else if (value.op != Op::kLoad && value.op != Op::kJoin && value.width != 0) {
      breach(block, id, "has a width, which means nothing here");
    } else if (value.op == Op::kAncillary && !is_ancillary(value.k)) {
      breach(block, id, "is ancillary data that does not exist");
    } else if (value.op == Op::kLoopState && value.k >= function_.loop_words) {
      breach(block, id, "is a word of loop state that does not exist");
    } else if (value.op == Op::kJoin &&
               (value.width > kMaxWords || words(value.a) + 1 != value.width)) {
      breach(block, id, "is as wide as its operands are not");
    } else if (value.op == Op::kIn && value.k >= function_.sets.size()) {
      breach(block, id, "asks for a set that does not exist");
    } else if (value.op == Op::kIn && words(value.a) != function_.sets[value.k].words) {
      breach(block, id, "asks for a key of another width than the set's");
    }
  }

  // Of an operand that need not exist.
  std::uint32_t words(ValueId id) const {
    const bool join = id < function_.values.size() && function_.values[id].op == Op::kJoin;
    return join ? function_.values[id].width : 1;
  }

  static bool is_ancillary(std::uint32_t k) {
    return k <= static_cast<std::uint32_t>(cbpf::Extension::kVlanTpid) && k % 4 == 0 &&
           k != static_cast<std::uint32_t>(cbpf::Extension::kAluXorX);
  }

  // Definitions before uses.
  void check_order() {
    const Predecessors predecessors(function_);
    const Dominators dominators(predecessors, function_.blocks.size());
    for (BlockId block = 0; block < function_.blocks.size() && !error_; ++block) {
      std::uint32_t place = 1;
      for (const ValueId id : function_.blocks[block].body) {
        const Value& value = function_.values[id];
        for_each_operand(value, [&](ValueId operand) {
          check_use(dominators, block, place, operand);
          const bool may_key = value.op == Op::kIn || (value.op == Op::kJoin && operand != value.b);
          check_is_no_key(block, operand, may_key);
        });
        ++place;
      }
      for_each_terminator_operand(function_.blocks[block].terminator, [&](ValueId operand) {
        check_use(dominators, block, place, operand);
        check_is_no_key(block, operand, false);
      });
    }
  }

  void check_is_no_key(BlockId block, ValueId id, bool may_key) {
    if (!error_ && !may_key && function_.values[id].op == Op::kJoin) {
      breach(block, id, "is a key and used as a word");
    }
  }

  void check_use(const Dominators& dominators, BlockId block, std::uint32_t place, ValueId id) {
    if (id >= function_.values.size()) {
      breach(block, id, "is used");
      return;
    }
    if (function_.values[id].op == Op::kConstant) {
      return;
    }
    if (is_effect(function_.values[id].op)) {
      breach(block, id, "is an effect and used as a value");
    } else if (block_of_[id] == kNoBlock) {
      breach(block, id, "is used and stands in no block");
    } else if (block_of_[id] == block ? place_of_[id] >= place
                                      : !dominators.dominates(block_of_[id], block)) {
      breach(block, id, "is used where not every way has defined it");
    }
  }

  const Function& function_;
  std::optional<Error> error_;
  std::vector<BlockId> block_of_;
  std::vector<std::uint32_t> place_of_;
};

}  // namespace

Status check(const Function& function) { return Checker(function).run(); }

}  // namespace weir::ir
