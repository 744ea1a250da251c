// The walk. A state is a value for each register and each 8-byte slot of the stack the program
// names, and how many bytes are known to be behind each packet pointer.
#include "translator/userspace/bounds_analysis.h"

#include <algorithm>
#include <cstddef>
#include <optional>

#include "translator/ebpf/user_context.h"
#include "translator/userspace/abstract_state.h"
#include "translator/userspace/abstract_value.h"
#include "translator/userspace/run.h"

namespace weir::ebpf {
namespace {

using namespace abstract;

constexpr std::int64_t kMaxFixed = std::int64_t{1} << 32;
constexpr std::size_t kRegisters = 11;
class Prover {
 public:
  explicit Prover(const Program& program) : program_(program) {}

  AccessProof run() {
    const std::size_t n = program_.instructions.size();
    proof_.accesses.assign(n, Proof::kNone);
    proof_.context_only_loaded = true;
    proof_.forward = goes_forward();
    if (proof_.forward) {
      proof_.facts.reserve(n);
      walk();
      proof_.targets = std::move(targets_);
    }
    for (std::size_t i = 0; i < n; ++i) {
      const Instruction& instruction = program_.instructions[i];
      const bool access = std::holds_alternative<Load>(instruction) ||
                          std::holds_alternative<Store>(instruction) ||
                          std::holds_alternative<Atomic>(instruction);
      proof_.unproven += access && proof_.accesses[i] == Proof::kNone ? 1 : 0;
    }
    proof_.context_only_loaded &= proof_.forward;
    return std::move(proof_);
  }

 private:
  // ---- The way through the program ----

  bool goes_forward() {
    const std::vector<Instruction>& all = program_.instructions;
    std::vector<std::uint32_t> slot_of(all.size() + 1, 0);
    for (std::size_t i = 0; i < all.size(); ++i) {
      slot_of[i + 1] = slot_of[i] + slots(all[i]);
      note_stack_use(all[i]);
    }
    targets_.assign(all.size(), 0);
    std::vector<std::uint32_t> at_slot(slot_of.back() + 1, 0);
    for (std::size_t i = 0; i < all.size(); ++i) {
      at_slot[slot_of[i]] = static_cast<std::uint32_t>(i);
    }
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (const auto* call = std::get_if<Call>(&all[i]);
          call != nullptr && call->kind == CallKind::kLocal) {
        return false;
      }
      const auto* jump = std::get_if<Jump>(&all[i]);
      if (jump == nullptr) {
        continue;
      }
      const std::int64_t slot = std::int64_t{slot_of[i]} + 1 + jump->offset;
      if (jump->offset < 0 || slot >= slot_of.back()) {
        return false;
      }
      targets_[i] = at_slot[static_cast<std::size_t>(slot)];
    }
    return true;
  }

  // How many slots of the stack, counted from its top, a state has to remember.
  void note_stack_use(const Instruction& instruction) {
    std::int64_t offset = 0;
    if (const auto* load = std::get_if<Load>(&instruction); load != nullptr) {
      offset = load->src == Reg::kR10 ? load->offset : 0;
    } else if (const auto* store = std::get_if<Store>(&instruction); store != nullptr) {
      offset = store->dst == Reg::kR10 ? store->offset : 0;
    }
    if (offset < 0 && offset >= -static_cast<std::int64_t>(kFrameBytes)) {
      slots_ = std::max(slots_, static_cast<std::size_t>((-offset + 7) / 8));
    }
  }

  void walk() {
    const std::size_t n = program_.instructions.size();
    now_.assign(kRegisters + slots_, constant(0));
    ahead_.begin(n, now_.size());
    reg(Reg::kR1) = {.kind = Kind::kContext};
    reg(Reg::kR10) = {.kind = Kind::kFrame};
    facts_.written = 1U << 1 | 1U << 10;
    alive_ = true;
    for (index_ = 0; index_ < n; ++index_) {
      alive_ = ahead_.arrive(index_, now_, facts_, alive_);
      if (!alive_) {
        proof_.accesses[index_] = Proof::kSafe;  // It never runs.
        proof_.facts.emplace_back();
        continue;
      }
      const Named named =
          std::visit([](const auto& one) { return named_by(one); }, program_.instructions[index_]);
      proof_.facts.push_back({.reached = true,
                              .dst = known(named.dst),
                              .src = known(named.src),
                              .r0 = known(Reg::kR0)});
      std::visit([this](const auto& instruction) { step(instruction); },
                 program_.instructions[index_]);
      proof_.facts.back().result = known(named.dst);
    }
  }

