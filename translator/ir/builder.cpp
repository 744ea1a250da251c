#include "translator/ir/builder.h"

#include <utility>

namespace weir::ir {

namespace {

constexpr std::size_t kFirstSlots = 64;

// Multiplicative hashing (Knuth, The Art of Computer Programming, vol. 3, 6.4); the high bits are
// the mixed ones.
std::size_t hash(std::uint32_t k) { return (k * 0x9e3779b97f4a7c15ULL) >> 32; }

}  // namespace

FunctionBuilder::FunctionBuilder(Function& function) : function_(function), slots_(kFirstSlots) {
  slots_.assign(kFirstSlots, kNoValue);
  for (ValueId id = 0; id < function_.values.size(); ++id) {
    if (function_.values[id].op != Op::kConstant) {
      continue;
    }
    if (constants_ * 2 >= slots_.size()) {
      grow();
    }
    ValueId& slot = slots_[slot_of(function_.values[id].k)];
    if (slot == kNoValue) {
      slot = id;
      ++constants_;
    }
  }
}

std::size_t FunctionBuilder::slot_of(std::uint32_t k) const {
  const std::size_t mask = slots_.size() - 1;
  std::size_t slot = hash(k) & mask;
  while (slots_[slot] != kNoValue && function_.values[slots_[slot]].k != k) {
    slot = (slot + 1) & mask;
  }
  return slot;
}

void FunctionBuilder::grow() {
  std::vector<ValueId> old(slots_.size() * 2, kNoValue);
  std::swap(old, slots_);
  for (const ValueId id : old) {
    if (id != kNoValue) {
      slots_[slot_of(function_.values[id].k)] = id;
    }
  }
}

ValueId FunctionBuilder::constant(std::uint32_t k) {
  const std::size_t slot = slot_of(k);
  if (slots_[slot] != kNoValue) {
    return slots_[slot];
  }
  const auto id = static_cast<ValueId>(function_.values.size());
  function_.values.push_back({.op = Op::kConstant, .k = k});
  slots_[slot] = id;
  if (++constants_ * 2 >= slots_.size()) {
    grow();
  }
  return id;
}

BlockId FunctionBuilder::add_block() {
  function_.blocks.emplace_back();
  return static_cast<BlockId>(function_.blocks.size() - 1);
}

ValueId FunctionBuilder::add_parameter(BlockId block) {
  const ValueId id = add_value({.op = Op::kParameter});
  function_.blocks[block].parameters.push_back(id);
  return id;
}

ValueId FunctionBuilder::add_value(const Value& value) {
  const auto id = static_cast<ValueId>(function_.values.size());
  function_.values.push_back(value);
  function_.values.back().origin = origin_;
  return id;
}

ValueId FunctionBuilder::append(BlockId block, const Value& value) {
  const ValueId id = add_value(value);
  function_.blocks[block].body.push_back(id);
  return id;
}

ValueId FunctionBuilder::arithmetic(BlockId block, Op op, ValueId a, ValueId b) {
  return append(block, {.op = op, .a = a, .b = b});
}

ValueId FunctionBuilder::load(BlockId block, std::uint8_t width, ValueId base, std::uint32_t k) {
  return append(block, {.op = Op::kLoad, .width = width, .k = k, .a = base});
}

void FunctionBuilder::need(BlockId block, ValueId base, std::uint32_t k) {
  append(block, {.op = Op::kNeed, .k = k, .a = base});
}

void FunctionBuilder::guard(BlockId block, ValueId value) {
  append(block, {.op = Op::kGuard, .a = value});
}

void FunctionBuilder::end_return(BlockId block, ValueId value) {
  function_.blocks[block].terminator = {.end = End::kReturn, .a = value, .origin = origin_};
}

void FunctionBuilder::end_jump(BlockId block, Edge edge) {
  Terminator& end = function_.blocks[block].terminator;
  end = {.end = End::kJump, .origin = origin_};
  end.edges.push_back(std::move(edge));
}

void FunctionBuilder::end_branch(BlockId block, Compare compare, ValueId a, ValueId b, Edge yes,
                                 Edge no) {
  Terminator& end = function_.blocks[block].terminator;
  end = {.end = End::kBranch, .compare = compare, .a = a, .b = b, .origin = origin_};
  end.edges.reserve(2);
  end.edges.push_back(std::move(yes));
  end.edges.push_back(std::move(no));
}

}  // namespace weir::ir
