#include "translator/ir/build/restore_vlan_tag.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "translator/ir/builder.h"

namespace weir::lower {
namespace {

using cbpf::Extension;
using ir::BlockId;
using ir::Compare;
using ir::Edge;
using ir::End;
using ir::kNoValue;
using ir::Op;
using ir::Terminator;
using ir::Value;
using ir::ValueId;

constexpr int kEthernet = 1;              // DLT_EN10MB.
constexpr std::uint32_t kTag = 12;        // Where the tag stands,
constexpr std::uint32_t kBehindTag = 16;  // and what is behind it.
constexpr std::uint32_t kTagBytes = kBehindTag - kTag;
constexpr std::array<std::uint32_t, 2> kTagTypes = {0x8100, 0x88a8};

bool is_vlan_extension(const Value& value) {
  return value.op == Op::kAncillary &&
         (value.k == static_cast<std::uint32_t>(Extension::kVlanAvail) ||
          value.k == static_cast<std::uint32_t>(Extension::kVlanTci) ||
          value.k == static_cast<std::uint32_t>(Extension::kVlanTpid));
}

// Builds the new function. Blocks are made in any order and put in theirs at the end.
class Restorer {
 public:
  explicit Restorer(const ir::Function& function)
      : old_(function), builder_(new_), values_(function.values.size(), kNoValue) {
    new_.link_type = function.link_type;
    new_.sets = function.sets;
    new_.loop_words = function.loop_words;
  }

  ir::Function run() && {
    const BlockId entry = start(builder_.add_block());
    const std::vector<BlockId> plain = make_blocks();
    const std::vector<BlockId> tagged = make_blocks();
    const ValueId available = ancillary(Extension::kVlanAvail);
    builder_.end_branch(entry, Compare::kNe, available, builder_.constant(0), {.to = tagged[0]},
                        {.to = plain[0]});
    copy_plain(plain);
    copy_tagged(tagged);
    put_in_order();
    return std::move(new_);
  }

 private:
  // ---- Blocks ----

  BlockId start(BlockId block) {
    block_ = block;
    order_.push_back(block);
    return block;
  }

  std::vector<BlockId> make_blocks() {
    std::vector<BlockId> blocks;
    for (std::size_t i = 0; i < old_.blocks.size(); ++i) {
      blocks.push_back(builder_.add_block());
    }
    return blocks;
  }

  void make_parameters(BlockId from, BlockId to) {
    for (const ValueId parameter : old_.blocks[from].parameters) {
      values_[parameter] = builder_.add_parameter(to);
    }
  }

  void copy_plain(const std::vector<BlockId>& blocks) {
    for (BlockId b = 0; b < old_.blocks.size(); ++b) {
      make_parameters(b, blocks[b]);
    }
    for (BlockId b = 0; b < old_.blocks.size(); ++b) {
      start(blocks[b]);
      for (const ValueId v : old_.blocks[b].body) {
        copy(v);
      }
      end(copied(old_.blocks[b].terminator, blocks));
    }
  }

  void copy_tagged(const std::vector<BlockId>& blocks) {
    for (BlockId b = 0; b < old_.blocks.size(); ++b) {
      make_parameters(b, blocks[b]);
    }
    std::vector<bool> reachable(old_.blocks.size(), false);
    reachable[0] = true;
    for (BlockId b = 0; b < old_.blocks.size(); ++b) {
      if (!reachable[b]) {
        continue;
      }
      start(blocks[b]);
      for (const ValueId v : old_.blocks[b].body) {
        restore(v);
      }
      const Terminator decided = decide(old_.blocks[b].terminator);
      for (const Edge& edge : decided.edges) {
        reachable[edge.to] = true;
      }
      end(copied(decided, blocks));
    }
  }

  void put_in_order() {
    std::vector<BlockId> place(new_.blocks.size(), 0);
    std::vector<ir::Block> blocks;
    for (const BlockId id : order_) {
      place[id] = static_cast<BlockId>(blocks.size());
      blocks.push_back(std::move(new_.blocks[id]));
    }
    for (ir::Block& block : blocks) {
      for (Edge& edge : block.terminator.edges) {
        edge.to = place[edge.to];
      }
    }
    new_.blocks = std::move(blocks);
  }

  // ---- Values ----

  ValueId mapped(ValueId v) {
    if (v == kNoValue) {
      return v;
    }
    if (old_.values[v].op == Op::kConstant) {
      return builder_.constant(old_.values[v].k);
    }
    return values_[v];
  }

  void copy(ValueId v) {
    Value value = old_.values[v];
    value.a = mapped(value.a);
    value.b = mapped(value.b);
    values_[v] = builder_.append(block_, value);
  }

  void end(Terminator terminator) { new_.blocks[block_].terminator = std::move(terminator); }

