#include "translator/lower/extended/regalloc/allocate.h"

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <utility>

#include "translator/lower/extended/regalloc/liveness.h"
#include "translator/lower/extended/regalloc/spill.h"

namespace weir::lower {
namespace {

using ebpf::Reg;
using machine::Block;
using machine::Function;
using machine::Instruction;
using machine::kFrame;
using machine::kNone;
using machine::Op;
using machine::RegSet;
using machine::Vreg;

// Those a call loses first: a program that needs none of r6-r9 has nothing to save (the kernel's
// JIT saves only what is used). r1 holds the context at first; r0 is wanted by moves on edges and
// can hold a verdict from the start (preset_verdict.h).
constexpr std::array kOrder = {Reg::kR2, Reg::kR3, Reg::kR4, Reg::kR5, Reg::kR1,
                               Reg::kR0, Reg::kR6, Reg::kR7, Reg::kR8, Reg::kR9};

// Groups of virtual registers that edges connect: parameters and their arguments. Each group has a
// place it would like to be in.
class Webs {
 public:
  explicit Webs(const Function& function)
      : parent_(function.vregs.size()), preferred_(function.vregs.size()) {
    for (Vreg vreg = 0; vreg < parent_.size(); ++vreg) {
      parent_[vreg] = vreg;
    }
    for (const machine::BlockId id : function.order) {
      const Block& block = function.blocks[id];
      for (const auto& edge : block.terminator.edges) {
        for (std::size_t i = 0; i < edge.arguments.size(); ++i) {
          if (edge.arguments[i].is_reg()) {
            parent_[root(edge.arguments[i].reg)] = root(function.blocks[edge.to].parameters[i]);
          }
        }
      }
    }
    for (const machine::BlockId id : function.order) {
      prefer_where_read(function.blocks[id]);
    }
  }

  Location preferred(Vreg vreg) { return preferred_[root(vreg)]; }
  void prefer(Vreg vreg, Location location) { preferred_[root(vreg)] = location; }

 private:
  void prefer_where_read(const Block& block) {
    for (const Instruction& instruction : block.body) {
      const bool calls = instruction.op == Op::kCall || instruction.op == Op::kCallKernel ||
                         instruction.op == Op::kCallKernelTwoWords;
      if (calls && instruction.a != kNone) {
        prefer(instruction.a, Location::in(Reg::kR1));
      }
      if (calls && instruction.b.is_reg()) {
        prefer(instruction.b.reg, Location::in(Reg::kR2));
      }
    }
    if (block.terminator.end == machine::End::kReturn && block.terminator.b.is_reg()) {
      prefer(block.terminator.b.reg, Location::in(Reg::kR0));
    }
  }

  Vreg root(Vreg vreg) {
    while (parent_[vreg] != vreg) {
      parent_[vreg] = parent_[parent_[vreg]];
      vreg = parent_[vreg];
    }
    return vreg;
  }

  std::vector<Vreg> parent_;
  std::vector<Location> preferred_;
};

// One walk over the blocks. Values that found no register are marked for the stack.
class Colouring {
 public:
  Colouring(const Function& function, const Liveness& liveness)
      : function_(function),
        liveness_(liveness),
        webs_(function),
        locations_(function.vregs.size()),
        evicted_(function.vregs.size(), false) {
    locations_[kFrame] = Location::in(Reg::kR10);
    if (function.context_in_r6) {
      allocatable_ &= static_cast<RegSet>(~machine::reg_bit(Reg::kR6));
    }
  }

  // False when a definition found no register and nothing could make room.
  bool run() {
    return std::all_of(function_.order.begin(), function_.order.end(),
                       [&](machine::BlockId id) { return colour(id); });
  }

  bool any_evicted() const { return any_evicted_; }
  const std::vector<bool>& evicted() const { return evicted_; }
  std::vector<Location>& locations() { return locations_; }
  std::uint32_t slots() const { return static_cast<std::uint32_t>(most_slots_); }

 private:
  bool colour(machine::BlockId id) {
    const Block& block = function_.blocks[id];
    holder_.fill(kNone);
    slots_.clear();
    for (const Vreg vreg : liveness_.live_in[id]) {
      occupy(vreg, locations_[vreg]);
    }
    for (const Vreg parameter : block.parameters) {
      if (!place(parameter, {})) {
        return false;
      }
    }
    const auto& deaths = liveness_.deaths[id];
    std::size_t next = 0;
    for (std::uint32_t i = 0; i < block.body.size(); ++i) {
      const std::size_t first = next;
      while (next < deaths.size() && deaths[next].position == i) {
        ++next;
      }
      if (!step(block.body[i], {deaths.data() + first, next - first})) {
        return false;
      }
    }
    return true;
  }

  bool step(const Instruction& instruction, std::span<const Death> deaths) {
    const bool late = machine::reads_b_late(instruction);
    for (const Death& death : deaths) {
      if (!(late && death.vreg == instruction.b.reg)) {
        release(death.vreg);
      }
    }
    if (instruction.dst != kNone && !place(instruction.dst, hint(instruction))) {
      return false;
    }
    for (const Death& death : deaths) {
      if (death.vreg == instruction.dst || death.vreg == instruction.b.reg) {
        release(death.vreg);
      }
    }
    return true;
  }