  // ---- What is told of it ----

  struct Named {
    std::optional<Reg> dst;
    std::optional<Reg> src;
  };
  static std::optional<Reg> register_of(const Operand& operand) {
    const auto* reg = std::get_if<Reg>(&operand);
    return reg != nullptr ? std::optional(*reg) : std::nullopt;
  }
  static Named named_by(const Alu& alu) { return {alu.dst, register_of(alu.src)}; }
  static Named named_by(const Endian& endian) { return {endian.dst, std::nullopt}; }
  static Named named_by(const Load& load) { return {load.dst, load.src}; }
  static Named named_by(const Store& store) { return {store.dst, register_of(store.src)}; }
  static Named named_by(const Atomic& atomic) { return {atomic.dst, atomic.src}; }
  static Named named_by(const LoadImm64& load) { return {load.dst, std::nullopt}; }
  static Named named_by(const Jump& jump) { return {jump.dst, register_of(jump.src)}; }
  static Named named_by(const LoadPacket&) { return {}; }
  static Named named_by(const Call&) { return {}; }
  static Named named_by(const Exit&) { return {}; }

  Known known(std::optional<Reg> which) {
    if (!which) {
      return {};
    }
    const Value& value = reg(*which);
    if (value.kind == Kind::kNumber && value.low == value.high) {
      return {.kind = Known::Kind::kConstant, .value = static_cast<std::int64_t>(value.low)};
    }
    if (value.kind == Kind::kPacket && value.id == 0 && value.high == 0) {
      return {.kind = Known::Kind::kPacket, .value = value.fixed};
    }
    if (value.kind == Kind::kEnd) {
      return {.kind = Known::Kind::kEnd};
    }
    return {};
  }

  // ---- Registers ----

  Value& reg(Reg which) { return now_[static_cast<std::size_t>(which)]; }

  // The value of a register that is read; what is done with it does not tell where the context is.
  const Value& read(Reg which) {
    if ((facts_.written >> static_cast<unsigned>(which) & 1U) == 0) {
      proof_.read_unwritten |= static_cast<std::uint16_t>(1U << static_cast<unsigned>(which));
    }
    return reg(which);
  }
  // The value of a register whose bits are looked at.
  const Value& look_at(Reg which) {
    const Value& value = read(which);
    part_is_seen(value);
    return value;
  }
  void write(Reg which, const Value& value) {
    facts_.written |= static_cast<std::uint16_t>(1U << static_cast<unsigned>(which));
    reg(which) = value;
  }

  static Value as_number(const Value& value) {
    return value.kind == Kind::kNumber ? value : kAnything;
  }
  static Value of_imm(std::int32_t imm, bool is64) {
    return constant(is64 ? static_cast<std::uint64_t>(std::int64_t{imm})
                         : static_cast<std::uint32_t>(imm));
  }
  // The low 32 bits of a number.
  static Value cut(const Value& value) {
    return value.kind == Kind::kNumber && value.high <= kMax32 ? value : number(0, kMax32);
  }

  // ---- Instructions ----

  void step(const Alu& alu) {
    if (alu.op == AluOp::kMov && alu.is64) {
      const auto* from = std::get_if<Reg>(&alu.src);
      return write(alu.dst, from != nullptr ? Value(read(*from))
                                            : of_imm(std::get<std::int32_t>(alu.src), true));
    }
    if (alu.is64 && alu.op == AluOp::kAdd && add_to_pointer(alu)) {
      return;
    }
    const auto* from = std::get_if<Reg>(&alu.src);
    Value b = alu.op == AluOp::kNeg ? constant(0)
              : from != nullptr     ? as_number(look_at(*from))
                                    : of_imm(std::get<std::int32_t>(alu.src), alu.is64);
    Value a = alu.op == AluOp::kMov ? constant(0) : as_number(look_at(alu.dst));
    if (!alu.is64) {
      a = cut(a);
      b = cut(b);
    }
    write(alu.dst, compute(alu.op, a, b, alu.is64 ? kMax64 : kMax32));
  }

