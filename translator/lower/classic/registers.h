// The registers of the machine of 1993 while code is selected: what stands in A, X and scratch
// memory, and how values get there. What is there already is not computed again.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "translator/ir/function.h"
#include "translator/lower/classic/code.h"
#include "translator/lower/classic/select.h"

namespace weir::lower::classic {

// What is known of the registers at one place.
struct State {
  ir::ValueId a = ir::kNoValue;
  ir::ValueId x = ir::kNoValue;
  std::array<ir::ValueId, cbpf::kScratchWords> words{};  // What scratch memory holds.
  State() { words.fill(ir::kNoValue); }
};

// Writes code into blocks and keeps account of the registers. What cannot be written is remembered
// as an error(); the code is good for nothing then.
class Registers {
 public:
  explicit Registers(const SelectInput& input);

  const ir::Value& value_of(ir::ValueId id) const { return function_.values[id]; }
  bool is_constant(ir::ValueId id) const {
    return id != ir::kNoValue && value_of(id).op == ir::Op::kConstant;
  }

  // ---- Code ----

  Code& code() { return code_; }
  // Where code is written: block_ of the code, for block at_ of the function.
  Block& block() { return code_.blocks[block_]; }
  BlockId here() const { return block_; }
  void go_to(BlockId block) { block_ = block; }
  void go_to(BlockId block, ir::BlockId of) {
    block_ = block;
    at_ = of;
  }
  BlockId add_block();
  void emit(cbpf::Code code, std::uint32_t k = 0);
  void end_jump(BlockId to);
  void end_branch(cbpf::Instruction last, BlockId yes, BlockId no);
  // Takes account of blocks that somebody else wrote.
  void count(std::size_t instructions) { emitted_ += instructions; }

  void give_up(const char* why) { error_ = error_ == nullptr ? why : error_; }
  const char* error() const { return error_; }
  // Gives up when the code has become too long.
  void check_length();

  // ---- Registers ----

  State& state() { return state_; }
  const State& state() const { return state_; }

  void to_a(ir::ValueId id);
  void to_x(ir::ValueId id);
  // Puts one value into A and the other into X, the second one unless `either` way will do. True
  // when it is the other way round.
  bool to_registers(ir::ValueId a, ir::ValueId b, bool either);
  // The largest number that the value can be.
  std::uint32_t bound_of(ir::ValueId id) const { return bounds_[id]; }
  // Notes that an instruction ends the filter unless base + reach bytes are there.
  void load_event(ir::ValueId base, std::uint64_t reach);

 private:
  bool is_stored(ir::ValueId id) const;
  bool is_direct(ir::ValueId id) const;
  std::optional<std::uint32_t> ir_header_length(ir::ValueId id) const;
  bool leaves_x(ir::ValueId id, ir::ValueId x, bool keeps_a, std::uint32_t depth = 0) const;
  bool can_follow_x(ir::ValueId a, ir::ValueId x) const;
  void store(ir::ValueId id);
  void compute(ir::ValueId id);
  void compute_extension(const ir::Value& value);
  void compute_load(const ir::Value& value);
  void compute_arithmetic(ir::ValueId id, const ir::Value& value);
  void through_word(ir::ValueId a, ir::ValueId b);
  std::uint8_t free_word();

  const ir::Function& function_;
  const Slots& slots_;
  const cbpf::Dialect dialect_;
  const std::vector<std::uint32_t> bounds_;
  Code code_;
  const char* error_ = nullptr;
  std::size_t emitted_ = 0;
  std::uint32_t depth_ = 0;

  ir::BlockId at_ = 0;
  BlockId block_ = 0;
  State state_;
  std::uint16_t words_in_use_ = 0;  // By parts of the present expression.
};

}  // namespace weir::lower::classic
