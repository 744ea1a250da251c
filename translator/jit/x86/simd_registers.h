// Where the values of a lane form are while its code runs: in a register as long as somebody still
// reads them, or, when there are too many, in the frame; constants are operands in memory.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "translator/jit/compile.h"
#include "translator/jit/simd/simd_program.h"
#include "translator/jit/x86/assembler.h"

namespace weir::jit::x86 {

class SimdRegisters {
 public:
  static constexpr std::size_t kRegisters = 12;  // ymm0 to ymm11; the others are scratch.
  static constexpr std::int32_t kVectorBytes = 32;
  static constexpr std::int32_t kMostSlots = 63;
  static constexpr SimdId kNobody = 0xffffffff;

  // Moves between registers and the frame, which begins at rsp, are made by the assembler.
  SimdRegisters(const SimdProgram& form, Assembler& assembler, Gp constants);

  // The value is made next. False: it already has its place, or nobody needs it.
  bool begin(SimdId id);

  // The value in a register: its own, or `scratch`.
  Ymm in(SimdId operand, Ymm scratch);
  // Its own register, if it has one now.
  std::optional<Ymm> register_of(SimdId operand) const { return home_[holder_[operand]]; }
  Mem memory(SimdId operand);  // Of one that has none.

  // A register for a value; the one that is needed last of all goes into the frame if there is
  // none. Those of the operands in hand are not taken.
  Ymm take(SimdId id);
  // Gives back the registers of operands that nobody reads any more.
  void finish_operands(SimdId id);
  // Into a register, from operands that may be in it.
  Ymm result(SimdId id);
  // Registers for the dwords of a window in which there is a field.
  std::array<std::optional<Ymm>, 4> take_window(std::size_t index);

  // A constant as an operand.
  Mem constant(const SimdConstant& lanes);
  Mem constant(std::uint32_t number);  // The same for all lanes.

  std::int32_t slots() const { return slots_; }  // Of the frame that were used.
  std::vector<SimdConstant> take_constants() { return std::move(constants_); }

 private:
  static constexpr std::int32_t kNoSlot = -1;

  const SimdValue& value(SimdId id) const { return form_.values[id]; }
  void find_holders();
  std::vector<SimdId> operands(SimdId id) const;
  SimdId next_use(SimdId id) const;

  const SimdProgram& form_;
  Assembler& a_;
  Gp constants_at_;
  std::vector<SimdConstant> constants_;
  std::vector<std::array<SimdId, 4>> dwords_;  // By window: what holds each.
  std::vector<SimdId> holder_;                 // By value: the one in whose register it is.
  std::vector<std::vector<SimdId>> uses_;      // By value: where it is read.
  std::vector<std::optional<Ymm>> home_;
  std::vector<std::int32_t> slot_;
  std::array<SimdId, kRegisters> held_{};
  std::vector<SimdId> fresh_;  // What the operation in hand has made so far.
  SimdId position_ = 0;
  std::int32_t slots_ = 0;
};

}  // namespace weir::jit::x86
