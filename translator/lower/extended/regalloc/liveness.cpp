#include "translator/lower/extended/regalloc/liveness.h"

#include <algorithm>

namespace weir::lower {
namespace {

using machine::Block;
using machine::BlockId;
using machine::End;
using machine::Function;
using machine::Instruction;
using machine::kFrame;
using machine::kNone;
using machine::Op;
using machine::RegSet;
using machine::Vreg;

// A set of virtual registers that can be walked, asked and cleared in proportion to its size.
class VregSet {
 public:
  explicit VregSet(std::size_t universe) : place_(universe, kNone) {}

  bool contains(Vreg vreg) const { return place_[vreg] != kNone; }
  bool insert(Vreg vreg) {  // Whether it is new.
    if (contains(vreg)) {
      return false;
    }
    place_[vreg] = static_cast<std::uint32_t>(members_.size());
    members_.push_back(vreg);
    return true;
  }
  void erase(Vreg vreg) {
    const std::uint32_t at = place_[vreg];
    if (at == kNone) {
      return;
    }
    place_[members_.back()] = at;
    members_[at] = members_.back();
    members_.pop_back();
    place_[vreg] = kNone;
  }
  void clear() {
    for (const Vreg vreg : members_) {
      place_[vreg] = kNone;
    }
    members_.clear();
  }
  const std::vector<Vreg>& members() const { return members_; }

 private:
  std::vector<Vreg> members_;
  std::vector<std::uint32_t> place_;
};

class Analysis {
 public:
  explicit Analysis(const Function& function)
      : function_(function),
        live_(function.vregs.size()),
        first_(function.vregs.size(), 0),
        last_(function.vregs.size(), 0) {
    result_.live_in.resize(function.blocks.size());
    result_.deaths.resize(function.blocks.size());
    result_.allowed.assign(function.vregs.size(), RegSet{0x03ff});
    result_.uses.assign(function.vregs.size(), 0);
  }

  Liveness run() && {
    for (auto id = function_.order.rbegin(); id != function_.order.rend(); ++id) {
      sweep(*id);
    }
    result_.length.resize(function_.vregs.size());
    for (std::size_t v = 0; v < result_.length.size(); ++v) {
      result_.length[v] = last_[v] - first_[v];  // Counted backward: `last_` is the definition.
    }
    return std::move(result_);
  }

 private:
  // The moment counts up while the sweep goes backward.
  void mark(Vreg vreg) {
    if (first_[vreg] == 0) {
      first_[vreg] = moment_;
    }
    last_[vreg] = moment_;
  }

  void keep_out_of_r0(Vreg vreg) {
    result_.allowed[vreg] &= static_cast<RegSet>(~machine::reg_bit(ebpf::Reg::kR0));
  }

  // Marks `vreg` as read at `position`; it dies there when nothing later has read it.
  void use(Vreg vreg, std::uint32_t position, std::vector<Death>& deaths) {
    if (vreg == kNone || vreg == kFrame) {
      return;
    }
    ++result_.uses[vreg];
    mark(vreg);
    if (live_.insert(vreg)) {
      deaths.push_back({position, vreg});
    }
  }

  void start_from_successors(const Block& block) {
    live_.clear();
    const auto& terminator = block.terminator;
    if (terminator.end != End::kRestart) {
      for (const auto& edge : terminator.edges) {
        for (const Vreg vreg : result_.live_in[edge.to]) {
          live_.insert(vreg);
        }
      }
    }
    for (const auto& edge : terminator.edges) {
      for (const auto& argument : edge.arguments) {
        if (argument.is_reg()) {
          ++result_.uses[argument.reg];
          mark(argument.reg);
          keep_out_of_r0(argument.reg);
          live_.insert(argument.reg);
        }
      }
    }
  }

  void step(const Instruction& instruction, std::uint32_t position, std::vector<Death>& deaths) {
    if (instruction.dst != kNone) {
      mark(instruction.dst);
      if (!live_.contains(instruction.dst)) {
        deaths.push_back({position, instruction.dst});
      }
      live_.erase(instruction.dst);
    }
    if (const RegSet lost = machine::clobbers(instruction); lost != 0) {
      for (const Vreg vreg : live_.members()) {
        if (instruction.op != Op::kPullData || vreg != instruction.a) {
          result_.allowed[vreg] &= static_cast<RegSet>(~lost);
        }
      }
    }
    use(instruction.a, position, deaths);
    use(instruction.b.reg, position, deaths);
    if (instruction.op == Op::kExitIf) {
      for (const Vreg vreg : result_.live_in[instruction.target]) {
        use(vreg, position, deaths);
      }
    }
  }

