// Instruction selection for the values of a function: arithmetic, what is read of a packet or its
// context, members of sets. What blocks and their ends become is select.cpp's.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "cbpf/base/result.h"
#include "translator/ir/function.h"
#include "translator/lower/extended/builder.h"
#include "translator/lower/extended/exits.h"
#include "translator/lower/extended/machine.h"
#include "translator/lower/extended/packet/packet_reader.h"
#include "translator/lower/extended/sets/set_lookup.h"
#include "translator/lower/target/target.h"

namespace weir::lower {

// What the forms of one filter have in common.
struct SelectContext {
  const Target& target;
  machine::Builder& builder;
  Exits& exits;
  SetLookups& lookups;
};

class ValueSelector {
 public:
  ValueSelector(const ir::Function& function, const SelectContext& context);

  // What a reader for the function is made with, and the reader, which is given once, before all
  // that follows.
  ReaderContext reader_context() const;
  void read_with(std::unique_ptr<PacketReader> reader);
  PacketReader& reader() { return *reader_; }

  // Makes the instructions of an effect or a value at the end of the builder's block, and may go on
  // in a new one. False: the filter ends here with 0, whatever the packet. A value nobody depends
  // on has no instructions. kUnsupported when the target does not answer an extension, or for a
  // kHas: that is for the branch that asks.
  Result<bool> select(ir::ValueId v);

  // Branches on a set test without making a number of it.
  void look_up(ir::ValueId test, const std::function<machine::Edge()>& yes,
               const std::function<machine::Edge()>& no);

  // Whether something depends on the value.
  bool needed(ir::ValueId v) const { return needed_[v]; }
  bool is_constant(ir::ValueId v) const { return function_.values[v].op == ir::Op::kConstant; }
  std::uint32_t constant(ir::ValueId v) const { return function_.values[v].k; }
  // Where the words of the loop state are: the first two in registers, the others on the stack, by
  // their offsets from the frame pointer. Given once, before all that follows.
  struct LoopState {
    std::array<machine::Vreg, 2> registers{};
    std::vector<std::int16_t> stack;
  };
  void read_loop_state(LoopState state) { loop_state_ = std::move(state); }

  // Gives a block's parameter its register.
  machine::Vreg make_parameter(ir::ValueId v);

  // `v` as it stands beside a value that is kept in network order of `width` bytes, or in host
  // order (0).
  machine::Operand operand(ir::ValueId v, std::uint8_t width = 0) const;
  machine::Vreg reg(ir::ValueId v, std::uint8_t width = 0);
  // The byte order an operation on a and b works in.
  std::uint8_t order_of(ir::ValueId a, ir::ValueId b) const;

  // Where a load, or what asks for bytes, reads. A base that is a constant is part of the offset.
  PacketBase base_of(const ir::Value& value) const;
  std::uint64_t offset_of(const ir::Value& value) const;

  // The length that the counters of a rule add: a tag that the hook keeps beside the packet was on
  // the wire too.
  machine::Vreg length_on_wire();

 private:
  Result<bool> select_effect(const ir::Value& value);
  Result<bool> select_value(ir::ValueId v);
  bool select_alu(ir::ValueId v, ebpf::AluOp op);
  bool select_extreme_base(ir::ValueId v, ebpf::AluOp op, ir::ValueId a, ir::ValueId b);
  bool select_shift(ir::ValueId v, ebpf::AluOp op);
  bool select_shift_modulo(ir::ValueId v, ebpf::AluOp op);
  Result<bool> select_ancillary(ir::ValueId v);
  // False when the extension is none of the VLAN tag's.
  bool select_vlan_tag(ir::ValueId v);
  machine::Vreg call_for_vlan_tag();
  machine::Vreg vlan_present();
  void select_set_test(ir::ValueId v);
  machine::Vreg load_pair(ir::ValueId upper, ir::ValueId lower);

  const ir::Function& function_;
  const Target& target_;
  machine::Builder& builder_;
  Exits& exits_;
  SetLookups& lookups_;
  std::vector<bool> needed_;
  std::unique_ptr<PacketReader> reader_;
  std::vector<std::uint8_t> network_order_;
  std::vector<machine::Vreg> vregs_;  // By ValueId.
  LoopState loop_state_;
  std::int16_t vlan_tag_words_ = 0;  // Two words of the stack for select_vlan_tag; 0: none yet.
  // By ValueId; only where there are sets.
  std::vector<bool> verified_bases_;  // Empty where no verifier follows packet pointers.
  std::vector<std::uint32_t> upper_bounds_;
  std::vector<std::uint64_t> verifier_bounds_;
};

}  // namespace weir::lower
