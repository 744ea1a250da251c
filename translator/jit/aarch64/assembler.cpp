#include "translator/jit/aarch64/assembler.h"

#include <algorithm>
#include <array>
#include <bit>

namespace weir::jit::aarch64 {
namespace {

constexpr std::uint32_t wide(Size size) { return size == Size::k64 ? 1U << 31 : 0; }
constexpr unsigned bits_of(Size size) { return size == Size::k64 ? 64 : 32; }
template <typename Enum>
constexpr std::uint32_t code(Enum value) {
  return static_cast<std::uint32_t>(value);
}

// Of loads: how many bytes, and which kind in bits 22 and 23.
struct LoadForm {
  std::uint8_t bytes = 8;
  std::uint32_t kind = 1;
};
constexpr LoadForm load_form(Extend how) {
  constexpr std::uint32_t kUnsigned = 1;
  constexpr std::uint32_t kSigned64 = 2;
  switch (how) {
    case Extend::kZero8:
      return {1, kUnsigned};
    case Extend::kZero16:
      return {2, kUnsigned};
    case Extend::kZero32:
      return {4, kUnsigned};
    case Extend::kNone64:
      return {8, kUnsigned};
    case Extend::kSign8:
      return {1, kSigned64};
    case Extend::kSign16:
      return {2, kSigned64};
    case Extend::kSign32:
      return {4, kSigned64};
  }
  return {};
}
constexpr std::uint32_t size_bits(std::uint8_t bytes) {
  return static_cast<std::uint32_t>(std::countr_zero(bytes)) << 30;
}

}  // namespace

std::optional<std::uint32_t> logic_immediate(Size size, std::uint64_t imm) {
  if (size == Size::k32) {
    if (imm >> 32 != 0) {
      return std::nullopt;
    }
    imm |= imm << 32;
  }
  if (imm == 0 || ~imm == 0) {
    return std::nullopt;
  }
  // The shortest piece that, repeated, is the number.
  unsigned piece = 64;
  while (piece > 2 && std::rotr(imm, static_cast<int>(piece / 2)) == imm) {
    piece /= 2;
  }
  const std::uint64_t mask = ~std::uint64_t{0} >> (64 - piece);
  const std::uint64_t value = imm & mask;
  const auto ones = static_cast<unsigned>(std::popcount(value));
  const std::uint64_t run = ~std::uint64_t{0} >> (64 - ones);
  // Where the run begins: at its lowest one, or behind the zeros when it goes over the top.
  const unsigned begin =
      (value & 1U) == 0
          ? static_cast<unsigned>(std::countr_zero(value))
          : (piece - static_cast<unsigned>(std::countl_one(value << (64 - piece)))) % piece;
  const std::uint64_t rotated =
      begin == 0 ? run : ((run << begin) | (run >> (piece - begin))) & mask;
  if (rotated != value) {
    return std::nullopt;
  }
  const std::uint32_t rotation = (piece - begin) % piece;
  const std::uint32_t pattern = (~(2 * piece - 1) | (ones - 1)) & 0x3f;
  return (piece == 64 ? 1U << 12 : 0U) | rotation << 6 | pattern;
}

Assembler::Assembler(std::size_t expected_instructions) { words_.reserve(expected_instructions); }

std::uint32_t Assembler::zr(Gp reg) {
  need(reg != Gp::kSp);
  return std::min(code(reg), 31U);
}
std::uint32_t Assembler::sp(Gp reg) {
  need(reg != Gp::kZero);
  return std::min(code(reg), 31U);
}

void Assembler::three(std::uint32_t opcode, Size size, Gp dst, Gp a, Gp b) {
  word(opcode | wide(size) | zr(b) << 16 | zr(a) << 5 | zr(dst));
}

// ---- Moves and numbers ----

void Assembler::mov(Size size, Gp dst, Gp src) { logic(Logic::kOrr, size, dst, Gp::kZero, src); }
void Assembler::mvn(Size size, Gp dst, Gp src) { three(0x2a200000, size, dst, Gp::kZero, src); }

void Assembler::mov_wide(MoveWide op, Size size, Gp dst, std::uint16_t imm, std::uint8_t shift) {
  need(shift % 16 == 0 && shift < bits_of(size));
  word(0x12800000 | wide(size) | code(op) << 29 | shift / 16U << 21 | std::uint32_t{imm} << 5 |
       zr(dst));
}

void Assembler::mov_imm(Gp dst, std::uint64_t value) {
  // Short numbers without a sign also where their upper half is what the narrow forms leave.
  const Size size = value >> 32 == 0 ? Size::k32 : Size::k64;
  const unsigned count = bits_of(size) / 16;
  const auto part = [value](unsigned i) { return static_cast<std::uint16_t>(value >> 16 * i); };
  unsigned zeros = 0;
  unsigned ones = 0;
  for (unsigned i = 0; i < count; ++i) {
    zeros += part(i) == 0 ? 1 : 0;
    ones += part(i) == 0xffff ? 1 : 0;
  }
  if (std::max(zeros, ones) + 1 < count && logic_immediate(size, value)) {
    return logic_imm(Logic::kOrr, size, dst, Gp::kZero, value);
  }
  const bool inverted = ones > zeros;
  const std::uint16_t filled = inverted ? 0xffff : 0;
  bool first = true;
  for (unsigned i = 0; i < count; ++i) {
    const bool last_chance = first && i + 1 == count;
    if (part(i) == filled && !last_chance) {
      continue;
    }
    const auto shift = static_cast<std::uint8_t>(part(i) == filled ? 0 : 16 * i);
    if (!first) {
      mov_wide(MoveWide::kMovk, size, dst, part(i), shift);
    } else if (inverted) {
      mov_wide(MoveWide::kMovn, size, dst, static_cast<std::uint16_t>(~part(i)), shift);
    } else {
      mov_wide(MoveWide::kMovz, size, dst, part(i), shift);
    }
    first = false;
  }
}

// ---- Arithmetic ----

void Assembler::arith(Arith op, Size size, Gp dst, Gp a, Gp b, std::uint8_t lsl) {
  need(lsl < bits_of(size));
  three(0x0b000000 | code(op) << 29 | std::uint32_t{lsl} << 10, size, dst, a, b);
}

void Assembler::arith_imm(Arith op, Size size, Gp dst, Gp src, std::uint32_t imm) {
  need(fits_arith(imm));
  const bool sets_flags = op == Arith::kAdds || op == Arith::kSubs;
  const std::uint32_t field = imm <= 0xfff ? imm << 10 : 1U << 22 | (imm >> 12 & 0xfff) << 10;
  word(0x11000000 | wide(size) | code(op) << 29 | field | sp(src) << 5 |
       (sets_flags ? zr(dst) : sp(dst)));
}

void Assembler::add_uxtw(Gp dst, Gp a, Gp b, std::uint8_t shift) {
  need(shift <= 4);
  word(0x8b204000 | zr(b) << 16 | (shift & 7U) << 10 | sp(a) << 5 | sp(dst));
}

void Assembler::cmp(Size size, Gp a, Gp b) { arith(Arith::kSubs, size, Gp::kZero, a, b); }
void Assembler::cmp_imm(Size size, Gp a, std::uint32_t imm) {
  arith_imm(Arith::kSubs, size, Gp::kZero, a, imm);
}
void Assembler::cmn_imm(Size size, Gp a, std::uint32_t imm) {
  arith_imm(Arith::kAdds, size, Gp::kZero, a, imm);
}

void Assembler::logic(Logic op, Size size, Gp dst, Gp a, Gp b) {
  three(0x0a000000 | code(op) << 29, size, dst, a, b);
}

void Assembler::logic_imm(Logic op, Size size, Gp dst, Gp src, std::uint64_t imm) {
  const std::optional<std::uint32_t> field = logic_immediate(size, imm);
  need(field.has_value());
  word(0x12000000 | wide(size) | code(op) << 29 | field.value_or(0) << 10 | zr(src) << 5 |
       (op == Logic::kAnds ? zr(dst) : sp(dst)));
}

void Assembler::tst(Size size, Gp a, Gp b) { logic(Logic::kAnds, size, Gp::kZero, a, b); }
void Assembler::tst_imm(Size size, Gp a, std::uint64_t imm) {
  logic_imm(Logic::kAnds, size, Gp::kZero, a, imm);
}

void Assembler::shift(Shift op, Size size, Gp dst, Gp src, Gp count) {
  three(0x1ac02000 | code(op) << 10, size, dst, src, count);
}

void Assembler::shift_imm(Shift op, Size size, Gp dst, Gp src, std::uint8_t count) {
  const unsigned bits = bits_of(size);
  need(count < bits && op != Shift::kRor);
  // All are moves of bit fields: from `first` to `last`, or up when last is less.
  const unsigned first = op == Shift::kLsl ? (bits - count) % bits : count;
  const unsigned last = op == Shift::kLsl ? bits - 1 - count : bits - 1;
  const std::uint32_t opcode = op == Shift::kAsr ? 0x13000000 : 0x53000000;
  word(opcode | wide(size) | (size == Size::k64 ? 1U << 22 : 0U) | (first & 63U) << 16 |
       (last & 63U) << 10 | zr(src) << 5 | zr(dst));
}

void Assembler::extend(Extend how, Size size, Gp dst, Gp src) {
  const auto field = [&](std::uint32_t opcode, Size of, std::uint32_t last) {
    word(opcode | wide(of) | (of == Size::k64 ? 1U << 22 : 0U) | last << 10 | zr(src) << 5 |
         zr(dst));
  };
  constexpr std::uint32_t kSigned = 0x13000000;
  constexpr std::uint32_t kUnsigned = 0x53000000;
  switch (how) {
    case Extend::kZero8:
      return field(kUnsigned, Size::k32, 7);
    case Extend::kZero16:
      return field(kUnsigned, Size::k32, 15);
    case Extend::kZero32:
      return mov(Size::k32, dst, src);
    case Extend::kNone64:
      return mov(Size::k64, dst, src);
    case Extend::kSign8:
      return field(kSigned, size, 7);
    case Extend::kSign16:
      return field(kSigned, size, 15);
    case Extend::kSign32:
      return field(kSigned, Size::k64, 31);
  }
}

void Assembler::rev(Size size, Gp dst, Gp src) {
  word(0x5ac00800 | wide(size) | (size == Size::k64 ? 1U << 10 : 0U) | zr(src) << 5 | zr(dst));
}
void Assembler::rev16(Size size, Gp dst, Gp src) {
  word(0x5ac00400 | wide(size) | zr(src) << 5 | zr(dst));
}

void Assembler::mul(Size size, Gp dst, Gp a, Gp b) { three(0x1b007c00, size, dst, a, b); }
void Assembler::msub(Size size, Gp dst, Gp a, Gp b, Gp from) {
  three(0x1b008000 | zr(from) << 10, size, dst, a, b);
}
void Assembler::udiv(Size size, Gp dst, Gp a, Gp b) { three(0x1ac00800, size, dst, a, b); }
void Assembler::sdiv(Size size, Gp dst, Gp a, Gp b) { three(0x1ac00c00, size, dst, a, b); }

void Assembler::csel(Condition condition, Size size, Gp dst, Gp yes, Gp no) {
  three(0x1a800000 | code(condition) << 12, size, dst, yes, no);
}
void Assembler::cset(Condition condition, Size size, Gp dst) {
  three(0x1a800400 | code(opposite(condition)) << 12, size, dst, Gp::kZero, Gp::kZero);
}

// ---- Memory ----

void Assembler::access(std::uint32_t opcode, std::uint8_t bytes, Mem mem, std::uint32_t reg) {
  need(fits_displacement(bytes, mem.disp));
  if (mem.disp >= 0 && mem.disp % bytes == 0) {
    const auto scaled = static_cast<std::uint32_t>(mem.disp / bytes) & 0xfff;
    return word(opcode | 1U << 24 | scaled << 10 | sp(mem.base) << 5 | reg);
  }
  word(opcode | (static_cast<std::uint32_t>(mem.disp) & 0x1ff) << 12 | sp(mem.base) << 5 | reg);
}

void Assembler::load(Extend how, Gp dst, Mem src) {
  const LoadForm form = load_form(how);
  access(0x38000000 | size_bits(form.bytes) | form.kind << 22, form.bytes, src, zr(dst));
}
void Assembler::store(std::uint8_t bytes, Mem dst, Gp src) {
  access(0x38000000 | size_bits(bytes), bytes, dst, zr(src));
}
void Assembler::prefetch(Mem src) { access(0xf8800000, 8, src, 0); }

void Assembler::load_indexed(Extend how, Gp dst, Gp base, Gp index) {
  const LoadForm form = load_form(how);
  word(0x38206800 | size_bits(form.bytes) | form.kind << 22 | zr(index) << 16 | sp(base) << 5 |
       zr(dst));
}

void Assembler::load_and_step(Extend how, Gp dst, Gp base, std::int32_t step) {
  need(step >= -256 && step <= 255 && dst != base);
  const LoadForm form = load_form(how);
  word(0x38000400 | size_bits(form.bytes) | form.kind << 22 |
       (static_cast<std::uint32_t>(step) & 0x1ff) << 12 | sp(base) << 5 | zr(dst));
}

void Assembler::store_and_step(std::uint8_t bytes, Gp base, std::int32_t step, Gp src) {
  need(step >= -256 && step <= 255);
  word(0x38000400 | size_bits(bytes) | (static_cast<std::uint32_t>(step) & 0x1ff) << 12 |
       sp(base) << 5 | zr(src));
}

void Assembler::pair(std::uint32_t opcode, std::int32_t scaled, Gp base, Gp a, Gp b) {
  need(scaled >= -64 && scaled <= 63);
  word(opcode | (static_cast<std::uint32_t>(scaled) & 0x7f) << 15 | zr(b) << 10 | sp(base) << 5 |
       zr(a));
}

void Assembler::store_pair(Mem dst, Gp a, Gp b) {
  need(dst.disp % 8 == 0);
  pair(0xa9000000, dst.disp / 8, dst.base, a, b);
}
void Assembler::load_pair(Size size, Mem src, Gp a, Gp b) {
  const std::int32_t bytes = size == Size::k64 ? 8 : 4;
  need(src.disp % bytes == 0 && a != b);
  pair(size == Size::k64 ? 0xa9400000 : 0x29400000, src.disp / bytes, src.base, a, b);
}
void Assembler::push_pair(Gp a, Gp b, std::int32_t bytes) {
  need(bytes > 0 && bytes % 16 == 0);
  pair(0xa9800000, -bytes / 8, Gp::kSp, a, b);
}
void Assembler::pop_pair(Gp a, Gp b, std::int32_t bytes) {
  need(bytes > 0 && bytes % 16 == 0 && a != b);
  pair(0xa8c00000, bytes / 8, Gp::kSp, a, b);
}
void Assembler::push(Gp reg) { word(0xf81f0fe0 | zr(reg)); }
void Assembler::pop(Gp reg) { word(0xf84107e0 | zr(reg)); }

void Assembler::load_exclusive(Size size, Gp dst, Gp base) {
  word(0x885ffc00 | wide(size) >> 1 | sp(base) << 5 | zr(dst));
}
void Assembler::store_exclusive(Size size, Gp failed, Gp src, Gp base) {
  need(failed != src && failed != base);
  word(0x8800fc00 | wide(size) >> 1 | zr(failed) << 16 | sp(base) << 5 | zr(src));
}

// ---- Jumps ----

void Assembler::call(Gp reg) { word(0xd63f0000 | zr(reg) << 5); }
void Assembler::ret() { word(0xd65f03c0); }

void Assembler::align(std::size_t bytes) {
  constexpr std::uint32_t kNop = 0xd503201f;
  while (words_.size() * 4 % bytes != 0) {
    word(kNop);
  }
}

Label Assembler::new_label() {
  places_.emplace_back();
  return {static_cast<std::uint32_t>(places_.size() - 1)};
}

void Assembler::bind(Label label) {
  places_[label.id] = {.at = static_cast<std::uint32_t>(words_.size()),
                       .jumps_before = static_cast<std::uint32_t>(jumps_.size())};
}

void Assembler::add_jump(std::uint32_t word, Reach reach, Label target) {
  jumps_.push_back({.at = static_cast<std::uint32_t>(words_.size()),
                    .target = target.id,
                    .word = word,
                    .reach = reach});
}

void Assembler::jump(Label target) { add_jump(0x14000000, Reach::k26, target); }
void Assembler::call(Label target) { add_jump(0x94000000, Reach::k26, target); }
void Assembler::jump_if(Condition condition, Label target) {
  add_jump(0x54000000 | code(condition), Reach::k19, target);
}
void Assembler::jump_if_zero(Size size, Gp reg, Label target) {
  add_jump(0x34000000 | wide(size) | zr(reg), Reach::k19, target);
}
void Assembler::jump_if_not_zero(Size size, Gp reg, Label target) {
  add_jump(0x35000000 | wide(size) | zr(reg), Reach::k19, target);
}
void Assembler::jump_if_bit_clear(Gp reg, std::uint8_t bit, Label target) {
  need(bit < 64);
  add_jump(0x36000000 | bit / 32U << 31 | bit % 32U << 19 | zr(reg), Reach::k14, target);
}
void Assembler::jump_if_bit_set(Gp reg, std::uint8_t bit, Label target) {
  need(bit < 64);
  add_jump(0x37000000 | bit / 32U << 31 | bit % 32U << 19 | zr(reg), Reach::k14, target);
}

std::int64_t Assembler::limit(Reach reach) {
  switch (reach) {
    case Reach::k26:
      return std::int64_t{1} << 25;
    case Reach::k19:
      return std::int64_t{1} << 18;
    case Reach::k14:
      return std::int64_t{1} << 13;
  }
  return 0;
}

void Assembler::write_jump(std::vector<std::uint8_t>& out, const Jump& jump,
                           std::int64_t distance) {
  const auto put = [&out](std::uint32_t value) {
    for (unsigned shift = 0; shift < 32; shift += 8) {
      out.push_back(static_cast<std::uint8_t>(value >> shift));
    }
  };
  const auto bits = static_cast<std::uint32_t>(distance);
  std::uint32_t word = jump.word;
  if (jump.words == 2) {
    // The opposite of the jump goes over one that reaches. The lowest bit of a condition, and bit
    // 24 of the others, is what makes the opposite.
    const bool on_condition = word >> 24 == 0x54;
    put((word ^ (on_condition ? 1U : 1U << 24)) | 2U << 5);
    need(distance >= -limit(Reach::k26) && distance < limit(Reach::k26));
    return put(0x14000000 | (bits & 0x3ffffff));
  }
  switch (jump.reach) {
    case Reach::k26:
      need(distance >= -limit(Reach::k26) && distance < limit(Reach::k26));
      word |= bits & 0x3ffffff;
      break;
    case Reach::k19:
      word |= (bits & 0x7ffff) << 5;
      break;
    case Reach::k14:
      word |= (bits & 0x3fff) << 5;
      break;
  }
  put(word);
}

Result<std::vector<std::uint8_t>> Assembler::finish() {
  // How many words of jumps stand before each one; all begin short and grow where that is too near.
  std::vector<std::uint32_t> before(jumps_.size() + 1, 0);
  // From the last word of a jump, which is the one with the distance.
  const auto distance = [&](std::size_t i) {
    const Place& target = places_[jumps_[i].target];
    return std::int64_t{target.at} + before[target.jumps_before] - jumps_[i].at - before[i + 1] + 1;
  };
  for (bool grown = true; grown;) {
    grown = false;
    for (std::size_t i = 0; i < jumps_.size(); ++i) {
      before[i + 1] = before[i] + jumps_[i].words;
    }
    for (std::size_t i = 0; i < jumps_.size(); ++i) {
      const std::int64_t reach = limit(jumps_[i].reach);
      const bool grows = jumps_[i].words == 1 && jumps_[i].reach != Reach::k26;
      if (grows && (distance(i) < -reach || distance(i) >= reach)) {
        jumps_[i].words = 2;
        grown = true;
      }
    }
  }
  std::vector<std::uint8_t> out;
  out.reserve(4 * (words_.size() + before.back()));
  std::size_t from = 0;
  const auto copy_until = [&](std::size_t end) {
    for (; from < end; ++from) {
      for (unsigned shift = 0; shift < 32; shift += 8) {
        out.push_back(static_cast<std::uint8_t>(words_[from] >> shift));
      }
    }
  };
  for (std::size_t i = 0; i < jumps_.size(); ++i) {
    copy_until(jumps_[i].at);
    write_jump(out, jumps_[i], distance(i));
  }
  copy_until(words_.size());
  if (!all_fit_) {
    return fail(ErrorCode::kUnsupported, "the program's native code does not fit its encoding");
  }
  return out;
}

}  // namespace weir::jit::aarch64
