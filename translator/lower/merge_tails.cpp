// Programs go forward but for a jump to the top (kRestart), so a sweep from the last instruction to
// the first finds what an instruction goes on to merged already: hash consing, as for states when
// an automaton without loops is minimised (Revuz, "Minimisation of acyclic deterministic automata
// in linear time", 1992). It is done on instructions, behind register allocation, because there
// paths that began differently have come to use the same registers for the same things.
//
// Among the nodes that are left, one is laid out when all that lead to it have been, so that every
// jump goes forward as before; of those that can be next, what falls through comes first, else what
// stood first in the program.
#include "translator/lower/merge_tails.h"

#include <array>
#include <cstddef>
#include <map>
#include <optional>
#include <queue>
#include <utility>
#include <vector>

#include "translator/ebpf/assembler.h"
#include "translator/ebpf/encode.h"
#include "translator/lower/opposite.h"

namespace weir::lower {
namespace {

using ebpf::Instruction;
using ebpf::Jump;
using ebpf::JumpOp;

using NodeId = std::uint32_t;
constexpr NodeId kNone = 0xffffffff;

// An instruction and where it goes on. Nodes are numbered from the program's end, so that every way
// but `back` leads to a smaller number.
struct Node {
  Instruction instruction;
  std::uint32_t origin = ebpf::kNoOrigin;
  NodeId next = kNone;          // Without a jump.
  NodeId jump = kNone;          // When the condition holds.
  bool turned = false;          // The old program went on to `jump` without a jump.
  std::size_t back = SIZE_MAX;  // The instruction of the old program that a backward jump goes to.
};

class TailMerger {
 public:
  explicit TailMerger(const ebpf::Program& program) : program_(program) {}

  ebpf::Program run() {
    if (!find_targets()) {
      return program_;
    }
    make_nodes();
    count_ways();
    lay_out();
    ebpf::Program merged = std::move(assembler_).finish();
    merged.maps = program_.maps;
    return merged;
  }

 private:
  static bool is_jump(const Instruction& instruction, JumpOp op) {
    const auto* jump = std::get_if<Jump>(&instruction);
    return jump != nullptr && jump->op == op;
  }
  static bool is_exit(const Instruction& instruction) {
    return std::holds_alternative<ebpf::Exit>(instruction);
  }

