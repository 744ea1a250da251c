// Conditions of extended jumps turned round.
#pragma once

#include <optional>

#include "translator/ebpf/instruction.h"

namespace weir::lower {

// The condition that holds exactly when `op` does not; kSet has none.
constexpr std::optional<ebpf::JumpOp> opposite(ebpf::JumpOp op) {
  using ebpf::JumpOp;
  switch (op) {
    case JumpOp::kEq:
      return JumpOp::kNe;
    case JumpOp::kNe:
      return JumpOp::kEq;
    case JumpOp::kGt:
      return JumpOp::kLe;
    case JumpOp::kLe:
      return JumpOp::kGt;
    case JumpOp::kGe:
      return JumpOp::kLt;
    case JumpOp::kLt:
      return JumpOp::kGe;
    case JumpOp::kSGt:
      return JumpOp::kSLe;
    case JumpOp::kSLe:
      return JumpOp::kSGt;
    case JumpOp::kSGe:
      return JumpOp::kSLt;
    case JumpOp::kSLt:
      return JumpOp::kSGe;
    case JumpOp::kSet:
    case JumpOp::kJa:
      return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace weir::lower
