// Three passes: instructions become operations with what is known of them; from the end, what
// nobody reads goes and loads become part of the tests behind them; what is left moves together.
#include "translator/ebpf/packet_form.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <limits>

#include "translator/ebpf/abstract_value.h"
#include "translator/ebpf/user_context.h"

namespace weir::ebpf {
namespace {

constexpr std::uint32_t kNone = 0xffffffff;
// A target from here on is a verdict: the one of this number less kVerdicts.
constexpr std::uint32_t kVerdicts = 0x80000000;
constexpr std::uint32_t kMaxLength = 0xffff;  // Before it is shifted.
constexpr std::int64_t kMaxBytes = std::numeric_limits<std::int32_t>::max() - 1;

constexpr std::uint16_t bit(Reg reg) {
  return static_cast<std::uint16_t>(1U << static_cast<unsigned>(reg));
}
constexpr std::uint16_t bit(const Operand& operand) {
  const auto* reg = std::get_if<Reg>(&operand);
  return reg != nullptr ? bit(*reg) : std::uint16_t{0};
}
constexpr std::uint16_t bit(const std::optional<Reg>& reg) {
  return reg ? bit(*reg) : std::uint16_t{0};
}

constexpr std::uint16_t kArguments =
    bit(Reg::kR1) | bit(Reg::kR2) | bit(Reg::kR3) | bit(Reg::kR4) | bit(Reg::kR5);

using Effect = PacketEffect;

Effect effect(const Alu& alu) {
  const bool moves = alu.op == AluOp::kMov || alu.op == AluOp::kMovSx8 ||
                     alu.op == AluOp::kMovSx16 || alu.op == AluOp::kMovSx32;
  const std::uint16_t src = alu.op == AluOp::kNeg ? std::uint16_t{0} : bit(alu.src);
  return {.reads = static_cast<std::uint16_t>(src | (moves ? 0 : bit(alu.dst))),
          .writes = bit(alu.dst),
          .pure = true};
}
Effect effect(const Endian& endian) {
  return {.reads = bit(endian.dst), .writes = bit(endian.dst), .pure = true};
}
Effect effect(const Store& store) {
  return {.reads = static_cast<std::uint16_t>(bit(store.dst) | bit(store.src))};
}
Effect effect(const Atomic& atomic) {
  const std::uint16_t writes = atomic.op == AtomicOp::kCompareExchange ? bit(Reg::kR0)
                               : atomic.fetch || atomic.op == AtomicOp::kExchange
                                   ? bit(atomic.src)
                                   : std::uint16_t{0};
  return {.reads = static_cast<std::uint16_t>(bit(atomic.dst) | bit(atomic.src) | bit(Reg::kR0)),
          .writes = writes};
}
Effect effect(const LoadImm64& load) { return {.writes = bit(load.dst), .pure = true}; }
Effect effect(const Call&) { return {.reads = kArguments, .writes = bit(Reg::kR0)}; }
Effect effect(const Jump& jump) {
  return {.reads = static_cast<std::uint16_t>(bit(jump.dst) | bit(jump.src))};
}
// These are never plain.
Effect effect(const Load&) { return {}; }
Effect effect(const LoadPacket&) { return {}; }
Effect effect(const Exit&) { return {}; }

class Former {
 public:
  Former(const Program& program, const AccessProof& proof)
      : all_(program.instructions), proof_(proof) {}

  PacketForm run() {
    make();
    append_verdicts();
    find_targets();
    drop_unread();
    turn_tests();
    move_together();
    summarise();
    return std::move(form_);
  }

 private:
  // ---- Forward: operations ----

  void make() {
    const auto n = static_cast<std::uint32_t>(all_.size());
    op_of_.assign(n + 1, kNone);
    targeted_.assign(n, false);
    ops().reserve(n + 4);
    bool alive = true;
    for (std::uint32_t i = 0; i < n; ++i) {
      alive = (alive || targeted_[i]) && proof_.facts[i].reached;
      op_of_[i] = static_cast<std::uint32_t>(ops().size());
      if (!alive) {
        continue;
      }
      alive = make_one(i);
    }
    op_of_[n] = static_cast<std::uint32_t>(ops().size());
  }

  // Whether the way goes on to the next instruction.
  bool make_one(std::uint32_t i) {
    index_ = i;
    if (const auto verdict = verdict_at(i, facts().r0)) {
      add({.kind = PacketOpKind::kVerdict, .value = *verdict});
      return false;
    }
    return std::visit([this](const auto& instruction) { return step(instruction); }, all_[i]);
  }

