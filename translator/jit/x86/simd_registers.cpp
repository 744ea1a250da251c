#include "translator/jit/x86/simd_registers.h"

#include <algorithm>

namespace weir::jit::x86 {

SimdRegisters::SimdRegisters(const SimdProgram& form, Assembler& assembler, Gp constants)
    : form_(form),
      a_(assembler),
      constants_at_(constants),
      uses_(form.values.size()),
      home_(form.values.size()),
      slot_(form.values.size(), kNoSlot) {
  held_.fill(kNobody);
  find_holders();
  for (SimdId id = 0; id < form_.values.size(); ++id) {
    if (form_.needed[id]) {
      for (const SimdId operand : operands(id)) {
        uses_[operand].push_back(id);
      }
    }
  }
  uses_[form_.verdict].push_back(kNobody);  // After all others.
}

// Fields of one dword of a window are in one register, that of the first of them; those of a gather
// in its register.
void SimdRegisters::find_holders() {
  std::vector<std::array<SimdId, 4>> first(form_.windows.size(),
                                           {kNobody, kNobody, kNobody, kNobody});
  holder_.resize(form_.values.size());
  for (SimdId id = 0; id < form_.values.size(); ++id) {
    holder_[id] = value(id).op == SimdOp::kPart ? value(id).a : id;
    if (form_.needed[id] && value(id).op == SimdOp::kField) {
      const SimdProgram::Place place = form_.place_of(value(id));
      SimdId& holder = first[place.window][static_cast<std::size_t>(place.offset / 4)];
      holder = std::min(holder, id);
      holder_[id] = holder;
    }
  }
  dwords_ = std::move(first);
}

bool SimdRegisters::begin(SimdId id) {
  position_ = id;
  const bool is_made =
      value(id).op == SimdOp::kConst || holder_[id] != id || home_[id] || slot_[id] != kNoSlot;
  return form_.needed[id] && !is_made;
}

std::vector<SimdId> SimdRegisters::operands(SimdId id) const {
  const std::array all = {value(id).a, value(id).b, value(id).c};
  std::vector<SimdId> some;
  some.reserve(all.size());
  for (int i = 0; i < operand_count(value(id).op); ++i) {
    some.push_back(holder_[all[static_cast<std::size_t>(i)]]);
  }
  return some;
}

Mem SimdRegisters::constant(const SimdConstant& lanes) {
  auto found = std::find(constants_.begin(), constants_.end(), lanes);
  if (found == constants_.end()) {
    found = constants_.insert(constants_.end(), lanes);
  }
  return {.base = constants_at_,
          .disp = static_cast<std::int32_t>(found - constants_.begin()) * kVectorBytes};
}

Mem SimdRegisters::constant(std::uint32_t number) {
  SimdConstant lanes;
  lanes.dwords.fill(number);
  return constant(lanes);
}

Mem SimdRegisters::memory(SimdId operand) {
  const SimdId id = holder_[operand];
  return value(id).op == SimdOp::kConst ? constant(value(id).imm)
                                        : Mem{.base = Gp::kRsp, .disp = slot_[id] * kVectorBytes};
}

Ymm SimdRegisters::in(SimdId operand, Ymm scratch) {
  const SimdId id = holder_[operand];
  if (home_[id]) {
    return *home_[id];
  }
  a_.vector_load(Bits::k256, scratch, memory(id));
  return scratch;
}

SimdId SimdRegisters::next_use(SimdId id) const {
  const auto found = std::upper_bound(uses_[id].begin(), uses_[id].end(), position_);
  return found == uses_[id].end() ? 0 : *found;
}

void SimdRegisters::finish_operands(SimdId id) {
  for (const SimdId operand : operands(id)) {
    if (home_[operand] && next_use(operand) == 0) {
      held_[static_cast<std::size_t>(*home_[operand])] = kNobody;
      home_[operand].reset();
    }
  }
}

Ymm SimdRegisters::take(SimdId id) {
  std::size_t best = kRegisters;
  SimdId latest = 0;
  const std::vector<SimdId> in_hand = operands(position_);
  for (std::size_t reg = 0; reg < kRegisters; ++reg) {
    const SimdId other = held_[reg];
    if (other == kNobody) {
      best = reg;
      break;
    }
    const bool stays = std::find(in_hand.begin(), in_hand.end(), other) != in_hand.end() ||
                       std::find(fresh_.begin(), fresh_.end(), other) != fresh_.end();
    if (!stays && next_use(other) > latest) {
      latest = next_use(other);
      best = reg;
    }
  }
  const SimdId other = held_[best];
  const auto ymm = static_cast<Ymm>(best);
  if (other != kNobody) {
    if (slot_[other] == kNoSlot) {
      slot_[other] = slots_++;
      a_.vector_store(ymm, memory(other));
    }
    home_[other].reset();
  }
  held_[best] = id;
  home_[id] = ymm;
  return ymm;
}

Ymm SimdRegisters::result(SimdId id) {
  finish_operands(id);
  return take(id);
}

std::array<std::optional<Ymm>, 4> SimdRegisters::take_window(std::size_t index) {
  std::array<std::optional<Ymm>, 4> to;
  for (std::size_t n = 0; n < to.size(); ++n) {
    if ((form_.windows[index].dwords >> n & 1U) != 0) {
      to[n] = take(dwords_[index][n]);
      fresh_.push_back(dwords_[index][n]);
    }
  }
  fresh_.clear();
  return to;
}

}  // namespace weir::jit::x86