  // Where the result would cost no move.
  Location hint(const Instruction& instruction) const {
    switch (instruction.op) {
      case Op::kMove:
        return instruction.b.is_reg() ? locations_[instruction.b.reg] : Location{};
      case Op::kAlu:
      case Op::kShiftOrZero:
      case Op::kToBig:
        return locations_[instruction.a];
      case Op::kLoadPacket:
      case Op::kCall:
      case Op::kCallKernel:
      case Op::kCallKernelTwoWords:
        return Location::in(Reg::kR0);
      case Op::kLoad:
      case Op::kStore:
      case Op::kLoadMap:
      case Op::kLoadData:
      case Op::kLoadWide:
      case Op::kPullData:
      case Op::kExitIf:
      case Op::kSpill:
      case Op::kReload:
        return {};
    }
    return {};
  }

  void occupy(Vreg vreg, Location location) {
    if (location.is_reg()) {
      holder_[location.id] = vreg;
    } else if (location.is_slot()) {
      slots_.resize(std::max<std::size_t>(slots_.size(), location.slot_number() + 1), false);
      slots_[location.slot_number()] = true;
    }
  }

  void release(Vreg vreg) {
    const Location location = locations_[vreg];
    if (location.is_reg() && holder_[location.id] == vreg) {
      holder_[location.id] = kNone;
    } else if (location.is_slot()) {
      slots_[location.slot_number()] = false;
    }
  }

  bool place(Vreg vreg, Location hinted) {
    if (function_.vregs[vreg].spilled) {
      place_in_slot(vreg);
      return true;
    }
    Location location = find(vreg, hinted);
    if (location == Location{}) {
      const Vreg victim = cheapest(vreg);
      if (victim == kNone) {
        return false;
      }
      any_evicted_ = true;
      evicted_[victim] = true;
      if (victim == vreg) {
        return true;  // It stays without a place until the next walk.
      }
      location = locations_[victim];
      locations_[victim] = {};
    }
    locations_[vreg] = location;
    webs_.prefer(vreg, location);
    occupy(vreg, location);
    return true;
  }

  bool is_free(Vreg vreg, Location location) const {
    return location.is_reg() && holder_[location.id] == kNone &&
           (usable(vreg) & machine::reg_bit(location.reg())) != 0;
  }

  RegSet usable(Vreg vreg) const { return liveness_.allowed[vreg] & allocatable_; }

  Location find(Vreg vreg, Location hinted) {
    if (const auto fixed = function_.vregs[vreg].fixed) {
      return Location::in(*fixed);
    }
    for (const Location wanted : {webs_.preferred(vreg), hinted}) {
      if (is_free(vreg, wanted)) {
        return wanted;
      }
    }
    for (const Reg reg : kOrder) {
      if (is_free(vreg, Location::in(reg))) {
        return Location::in(reg);
      }
    }
    return {};
  }

  void place_in_slot(Vreg vreg) {
    const Location wanted = webs_.preferred(vreg);
    std::size_t slot = 0;
    if (wanted.is_slot() &&
        (wanted.slot_number() >= slots_.size() || !slots_[wanted.slot_number()])) {
      slot = wanted.slot_number();
    } else {
      slot =
          static_cast<std::size_t>(std::find(slots_.begin(), slots_.end(), false) - slots_.begin());
    }
    most_slots_ = std::max(most_slots_, slot + 1);
    locations_[vreg] = Location::slot(static_cast<std::uint32_t>(slot));
    webs_.prefer(vreg, locations_[vreg]);
    occupy(vreg, locations_[vreg]);
  }

  // Of `vreg` and the holders of registers it could take, the one that is read least for the time
  // it takes up.
  Vreg cheapest(Vreg vreg) const {
    Vreg best = function_.vregs[vreg].spillable ? vreg : kNone;
    for (const Reg reg : kOrder) {
      const Vreg holder = holder_[static_cast<std::size_t>(reg)];
      if ((usable(vreg) & machine::reg_bit(reg)) == 0 || holder == kNone ||
          !function_.vregs[holder].spillable || function_.vregs[holder].fixed) {
        continue;
      }
      if (best == kNone || cheaper(holder, best)) {
        best = holder;
      }
    }
    return best;
  }

  bool cheaper(Vreg left, Vreg right) const {
    const auto cost = [&](Vreg vreg) { return std::uint64_t{liveness_.uses[vreg]} + 1; };
    const auto gain = [&](Vreg vreg) { return std::uint64_t{liveness_.length[vreg]} + 1; };
    return cost(left) * gain(right) < cost(right) * gain(left);
  }

  const Function& function_;
  const Liveness& liveness_;
  Webs webs_;
  RegSet allocatable_ = 0x03ff;
  std::vector<Location> locations_;
  std::vector<bool> evicted_;
  bool any_evicted_ = false;
  std::array<Vreg, 11> holder_{};  // By real register, at this moment of the walk.
  std::vector<bool> slots_;        // Taken at this moment.
  std::size_t most_slots_ = 0;
};

}  // namespace

Result<Allocation> allocate(machine::Function& function) {
  for (;;) {
    const Liveness liveness = analyse_liveness(function);
    Colouring colouring(function, liveness);
    if (!colouring.run()) {
      return fail(ErrorCode::kUnsupported, "the filter needs more registers than the machine has");
    }
    if (colouring.any_evicted()) {
      move_to_stack(function, colouring.evicted());
      continue;
    }
    const std::uint32_t slots = colouring.slots() == 0 ? 0 : colouring.slots() + 1;
    if (function.stack_bytes + static_cast<std::int32_t>(8 * slots) > kStackBytes) {
      return fail(ErrorCode::kUnsupported, "the filter needs more than 512 bytes of stack");
    }
    return Allocation{.locations = std::move(colouring.locations()), .slots = slots};
  }
}

}  // namespace weir::lower