  // The verdict of a way that comes to instruction `at` with this in r0, when nothing else happens
  // on it.
  std::optional<std::uint32_t> verdict_at(std::uint32_t at, Known r0) const {
    for (;;) {
      const Instruction& instruction = all_[at];
      if (std::holds_alternative<Exit>(instruction)) {
        return r0.is_constant() ? std::optional(static_cast<std::uint32_t>(r0.value))
                                : std::nullopt;
      }
      if (const auto* alu = std::get_if<Alu>(&instruction);
          alu != nullptr && alu->op == AluOp::kMov && alu->dst == Reg::kR0 &&
          std::holds_alternative<std::int32_t>(alu->src)) {
        r0 = {.kind = Known::Kind::kConstant, .value = std::get<std::int32_t>(alu->src)};
        ++at;
      } else if (const auto* jump = std::get_if<Jump>(&instruction);
                 jump != nullptr && jump->op == JumpOp::kJa) {
        at = proof_.targets[at];
      } else {
        return std::nullopt;
      }
    }
  }

  std::vector<PacketOp>& ops() { return form_.ops; }
  const InstructionFacts& facts() const { return proof_.facts[index_]; }

  bool add(PacketOp op) {
    op.index = index_;
    ops().push_back(op);
    return true;
  }

  bool step(const Alu& alu) {
    if (facts().result.is_packet() && in_reach(facts().result.value)) {
      return add({.kind = PacketOpKind::kPoint,
                  .from_start = true,
                  .offset = static_cast<std::int32_t>(facts().result.value),
                  .dst = alu.dst});
    }
    if (facts().result.kind == Known::Kind::kEnd) {
      return add({.kind = PacketOpKind::kEnd, .dst = alu.dst});
    }
    if (alu.op == AluOp::kAdd && alu.is64 && add_to_pointer(alu)) {
      return true;
    }
    return add({});
  }

  static bool in_reach(std::int64_t offset) { return offset >= -kMaxBytes && offset <= kMaxBytes; }

  // The sum of a pointer and a register, or what is added to such a sum right behind it.
  bool add_to_pointer(const Alu& alu) {
    if (const auto* imm = std::get_if<std::int32_t>(&alu.src)) {
      if (targeted_[index_] || ops().empty()) {
        return false;
      }
      PacketOp& last = ops().back();
      if (last.kind != PacketOpKind::kPoint || last.dst != alu.dst ||
          !in_reach(std::int64_t{last.offset} + *imm)) {
        return false;
      }
      last.offset += *imm;
      return true;
    }
    const Reg src = std::get<Reg>(alu.src);
    const bool onto_pointer = facts().dst.is_packet();
    const Known& pointer = onto_pointer ? facts().dst : facts().src;
    if (!pointer.is_packet() || !in_reach(pointer.value)) {
      return false;
    }
    const PacketOp sum{.kind = PacketOpKind::kPoint,
                       .from_start = true,
                       .base = onto_pointer ? src : alu.dst,
                       .offset = static_cast<std::int32_t>(pointer.value),
                       .dst = alu.dst,
                       .index = index_};
    // A copy of the pointer that was made for this alone.
    if (onto_pointer && src != alu.dst && !targeted_[index_] && !ops().empty() &&
        ops().back().kind == PacketOpKind::kPoint && ops().back().dst == alu.dst) {
      ops().back() = sum;
      return true;
    }
    return add(sum);
  }

  // Bytes that were just loaded, turned around.
  bool step(const Endian& endian) {
    constexpr auto kTurns =
        std::endian::native == std::endian::little ? EndianOp::kToBig : EndianOp::kToLittle;
    if ((endian.op == EndianOp::kSwap || endian.op == kTurns) && endian.bits != 64 &&
        !targeted_[index_] && !ops().empty()) {
      PacketOp& last = ops().back();
      if (last.kind == PacketOpKind::kLoad && last.dst == endian.dst && !last.sign_extend &&
          !last.swapped && 8 * static_cast<unsigned>(last.width) == endian.bits) {
        last.swapped = true;
        return true;
      }
    }
    return add({});
  }