  // dst += src where one is a pointer and the other a number; false when it is nothing like that.
  bool add_to_pointer(const Alu& alu) {
    const auto* from = std::get_if<Reg>(&alu.src);
    Value pointer = reg(alu.dst);
    Value added = from != nullptr ? reg(*from) : of_imm(std::get<std::int32_t>(alu.src), true);
    if (pointer.kind == Kind::kNumber) {
      std::swap(pointer, added);
    }
    if (added.kind != Kind::kNumber || pointer.kind == Kind::kNumber) {
      return false;
    }
    const bool exact = added.low == added.high;
    const auto step = static_cast<std::int64_t>(added.low);
    switch (pointer.kind) {
      case Kind::kContext:
      case Kind::kFrame:
        if (!exact || step > kMaxFixed || step < -kMaxFixed) {
          return false;
        }
        pointer.fixed += step;
        break;
      case Kind::kPacket:
        if (exact && step <= kMaxFixed && step >= -kMaxFixed) {
          pointer.fixed += step;
        } else if (added.high <= kMaxVariable && pointer.high <= kMaxVariable) {
          // Every instruction runs once, so this one's number names what it has added.
          pointer.id = static_cast<std::uint32_t>(index_) + 1;
          pointer.high += added.high;
        } else {
          return false;
        }
        break;
      case Kind::kData:
        if (added.high > kMax32 || pointer.high > kMax32) {
          return false;
        }
        pointer.low += added.low;
        pointer.high += added.high;
        break;
      case Kind::kNumber:
      case Kind::kEnd:
      case Kind::kMixed:
        return false;
    }
    if (pointer.fixed > kMaxFixed || pointer.fixed < -kMaxFixed) {
      return false;
    }
    read(alu.dst);
    if (from != nullptr) {
      read(*from);
    }
    write(alu.dst, pointer);
    return true;
  }

  void step(const Endian& endian) {
    look_at(endian.dst);
    write(endian.dst,
          number(0, endian.bits == 64 ? kMax64 : (std::uint64_t{1} << endian.bits) - 1));
  }

  void step(const Load& load) {
    const Value& base = read(load.src);
    const auto bytes = static_cast<std::int64_t>(load.width);
    Proof& proof = proof_.accesses[index_];
    proof = proof_of(base, load.offset, bytes, false);
    if (proof == Proof::kContext && load.sign_extend) {
      proof = Proof::kSafe;
    }
    if (proof != Proof::kContext) {
      look_at(load.src);
    }
    write(load.dst, loaded(load, base));
  }

  Value loaded(const Load& load, const Value& base) {
    const bool whole = load.width == Width::kDw;
    if (whole && base.kind == Kind::kContext && base.fixed == 0) {
      if (load.offset == offsetof(UserContext, data)) {
        return {.kind = Kind::kPacket};
      }
      if (load.offset == offsetof(UserContext, data_end)) {
        return {.kind = Kind::kEnd};
      }
    }
    if (base.kind == Kind::kFrame) {
      return loaded_from_stack(load, base.fixed + load.offset);
    }
    if (whole || load.sign_extend) {
      return kAnything;
    }
    return number(0, (std::uint64_t{1} << 8 * static_cast<unsigned>(load.width)) - 1);
  }

  Value loaded_from_stack(const Load& load, std::int64_t offset) {
    const std::optional<std::size_t> first = slot_at(offset);
    const std::optional<std::size_t> last = slot_at(offset + static_cast<int>(load.width) - 1);
    for (const std::optional<std::size_t>& slot : {first, last}) {
      if (!slot || (facts_.slots_written >> *slot & 1U) == 0) {
        proof_.stack_read_unwritten = true;
      }
    }
    if (first && first == last && load.width == Width::kDw && *first < slots_) {
      return now_[kRegisters + *first];
    }
    for (const std::optional<std::size_t>& slot : {first, last}) {
      if (slot && *slot < slots_) {
        part_is_seen(now_[kRegisters + *slot]);
      }
    }
    return kAnything;
  }