  void sweep(BlockId id) {
    const Block& block = function_.blocks[id];
    std::vector<Death>& deaths = result_.deaths[id];
    start_from_successors(block);
    ++moment_;
    std::vector<Death> at_end;  // The block ends there; nobody asks for these.
    use(block.terminator.a, 0, at_end);
    use(block.terminator.b.reg, 0, at_end);
    if (block.terminator.end == End::kRestart) {
      for (const Vreg vreg : function_.live_at_restarts) {
        use(vreg, 0, at_end);
      }
    }
    for (std::size_t i = block.body.size(); i-- > 0;) {
      ++moment_;
      step(block.body[i], static_cast<std::uint32_t>(i), deaths);
    }
    ++moment_;
    for (const Vreg parameter : block.parameters) {
      mark(parameter);
      keep_out_of_r0(parameter);
      if (!live_.contains(parameter)) {
        deaths.push_back({0, parameter});
      }
      live_.erase(parameter);
    }
    std::reverse(deaths.begin(), deaths.end());
    for (const Vreg vreg : live_.members()) {
      keep_out_of_r0(vreg);
      mark(vreg);
    }
    result_.live_in[id] = live_.members();
  }

  const Function& function_;
  Liveness result_;
  VregSet live_;
  std::vector<std::uint32_t> first_;
  std::vector<std::uint32_t> last_;
  std::uint32_t moment_ = 0;
};

bool is_pure(const Instruction& instruction) {
  switch (instruction.op) {
    case Op::kMove:
    case Op::kAlu:
    case Op::kShiftOrZero:
    case Op::kToBig:
    case Op::kLoad:
    case Op::kLoadMap:
    case Op::kLoadData:
    case Op::kLoadWide:
    case Op::kReload:
      return true;
    case Op::kStore:
    case Op::kLoadPacket:
    case Op::kCall:
    case Op::kCallKernel:
    case Op::kCallKernelTwoWords:
    case Op::kPullData:
    case Op::kExitIf:
    case Op::kSpill:
      return false;
  }
  return false;
}

class DeadCode {
 public:
  explicit DeadCode(Function& function) : function_(function), read_(function.vregs.size()) {}

  void run() {
    for (auto id = function_.order.rbegin(); id != function_.order.rend(); ++id) {
      sweep(function_.blocks[*id]);
    }
  }

 private:
  void read(Vreg vreg) {
    if (vreg != kNone) {
      read_[vreg] = true;
    }
  }

  // Edges lose the arguments of parameters that nobody reads; the parameters themselves go when
  // the sweep is through with the block they belong to, which lies behind every edge to it.
  void read_edges(Block& block) {
    for (auto& edge : block.terminator.edges) {
      const auto& kept = kept_[edge.to];
      std::vector<machine::Operand> arguments;
      for (std::size_t i = 0; i < edge.arguments.size(); ++i) {
        if (kept[i]) {
          read(edge.arguments[i].reg);
          arguments.push_back(edge.arguments[i]);
        }
      }
      edge.arguments = std::move(arguments);
    }
  }

  // The sweep has not come to the block yet that a restart leads to, so its parameters all stay.
  void read_restart(const machine::Terminator& restart) {
    for (const auto& argument : restart.edges[0].arguments) {
      read(argument.reg);
    }
    for (const Vreg parameter : function_.blocks[restart.edges[0].to].parameters) {
      read(parameter);
    }
    for (const Vreg vreg : function_.live_at_restarts) {
      read(vreg);
    }
  }

  void sweep(Block& block) {
    kept_.resize(function_.blocks.size());
    if (block.terminator.end == End::kRestart) {
      read_restart(block.terminator);
    } else {
      read_edges(block);
    }
    read(block.terminator.a);
    read(block.terminator.b.reg);
    std::vector<Instruction> body;
    for (auto instruction = block.body.rbegin(); instruction != block.body.rend(); ++instruction) {
      if (is_pure(*instruction) && !read_[instruction->dst]) {
        continue;
      }
      read(instruction->a);
      read(instruction->b.reg);
      body.push_back(*instruction);
    }
    std::reverse(body.begin(), body.end());
    block.body = std::move(body);
    std::vector<Vreg> parameters;
    auto& kept = kept_[static_cast<std::size_t>(&block - function_.blocks.data())];
    for (const Vreg parameter : block.parameters) {
      kept.push_back(read_[parameter]);
      if (read_[parameter]) {
        parameters.push_back(parameter);
      }
    }
    block.parameters = std::move(parameters);
  }

  Function& function_;
  std::vector<bool> read_;
  std::vector<std::vector<bool>> kept_;  // By block: which of its parameters are read.
};

}  // namespace

Liveness analyse_liveness(const Function& function) { return Analysis(function).run(); }

void remove_dead(Function& function) { DeadCode(function).run(); }

}  // namespace weir::lower
