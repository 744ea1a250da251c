#include "translator/jit/x86/assembler.h"

#include <algorithm>

namespace weir::jit::x86 {
namespace {

constexpr unsigned number(Gp reg) { return static_cast<unsigned>(reg); }
constexpr bool fits8(std::int64_t value) { return value >= -128 && value <= 127; }

}  // namespace

Assembler::Assembler(std::size_t expected_bytes) {
  bytes_.reserve(expected_bytes);
  // As often as code of filters jumps.
  jumps_.reserve(expected_bytes / 16);
  places_.reserve(expected_bytes / 16);
}

void Assembler::byte(unsigned value) { bytes_.push_back(static_cast<std::uint8_t>(value)); }

void Assembler::imm32(std::uint32_t value) {
  const std::uint8_t bytes[4] = {
      static_cast<std::uint8_t>(value), static_cast<std::uint8_t>(value >> 8),
      static_cast<std::uint8_t>(value >> 16), static_cast<std::uint8_t>(value >> 24)};
  bytes_.insert(bytes_.end(), bytes, bytes + 4);
}

void Assembler::imm64(std::uint64_t value) {
  imm32(static_cast<std::uint32_t>(value));
  imm32(static_cast<std::uint32_t>(value >> 32));
}

void Assembler::rex(bool wide, unsigned reg, unsigned base, bool byte_reg, unsigned index) {
  const unsigned bits = (wide ? 8U : 0U) | (reg >> 3 << 2) | (index >> 3 << 1) | base >> 3;
  if (bits != 0 || byte_reg) {
    byte(0x40 | bits);
  }
}

void Assembler::modrm_reg(unsigned reg, unsigned rm) { byte(0xc0 | (reg & 7) << 3 | (rm & 7)); }

void Assembler::rex_mem(bool wide, unsigned reg, Mem mem, bool byte_reg) {
  rex(wide, reg, number(mem.base), byte_reg, mem.index == Gp::kRsp ? 0 : number(mem.index));
}

void Assembler::modrm_mem(unsigned reg, Mem mem) {
  const unsigned base = number(mem.base) & 7;
  // rbp and r13 have no form without a displacement; rsp, r12 and an index need a SIB byte.
  const unsigned mode = mem.disp == 0 && base != 5 ? 0U : fits8(mem.disp) ? 1U : 2U;
  const bool sib = base == 4 || mem.index != Gp::kRsp;
  byte(mode << 6 | (reg & 7) << 3 | (sib ? 4U : base));
  if (sib) {
    const unsigned scale = mem.scale == 8 ? 3U : mem.scale == 4 ? 2U : mem.scale == 2 ? 1U : 0U;
    byte(scale << 6 | (number(mem.index) & 7) << 3 | base);
  }
  if (mode == 1) {
    byte(static_cast<unsigned>(mem.disp) & 0xff);
  } else if (mode == 2) {
    imm32(static_cast<std::uint32_t>(mem.disp));
  }
}

void Assembler::imm_bytes(std::uint8_t bytes, std::uint32_t value) {
  byte(value & 0xff);
  if (bytes >= 2) {
    byte(value >> 8 & 0xff);
  }
  if (bytes == 4) {
    byte(value >> 16 & 0xff);
    byte(value >> 24);
  }
}

void Assembler::op_reg(Size size, unsigned opcode, unsigned reg, Gp rm) {
  rex(size == Size::k64, reg, number(rm));
  byte(opcode);
  modrm_reg(reg, number(rm));
}

void Assembler::op_mem(Size size, unsigned opcode, unsigned reg, Mem rm) {
  rex_mem(size == Size::k64, reg, rm);
  byte(opcode);
  modrm_mem(reg, rm);
}

void Assembler::mov(Size size, Gp dst, Gp src) { op_reg(size, 0x89, number(src), dst); }

void Assembler::mov_imm32(Gp dst, std::uint32_t value) {
  rex(false, 0, number(dst));
  byte(0xb8 | (number(dst) & 7));
  imm32(value);
}

void Assembler::mov_imm(Gp dst, std::uint64_t value) {
  if (value <= 0xffffffff) {
    mov_imm32(dst, static_cast<std::uint32_t>(value));
    return;
  }
  const auto low = static_cast<std::int32_t>(static_cast<std::uint32_t>(value));
  if (static_cast<std::uint64_t>(std::int64_t{low}) == value) {
    op_reg(Size::k64, 0xc7, 0, dst);
    imm32(static_cast<std::uint32_t>(low));
    return;
  }
  rex(true, 0, number(dst));
  byte(0xb8 | (number(dst) & 7));
  imm64(value);
}

void Assembler::zero(Gp dst) { op_reg(Size::k32, 0x31, number(dst), dst); }

namespace {

// The opcode of an extending move and its REX.W; two bytes unless the first is 0.
struct ExtendCode {
  unsigned escape = 0;
  unsigned opcode = 0;
  bool wide = false;
};
ExtendCode extend_code(Extend how) {
  switch (how) {
    case Extend::kZero8:
      return {0x0f, 0xb6, false};
    case Extend::kZero16:
      return {0x0f, 0xb7, false};
    case Extend::kZero32:
      return {0, 0x8b, false};
    case Extend::kNone64:
      return {0, 0x8b, true};
    case Extend::kSign8:
      return {0x0f, 0xbe, true};
    case Extend::kSign16:
      return {0x0f, 0xbf, true};
    case Extend::kSign32:
      return {0, 0x63, true};
  }
  return {};
}

}  // namespace

void Assembler::extend(Extend how, Gp dst, Gp src) {
  const ExtendCode code = extend_code(how);
  const bool of_byte = how == Extend::kZero8 || how == Extend::kSign8;
  rex(code.wide, number(dst), number(src), of_byte && number(src) >= 4);
  if (code.escape != 0) {
    byte(code.escape);
  }
  byte(code.opcode);
  modrm_reg(number(dst), number(src));
}

void Assembler::load(Extend how, Gp dst, Mem src) {
  const ExtendCode code = extend_code(how);
  rex_mem(code.wide, number(dst), src);
  if (code.escape != 0) {
    byte(code.escape);
  }
  byte(code.opcode);
  modrm_mem(number(dst), src);
}

void Assembler::store(std::uint8_t bytes, Mem dst, Gp src) {
  if (bytes == 2) {
    byte(0x66);
  }
  rex_mem(bytes == 8, number(src), dst, bytes == 1 && number(src) >= 4);
  byte(bytes == 1 ? 0x88 : 0x89);
  modrm_mem(number(src), dst);
}

void Assembler::store_imm(std::uint8_t bytes, Mem dst, std::int32_t imm) {
  if (bytes == 2) {
    byte(0x66);
  }
  rex_mem(bytes == 8, 0, dst);
  byte(bytes == 1 ? 0xc6 : 0xc7);
  modrm_mem(0, dst);
  imm_bytes(bytes == 8 ? std::uint8_t{4} : bytes, static_cast<std::uint32_t>(imm));
}

void Assembler::lea(Gp dst, Mem src) { op_mem(Size::k64, 0x8d, number(dst), src); }

void Assembler::arith(Arith op, Size size, Gp dst, Gp src) {
  op_reg(size, static_cast<unsigned>(op) << 3 | 1, number(src), dst);
}

void Assembler::arith(Arith op, Size size, Gp dst, std::int32_t imm) {
  const bool is_short = fits8(imm);
  op_reg(size, is_short ? 0x83 : 0x81, static_cast<unsigned>(op), dst);
  if (is_short) {
    byte(static_cast<unsigned>(imm) & 0xff);
  } else {
    imm32(static_cast<std::uint32_t>(imm));
  }
}

void Assembler::arith_mem(Arith op, Size size, Gp dst, Mem src) {
  op_mem(size, static_cast<unsigned>(op) << 3 | 3, number(dst), src);
}

void Assembler::arith_mem_imm(Arith op, Size size, Mem dst, std::int32_t imm) {
  const bool is_short = fits8(imm);
  op_mem(size, is_short ? 0x83 : 0x81, static_cast<unsigned>(op), dst);
  if (is_short) {
    byte(static_cast<unsigned>(imm) & 0xff);
  } else {
    imm32(static_cast<std::uint32_t>(imm));
  }
}

void Assembler::cmp_mem_imm(std::uint8_t bytes, Mem dst, std::uint32_t imm) {
  const bool is_short = bytes != 1 && fits8(bytes == 2 ? static_cast<std::int16_t>(imm)
                                                       : static_cast<std::int32_t>(imm));
  if (bytes == 2) {
    byte(0x66);
  }
  rex_mem(false, 0, dst);
  byte(bytes == 1 ? 0x80 : is_short ? 0x83 : 0x81);
  modrm_mem(static_cast<unsigned>(Arith::kCmp), dst);
  imm_bytes(is_short ? std::uint8_t{1} : bytes, imm);
}

void Assembler::test_mem_imm(std::uint8_t bytes, Mem dst, std::uint32_t imm) {
  if (bytes == 2) {
    byte(0x66);
  }
  rex_mem(false, 0, dst);
  byte(bytes == 1 ? 0xf6 : 0xf7);
  modrm_mem(0, dst);
  imm_bytes(bytes, imm);
}

void Assembler::test(Size size, Gp a, Gp b) { op_reg(size, 0x85, number(b), a); }

void Assembler::test(Size size, Gp a, std::int32_t imm) {
  op_reg(size, 0xf7, 0, a);
  imm32(static_cast<std::uint32_t>(imm));
}

void Assembler::imul(Size size, Gp dst, Gp src) {
  rex(size == Size::k64, number(dst), number(src));
  byte(0x0f);
  byte(0xaf);
  modrm_reg(number(dst), number(src));
}

void Assembler::imul(Size size, Gp dst, Gp src, std::int32_t imm) {
  const bool is_short = fits8(imm);
  op_reg(size, is_short ? 0x6b : 0x69, number(dst), src);
  if (is_short) {
    byte(static_cast<unsigned>(imm) & 0xff);
  } else {
    imm32(static_cast<std::uint32_t>(imm));
  }
}

void Assembler::unary(Unary op, Size size, Gp reg) {
  op_reg(size, 0xf7, static_cast<unsigned>(op), reg);
}

void Assembler::sign_into_rdx(Size size) {
  rex(size == Size::k64, 0, 0);
  byte(0x99);
}

void Assembler::shift(Shift op, Size size, Gp reg, std::uint8_t count) {
  op_reg(size, 0xc1, static_cast<unsigned>(op), reg);
  byte(count);
}

void Assembler::shift_cl(Shift op, Size size, Gp reg) {
  op_reg(size, 0xd3, static_cast<unsigned>(op), reg);
}

void Assembler::rotate16(Gp reg, std::uint8_t count) {
  byte(0x66);
  shift(Shift::kRol, Size::k32, reg, count);
}

void Assembler::bswap(Size size, Gp reg) {
  rex(size == Size::k64, 0, number(reg));
  byte(0x0f);
  byte(0xc8 | (number(reg) & 7));
}

void Assembler::cmov(Condition condition, Size size, Gp dst, Gp src) {
  rex(size == Size::k64, number(dst), number(src));
  byte(0x0f);
  byte(0x40 | static_cast<unsigned>(condition));
  modrm_reg(number(dst), number(src));
}

void Assembler::exchange(Gp a, Gp b) { op_reg(Size::k64, 0x87, number(b), a); }

void Assembler::lock_arith(Arith op, Size size, Mem dst, Gp src) {
  byte(0xf0);
  op_mem(size, static_cast<unsigned>(op) << 3 | 1, number(src), dst);
}

void Assembler::lock_xadd(Size size, Mem dst, Gp src) {
  byte(0xf0);
  rex_mem(size == Size::k64, number(src), dst);
  byte(0x0f);
  byte(0xc1);
  modrm_mem(number(src), dst);
}

void Assembler::lock_xchg(Size size, Mem dst, Gp src) {
  op_mem(size, 0x87, number(src), dst);  // Locked by itself.
}

void Assembler::lock_cmpxchg(Size size, Mem dst, Gp src) {
  byte(0xf0);
  rex_mem(size == Size::k64, number(src), dst);
  byte(0x0f);
  byte(0xb1);
  modrm_mem(number(src), dst);
}

void Assembler::prefetch(Mem src) {
  rex_mem(false, 0, src);
  byte(0x0f);
  byte(0x18);
  modrm_mem(1, src);
}

void Assembler::push(Gp reg) {
  rex(false, 0, number(reg));
  byte(0x50 | (number(reg) & 7));
}

void Assembler::pop(Gp reg) {
  rex(false, 0, number(reg));
  byte(0x58 | (number(reg) & 7));
}

void Assembler::call(Gp reg) { op_reg(Size::k32, 0xff, 2, reg); }

void Assembler::ret() { byte(0xc3); }

void Assembler::align(std::size_t bytes) {
  while (bytes_.size() % bytes != 0) {
    const std::size_t left = bytes - bytes_.size() % bytes;
    if (left >= 4) {  // nop dword [rax + 0]
      byte(0x0f);
      byte(0x1f);
      byte(0x40);
      byte(0);
    } else {
      byte(0x90);
    }
  }
}

Label Assembler::new_label() {
  places_.emplace_back();
  return {static_cast<std::uint32_t>(places_.size() - 1)};
}

void Assembler::bind(Label label) {
  places_[label.id] = {.at = static_cast<std::uint32_t>(bytes_.size()),
                       .jumps_before = static_cast<std::uint32_t>(jumps_.size())};
}

void Assembler::add_jump(JumpKind kind, Condition condition, Label target) {
  jumps_.push_back({.at = static_cast<std::uint32_t>(bytes_.size()),
                    .target = target.id,
                    .kind = kind,
                    .condition = condition,
                    .size = static_cast<std::uint8_t>(kind == JumpKind::kCall ? 5 : 2)});
}

void Assembler::jmp(Label target) { add_jump(JumpKind::kJmp, Condition::kEqual, target); }
void Assembler::jcc(Condition condition, Label target) {
  add_jump(JumpKind::kJcc, condition, target);
}
void Assembler::call(Label target) { add_jump(JumpKind::kCall, Condition::kEqual, target); }

std::uint8_t* Assembler::write_jump(std::uint8_t* out, const Jump& jump, std::int64_t distance) {
  const auto put = [&out](unsigned value) { *out++ = static_cast<std::uint8_t>(value); };
  const unsigned condition = static_cast<unsigned>(jump.condition);
  if (jump.size == 2) {
    put(jump.kind == JumpKind::kJmp ? 0xeb : 0x70 | condition);
    put(static_cast<unsigned>(distance) & 0xff);
    return out;
  }
  if (jump.kind == JumpKind::kJcc) {
    put(0x0f);
    put(0x80 | condition);
  } else {
    put(jump.kind == JumpKind::kJmp ? 0xe9 : 0xe8);
  }
  const auto bits = static_cast<std::uint32_t>(static_cast<std::int32_t>(distance));
  for (int shift = 0; shift < 32; shift += 8) {
    put(bits >> shift & 0xff);
  }
  return out;
}

std::vector<std::uint8_t> Assembler::finish() {
  // How many bytes of jumps stand before each one; all begin short and grow where that is too near.
  std::vector<std::uint32_t> before(jumps_.size() + 1, 0);
  const auto distance = [&](std::size_t i) {
    const Place& target = places_[jumps_[i].target];
    return std::int64_t{target.at} + before[target.jumps_before] - jumps_[i].at - before[i + 1];
  };
  for (bool grown = true; grown;) {
    grown = false;
    for (std::size_t i = 0; i < jumps_.size(); ++i) {
      before[i + 1] = before[i] + jumps_[i].size;
    }
    for (std::size_t i = 0; i < jumps_.size(); ++i) {
      if (jumps_[i].size == 2 && !fits8(distance(i))) {
        jumps_[i].size = jumps_[i].kind == JumpKind::kJmp ? 5 : 6;
        grown = true;
      }
    }
  }
  std::vector<std::uint8_t> out(bytes_.size() + before.back());
  std::uint8_t* to = out.data();
  const std::uint8_t* from = bytes_.data();
  for (std::size_t i = 0; i < jumps_.size(); ++i) {
    const std::uint8_t* const place = bytes_.data() + jumps_[i].at;
    to = std::copy(from, place, to);
    from = place;
    to = write_jump(to, jumps_[i], distance(i));
  }
  std::copy(from, static_cast<const std::uint8_t*>(bytes_.data()) + bytes_.size(), to);
  return out;
}

}  // namespace weir::jit::x86
