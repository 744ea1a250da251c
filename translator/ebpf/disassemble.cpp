// Instructions as the kernel writes them in the verifier's log (kernel/bpf/disasm.c, Linux 6.18),
// with one change: an address has blanks around its sign, "(r1 + 12)" for "(r1 +12)".
#include "translator/ebpf/disassemble.h"

#include <fmt/format.h>

#include <string_view>

namespace weir::ebpf {
namespace {

int number(Reg reg) { return static_cast<int>(reg); }
int bits(Width width) { return 8 * static_cast<int>(width); }

// A register as it is written in an operation of 64 or 32 bits.
std::string name(Reg reg, bool is64) { return fmt::format("{}{}", is64 ? 'r' : 'w', number(reg)); }

std::string address(std::string_view type, Reg base, std::int16_t offset) {
  const int distance = offset < 0 ? -offset : offset;
  return fmt::format("({} *)(r{} {} {})", type, number(base), offset < 0 ? '-' : '+', distance);
}

std::string unsigned_type(Width width) { return fmt::format("u{}", bits(width)); }

std::string_view alu_sign(AluOp op) {
  switch (op) {
    case AluOp::kAdd:
      return "+=";
    case AluOp::kSub:
      return "-=";
    case AluOp::kMul:
      return "*=";
    case AluOp::kDiv:
      return "/=";
    case AluOp::kSDiv:
      return "s/=";
    case AluOp::kOr:
      return "|=";
    case AluOp::kAnd:
      return "&=";
    case AluOp::kLsh:
      return "<<=";
    case AluOp::kRsh:
      return ">>=";
    case AluOp::kNeg:
      return "= -";
    case AluOp::kMod:
      return "%=";
    case AluOp::kSMod:
      return "s%=";
    case AluOp::kXor:
      return "^=";
    case AluOp::kMov:
      return "=";
    case AluOp::kMovSx8:
      return "= (s8)";
    case AluOp::kMovSx16:
      return "= (s16)";
    case AluOp::kMovSx32:
      return "= (s32)";
    case AluOp::kArsh:
      return "s>>=";
  }
  return "?";
}

std::string_view jump_sign(JumpOp op) {
  switch (op) {
    case JumpOp::kJa:
      return "";
    case JumpOp::kEq:
      return "==";
    case JumpOp::kGt:
      return ">";
    case JumpOp::kGe:
      return ">=";
    case JumpOp::kSet:
      return "&";
    case JumpOp::kNe:
      return "!=";
    case JumpOp::kSGt:
      return "s>";
    case JumpOp::kSGe:
      return "s>=";
    case JumpOp::kLt:
      return "<";
    case JumpOp::kLe:
      return "<=";
    case JumpOp::kSLt:
      return "s<";
    case JumpOp::kSLe:
      return "s<=";
  }
  return "?";
}

std::string text(const Alu& alu) {
  const std::string dst = name(alu.dst, alu.is64);
  if (alu.op == AluOp::kNeg) {
    return fmt::format("{} = -{}", dst, dst);
  }
  const Reg* reg = std::get_if<Reg>(&alu.src);
  const std::string src =
      reg != nullptr ? name(*reg, alu.is64) : fmt::format("{}", std::get<std::int32_t>(alu.src));
  const bool cast =
      alu.op == AluOp::kMovSx8 || alu.op == AluOp::kMovSx16 || alu.op == AluOp::kMovSx32;
  return fmt::format("{} {}{}{}", dst, alu_sign(alu.op), cast ? "" : " ", src);
}

std::string text(const Endian& endian) {
  const int dst = number(endian.dst);
  switch (endian.op) {
    case EndianOp::kToLittle:
      return fmt::format("r{} = le{} r{}", dst, endian.bits, dst);
    case EndianOp::kToBig:
      return fmt::format("r{} = be{} r{}", dst, endian.bits, dst);
    case EndianOp::kSwap:
      return fmt::format("r{} = bswap{} r{}", dst, endian.bits, dst);
  }
  return "?";
}

std::string text(const Load& load) {
  const std::string type = fmt::format("{}{}", load.sign_extend ? 's' : 'u', bits(load.width));
  return fmt::format("r{} = *{}", number(load.dst), address(type, load.src, load.offset));
}

std::string text(const Store& store) {
  const std::string to = address(unsigned_type(store.width), store.dst, store.offset);
  if (const Reg* reg = std::get_if<Reg>(&store.src)) {
    return fmt::format("*{} = r{}", to, number(*reg));
  }
  return fmt::format("*{} = {}", to, std::get<std::int32_t>(store.src));
}

std::string text(const Atomic& atomic) {
  const std::string to = address(unsigned_type(atomic.width), atomic.dst, atomic.offset);
  const std::string_view wide = atomic.width == Width::kDw ? "64" : "";
  const int src = number(atomic.src);
  struct Names {
    std::string_view sign;
    std::string_view word;
  };
  Names names;
  switch (atomic.op) {
    case AtomicOp::kAdd:
      names = {"+=", "add"};
      break;
    case AtomicOp::kOr:
      names = {"|=", "or"};
      break;
    case AtomicOp::kAnd:
      names = {"&=", "and"};
      break;
    case AtomicOp::kXor:
      names = {"^=", "xor"};
      break;
    case AtomicOp::kExchange:
      return fmt::format("r{} = atomic{}_xchg({}, r{})", src, wide, to, src);
    case AtomicOp::kCompareExchange:
      return fmt::format("r0 = atomic{}_cmpxchg({}, r0, r{})", wide, to, src);
  }
  if (atomic.fetch) {
    return fmt::format("r{} = atomic{}_fetch_{}({}, r{})", src, wide, names.word, to, src);
  }
  return fmt::format("lock *{} {} r{}", to, names.sign, src);
}

std::string text(const LoadImm64& load) {
  const int dst = number(load.dst);
  const auto imm = static_cast<std::int32_t>(load.value);
  const auto next = static_cast<std::int32_t>(load.value >> 32);
  switch (load.kind) {
    case Imm64Kind::kValue:
      return fmt::format("r{} = {:#x}", dst, load.value);
    case Imm64Kind::kMapFd:
      return fmt::format("r{} = map[fd:{}]", dst, imm);
    case Imm64Kind::kMapValueFd:
      return fmt::format("r{} = map[fd:{}][0]+{}", dst, imm, next);
    case Imm64Kind::kVariable:
      return fmt::format("r{} = var[id:{}]", dst, imm);
    case Imm64Kind::kCode:
      return fmt::format("r{} = subprog[{:+}]", dst, imm);
    case Imm64Kind::kMapIndex:
      return fmt::format("r{} = map[idx:{}]", dst, imm);
    case Imm64Kind::kMapValueIndex:
      return fmt::format("r{} = map[idx:{}][0]+{}", dst, imm, next);
  }
  return "?";
}

std::string text(const LoadPacket& load) {
  if (load.indirect) {
    return fmt::format("r0 = *({} *)skb[r{} + {}]", unsigned_type(load.width), number(load.index),
                       load.imm);
  }
  return fmt::format("r0 = *({} *)skb[{}]", unsigned_type(load.width), load.imm);
}

std::string text(const Jump& jump) {
  if (jump.op == JumpOp::kJa) {
    return fmt::format("{} pc{:+}", jump.is64 ? "goto" : "gotol", jump.offset);
  }
  const Reg* reg = std::get_if<Reg>(&jump.src);
  const std::string src =
      reg != nullptr
          ? name(*reg, jump.is64)
          : fmt::format("{:#x}", static_cast<std::uint32_t>(std::get<std::int32_t>(jump.src)));
  return fmt::format("if {} {} {} goto pc{:+}", name(jump.dst, jump.is64), jump_sign(jump.op), src,
                     jump.offset);
}

std::string text(const Call& call) {
  switch (call.kind) {
    case CallKind::kHelper:
      return fmt::format("call {}", call.imm);
    case CallKind::kLocal:
      return fmt::format("call pc{:+}", call.imm);
    case CallKind::kKfunc:
      return fmt::format("call kernel-function {}", call.imm);
  }
  return "?";
}

std::string text(const Exit&) { return "exit"; }

}  // namespace

std::string to_string(const Instruction& instruction) {
  return std::visit([](const auto& one) { return text(one); }, instruction);
}

std::string disassemble(std::span<const Instruction> instructions) {
  std::string out;
  std::int64_t slot = 0;
  for (const Instruction& instruction : instructions) {
    const std::int64_t next = slot + slots(instruction);
    out += fmt::format("{}: {}", slot, to_string(instruction));
    if (const auto* jump = std::get_if<Jump>(&instruction)) {
      out += fmt::format(" <{}>", next + jump->offset);
    } else if (const auto* call = std::get_if<Call>(&instruction);
               call != nullptr && call->kind == CallKind::kLocal) {
      out += fmt::format(" <{}>", next + call->imm);
    }
    out += '\n';
    slot = next;
  }
  return out;
}

}  // namespace weir::ebpf
