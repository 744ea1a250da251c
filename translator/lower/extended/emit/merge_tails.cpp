// Programs have no way back but for a jump to the top (kRestart), so every instruction can be
// looked at when all that it goes on to has been merged: hash consing, as for states when an
// automaton without loops is minimised (Revuz, "Minimisation of acyclic deterministic automata in
// linear time", 1992). It is done on instructions, behind register allocation, because there paths
// that began differently have come to use the same registers for the same things.
//
// Among the nodes that are left, one is laid out when all that lead to it have been, so that every
// jump but that goes forward, unless it leaves what is seldom run, which stands at the end; of
// those that can be next, what falls through comes first, else what stood first in the program. A
// program so long that jumps may not reach its end brings in what waits from time to time.
// Which way of a condition falls through is tried where it could make the program shorter.
#include "translator/lower/extended/emit/merge_tails.h"

#include <array>
#include <compare>
#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <queue>
#include <utility>
#include <vector>

#include "translator/ebpf/assembler.h"
#include "translator/ebpf/encode.h"
#include "translator/ebpf/opposite.h"

namespace weir::lower {
namespace {

using ebpf::Instruction;
using ebpf::Jump;
using ebpf::JumpOp;

using NodeId = std::uint32_t;
constexpr NodeId kNone = 0xffffffff;
// Programs of more nodes are laid out once.
constexpr std::size_t kMaxSearched = 128;
// In programs of more nodes than the first number, no more than the second stand in a row while
// others wait that stood in front of them.
constexpr std::size_t kLong = 16000;
constexpr std::size_t kStretch = 8000;

// An instruction and where it goes on. Every way but `back` leads to a node of a smaller number.
struct Node {
  Instruction instruction;
  std::uint32_t origin = ebpf::kNoOrigin;
  NodeId next = kNone;  // Without a jump.
  NodeId jump = kNone;  // When the condition holds.
  bool turned = false;  // The old program went on to `jump` without a jump.
  // The last instruction of the old program that does this; if some of them are not seldom run, the
  // last of those.
  std::size_t place = 0;
  bool hot = true;              // Whether there are such.
  std::size_t back = SIZE_MAX;  // The instruction of the old program that a backward jump goes to.
};

class TailMerger {
 public:
  TailMerger(const ebpf::Program& program, std::size_t hot) : program_(program), hot_(hot) {}

  ebpf::Program run() {
    find_targets();
    if (!make_nodes()) {
      return program_;
    }
    count_ways();
    return write(best_layout());
  }

 private:
  static bool is_jump(const Instruction& instruction, JumpOp op) {
    const auto* jump = std::get_if<Jump>(&instruction);
    return jump != nullptr && jump->op == op;
  }
  static bool is_exit(const Instruction& instruction) {
    return std::holds_alternative<ebpf::Exit>(instruction);
  }

  // The instruction each jump leads to.
  void find_targets() {
    const auto& all = program_.instructions;
    std::vector<std::size_t> at_slot;
    std::vector<std::size_t> behind;  // By instruction: the slot behind it.
    for (std::size_t i = 0; i < all.size(); ++i) {
      at_slot.insert(at_slot.end(), slots(all[i]), i);
      behind.push_back(at_slot.size());
    }
    targets_.assign(all.size(), SIZE_MAX);
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (const auto* jump = std::get_if<Jump>(&all[i])) {
        const std::int64_t slot = static_cast<std::int64_t>(behind[i]) + jump->offset;
        targets_[i] = at_slot[static_cast<std::size_t>(slot)];
      }
    }
  }

  // ---- Merging ----

  // Equal keys mean that instructions do the same: the wire form without the jump, where it goes
  // on, and for what a backward jump leads to and comes from a number that no other has.
  using Key = std::array<std::uint64_t, 4>;

