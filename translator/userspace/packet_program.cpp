// From the operations that packet_steps() makes: from the end, what nobody reads goes and loads
// become part of the tests behind them; what is left moves together.
#include "translator/userspace/packet_program.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <limits>
#include <utility>

#include "translator/userspace/packet_program_build.h"
#include "translator/userspace/register_bits.h"

namespace weir::ebpf {
namespace {

constexpr std::uint32_t kMaxLength = 0xffff;  // Before it is shifted.

class Former {
 public:
  Former(const Program& program, const AccessProof& proof, PacketSteps steps)
      : all_(program.instructions), proof_(proof), first_verdict_(steps.first_verdict) {
    form_.ops = std::move(steps.ops);
  }

  PacketProgram run() {
    drop_unread();
    turn_tests();
    move_together();
    summarise();
    return std::move(form_);
  }

 private:
  std::vector<PacketOp>& ops() { return form_.ops; }

  static bool ends(const PacketOp& op) {
    return op.kind == PacketOpKind::kGo || op.kind == PacketOpKind::kVerdict ||
           op.kind == PacketOpKind::kReturn;
  }

  // ---- Backward: what is read ----

  void drop_unread() {
    const std::size_t n = ops().size();
    dropped_.assign(n, 0);
    live_.assign(n + 1, 0);
    for (std::size_t i = n; i-- > 0;) {
      if (dropped_[i] != 0) {
        live_[i] = live_[i + 1];
        continue;
      }
      PacketOp& op = ops()[i];
      std::uint16_t live = ends(op) ? std::uint16_t{0} : live_[i + 1];
      if (jumps(op)) {
        live |= live_[op.target];
      }
      if (op.kind == PacketOpKind::kCompare) {
        take_in_load(i, live);
      } else if (op.kind == PacketOpKind::kPoint) {
        take_in_length(i, live);
      }
      const PacketEffect what = effect_of(op, all_);
      if (what.pure && (live & what.writes) == 0) {
        dropped_[i] = 1;
      } else {
        live = static_cast<std::uint16_t>((live & ~what.writes) | what.reads);
      }
      live_[i] = live;
      form_.used |= dropped_[i] != 0 ? std::uint16_t{0}
                                     : static_cast<std::uint16_t>(what.reads | what.writes);
    }
  }

  // A compare with a number of what was loaded right before it, perhaps masked, and is read by
  // nobody else: a test.
  void take_in_load(std::size_t at, std::uint16_t live_behind) {
    const auto& jump = std::get<Jump>(all_[ops()[at].index]);
    const auto* imm = std::get_if<std::int32_t>(&jump.src);
    if (imm == nullptr || (jump.is64 && *imm < 0) || (live_behind & bit(jump.dst)) != 0 ||
        !is_unsigned(jump.op)) {
      return;
    }
    std::uint32_t mask = 0xffffffff;
    std::size_t load = at;
    if (ops()[load].is_target || load == 0) {
      return;
    }
    --load;
    if (const auto* alu = plain(ops()[load], AluOp::kAnd); alu != nullptr && alu->dst == jump.dst) {
      mask = static_cast<std::uint32_t>(std::get<std::int32_t>(alu->src));
      if (ops()[load].is_target || load == 0) {
        return;
      }
      --load;
    }
    const PacketOp& from = ops()[load];
    if (from.kind != PacketOpKind::kLoad || from.dst != jump.dst || from.sign_extend ||
        from.swapped || from.width == Width::kDw) {
      return;
    }
    PacketOp& test = ops()[at];
    test.kind = PacketOpKind::kTest;
    test.from_start = from.from_start;
    test.base = from.base;
    test.offset = from.offset;
    test.width = from.width;
    test.op = jump.op;
    test.mask = mask;
    test.value = static_cast<std::uint32_t>(*imm);
    narrow(test);
    // The test stands where the load was as far as jumps are concerned.
    std::fill(dropped_.begin() + static_cast<std::ptrdiff_t>(load),
              dropped_.begin() + static_cast<std::ptrdiff_t>(at), 1);
  }

  // Fewer bytes where the mask leaves only those. Not of orders, which look at all.
  static void narrow(PacketOp& test) {
    if (std::endian::native != std::endian::little ||
        (test.op != JumpOp::kEq && test.op != JumpOp::kNe && test.op != JumpOp::kSet)) {
      return;
    }
    // The bytes in memory are the number's, the lowest first.
    const std::uint32_t bits = test.op == JumpOp::kSet ? test.mask & test.value : test.mask;
    const int skipped = std::countr_zero(bits) / 8;
    const int bytes = (32 - std::countl_zero(bits) + 7) / 8 - skipped;
    if (bits == 0 || skipped + bytes > static_cast<int>(test.width) || bytes == 3 ||
        (bytes == static_cast<int>(test.width) && skipped == 0)) {
      return;
    }
    const std::uint32_t left = bytes == 1 ? 0xff : bytes == 2 ? 0xffff : 0xffffffff;
    if (test.op != JumpOp::kSet && (test.value & ~(left << 8 * skipped)) != 0) {
      return;  // It never is what it is compared with.
    }
    test.width = static_cast<Width>(bytes);
    test.offset += skipped;
    test.mask = test.mask >> 8 * skipped & left;
    test.value = test.value >> 8 * skipped & left;
    if (test.mask == left) {
      test.mask = 0xffffffff;
    }
  }