  bool step(const Load& load) {
    if (proof_.accesses[index_] == Proof::kContext) {
      if (facts().result.is_packet()) {
        return add({.kind = PacketOpKind::kPoint, .from_start = true, .dst = load.dst});
      }
      if (facts().result.kind == Known::Kind::kEnd) {
        return add({.kind = PacketOpKind::kEnd, .dst = load.dst});
      }
      return add({.kind = PacketOpKind::kField, .offset = load.offset, .dst = load.dst});
    }
    PacketOp op{.kind = PacketOpKind::kLoad,
                .base = load.src,
                .offset = load.offset,
                .width = load.width,
                .sign_extend = load.sign_extend && load.width != Width::kDw,
                .dst = load.dst};
    if (facts().src.is_packet() && in_reach(facts().src.value + load.offset)) {
      op.from_start = true;
      op.base.reset();
      op.offset = static_cast<std::int32_t>(facts().src.value + load.offset);
    }
    return add(op);
  }

  bool step(const Store&) { return add({}); }
  bool step(const Atomic&) { return add({}); }
  bool step(const LoadImm64&) { return add({}); }
  bool step(const LoadPacket&) { return add({}); }
  bool step(const Call&) { return add({}); }
  bool step(const Exit&) {
    add({.kind = PacketOpKind::kReturn});
    return false;
  }

  bool step(const Jump& jump) {
    if (jump.op == JumpOp::kJa) {
      jump_to({.kind = PacketOpKind::kGo});
      return false;
    }
    return jump_to(condition(jump));
  }

  PacketOp condition(const Jump& jump) const {
    const PacketOp compare{.kind = PacketOpKind::kCompare};
    const auto* src = std::get_if<Reg>(&jump.src);
    const bool end_right = facts().src.kind == Known::Kind::kEnd;
    const bool end_left = facts().dst.kind == Known::Kind::kEnd;
    if (!jump.is64 || src == nullptr || end_left == end_right) {
      return compare;
    }
    const JumpOp op = end_right ? jump.op : abstract::mirrored(jump.op);
    const Known& pointer = end_right ? facts().dst : facts().src;
    const bool orders =
        op == JumpOp::kGt || op == JumpOp::kGe || op == JumpOp::kLt || op == JumpOp::kLe;
    if (!orders && op != JumpOp::kEq && op != JumpOp::kNe) {
      return compare;
    }
    if (!orders || !pointer.is_packet() || pointer.value < 0 || pointer.value > kMaxBytes) {
      return {.kind = PacketOpKind::kPast, .base = end_right ? jump.dst : *src, .op = op};
    }
    // start + n > start + captured, and so on.
    const bool fewer = op == JumpOp::kGt || op == JumpOp::kGe;
    const bool one_more = op == JumpOp::kGe || op == JumpOp::kLt;
    return {.kind = fewer ? PacketOpKind::kFewer : PacketOpKind::kEnough,
            .value = static_cast<std::uint32_t>(pointer.value) + (one_more ? 1 : 0)};
  }

  bool jump_to(PacketOp op) {
    const std::uint32_t target = proof_.targets[index_];
    if (const auto verdict = verdict_at(target, facts().r0)) {
      const auto found = std::find(verdicts_.begin(), verdicts_.end(), *verdict);
      op.target = kVerdicts + static_cast<std::uint32_t>(found - verdicts_.begin());
      if (found == verdicts_.end()) {
        verdicts_.push_back(*verdict);
      }
    } else {
      op.target = target;
      targeted_[target] = true;
    }
    return add(op);
  }

  void append_verdicts() {
    first_verdict_ = static_cast<std::uint32_t>(ops().size());
    for (const std::uint32_t verdict : verdicts_) {
      ops().push_back({.kind = PacketOpKind::kVerdict,
                       .value = verdict,
                       .index = static_cast<std::uint32_t>(all_.size() - 1)});
    }
  }

  static bool jumps(const PacketOp& op) {
    switch (op.kind) {
      case PacketOpKind::kTest:
      case PacketOpKind::kCompare:
      case PacketOpKind::kFewer:
      case PacketOpKind::kEnough:
      case PacketOpKind::kPast:
      case PacketOpKind::kGo:
        return true;
      case PacketOpKind::kPlain:
      case PacketOpKind::kPoint:
      case PacketOpKind::kHeader:
      case PacketOpKind::kEnd:
      case PacketOpKind::kField:
      case PacketOpKind::kLoad:
      case PacketOpKind::kVerdict:
      case PacketOpKind::kReturn:
        return false;
    }
    return false;
  }
  static bool ends(const PacketOp& op) {
    return op.kind == PacketOpKind::kGo || op.kind == PacketOpKind::kVerdict ||
           op.kind == PacketOpKind::kReturn;
  }