  Terminator copied(const Terminator& from, const std::vector<BlockId>& blocks) {
    Terminator terminator = from;
    terminator.a = mapped(from.a);
    terminator.b = mapped(from.b);
    for (Edge& edge : terminator.edges) {
      edge.to = blocks[edge.to];
      for (ValueId& argument : edge.arguments) {
        argument = mapped(argument);
      }
    }
    for (ValueId& word : terminator.state) {
      word = mapped(word);
    }
    return terminator;
  }

  ValueId ancillary(Extension extension) {
    return builder_.append(block_,
                           {.op = Op::kAncillary, .k = static_cast<std::uint32_t>(extension)});
  }
  ValueId arithmetic(Op op, ValueId a, std::uint32_t b) {
    return builder_.arithmetic(block_, op, a, builder_.constant(b));
  }

  // ---- The tagged copy ----

  void restore(ValueId v) {
    const Value& value = old_.values[v];
    builder_.set_origin(value.origin);
    if (value.op == Op::kNeed) {
      restore_need(value);
    } else if (value.op == Op::kLoad) {
      values_[v] = restore_load(value);
    } else if (value.op == Op::kLength) {
      values_[v] = arithmetic(Op::kAdd, builder_.append(block_, {.op = Op::kLength}), kTagBytes);
    } else {
      copy(v);
    }
  }

  static bool is_constant(const ir::Function& function, ValueId v) {
    return v == kNoValue || function.values[v].op == Op::kConstant;
  }

  // The offset a + k of a load or need whose base is a constant or none; what cannot be in a packet
  // is made 2^32 - 1.
  std::uint32_t fixed_offset(const Value& value) const {
    const std::uint64_t base = value.a == kNoValue ? 0 : old_.values[value.a].k;
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(base + value.k, 0xffffffff));
  }

  void restore_need(const Value& value) {
    if (is_constant(old_, value.a)) {
      builder_.need(block_, kNoValue, moved_end(fixed_offset(value)));
      return;
    }
    const ValueId base = mapped(value.a);
    if (value.k >= kBehindTag) {
      builder_.need(block_, base, value.k - kTagBytes);
      return;
    }
    const auto [far, near] = split(base, value.k);
    const BlockId rest = builder_.add_block();
    start(far);
    const auto [far_base, far_offset] = moved(base, value.k);
    builder_.need(block_, far_base, far_offset);
    builder_.end_jump(block_, {.to = rest});
    start(near);
    builder_.need(block_, kNoValue, kTag);
    builder_.end_jump(block_, {.to = rest});
    start(rest);
  }

  // How much of the packet must be there for `end` bytes of the frame to be.
  static std::uint32_t moved_end(std::uint32_t end) {
    return end <= kTag ? end : end <= kBehindTag ? kTag : end - kTagBytes;
  }

  // base + k - 4, where base + k >= 16.
  std::pair<ValueId, std::uint32_t> moved(ValueId base, std::uint32_t k) {
    if (k >= kTagBytes) {
      return {base, k - kTagBytes};
    }
    return {arithmetic(Op::kSub, base, kTagBytes - k), 0};
  }

  // Ends the current block with the question whether base + k, k < 16, is behind the tag; returns
  // the block for yes and the one for no.
  std::pair<BlockId, BlockId> split(ValueId base, std::uint32_t k) {
    const BlockId far = builder_.add_block();
    const BlockId near = builder_.add_block();
    builder_.end_branch(block_, Compare::kGe, base, builder_.constant(kBehindTag - k), {.to = far},
                        {.to = near});
    return {far, near};
  }

  // The needs of the load say nothing new, but what they say is clear on each of the paths that
  // this makes.
  ValueId restore_load(const Value& value) {
    if (is_constant(old_, value.a)) {
      return load_at(fixed_offset(value), value.width);
    }
    const ValueId base = mapped(value.a);
    if (value.k >= kBehindTag) {
      return builder_.load(block_, value.width, base, value.k - kTagBytes);
    }
    const auto [far, near] = split(base, value.k);
    const BlockId rest = builder_.add_block();
    const ValueId result = builder_.add_parameter(rest);
    start(far);
    const auto [far_base, far_offset] = moved(base, value.k);
    builder_.need(block_, far_base, far_offset + value.width);
    const ValueId behind = builder_.load(block_, value.width, far_base, far_offset);
    builder_.end_jump(block_, {.to = rest, .arguments = {behind}});
    start(near);
    load_one_of(base, value.k, value.width, rest);
    start(rest);
    return result;
  }

