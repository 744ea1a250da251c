#include "translator/opt/extended/hoist_selective_test.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "translator/ir/builder.h"
#include "translator/ir/graph.h"
#include "translator/ir/operands.h"
#include "translator/ir/rewrite.h"
#include "translator/opt/analysis/known_bytes.h"

namespace weir::lower {
namespace {

using ir::BlockId;
using ir::Compare;
using ir::Edge;
using ir::End;
using ir::Op;
using ir::Terminator;
using ir::Value;
using ir::ValueId;

constexpr std::uint64_t kWidestRead = 8;
// Each costs a packet that none of them is for a test.
constexpr std::size_t kMostArms = 3;

// What follows when the key is one of the numbers: a block with a test.
struct Arm {
  std::vector<ValueId> numbers;
  BlockId test = 0;
  std::size_t pass = 0;  // The edge of the test's branch that does not reject.
};

// Compares of one key, a load, with numbers; what passes none of them goes to `otherwise`.
struct Chain {
  ValueId key = ir::kNoValue;
  std::vector<Arm> arms;
  std::vector<BlockId> blocks;  // That compare, the first with all else it does.
  BlockId otherwise = 0;
};

// The bytes that loads read, all behind one base.
struct Span {
  std::uint64_t begin = UINT64_MAX;
  std::uint64_t end = 0;

  void add(const Value& load) {
    begin = std::min<std::uint64_t>(begin, load.k);
    end = std::max<std::uint64_t>(end, std::uint64_t{load.k} + load.width);
  }
};

class Reorderer {
 public:
  explicit Reorderer(ir::Function& function)
      : function_(function), predecessors_(function), uses_(ir::count_uses(function)) {}

  void run() {
    std::vector<opt::CheckedBytes> known = known_at_beginnings(function_);
    for (BlockId at = 0; at < function_.blocks.size(); ++at) {
      for (const ValueId id : function_.blocks[at].body) {
        if (ir::is_effect(function_.values[id].op)) {
          known[at].add(function_.values[id]);
        }
      }
      if (const auto chain = find_chain(at); chain && pays(*chain, known[at])) {
        write(*chain);
        return;
      }
    }
  }

 private:
  bool is_constant(ValueId id) const { return function_.values[id].op == Op::kConstant; }

  // The edge that is taken when the key is the number; none if the block ends otherwise.
  std::optional<std::size_t> equal_edge(const Terminator& end, ValueId key) const {
    const bool compares = end.end == End::kBranch && end.a == key && is_constant(end.b) &&
                          (end.compare == Compare::kEq || end.compare == Compare::kNe) &&
                          end.edges[0].arguments.empty() && end.edges[1].arguments.empty();
    return compares ? std::optional<std::size_t>(end.compare == Compare::kEq ? 0 : 1)
                    : std::nullopt;
  }

  std::optional<Chain> find_chain(BlockId first) const {
    const ir::Block& head = function_.blocks[first];
    Chain chain{.key = head.terminator.a};
    if (head.terminator.end != End::kBranch || function_.values[chain.key].op != Op::kLoad ||
        std::find(head.body.begin(), head.body.end(), chain.key) == head.body.end()) {
      return std::nullopt;
    }
    BlockId at = first;
    for (;;) {
      const Terminator& end = function_.blocks[at].terminator;
      const auto equal = equal_edge(end, chain.key);
      if (!equal) {
        break;
      }
      chain.blocks.push_back(at);
      const BlockId test = end.edges[*equal].to;
      if (chain.arms.empty() || chain.arms.back().test != test) {
        chain.arms.push_back({.test = test});
      }
      chain.arms.back().numbers.push_back(end.b);
      at = end.edges[1 - *equal].to;
      const ir::Block& next = function_.blocks[at];
      if (!next.body.empty() || !next.parameters.empty() || predecessors_.of(at).size() != 1) {
        break;
      }
    }
    chain.otherwise = at;
    return is_whole(chain) ? std::optional(std::move(chain)) : std::nullopt;
  }

  // Whether the key is asked for nowhere else, and for no number twice, and each arm begins with a
  // test that only it has and that rejects like the chain.
  bool is_whole(Chain& chain) const {
    if (chain.arms.empty() || chain.arms.size() > kMostArms ||
        uses_[chain.key] != chain.blocks.size() || !numbers_differ(chain)) {
      return false;
    }
    return std::all_of(chain.arms.begin(), chain.arms.end(), [&](Arm& arm) {
      const ir::Block& block = function_.blocks[arm.test];
      const Terminator& end = block.terminator;
      if (end.end != End::kBranch || !block.parameters.empty() || block.body.empty() ||
          predecessors_.of(arm.test).size() != arm.numbers.size() ||
          !end.edges[0].arguments.empty() || !end.edges[1].arguments.empty()) {
        return false;
      }
      arm.pass = end.edges[0].to == chain.otherwise ? 1 : 0;
      return end.edges[1 - arm.pass].to == chain.otherwise &&
             end.edges[arm.pass].to != chain.otherwise && is_closed(block);
    });
  }

