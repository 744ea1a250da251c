// Programs go forward but for a jump to the top (kRestart), so a sweep from the last instruction to
// the first finds what an instruction goes on to merged already: hash consing, as for states when
// an automaton without loops is minimised (Revuz, "Minimisation of acyclic deterministic automata
// in linear time", 1992). It is done on instructions, behind register allocation, because there
// paths that began differently have come to use the same registers for the same things.
//
// Among the nodes that are left, one is laid out when all that lead to it have been, so that every
// jump goes forward as before; of those that can be next, what falls through comes first, else what
// stood first in the program. Which way of a condition falls through is tried where it could make
// the program shorter.
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
// Programs of more nodes are laid out once.
constexpr std::size_t kMaxSearched = 128;

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
    std::vector<bool> reached(nodes_.size(), false);
    reached[node_of_[0]] = true;
    for (NodeId id = node_of_[0] + 1; id-- > 0;) {
      if (!reached[id]) {
        continue;
      }
      ++reached_;
      for (const NodeId to : {nodes_[id].next, nodes_[id].jump}) {
        if (to != kNone) {
          ++ways_[to];
          reached[to] = true;
        }
      }
    }
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
          at = ready_.top();
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
      return node.next == kNone || --ways_[node.next] == 0 ? node.next : go_to(node.next);
    }

    NodeId place_condition(NodeId id) {
      const Node& node = nodes_[id];
      const bool next_is_ready = --ways_[node.next] == 0;
      const bool jump_is_ready = --ways_[node.jump] == 0;
      const bool rather_turn = next_is_ready == jump_is_ready ? turned_[id] : jump_is_ready;
      const bool turn = rather_turn && opposite(std::get<Jump>(node.instruction).op);
      const NodeId far = turn ? node.next : node.jump;
      const NodeId below = turn ? node.jump : node.next;
      lines_.push_back({.node = id, .turned = turn});
      if (ways_[far] == 0) {
        ready_.push(far);
      }
      return ways_[below] == 0 ? below : go_to(below);
    }

    NodeId go_to(NodeId to) {
      lines_.push_back({.node = to, .jump = true});
      return kNone;
    }

    const std::vector<Node>& nodes_;
    std::vector<std::uint32_t> ways_;  // By node: how many that lead to it are not laid out yet.
    const std::vector<bool>& turned_;
    std::priority_queue<NodeId> ready_;  // What stood first has the largest number.
    Lines lines_;
  };

  // Begins with the ways the old program went, and turns one condition after another round where
  // that makes the program shorter. A program without jumps that only jump cannot be.
  Lines best_layout() const {
    std::vector<bool> turned(nodes_.size());
    for (NodeId id = 0; id < nodes_.size(); ++id) {
      turned[id] = nodes_[id].turned;
    }
    Lines best = Layout(nodes_, ways_, turned).run(node_of_[0]);
    if (nodes_.size() > kMaxSearched) {
      return best;
    }
    for (NodeId id = node_of_[0] + 1; id-- > 0 && best.size() > reached_;) {
      if (nodes_[id].jump == kNone) {
        continue;
      }
      turned[id] = !turned[id];
      Lines lines = Layout(nodes_, ways_, turned).run(node_of_[0]);
      if (lines.size() < best.size()) {
        best = std::move(lines);
      } else {
        turned[id] = !turned[id];
      }
    }
    return best;
  }

  ebpf::Program write(const Lines& lines) const {
    ebpf::Assembler assembler;
    std::vector<std::optional<ebpf::Label>> labels(nodes_.size());
    const auto label = [&](NodeId id) {
      if (!labels[id]) {
        labels[id] = assembler.new_label();
      }
      return *labels[id];
    };
    for (const Node& node : nodes_) {
      if (node.back != SIZE_MAX) {
        label(node_of_[node.back]);
      }
    }
    for (const Line& line : lines) {
      const Node& node = nodes_[line.node];
      if (line.jump && !is_exit(node.instruction)) {
        assembler.jump(label(line.node));
        continue;
      }
      if (!line.jump) {
        assembler.set_origin(node.origin);
        if (labels[line.node]) {
          assembler.bind(*labels[line.node]);
        }
      }
      if (node.back != SIZE_MAX) {
        assembler.jump(label(node_of_[node.back]));
      } else if (node.jump != kNone) {
        const auto& jump = std::get<Jump>(node.instruction);
        assembler.jump_if(line.turned ? *opposite(jump.op) : jump.op, jump.dst, jump.src,
                          label(line.turned ? node.next : node.jump), jump.is64);
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
  std::vector<std::size_t> targets_;     // By instruction; SIZE_MAX: it jumps nowhere.
  std::vector<bool> is_target_of_back_;  // By instruction.
  std::vector<NodeId> node_of_;          // By instruction.
  std::vector<Node> nodes_;
  std::vector<std::uint32_t> ways_;  // By node: how many lead to it.
  std::size_t reached_ = 0;          // How many nodes there is a way to.
};

}  // namespace

ebpf::Program merge_tails(const ebpf::Program& program) { return TailMerger(program).run(); }

}  // namespace weir::lower