  // The sum of the packet's start and a loaded, masked and shifted length that nobody else reads.
  void take_in_length(std::size_t at, std::uint16_t live_behind) {
    PacketOp& point = ops()[at];
    if (!point.from_start || !point.base || at < 3 || point.is_target || ops()[at - 1].is_target ||
        ops()[at - 2].is_target) {
      return;
    }
    const Reg length = *point.base;
    if (length != point.dst && (live_behind & bit(length)) != 0) {
      return;
    }
    const Alu* shift = plain(ops()[at - 1], AluOp::kLsh);
    const Alu* mask = plain(ops()[at - 2], AluOp::kAnd);
    const PacketOp& from = ops()[at - 3];
    if (shift == nullptr || shift->dst != length || mask == nullptr || mask->dst != length ||
        from.kind != PacketOpKind::kLoad || from.dst != length || !from.from_start ||
        from.offset < 0 || from.sign_extend || from.swapped || from.width == Width::kDw) {
      return;
    }
    const auto count = static_cast<std::uint32_t>(std::get<std::int32_t>(shift->src));
    const auto bits = static_cast<std::uint32_t>(std::get<std::int32_t>(mask->src));
    // What is shifted out of 32 bits would not be of 64.
    if (count > 3 || bits > kMaxLength) {
      return;
    }
    point.kind = PacketOpKind::kHeader;
    point.base.reset();
    point.width = from.width;
    point.value = static_cast<std::uint32_t>(from.offset);
    point.mask = bits;
    point.shift = static_cast<std::uint8_t>(count);
    std::fill(dropped_.begin() + static_cast<std::ptrdiff_t>(at - 3),
              dropped_.begin() + static_cast<std::ptrdiff_t>(at), 1);
  }

  // The 32-bit operation of a register with a number, if it is that.
  const Alu* plain(const PacketOp& op, AluOp which) const {
    if (op.kind != PacketOpKind::kPlain) {
      return nullptr;
    }
    const auto* alu = std::get_if<Alu>(&all_[op.index]);
    return alu != nullptr && alu->op == which && !alu->is64 &&
                   std::holds_alternative<std::int32_t>(alu->src)
               ? alu
               : nullptr;
  }

  static bool is_unsigned(JumpOp op) {
    switch (op) {
      case JumpOp::kEq:
      case JumpOp::kNe:
      case JumpOp::kSet:
      case JumpOp::kGt:
      case JumpOp::kGe:
      case JumpOp::kLt:
      case JumpOp::kLe:
        return true;
      case JumpOp::kJa:
      case JumpOp::kSGt:
      case JumpOp::kSGe:
      case JumpOp::kSLt:
      case JumpOp::kSLe:
        return false;
    }
    return false;
  }

  // ---- Ends ----

  // "if this goto over; verdict; over:" is "if not this goto the verdict", so that ends stand at
  // the end and what goes on is in one piece. Behind drop_unread(), which makes tests.
  void turn_tests() {
    for (std::size_t i = 0; i + 2 < ops().size(); ++i) {
      const std::size_t next = kept_from(i + 1);
      if (dropped_[i] != 0 || ops()[i].kind != PacketOpKind::kTest || next >= first_verdict_ ||
          ops()[next].kind != PacketOpKind::kVerdict || is_led_to(i + 1, next) ||
          kept_from(ops()[i].target) != kept_from(next + 1)) {
        continue;
      }
      const std::optional<std::size_t> verdict = appended_verdict(ops()[next].value);
      if (!verdict) {
        continue;
      }
      PacketOp& test = ops()[i];
      if (test.op == JumpOp::kSet) {
        test.mask &= test.value;
        test.value = 0;
      }
      test.op = opposite(test.op);
      test.target = static_cast<std::uint32_t>(*verdict);
      dropped_[next] = 1;
    }
  }

  std::size_t kept_from(std::size_t at) const {
    while (at < dropped_.size() && dropped_[at] != 0) {
      ++at;
    }
    return at;
  }

