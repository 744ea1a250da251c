#include "translator/opt/classic/share_set_tests.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

namespace weir::lower::classic {
namespace {

using ir::BlockId;
using ir::Op;
using ir::Value;
using ir::ValueId;

// Handing values on costs a few instructions: a store, a load and a jump.
constexpr std::size_t kSmallestSet = 6;

class Alike {
 public:
  explicit Alike(ir::Function& function) : function_(function) {}

  bool run() {
    number_sets();
    bool any = false;
    while (round()) {
      any = true;
    }
    return any;
  }

 private:
  // What the blocks must have in common, as numbers.
  using Key = std::vector<std::uint32_t>;

  // Sets by content: the number of the first that is equal.
  void number_sets() {
    std::map<std::vector<std::pair<std::uint64_t, std::uint64_t>>, std::uint32_t> first;
    for (std::uint32_t i = 0; i < function_.sets.size(); ++i) {
      std::vector<std::pair<std::uint64_t, std::uint64_t>> content = {{function_.sets[i].words, 0}};
      for (const ir::Range& range : function_.sets[i].ranges) {
        content.emplace_back(range.low.upper, range.low.lower);
        content.emplace_back(range.high.upper, range.high.lower);
      }
      first_equal_.push_back(first.try_emplace(std::move(content), i).first->second);
    }
  }

  bool round() {
    for (BlockId at = 0; at < function_.blocks.size(); ++at) {
      pass_plain_blocks(function_.blocks[at]);
    }
    find_reachable();
    std::map<Key, std::vector<BlockId>> groups;
    for (BlockId at = 0; at < function_.blocks.size(); ++at) {
      if (reachable_[at] && asks_a_set(function_.blocks[at].terminator)) {
        groups[key_of(function_.blocks[at].terminator)].push_back(at);
      }
    }
    // What asks for several blocks goes behind the last of them, and so before all it leads to.
    std::map<BlockId, ir::Block> behind;
    for (const auto& [key, members] : groups) {
      if (!are_equal(members)) {
        behind[members.back()] = merge(members);
      }
    }
    insert(behind);
    return !behind.empty();
  }

  // A block that computes and jumps is passed; the one before it names what it computes.
  void pass_plain_blocks(ir::Block& block) const {
    for (ir::Edge& edge : block.terminator.edges) {
      while (is_plain(function_.blocks[edge.to])) {
        const ir::Block& next = function_.blocks[edge.to];
        block.body.insert(block.body.end(), next.body.begin(), next.body.end());
        edge = ir::Edge(next.terminator.edges[0]);
      }
    }
  }

  bool is_plain(const ir::Block& block) const {
    return block.terminator.end == ir::End::kJump && block.parameters.empty() &&
           std::all_of(block.body.begin(), block.body.end(), [this](ValueId id) {
             const Value& value = function_.values[id];
             return !ir::is_effect(value.op) && value.op != Op::kAncillary;
           });
  }

  void find_reachable() {
    reachable_.assign(function_.blocks.size(), false);
    reachable_[0] = true;
    for (BlockId at = 0; at < function_.blocks.size(); ++at) {
      if (reachable_[at]) {
        for (const ir::Edge& edge : function_.blocks[at].terminator.edges) {
          reachable_[edge.to] = true;
        }
      }
    }
  }

  bool asks_a_set(const ir::Terminator& end) const {
    if (end.end != ir::End::kBranch || function_.values[end.a].op != Op::kIn) {
      return false;
    }
    const ir::Set& set = function_.sets[function_.values[end.a].k];
    return set.words == 1 && set.ranges.size() >= kSmallestSet;
  }

  Key key_of(const ir::Terminator& end) const {
    Key key = {first_equal_[function_.values[end.a].k], static_cast<std::uint32_t>(end.compare),
               end.b};
    for (const ir::Edge& edge : end.edges) {
      key.push_back(edge.to);
      key.push_back(static_cast<std::uint32_t>(edge.arguments.size()));
    }
    return key;
  }