  // The instruction each jump leads to. False when there is something this pass does not know.
  bool find_targets() {
    const auto& all = program_.instructions;
    std::vector<std::size_t> at_slot;
    std::vector<std::size_t> behind;  // By instruction: the slot behind it.
    for (std::size_t i = 0; i < all.size(); ++i) {
      at_slot.insert(at_slot.end(), slots(all[i]), i);
      behind.push_back(at_slot.size());
    }
    targets_.assign(all.size(), SIZE_MAX);
    is_target_of_back_.assign(all.size(), false);
    for (std::size_t i = 0; i < all.size(); ++i) {
      const auto* jump = std::get_if<Jump>(&all[i]);
      if (jump == nullptr) {
        continue;
      }
      const std::int64_t slot = static_cast<std::int64_t>(behind[i]) + jump->offset;
      targets_[i] = at_slot[static_cast<std::size_t>(slot)];
      if (targets_[i] <= i) {
        if (jump->op != JumpOp::kJa) {
          return false;
        }
        is_target_of_back_[targets_[i]] = true;
      }
    }
    return true;
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

  void make_nodes() {
    const auto& all = program_.instructions;
    node_of_.assign(all.size(), kNone);
    std::map<Key, NodeId> known;
    for (std::size_t i = all.size(); i-- > 0;) {
      Node node{.instruction = all[i], .origin = program_.origins[i]};
      const bool back = targets_[i] <= i;
      if (back) {
        node.back = targets_[i];
      } else if (is_jump(all[i], JumpOp::kJa)) {
        node_of_[i] = node_of_[targets_[i]];
        continue;
      } else if (targets_[i] != SIZE_MAX) {
        node.jump = node_of_[targets_[i]];
        node.next = node_of_[i + 1];
        if (node.jump == node.next) {
          node_of_[i] = node.next;
          continue;
        }
        turn_to_usual_form(node);
      } else if (!is_exit(all[i])) {
        node.next = node_of_[i + 1];
      }
      const std::size_t apart = back || is_target_of_back_[i] ? i : SIZE_MAX;
      const auto [at, is_new] =
          known.try_emplace(key_of(node, apart), static_cast<NodeId>(nodes_.size()));
      if (is_new) {
        nodes_.push_back(std::move(node));
      }
      node_of_[i] = at->second;
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

  // How many ways lead to each node, from what is reached only.
  void count_ways() {
    ways_.assign(nodes_.size(), 0);
    labels_.resize(nodes_.size());
    std::vector<bool> reached(nodes_.size(), false);
    reached[node_of_[0]] = true;
    for (NodeId id = node_of_[0] + 1; id-- > 0;) {
      if (!reached[id]) {
        continue;
      }
      for (const NodeId to : {nodes_[id].next, nodes_[id].jump}) {
        if (to != kNone) {
          ++ways_[to];
          reached[to] = true;
        }
      }
      if (nodes_[id].back != SIZE_MAX) {
        label(node_of_[nodes_[id].back]);
      }
    }
  }

  ebpf::Label label(NodeId id) {
    if (!labels_[id]) {
      labels_[id] = assembler_.new_label();
    }
    return *labels_[id];
  }

  void lay_out() {
    NodeId at = node_of_[0];
    for (;;) {
      if (labels_[at]) {
        assembler_.bind(*labels_[at]);
      }
      assembler_.set_origin(nodes_[at].origin);
      const NodeId below = place(nodes_[at]);
      if (below == kNone && ready_.empty()) {
        return;
      }
      at = below;
      if (below == kNone) {
        at = ready_.top();
        ready_.pop();
      }
    }
  }

  // Writes the node; what stands below it, if that is settled.
  NodeId place(const Node& node) {
    if (node.back != SIZE_MAX) {
      assembler_.jump(label(node_of_[node.back]));
      return kNone;
    }
    if (node.jump != kNone) {
      return place_condition(node);
    }
    assembler_.emit(node.instruction);
    return node.next == kNone || --ways_[node.next] == 0 ? node.next : go_to(node.next);
  }

  NodeId place_condition(const Node& node) {
    const bool next_is_ready = --ways_[node.next] == 0;
    const bool jump_is_ready = --ways_[node.jump] == 0;
    const bool can_turn = opposite(std::get<Jump>(node.instruction).op).has_value();
    const bool rather_turn = jump_is_ready
                                 ? !next_is_ready || node.turned
                                 : !next_is_ready && is_exit(nodes_[node.jump].instruction);
    const bool turn = can_turn && rather_turn;
    const NodeId far = turn ? node.next : node.jump;
    const NodeId below = turn ? node.jump : node.next;
    jump_if(node, turn, far);
    if (ways_[far] == 0) {
      ready_.push(far);
    }
    return ways_[below] == 0 ? below : go_to(below);
  }

  void jump_if(const Node& node, bool turn, NodeId to) {
    const auto& jump = std::get<Jump>(node.instruction);
    const JumpOp op = turn ? *opposite(jump.op) : jump.op;
    assembler_.jump_if(op, jump.dst, jump.src, label(to), jump.is64);
  }

  // On to a node that stands elsewhere. An exit takes no more room than a jump to one.
  NodeId go_to(NodeId to) {
    if (is_exit(nodes_[to].instruction)) {
      assembler_.emit(nodes_[to].instruction);
    } else {
      assembler_.jump(label(to));
    }
    return kNone;
  }

  const ebpf::Program& program_;
  std::vector<std::size_t> targets_;     // By instruction; SIZE_MAX: it jumps nowhere.
  std::vector<bool> is_target_of_back_;  // By instruction.
  std::vector<NodeId> node_of_;          // By instruction.
  std::vector<Node> nodes_;
  std::vector<std::uint32_t> ways_;  // By node: how many that lead to it are not laid out yet.
  std::vector<std::optional<ebpf::Label>> labels_;  // By node, if something jumps to it.
  std::priority_queue<NodeId> ready_;               // What stood first has the largest number.
  ebpf::Assembler assembler_;
};

}  // namespace

ebpf::Program merge_tails(const ebpf::Program& program) { return TailMerger(program).run(); }

}  // namespace weir::lower