  // Whether some jump leads to one of these operations, the last included; one that is dropped
  // leads on to the next.
  bool is_led_to(std::size_t first, std::size_t last) {
    for (; first <= last; ++first) {
      if (ops()[first].is_target) {
        return true;
      }
    }
    return false;
  }

  // A verdict behind all others that some jump leads to.
  std::optional<std::size_t> appended_verdict(std::uint32_t value) {
    for (std::size_t i = first_verdict_; i < ops().size(); ++i) {
      if (dropped_[i] == 0 && ops()[i].value == value) {
        return i;
      }
    }
    return std::nullopt;
  }

  // Of tests; of bits it is that none of them is set, which is == 0.
  static JumpOp opposite(JumpOp op) {
    switch (op) {
      case JumpOp::kEq:
        return JumpOp::kNe;
      case JumpOp::kNe:
      case JumpOp::kSet:
        return JumpOp::kEq;
      case JumpOp::kGt:
        return JumpOp::kLe;
      case JumpOp::kLe:
        return JumpOp::kGt;
      case JumpOp::kGe:
        return JumpOp::kLt;
      case JumpOp::kLt:
        return JumpOp::kGe;
      case JumpOp::kJa:
      case JumpOp::kSGt:
      case JumpOp::kSGe:
      case JumpOp::kSLt:
      case JumpOp::kSLe:
        return op;
    }
    return op;
  }

  // ---- What is left ----

  void move_together() {
    const std::size_t n = ops().size();
    // Where each operation will be; a dropped one, or a jump to what follows, leads to the next.
    std::vector<std::uint32_t> new_place(n + 1, 0);
    std::vector<std::uint32_t> next_kept(n + 1, static_cast<std::uint32_t>(n));
    for (std::size_t i = n; i-- > 0;) {
      const PacketOp& op = ops()[i];
      if (dropped_[i] == 0 && op.kind == PacketOpKind::kGo &&
          next_kept[op.target] == next_kept[i + 1]) {
        dropped_[i] = 1;
      }
      next_kept[i] = dropped_[i] != 0 ? next_kept[i + 1] : static_cast<std::uint32_t>(i);
    }
    std::uint32_t kept = 0;
    for (std::size_t i = 0; i < n; ++i) {
      new_place[i] = kept;
      kept += dropped_[i] != 0 ? 0 : 1;
    }
    std::vector<PacketOp> left;
    left.reserve(kept);
    for (std::size_t i = 0; i < n; ++i) {
      if (dropped_[i] == 0) {
        left.push_back(ops()[i]);
        left.back().is_target = false;
        if (jumps(left.back())) {
          left.back().target = new_place[left.back().target];
        }
      }
    }
    for (const PacketOp& op : left) {
      if (jumps(op)) {
        left[op.target].is_target = true;
      }
    }
    ops() = std::move(left);
  }

  void summarise() {
    form_.zeroed = static_cast<std::uint16_t>(live_[0] & ~(bit(Reg::kR1) | bit(Reg::kR10)));
    form_.stack_zeroed = proof_.stack_read_unwritten && (form_.used & bit(Reg::kR10)) != 0;
    std::int32_t first = std::numeric_limits<std::int32_t>::max();
    std::int32_t behind = 0;
    for (const PacketOp& op : ops()) {
      const bool reads = op.kind == PacketOpKind::kLoad || op.kind == PacketOpKind::kTest;
      const bool reads_length = op.kind == PacketOpKind::kHeader;
      if (reads_length || (reads && op.from_start)) {
        const std::int32_t at = reads_length ? static_cast<std::int32_t>(op.value) : op.offset;
        first = std::min(first, at);
        behind = std::max(behind, at + static_cast<std::int32_t>(op.width));
      }
      form_.reads_elsewhere |= reads && op.base && *op.base != Reg::kR10;
      form_.calls |=
          op.kind == PacketOpKind::kPlain && std::holds_alternative<Call>(all_[op.index]);
    }
    form_.first_byte = std::min(first, behind);
    form_.behind_bytes = behind;
  }

  const std::vector<Instruction>& all_;
  const AccessProof& proof_;
  PacketProgram form_;
  std::uint32_t first_verdict_;
  std::vector<std::uint8_t> dropped_;  // 1 where an operation is.
  std::vector<std::uint16_t> live_;    // Registers read behind the place in front of an operation.
};

}  // namespace

std::optional<PacketProgram> packet_program(const Program& program, const AccessProof& proof) {
  const bool legacy =
      std::any_of(program.instructions.begin(), program.instructions.end(),
                  [](const Instruction& one) { return std::holds_alternative<LoadPacket>(one); });
  if (!proof.forward || proof.unproven != 0 || !proof.context_only_loaded || legacy) {
    return std::nullopt;
  }
  return Former(program, proof, packet_steps(program, proof)).run();
}

}  // namespace weir::ebpf