  // A part of a value becomes a number, or is overwritten.
  void part_is_seen(const Value& value) {
    if (value.kind == Kind::kContext || value.kind == Kind::kMixed) {
      proof_.context_only_loaded = false;
    }
  }

  // The slot of 8 bytes an offset from r10 is in, counted from the top.
  static std::optional<std::size_t> slot_at(std::int64_t offset) {
    if (offset >= 0 || offset < -static_cast<std::int64_t>(kFrameBytes)) {
      return std::nullopt;
    }
    return static_cast<std::size_t>((-offset - 1) / 8);
  }

  void step(const Store& store) {
    const Value base = read(store.dst);
    const auto bytes = static_cast<std::int64_t>(store.width);
    proof_.accesses[index_] = proof_of(base, store.offset, bytes, true);
    const auto* from = std::get_if<Reg>(&store.src);
    const std::int64_t offset = base.fixed + store.offset;
    if (base.kind == Kind::kFrame && bytes == 8 && offset % 8 == 0) {
      if (const auto slot = slot_at(offset); slot && *slot < slots_) {
        now_[kRegisters + *slot] =
            from != nullptr ? read(*from) : of_imm(std::get<std::int32_t>(store.src), true);
        facts_.slots_written |= std::uint64_t{1} << *slot;
        return;
      }
    }
    if (base.kind == Kind::kContext || base.kind == Kind::kMixed) {
      proof_.context_only_loaded = false;
    }
    if (from != nullptr) {
      look_at(*from);
    }
    forget_stack();
  }

  void step(const Atomic& atomic) {
    look_at(atomic.dst);
    look_at(atomic.src);
    look_at(Reg::kR0);
    forget_stack();
    if (atomic.op == AtomicOp::kCompareExchange) {
      write(Reg::kR0, kAnything);
    } else if (atomic.fetch || atomic.op == AtomicOp::kExchange) {
      write(atomic.src, kAnything);
    }
  }

  // Some byte of the stack may have changed.
  void forget_stack() {
    for (std::size_t i = kRegisters; i < now_.size(); ++i) {
      part_is_seen(now_[i]);
      now_[i] = kAnything;
    }
  }

  void step(const LoadImm64& load) {
    if (load.kind == Imm64Kind::kMapValueIndex) {
      const std::uint64_t at = load.value >> 32;
      return write(load.dst, {.kind = Kind::kData,
                              .id = static_cast<std::uint32_t>(load.value),
                              .low = at,
                              .high = at});
    }
    write(load.dst, load.kind == Imm64Kind::kValue ? constant(load.value) : kAnything);
  }

  void step(const LoadPacket& load) {
    if (load.indirect) {
      look_at(load.index);
    }
    write(Reg::kR0, number(0, kMax32));
  }

  void step(const Call&) {
    for (const Reg argument : {Reg::kR1, Reg::kR2, Reg::kR3, Reg::kR4, Reg::kR5}) {
      look_at(argument);
    }
    forget_stack();
    write(Reg::kR0, kAnything);
  }

  void step(const Exit&) {
    look_at(Reg::kR0);
    alive_ = false;
  }

  // ---- Jumps ----

  void step(const Jump& jump) {
    const std::uint32_t target = targets_[index_];
    if (jump.op == JumpOp::kJa) {
      ahead_.leave(target, now_, facts_);
      alive_ = false;
      return;
    }
    const auto* from = std::get_if<Reg>(&jump.src);
    const Value a = look_at(jump.dst);
    const Value b = from != nullptr ? Value(look_at(*from))
                                    : of_imm(std::get<std::int32_t>(jump.src), jump.is64);
    if (jump.is64 && a.kind == Kind::kPacket && b.kind == Kind::kEnd) {
      return compare_with_end(jump.op, a, target);
    }
    if (jump.is64 && a.kind == Kind::kEnd && b.kind == Kind::kPacket) {
      return compare_with_end(mirrored(jump.op), b, target);
    }
    compare_numbers(jump, a, b, target);
  }