  static Key key_of(const Node& node, std::size_t apart) {
    const std::vector<ebpf::Slot> slots = ebpf::encode({&node.instruction, 1});
    const auto word = [](const ebpf::Slot& slot) {
      return std::uint64_t{slot.opcode} | std::uint64_t{slot.regs} << 8 |
             std::uint64_t{static_cast<std::uint16_t>(slot.offset)} << 16 |
             std::uint64_t{static_cast<std::uint32_t>(slot.imm)} << 32;
    };
    return {word(slots.front()), slots.size() == 1 ? 0 : word(slots.back()),
            std::uint64_t{node.next} << 32 | node.jump, apart};
  }

  // Every instruction behind all it goes on to: in the order in which a walk through the program
  // leaves them. False when some other way than a jump leads back.
  bool make_nodes() {
    const auto& all = program_.instructions;
    node_of_.assign(all.size(), kNone);
    leads_back_.assign(all.size(), false);
    is_target_of_back_.assign(all.size(), false);
    std::vector<bool> entered(all.size(), false);
    std::vector<std::size_t> way = {0};
    while (!way.empty()) {
      const std::size_t at = way.back();
      entered[at] = true;
      std::size_t open = SIZE_MAX;
      for (const std::size_t to : {falls_to(at), targets_[at]}) {
        if (to == SIZE_MAX || node_of_[to] != kNone) {
          continue;
        }
        if (!entered[to]) {
          open = to;
        } else if (is_jump(all[at], JumpOp::kJa)) {
          leads_back_[at] = true;
          is_target_of_back_[to] = true;
        } else {
          return false;
        }
      }
      if (open != SIZE_MAX) {
        way.push_back(open);
        continue;
      }
      way.pop_back();
      if (node_of_[at] == kNone) {
        make_node(at);
      }
    }
    return true;
  }

  // The instruction that an instruction runs into.
  std::size_t falls_to(std::size_t at) const {
    const Instruction& instruction = program_.instructions[at];
    return is_exit(instruction) || is_jump(instruction, JumpOp::kJa) ? SIZE_MAX : at + 1;
  }

  void make_node(std::size_t at) {
    const Instruction& instruction = program_.instructions[at];
    Node node{
        .instruction = instruction, .origin = program_.origins[at], .place = at, .hot = at < hot_};
    if (leads_back_[at]) {
      node.back = targets_[at];
    } else if (is_jump(instruction, JumpOp::kJa)) {
      node_of_[at] = node_of_[targets_[at]];
      return;
    } else if (targets_[at] != SIZE_MAX) {
      node.jump = node_of_[targets_[at]];
      node.next = node_of_[at + 1];
      if (node.jump == node.next) {
        node_of_[at] = node.next;
        return;
      }
      turn_to_usual_form(node);
    } else if (!is_exit(instruction)) {
      node.next = node_of_[at + 1];
    }
    const std::size_t apart = leads_back_[at] || is_target_of_back_[at] ? at : SIZE_MAX;
    const auto [known, is_new] =
        known_.try_emplace(key_of(node, apart), static_cast<NodeId>(nodes_.size()));
    node_of_[at] = known->second;
    if (is_new) {
      nodes_.push_back(node);
    } else if (Node& old = nodes_[known->second]; node.hot == old.hot ? old.place < at : node.hot) {
      old.origin = node.origin;
      old.turned = node.turned;
      old.place = at;
      old.hot = node.hot;
    }
  }

  // A condition and its opposite with the ways exchanged are the same.
  static void turn_to_usual_form(Node& node) {
    auto& jump = std::get<Jump>(node.instruction);
    jump.offset = 0;
    const auto unless = opposite(jump.op);
    if (unless && *unless < jump.op) {
      jump.op = *unless;
      std::swap(node.next, node.jump);
      node.turned = true;
    }
  }

  // ---- Layout ----

  // Whether a node has to be laid out before the one it leads to: what is seldom run stands behind
  // all else.
  static bool counts(const std::vector<Node>& nodes, NodeId from, NodeId to) {
    return nodes[from].hot || !nodes[to].hot;
  }