  static bool numbers_differ(const Chain& chain) {
    std::vector<ValueId> numbers;
    for (const Arm& arm : chain.arms) {
      numbers.insert(numbers.end(), arm.numbers.begin(), arm.numbers.end());
    }
    std::sort(numbers.begin(), numbers.end());
    return std::adjacent_find(numbers.begin(), numbers.end()) == numbers.end();
  }

  // Whether nothing behind the block reads a value of it, and it has no effects.
  bool is_closed(const ir::Block& block) const {
    std::vector<std::pair<ValueId, std::uint32_t>> inside;
    const auto count = [&](ValueId id) {
      for (auto& [value, uses] : inside) {
        uses += value == id ? 1 : 0;
      }
    };
    for (const ValueId id : block.body) {
      const Value& value = function_.values[id];
      if (ir::is_effect(value.op) || (value.op != Op::kLoad && value.op != Op::kAnd)) {
        return false;
      }
      ir::for_each_operand(value, count);
      inside.emplace_back(id, 0);
    }
    ir::for_each_terminator_operand(block.terminator, count);
    return std::all_of(inside.begin(), inside.end(),
                       [&](const auto& each) { return uses_[each.first] == each.second; });
  }

  // Whether one read, of bytes that are there, does for what is asked first.
  bool pays(const Chain& chain, const opt::CheckedBytes& known) const {
    const Value& key = function_.values[chain.key];
    if (key.a != ir::kNoValue) {
      return false;
    }
    Span read;
    for (const Arm& arm : chain.arms) {
      for (const ValueId id : function_.blocks[arm.test].body) {
        const Value& value = function_.values[id];
        if (value.op == Op::kLoad && value.a != ir::kNoValue) {
          return false;
        }
        if (value.op == Op::kLoad) {
          read.add(value);
        }
      }
    }
    Span all = read;
    all.add(key);
    return read.begin < read.end && read.end - read.begin <= kWidestRead &&
           all.end - all.begin > kWidestRead &&
           known.covers({.op = Op::kNeed, .k = static_cast<std::uint32_t>(read.end)});
  }

  void write(const Chain& chain) {
    std::vector<ir::Block> old = std::move(function_.blocks);
    function_.blocks.clear();
    // The new blocks stand where the chain began: for each arm its test, then its compares.
    const BlockId head = chain.blocks.front();
    std::vector<BlockId> place(old.size(), 0);
    std::vector<bool> is_gone(old.size(), false);
    BlockId added = 0;
    for (const Arm& arm : chain.arms) {
      is_gone[arm.test] = true;
      added += 1 + static_cast<BlockId>(arm.numbers.size());
    }
    for (const BlockId id : chain.blocks) {
      is_gone[id] = true;
    }
    BlockId next = 0;
    for (BlockId id = 0; id < old.size(); ++id) {
      place[id] = next;
      next += id == head ? added : is_gone[id] ? 0 : 1;
    }
    for (BlockId id = 0; id < old.size(); ++id) {
      if (id == head) {
        write_arms(chain, old, place);
      } else if (!is_gone[id]) {
        for (Edge& edge : old[id].terminator.edges) {
          edge.to = place[edge.to];
        }
        function_.blocks.push_back(std::move(old[id]));
      }
    }
  }

  void write_arms(const Chain& chain, std::vector<ir::Block>& old,
                  const std::vector<BlockId>& place) {
    ir::FunctionBuilder builder(function_);
    const Value key = function_.values[chain.key];
    ir::Block& head = old[chain.blocks.front()];
    std::erase(head.body, chain.key);
    for (const Arm& arm : chain.arms) {
      const bool is_first = arm.test == chain.arms.front().test;
      const bool is_last = arm.test == chain.arms.back().test;
      const BlockId at = builder.add_block();
      const BlockId behind = at + 1 + static_cast<BlockId>(arm.numbers.size());
      const BlockId otherwise = is_last ? place[chain.otherwise] : behind;
      if (is_first) {
        function_.blocks[at].parameters = head.parameters;
        function_.blocks[at].body = head.body;
      }
      ir::Block& test = old[arm.test];
      auto& body = function_.blocks[at].body;
      body.insert(body.end(), test.body.begin(), test.body.end());
      const BlockId pass = place[test.terminator.edges[arm.pass].to];
      test.terminator.edges[arm.pass].to = at + 1;
      test.terminator.edges[1 - arm.pass].to = otherwise;
      function_.blocks[at].terminator = test.terminator;

      builder.set_origin(key.origin);
      ValueId again = ir::kNoValue;
      for (std::size_t i = 0; i < arm.numbers.size(); ++i) {
        const BlockId compare = builder.add_block();
        if (i == 0) {
          again = builder.append(compare, key);
        }
        const bool more = i + 1 < arm.numbers.size();
        builder.end_branch(compare, Compare::kEq, again, arm.numbers[i], {.to = pass},
                           {.to = more ? compare + 1 : otherwise});
      }
    }
  }

  ir::Function& function_;
  const ir::Predecessors predecessors_;
  const std::vector<std::uint32_t> uses_;
};

}  // namespace

void hoist_selective_test(ir::Function& function) { Reorderer(function).run(); }

}  // namespace weir::lower