  // if (pointer `op` data_end) goto target: the way on which pointer <= data_end knows more.
  void compare_with_end(JumpOp op, const Value& pointer, std::uint32_t target) {
    const bool on_taken = op == JumpOp::kLe || op == JumpOp::kLt || op == JumpOp::kEq;
    const bool on_next = op == JumpOp::kGt || op == JumpOp::kGe || op == JumpOp::kNe;
    const Facts before = facts_;
    Facts proven = facts_;
    if (pointer.fixed > 0 && pointer.fixed <= static_cast<std::int64_t>(kMax32)) {
      proven.cover(pointer.id, static_cast<std::uint32_t>(pointer.fixed));
    }
    facts_ = on_taken ? proven : before;
    ahead_.leave(target, now_, facts_);
    facts_ = on_next ? proven : before;
  }

  // A compare of a register with a number narrows what it can be on both ways. A way on which
  // nothing is left is never taken.
  void compare_numbers(const Jump& jump, const Value& a, const Value& b, std::uint32_t target) {
    const bool narrow = a.kind == Kind::kNumber && b.kind == Kind::kNumber &&
                        (jump.is64 || (a.high <= kMax32 && b.high <= kMax32));
    if (!narrow) {
      ahead_.leave(target, now_, facts_);
      return;
    }
    const Value taken = narrowed(jump.op, a, b);
    const Value next = narrowed(negated(jump.op), a, b);
    if (taken.low <= taken.high) {
      reg(jump.dst) = taken;
      ahead_.leave(target, now_, facts_);
    }
    reg(jump.dst) = next;
    alive_ = next.low <= next.high;
  }

  // ---- Accesses ----

  Proof proof_of(const Value& base, std::int64_t offset, std::int64_t bytes, bool write) const {
    const std::int64_t at = base.fixed + offset;
    switch (base.kind) {
      case Kind::kContext:
        return write ? Proof::kNone : proof_of_context(base, at, bytes);
      case Kind::kPacket:
        return !write && at >= 0 && at + bytes <= facts_.bytes_of(base.id) ? Proof::kSafe
                                                                           : Proof::kNone;
      case Kind::kFrame:
        return at >= -static_cast<std::int64_t>(kFrameBytes) && at + bytes <= 0 ? Proof::kSafe
                                                                                : Proof::kNone;
      case Kind::kData: {
        const auto size = static_cast<std::int64_t>(program_.maps[base.id].value_size);
        const bool inside = static_cast<std::int64_t>(base.low) + offset >= 0 &&
                            static_cast<std::int64_t>(base.high) + offset + bytes <= size;
        return !write && inside ? Proof::kSafe : Proof::kNone;
      }
      case Kind::kNumber:
      case Kind::kEnd:
      case Kind::kMixed:
        return Proof::kNone;
    }
    return Proof::kNone;
  }

  static Proof proof_of_context(const Value& base, std::int64_t at, std::int64_t bytes) {
    constexpr auto kSize = static_cast<std::int64_t>(sizeof(UserContext));
    constexpr auto kLength = static_cast<std::int64_t>(offsetof(UserContext, length));
    if (at < 0 || at + bytes > kSize) {
      return Proof::kNone;
    }
    const bool field = at < kLength ? bytes == 8 && at % 8 == 0 : bytes == 4 && at % 4 == 0;
    return field && base.fixed == 0 ? Proof::kContext : Proof::kSafe;
  }

  const Program& program_;
  AccessProof proof_;
  std::vector<std::uint32_t> targets_;  // Of each jump, as an instruction.
  std::size_t slots_ = 0;               // Of the stack, from its top.
  StatesAhead ahead_;
  std::vector<Value> now_;  // The registers, then the slots.
  Facts facts_;
  bool alive_ = false;     // Whether control comes from above.
  std::size_t index_ = 0;  // The instruction in hand.
};

}  // namespace

AccessProof prove_packet_accesses(const Program& program) { return Prover(program).run(); }

}  // namespace weir::ebpf