  // How many ways lead to each node, from what is reached only. What only leads on from what is
  // seldom run is seldom run itself.
  void count_ways() {
    std::vector<bool> reached(nodes_.size(), false);
    std::vector<bool> often(nodes_.size(), false);
    reached[node_of_[0]] = often[node_of_[0]] = true;
    const auto for_each_way = [&](auto visit) {
      for (NodeId id = node_of_[0] + 1; id-- > 0;) {
        for (const NodeId to : {nodes_[id].next, nodes_[id].jump}) {
          if (to != kNone && reached[id]) visit(id, to);
        }
      }
    };
    for_each_way([&](NodeId id, NodeId to) {
      nodes_[id].hot = nodes_[id].hot && often[id];
      reached[to] = true;
      often[to] = often[to] || nodes_[id].hot;
    });
    for (NodeId id = 0; id < nodes_.size(); ++id) {
      nodes_[id].hot = nodes_[id].hot && often[id];
      reached_ += reached[id] ? 1 : 0;
    }
    ways_.assign(nodes_.size(), 0);
    for_each_way([&](NodeId id, NodeId to) { ways_[to] += counts(nodes_, id, to) ? 1 : 0; });
  }

  // A line of the new program: a node, its condition perhaps turned round; or a way on to one that
  // stands elsewhere.
  struct Line {
    NodeId node = kNone;
    bool turned = false;
    bool jump = false;
  };
  using Lines = std::vector<Line>;

  // Nodes in the order they stand in when every condition that could be followed by either way is
  // followed by the one that `turned` (by node) says.
  class Layout {
   public:
    Layout(const std::vector<Node>& nodes, const std::vector<std::uint32_t>& ways,
           const std::vector<bool>& turned)
        : nodes_(nodes), ways_(ways), turned_(turned) {}

    Lines run(NodeId first) {
      NodeId at = first;
      for (;;) {
        at = place(at);
        if (at == kNone && ready_.empty()) {
          return std::move(lines_);
        }
        if (at == kNone) {
          at = ready_.top().second;
          ready_.pop();
        }
      }
    }

   private:
    // Writes the node; what stands below it, if that is settled.
    NodeId place(NodeId id) {
      const Node& node = nodes_[id];
      if (node.jump != kNone) {
        return place_condition(id);
      }
      lines_.push_back({.node = id});
      if (node.next == kNone) {
        return kNone;
      }
      const bool is_ready = arrive(id, node.next);
      return go_on(id, node.next, is_ready);
    }

    NodeId place_condition(NodeId id) {
      const Node& node = nodes_[id];
      const bool next_is_ready = arrive(id, node.next);
      const bool jump_is_ready = arrive(id, node.jump);
      const bool may_next = next_is_ready && may_run_into(id, node.next);
      const bool may_jump = jump_is_ready && may_run_into(id, node.jump);
      const bool rather_turn = may_next != may_jump ? may_jump
                               : may_next           ? turned_[id]
                                                    : is_exit(node.jump);
      const bool turn = rather_turn && opposite(std::get<Jump>(node.instruction).op);
      const NodeId far = turn ? node.next : node.jump;
      lines_.push_back({.node = id, .turned = turn});
      if (turn ? next_is_ready : jump_is_ready) {
        ready_.push({nodes_[far].place, far});
      }
      return turn ? go_on(id, node.jump, jump_is_ready) : go_on(id, node.next, next_is_ready);
    }

    // Whether nothing has to be laid out any more in front of where this way leads.
    bool arrive(NodeId from, NodeId to) { return counts(nodes_, from, to) && --ways_[to] == 0; }

    bool may_run_into(NodeId from, NodeId to) const { return nodes_[to].hot || !nodes_[from].hot; }

    // Straight on where that can be, else by a jump.
    NodeId go_on(NodeId from, NodeId to, bool is_ready) {
      if (is_ready && may_run_into(from, to) && !is_stretched(to)) {
        return to;
      }
      if (is_ready) {
        ready_.push({nodes_[to].place, to});
      }
      lines_.push_back({.node = to, .jump = true});
      return kNone;
    }

    bool is_stretched(NodeId to) {
      if (nodes_.size() <= kLong || lines_.size() < begin_ + kStretch || ready_.empty() ||
          ready_.top().first > nodes_[to].place) {
        return false;
      }
      begin_ = lines_.size();
      return true;
    }