  // What may differ: the arguments, and last, so that it is left in A, the number that is tested.
  std::vector<ValueId> differing(BlockId at) const {
    const ir::Terminator& end = function_.blocks[at].terminator;
    std::vector<ValueId> values;
    for (const ir::Edge& edge : end.edges) {
      values.insert(values.end(), edge.arguments.begin(), edge.arguments.end());
    }
    values.push_back(function_.values[end.a].a);
    return values;
  }

  // Blocks that are alike in everything are for simplify_cfg().
  bool are_equal(const std::vector<BlockId>& members) const {
    const std::vector<ValueId> first = differing(members[0]);
    return std::all_of(members.begin(), members.end(),
                       [&](BlockId at) { return differing(at) == first; });
  }

  // Lets the members jump to the block that is given back.
  ir::Block merge(const std::vector<BlockId>& members) {
    const ir::Terminator like = function_.blocks[members[0]].terminator;
    std::vector<std::vector<ValueId>> values;
    values.reserve(members.size());
    for (const BlockId at : members) {
      values.push_back(differing(at));
    }
    ir::Block block;
    std::vector<ValueId> inside = values[0];
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < inside.size(); ++i) {
      if (std::any_of(values.begin(), values.end(),
                      [&](const auto& each) { return each[i] != values[0][i]; })) {
        places.push_back(i);
        inside[i] = add({.op = Op::kParameter});
        block.parameters.push_back(inside[i]);
      }
    }
    block.terminator = like;
    std::size_t next = 0;
    for (ir::Edge& edge : block.terminator.edges) {
      for (ValueId& argument : edge.arguments) {
        argument = inside[next++];
      }
    }
    Value test = function_.values[like.a];
    test.a = inside[next];
    block.terminator.a = add(test);
    block.body.push_back(block.terminator.a);
    for (std::size_t i = 0; i < members.size(); ++i) {
      ir::Edge edge{kNew, {}};
      for (const std::size_t place : places) {
        edge.arguments.push_back(values[i][place]);
      }
      function_.blocks[members[i]].terminator = {
          .end = ir::End::kJump, .edges = {std::move(edge)}, .cases = {}, .origin = like.origin};
      behind_which_[members[i]] = members.back();
    }
    return block;
  }

  ValueId add(const Value& value) {
    function_.values.push_back(value);
    return static_cast<ValueId>(function_.values.size() - 1);
  }

  // Writes the blocks anew, with those that go behind one.
  void insert(std::map<BlockId, ir::Block>& behind) {
    std::vector<BlockId> place;
    BlockId next = 0;
    for (BlockId at = 0; at < function_.blocks.size(); ++at) {
      place.push_back(next);
      next += behind.contains(at) ? 2 : 1;
    }
    std::vector<ir::Block> blocks;
    const auto write = [&](ir::Block block, BlockId at) {
      for (ir::Edge& edge : block.terminator.edges) {
        edge.to = edge.to == kNew ? place[behind_which_[at]] + 1 : place[edge.to];
      }
      blocks.push_back(std::move(block));
    };
    for (BlockId at = 0; at < place.size(); ++at) {
      write(std::move(function_.blocks[at]), at);
      if (const auto more = behind.find(at); more != behind.end()) {
        write(std::move(more->second), at);
      }
    }
    function_.blocks = std::move(blocks);
    behind_which_.clear();
  }

  static constexpr BlockId kNew = 0xffffffff;

  ir::Function& function_;
  std::vector<std::uint32_t> first_equal_;  // By set.
  std::vector<bool> reachable_;
  std::map<BlockId, BlockId> behind_which_;  // By member: where its new target goes.
};

}  // namespace

bool share_set_tests(ir::Function& function) { return Alike(function).run(); }

}  // namespace weir::lower::classic
