// The listing of a packet form.
#include <fmt/format.h>

#include <string>

#include "translator/ebpf/disassemble.h"
#include "translator/userspace/packet_program.h"

namespace weir::ebpf {
namespace {

std::string address(const PacketOp& op) {
  std::string text = op.from_start ? "start" : "";
  if (op.base) {
    text += fmt::format("{}r{}", text.empty() ? "" : " + ", static_cast<int>(*op.base));
  }
  return text + fmt::format(" {} {}", op.offset < 0 ? '-' : '+', std::abs(op.offset));
}

std::string bytes(const PacketOp& op) {
  return fmt::format("{}{}{}[{}]", op.sign_extend ? 's' : 'u', 8 * static_cast<int>(op.width),
                     op.swapped ? "be" : "", address(op));
}

const char* sign(JumpOp op) {
  switch (op) {
    case JumpOp::kEq:
      return "==";
    case JumpOp::kNe:
      return "!=";
    case JumpOp::kSet:
      return "&";
    case JumpOp::kGt:
      return ">";
    case JumpOp::kGe:
      return ">=";
    case JumpOp::kLt:
      return "<";
    case JumpOp::kLe:
      return "<=";
    case JumpOp::kJa:
    case JumpOp::kSGt:
    case JumpOp::kSGe:
    case JumpOp::kSLt:
    case JumpOp::kSLe:
      return "?";
  }
  return "?";
}

std::string line(const PacketOp& op, const Program& program) {
  const int dst = static_cast<int>(op.dst);
  const int base = static_cast<int>(op.base.value_or(Reg::kR0));
  switch (op.kind) {
    case PacketOpKind::kPlain:
      return to_string(program.instructions[op.index]);
    case PacketOpKind::kPoint:
      return fmt::format("r{} = {}", dst, address(op));
    case PacketOpKind::kHeader:
      return fmt::format("r{} = {} + ((u{}[start + {}] & {:#x}) << {})", dst, address(op),
                         8 * static_cast<int>(op.width), op.value, op.mask, op.shift);
    case PacketOpKind::kEnd:
      return fmt::format("r{} = end", dst);
    case PacketOpKind::kField:
      return fmt::format("r{} = context[{}]", dst, op.offset);
    case PacketOpKind::kLoad:
      return fmt::format("r{} = {}", dst, bytes(op));
    case PacketOpKind::kTest: {
      const std::string masked =
          op.mask == 0xffffffff ? bytes(op) : fmt::format("({} & {:#x})", bytes(op), op.mask);
      return fmt::format("if {} {} {:#x} goto {}", masked, sign(op.op), op.value, op.target);
    }
    case PacketOpKind::kCompare: {
      const std::string text = to_string(program.instructions[op.index]);
      return fmt::format("{} {}", text.substr(0, text.rfind(' ')), op.target);
    }
    case PacketOpKind::kFewer:
      return fmt::format("if captured < {} goto {}", op.value, op.target);
    case PacketOpKind::kEnough:
      return fmt::format("if captured >= {} goto {}", op.value, op.target);
    case PacketOpKind::kPast:
      return fmt::format("if r{} {} end goto {}", base, sign(op.op), op.target);
    case PacketOpKind::kGo:
      return fmt::format("goto {}", op.target);
    case PacketOpKind::kVerdict:
      return fmt::format("verdict {}", op.value);
    case PacketOpKind::kReturn:
      return "verdict r0";
  }
  return "";
}

}  // namespace

std::string print(const PacketProgram& form, const Program& program) {
  std::string text;
  for (std::size_t i = 0; i < form.ops.size(); ++i) {
    text += fmt::format("{}: {}\n", i, line(form.ops[i], program));
  }
  return text;
}

}  // namespace weir::ebpf