    bool is_exit(NodeId id) const {
      return std::holds_alternative<ebpf::Exit>(nodes_[id].instruction);
    }

    const std::vector<Node>& nodes_;
    std::vector<std::uint32_t> ways_;  // By node: how many that lead to it are not laid out yet.
    const std::vector<bool>& turned_;
    using Waiting = std::pair<std::size_t, NodeId>;  // By place.
    std::priority_queue<Waiting, std::vector<Waiting>, std::greater<>> ready_;
    Lines lines_;
    std::size_t begin_ = 0;  // The line this stretch begins at.
  };

  // Begins with the ways the old program went, and turns one condition after another round where
  // that makes the program shorter. A program without jumps that only jump cannot be.
  Lines best_layout() const {
    std::vector<bool> turned(nodes_.size());
    for (NodeId id = 0; id < nodes_.size(); ++id) {
      turned[id] = nodes_[id].turned;
    }
    Lines best = Layout(nodes_, ways_, turned).run(node_of_[0]);
    Price price = price_of(best);
    if (nodes_.size() > kMaxSearched) {
      return best;
    }
    for (NodeId id = node_of_[0] + 1; id-- > 0 && price.lines > reached_;) {
      if (nodes_[id].jump == kNone) {
        continue;
      }
      turned[id] = !turned[id];
      Lines lines = Layout(nodes_, ways_, turned).run(node_of_[0]);
      if (const Price other = price_of(lines); other < price) {
        best = std::move(lines);
        price = other;
      } else {
        turned[id] = !turned[id];
      }
    }
    return best;
  }

  // Of two layouts of one length that is better which has fewer jumps on the way, as an exit where
  // a jump to one would stand costs nothing.
  struct Price {
    std::size_t lines = 0;
    std::size_t jumps = 0;
    auto operator<=>(const Price&) const = default;
  };
  Price price_of(const Lines& lines) const {
    Price price{.lines = lines.size()};
    for (const Line& line : lines) {
      price.jumps += line.jump && !is_exit(nodes_[line.node].instruction) ? 1 : 0;
    }
    return price;
  }

  ebpf::Program write(const Lines& lines) const {
    ebpf::Assembler assembler;
    std::vector<ebpf::Label> labels(nodes_.size());
    for (const Line& line : lines) {
      if (!line.jump) {
        labels[line.node] = assembler.new_label();
      }
    }
    for (const Line& line : lines) {
      const Node& node = nodes_[line.node];
      if (line.jump && !is_exit(node.instruction)) {
        assembler.jump(labels[line.node]);
        continue;
      }
      if (!line.jump) {
        assembler.set_origin(node.origin);
        assembler.bind(labels[line.node]);
      }
      if (node.back != SIZE_MAX) {
        assembler.jump(labels[node_of_[node.back]]);
      } else if (node.jump != kNone) {
        const auto& jump = std::get<Jump>(node.instruction);
        assembler.jump_if(line.turned ? *opposite(jump.op) : jump.op, jump.dst, jump.src,
                          labels[line.turned ? node.next : node.jump], jump.is64);
      } else {
        // An exit takes no more room than a jump to one.
        assembler.emit(node.instruction);
      }
    }
    ebpf::Program program = std::move(assembler).finish();
    program.maps = program_.maps;
    return program;
  }

  const ebpf::Program& program_;
  const std::size_t hot_;                // How many instructions are not seldom run.
  std::vector<std::size_t> targets_;     // By instruction; SIZE_MAX: it jumps nowhere.
  std::vector<bool> leads_back_;         // By instruction.
  std::vector<bool> is_target_of_back_;  // By instruction.
  std::map<Key, NodeId> known_;
  std::vector<NodeId> node_of_;  // By instruction.
  std::vector<Node> nodes_;
  std::vector<std::uint32_t> ways_;  // By node: how many lead to it.
  std::size_t reached_ = 0;          // How many nodes there is a way to.
};

}  // namespace

ebpf::Program merge_tails(const ebpf::Program& program, std::size_t hot) {
  return TailMerger(program, hot).run();
}

}  // namespace weir::lower