  // The current block knows base + k < 16: one block for each offset that can be, each of which
  // hands its bytes to `rest`.
  void load_one_of(ValueId base, std::uint32_t k, std::uint8_t width, BlockId rest) {
    Terminator choice{.end = End::kSwitch, .a = base};
    for (std::uint32_t offset = kBehindTag; offset-- > k;) {
      choice.edges.push_back({.to = builder_.add_block()});  // edges[0] is the last offset.
    }
    for (std::uint32_t offset = k; offset + 1 < kBehindTag; ++offset) {
      const std::uint32_t number = offset - k;
      choice.cases.push_back({number, number, kBehindTag - 1 - offset});
    }
    const std::vector<Edge> edges = choice.edges;
    if (choice.cases.empty()) {
      choice.end = End::kJump;
      choice.a = kNoValue;
    }
    end(std::move(choice));
    for (std::size_t i = 0; i < edges.size(); ++i) {
      start(edges[i].to);
      const std::uint32_t offset = kBehindTag - 1 - static_cast<std::uint32_t>(i);
      builder_.need(block_, kNoValue, moved_end(offset + width));
      const ValueId bytes = load_at(offset, width);
      builder_.end_jump(block_, {.to = rest, .arguments = {bytes}});
    }
  }

  // The bytes of the frame at a known offset.
  ValueId load_at(std::uint32_t offset, std::uint8_t width) {
    if (offset >= kBehindTag) {
      return builder_.load(block_, width, kNoValue, offset - kTagBytes);
    }
    if (offset + width <= kTag) {
      return builder_.load(block_, width, kNoValue, offset);
    }
    ValueId sum = kNoValue;
    for (std::uint32_t at = offset; at < offset + width;) {
      const std::uint32_t bytes = at % 2 == 0 && at + 2 <= offset + width ? 2 : 1;
      const ValueId piece = load_piece(at, static_cast<std::uint8_t>(bytes));
      sum = sum == kNoValue
                ? piece
                : builder_.arithmetic(block_, Op::kOr, arithmetic(Op::kShl, sum, 8 * bytes), piece);
      at += bytes;
    }
    return sum;
  }

  // One byte, or two at an even offset: all of them before, in, or behind one half of the tag.
  ValueId load_piece(std::uint32_t at, std::uint8_t bytes) {
    if (at < kTag) {
      return builder_.load(block_, bytes, kNoValue, at);
    }
    if (at >= kBehindTag) {
      return builder_.load(block_, bytes, kNoValue, at - kTagBytes);
    }
    const ValueId half = ancillary(at < kTag + 2 ? Extension::kVlanTpid : Extension::kVlanTci);
    if (bytes == 2) {
      return half;
    }
    return at % 2 == 0 ? arithmetic(Op::kShr, half, 8) : arithmetic(Op::kAnd, half, 0xff);
  }

  // ---- What the tag type decides ----

  // Whether the old value is the tag type in the tagged copy.
  bool is_tag_type(ValueId v) const {
    if (v == kNoValue || old_.values[v].op != Op::kLoad) {
      return false;
    }
    const Value& value = old_.values[v];
    return value.width == 2 && is_constant(old_, value.a) && fixed_offset(value) == kTag;
  }

  static bool holds_tag_type(std::uint32_t low, std::uint32_t high) {
    return std::any_of(kTagTypes.begin(), kTagTypes.end(),
                       [&](std::uint32_t type) { return low <= type && type <= high; });
  }

  // The terminator without what cannot happen, still with the old numbers.
  Terminator decide(const Terminator& terminator) const {
    if (!is_tag_type(terminator.a)) {
      return terminator;
    }
    if (terminator.end == End::kBranch && is_constant(old_, terminator.b) &&
        (terminator.compare == Compare::kEq || terminator.compare == Compare::kNe)) {
      const std::uint32_t number = old_.values[terminator.b].k;
      if (!holds_tag_type(number, number)) {
        const Edge& taken = terminator.edges[terminator.compare == Compare::kEq ? 1 : 0];
        return {.end = End::kJump, .edges = {taken}, .origin = terminator.origin};
      }
    }
    return terminator.end == End::kSwitch ? decide_switch(terminator) : terminator;
  }

  static Terminator decide_switch(const Terminator& terminator) {
    Terminator decided = terminator;
    decided.edges = {terminator.edges[0]};
    decided.cases.clear();
    for (const ir::Case& each : terminator.cases) {
      if (holds_tag_type(each.low, each.high)) {
        decided.cases.push_back(
            {each.low, each.high, static_cast<std::uint32_t>(decided.edges.size())});
        decided.edges.push_back(terminator.edges[each.edge]);
      }
    }
    if (decided.cases.empty()) {
      decided.end = End::kJump;
      decided.a = kNoValue;
    }
    return decided;
  }

  const ir::Function& old_;
  ir::Function new_;
  ir::FunctionBuilder builder_;
  std::vector<ValueId> values_;  // By old ValueId: the new one, in the copy being made.
  std::vector<BlockId> order_;
  BlockId block_ = 0;
};

}  // namespace

ir::Function restore_vlan_tag(const ir::Function& function) {
  const bool reads_tag =
      std::any_of(function.values.begin(), function.values.end(), is_vlan_extension);
  if (function.link_type != kEthernet || reads_tag) {
    return function;
  }
  return Restorer(function).run();
}

}  // namespace weir::lower