  // Targets as operations in place of instructions.
  void find_targets() {
    for (PacketOp& op : ops()) {
      if (jumps(op)) {
        op.target =
            op.target >= kVerdicts ? first_verdict_ + (op.target - kVerdicts) : op_of_[op.target];
        ops()[op.target].is_target = true;
      }
    }
  }

  // ---- Backward: what is read ----

  void drop_unread() {
    const std::size_t n = ops().size();
    dropped_.assign(n, false);
    live_.assign(n + 1, 0);
    for (std::size_t i = n; i-- > 0;) {
      if (dropped_[i]) {
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
      const Effect what = effect_of(op, all_);
      if (what.pure && (live & what.writes) == 0) {
        dropped_[i] = true;
      } else {
        live = static_cast<std::uint16_t>((live & ~what.writes) | what.reads);
      }
      live_[i] = live;
      form_.used |=
          dropped_[i] ? std::uint16_t{0} : static_cast<std::uint16_t>(what.reads | what.writes);
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
              dropped_.begin() + static_cast<std::ptrdiff_t>(at), true);
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
              dropped_.begin() + static_cast<std::ptrdiff_t>(at), true);
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
      if (dropped_[i] || ops()[i].kind != PacketOpKind::kTest || next >= first_verdict_ ||
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
      dropped_[next] = true;
    }
  }

  std::size_t kept_from(std::size_t at) const {
    while (at < dropped_.size() && dropped_[at]) {
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
      if (!dropped_[i] && ops()[i].value == value) {
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
      if (!dropped_[i] && op.kind == PacketOpKind::kGo &&
          next_kept[op.target] == next_kept[i + 1]) {
        dropped_[i] = true;
      }
      next_kept[i] = dropped_[i] ? next_kept[i + 1] : static_cast<std::uint32_t>(i);
    }
    std::uint32_t kept = 0;
    for (std::size_t i = 0; i < n; ++i) {
      new_place[i] = kept;
      kept += dropped_[i] ? 0 : 1;
    }
    std::vector<PacketOp> left;
    left.reserve(kept);
    for (std::size_t i = 0; i < n; ++i) {
      if (!dropped_[i]) {
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
  PacketForm form_;
  std::vector<std::uint32_t> op_of_;  // The operation each instruction begins with.
  std::vector<bool> targeted_;        // Instructions some operation jumps to.
  std::vector<std::uint32_t> verdicts_;
  std::uint32_t first_verdict_ = 0;
  std::uint32_t index_ = 0;  // The instruction in hand.
  std::vector<bool> dropped_;
  std::vector<std::uint16_t> live_;  // Registers read behind the place in front of an operation.
};

}  // namespace

PacketEffect effect_of(const PacketOp& op, std::span<const Instruction> instructions) {
  switch (op.kind) {
    case PacketOpKind::kPlain:
    case PacketOpKind::kCompare:
      return std::visit([](const auto& one) { return effect(one); }, instructions[op.index]);
    case PacketOpKind::kPoint:
    case PacketOpKind::kHeader:
    case PacketOpKind::kEnd:
    case PacketOpKind::kField:
    case PacketOpKind::kLoad:
      return {.reads = bit(op.base), .writes = bit(op.dst), .pure = true};
    case PacketOpKind::kTest:
    case PacketOpKind::kPast:
      return {.reads = bit(op.base)};
    case PacketOpKind::kReturn:
      return {.reads = bit(Reg::kR0)};
    case PacketOpKind::kFewer:
    case PacketOpKind::kEnough:
    case PacketOpKind::kGo:
    case PacketOpKind::kVerdict:
      return {};
  }
  return {};
}

std::optional<PacketForm> packet_form(const Program& program, const AccessProof& proof) {
  const bool legacy =
      std::any_of(program.instructions.begin(), program.instructions.end(),
                  [](const Instruction& one) { return std::holds_alternative<LoadPacket>(one); });
  if (!proof.forward || proof.unproven != 0 || !proof.context_only_loaded || legacy) {
    return std::nullopt;
  }
  return Former(program, proof).run();
}

}  // namespace weir::ebpf
