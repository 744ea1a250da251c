#include "translator/lower/extended/sets/set_lookup.h"

#include <array>
#include <bit>
#include <utility>
#include <variant>

namespace weir::lower {
namespace {

using ebpf::AluOp;
using ebpf::JumpOp;
using ebpf::Width;
using machine::BlockId;
using machine::Edge;
using machine::End;
using machine::kNone;
using machine::Op;
using machine::Operand;
using machine::Vreg;

using MakeEdge = std::function<Edge()>;

// One look-up: the parts of a plan, one after the other.
class Lookup {
 public:
  Lookup(machine::Builder& builder, std::uint32_t map, const LookupKey& key, const MakeEdge& yes,
         const MakeEdge& no)
      : builder_(builder), map_(map), key_(key), yes_(yes), no_(no) {
    pairs_.fill(kNone);
  }

  void run(const SetPlan& plan) {
    for (std::size_t i = 0; i < plan.parts.size(); ++i) {
      words_ = plan.parts[i].words;
      rest_ = i + 1 < plan.parts.size() ? builder_.function().new_block() : kNone;
      std::visit([this](const auto& part) { ask(part); }, plan.parts[i].how);
      if (rest_ != kNone) {
        builder_.start(rest_);
      }
    }
    if (plan.parts.empty()) {
      builder_.end({.end = End::kJump, .edges = {no_()}});
    }
  }

 private:
  // ---- Pieces of code ----

  Edge otherwise() const { return rest_ == kNone ? no_() : Edge{.to = rest_}; }

  void branch(JumpOp op, Vreg a, Operand b, Edge taken, Edge next, bool is64 = false) {
    builder_.end({.end = End::kBranch,
                  .is64 = is64,
                  .compare = op,
                  .a = a,
                  .b = b,
                  .edges = {std::move(taken), std::move(next)}});
  }
  // Goes on in a new block unless the compare holds.
  void leave_if(JumpOp op, Vreg a, Operand b, Edge to, bool is64 = false) {
    const BlockId next = builder_.function().new_block();
    branch(op, a, b, std::move(to), {.to = next}, is64);
    builder_.start(next);
  }

  Vreg wide(std::uint64_t value) {
    return builder_.define({.op = Op::kLoadWide,
                            .b = Operand::constant(static_cast<std::uint32_t>(value >> 32)),
                            .imm = static_cast<std::int32_t>(value & 0xffffffff)});
  }
  Vreg table(std::uint32_t offset) {
    return builder_.define({.op = Op::kLoadData,
                            .b = Operand::constant(offset),
                            .imm = static_cast<std::int32_t>(map_)});
  }
  Vreg entry(std::uint32_t offset_of_table, Vreg offset) {
    return builder_.alu64(AluOp::kAdd, table(offset_of_table), Operand::of(offset));
  }

  Vreg word(std::uint32_t index) const { return key_.words[index]; }
  // key - low.
  Vreg behind(std::uint32_t low) {
    return low == 0 ? word(0) : builder_.alu(AluOp::kSub, word(0), Operand::constant(low));
  }
  // Two words as one number of 64 bits. Made where all later parts see it.
  Vreg pair(std::uint32_t first) {
    if (pairs_[first] == kNone && key_.load_pair) {
      pairs_[first] = key_.load_pair(first);
    }
    if (pairs_[first] == kNone) {
      const Vreg upper = builder_.alu64(AluOp::kLsh, word(first), Operand::constant(32));
      pairs_[first] = builder_.alu64(AluOp::kOr, upper, Operand::of(word(first + 1)));
    }
    return pairs_[first];
  }

  // ---- Parts ----

  void ask(const RangePart& part) {
    const ir::Range& range = part.range;
    if (range.low == range.high) {
      for (std::uint32_t i = 0; i + 1 < words_; ++i) {
        leave_if(JumpOp::kNe, word(i), Operand::constant(range.low.word(words_ - 1 - i)),
                 otherwise());
      }
      branch(JumpOp::kEq, word(words_ - 1), Operand::constant(range.low.word(0)), yes_(),
             otherwise());
      return;
    }
    const std::uint32_t low = range.low.word(0);
    const std::uint32_t high = range.high.word(0);
    if (high == 0xffffffff) {
      branch(JumpOp::kGe, word(0), Operand::constant(low), yes_(), otherwise());
    } else {
      branch(JumpOp::kLe, behind(low), Operand::constant(high - low), yes_(), otherwise());
    }
  }

  void ask(const BitsPart& part) {
    const Vreg bit = behind(part.low);
    leave_if(JumpOp::kGt, bit, Operand::constant(63), otherwise());
    const Vreg shifted = builder_.alu64(AluOp::kRsh, wide(part.bits), Operand::of(bit));
    branch(JumpOp::kSet, shifted, Operand::constant(1), yes_(), otherwise());
  }

  void ask(const BitmapPart& part) {
    const Vreg bit = behind(part.low);
    if (!part.whole) {
      leave_if(JumpOp::kGt, bit, Operand::constant(part.bytes * 8 - 1), otherwise());
    }
    Vreg byte = builder_.alu(AluOp::kRsh, bit, Operand::constant(3));
    if (part.whole && !key_.bounded) {
      byte = builder_.alu(AluOp::kAnd, byte, Operand::constant(part.bytes - 1));
    }
    const Vreg bits = builder_.load(Width::kB, entry(part.table, byte), 0);
    const Vreg in_byte = builder_.alu(AluOp::kAnd, bit, Operand::constant(7));
    const Vreg shifted = builder_.alu(AluOp::kRsh, bits, Operand::of(in_byte));
    branch(JumpOp::kSet, shifted, Operand::constant(1), yes_(), otherwise());
  }

  void ask(const HashPart& part) {
    if (words_ == 1) {
      ask_for_number(part);
    } else {
      ask_for_halves(part);
    }
  }

  void ask_for_number(const HashPart& part) {
    const HashPlaces& places = part.places;
    const Vreg key = part.shift == 0
                         ? word(0)
                         : builder_.alu(AluOp::kRsh, word(0), Operand::constant(part.shift));
    for (std::uint32_t look = 0; look < places.looks; ++look) {
      const auto multiplier = static_cast<std::uint32_t>(places.multipliers[look]);
      Vreg at = builder_.alu(AluOp::kMul, key, Operand::constant(multiplier));
      at = builder_.alu(AluOp::kRsh, at, Operand::constant(32 - places.log_slots));
      at = builder_.alu(AluOp::kLsh, at, Operand::constant(2));
      const Vreg found = builder_.load(Width::kW, entry(part.table, at), 0);
      if (look + 1 < places.looks) {
        leave_if(JumpOp::kEq, found, Operand::of(key), yes_());
      } else {
        branch(JumpOp::kEq, found, Operand::of(key), yes_(), otherwise());
      }
    }
  }

  void ask_for_halves(const HashPart& part) {
    const HashPlaces& places = part.places;
    const bool both = words_ > 2;
    const Vreg upper = words_ == 3 ? word(0) : pair(0);
    Vreg lower = both ? pair(words_ - 2) : upper;
    if (part.shift != 0) {
      lower = builder_.alu64(AluOp::kRsh, lower, Operand::constant(part.shift));
    }
    Vreg number = lower;
    if (both) {
      number = builder_.alu64(AluOp::kMul, upper, Operand::of(wide(places.mixer)));
      number = builder_.alu64(AluOp::kAdd, number, Operand::of(lower));
    }
    for (std::uint32_t look = 0; look < places.looks; ++look) {
      const bool last = look + 1 == places.looks;
      const BlockId next = last ? kNone : builder_.function().new_block();
      const auto no_match = [&] { return last ? otherwise() : Edge{.to = next}; };
      Vreg at = builder_.alu64(AluOp::kMul, number, Operand::of(wide(places.multipliers[look])));
      at = builder_.alu64(AluOp::kRsh, at, Operand::constant(64 - places.log_slots));
      at = builder_.alu64(AluOp::kLsh, at, Operand::constant(both ? 4 : 3));
      const Vreg there = entry(part.table, at);
      if (both) {
        leave_if(JumpOp::kNe, builder_.load(Width::kDw, there, 0), Operand::of(upper), no_match(),
                 true);
      }
      branch(JumpOp::kEq, builder_.load(Width::kDw, there, both ? 8 : 0), Operand::of(lower),
             yes_(), no_match(), true);
      if (!last) {
        builder_.start(next);
      }
    }
  }

  // Counts the turns that are not above the key. `count` is their number times the stride, so far.
  void ask(const SearchPart& part) {
    Vreg count = part.has_starts ? start_of(part) : kNone;
    const Vreg behind_key = builder_.alu64(AluOp::kAdd, word(words_ - 1), Operand::constant(1));
    // After the first step as many entries are left as halve evenly ever after.
    std::uint32_t left = std::bit_ceil(part.window / 2 + 1) - 1;
    std::uint32_t half = part.window - left;
    for (; half > 0; half = (left + 1) / 2, left -= half) {
      const std::uint32_t middle = part.table + (half - 1) * part.stride;
      const Vreg there = count == kNone ? table(middle) : entry(middle, count);
      const Vreg step = times(is_not_above_key(there, behind_key), half * part.stride);
      count = count == kNone ? step : builder_.alu64(AluOp::kAdd, count, Operand::of(step));
    }
    branch(JumpOp::kSet, count, Operand::constant(part.stride), yes_(), otherwise());
  }

  Vreg start_of(const SearchPart& part) {
    const Starts& starts = part.starts;
    Vreg bucket = behind(starts.low);
    if (starts.high - starts.low != 0xffffffff) {
      leave_if(JumpOp::kGt, bucket, Operand::constant(starts.high - starts.low), otherwise());
    }
    if (starts.shift != 0) {
      bucket = builder_.alu(AluOp::kRsh, bucket, Operand::constant(starts.shift));
    }
    bucket = builder_.alu(AluOp::kLsh, bucket, Operand::constant(2));
    const Vreg start = builder_.load(Width::kW, entry(starts.table, bucket), 0);
    // Never; but the verifier does not know what is in a table.
    leave_if(JumpOp::kGt, start, Operand::constant(starts.largest), otherwise());
    return start;
  }

  Vreg times(Vreg a, std::uint32_t factor) {
    return std::has_single_bit(factor)
               ? builder_.alu64(
                     AluOp::kLsh, a,
                     Operand::constant(static_cast<std::uint32_t>(std::countr_zero(factor))))
               : builder_.alu64(AluOp::kMul, a, Operand::constant(factor));
  }

  // 1 where the entry is not above the key, else 0: the borrow of entry - (key + 1), word by word
  // from the last one. (A mask of all ones, by an arithmetic shift, would do as well; but on such
  // masks newer verifiers look at both cases apart, and a search has many.)
  Vreg is_not_above_key(Vreg there, Vreg behind_key) {
    Vreg borrow = kNone;
    for (std::uint32_t i = words_; i-- > 0;) {
      const Vreg found = builder_.load(Width::kW, there, static_cast<std::int16_t>(4 * i));
      const bool last = i + 1 == words_;
      Vreg difference =
          builder_.alu64(AluOp::kSub, found, Operand::of(last ? behind_key : word(i)));
      if (!last) {
        difference = builder_.alu64(AluOp::kSub, difference, Operand::of(borrow));
      }
      borrow = builder_.alu64(AluOp::kRsh, difference, Operand::constant(63));
    }
    return borrow;
  }

  machine::Builder& builder_;
  std::uint32_t map_;
  const LookupKey& key_;
  const MakeEdge& yes_;
  const MakeEdge& no_;
  std::uint32_t words_ = 1;  // Of the part in hand.
  BlockId rest_ = kNone;     // Where the part behind it begins.
  std::array<Vreg, ir::kMaxWords> pairs_{};
};

}  // namespace

void SetLookups::branch(std::uint32_t set, const LookupKey& key, const MakeEdge& yes,
                        const MakeEdge& no) {
  Lookup(builder_, map_, key, yes, no).run(plan(set, key));
}

std::optional<ebpf::Map> SetLookups::map() const {
  if (data_.bytes().empty()) {
    return std::nullopt;
  }
  return ebpf::Map{.name = kSetMap,
                   .kind = ebpf::MapKind::kReadOnlyData,
                   .value_size = static_cast<std::uint32_t>(data_.bytes().size()),
                   .entries = 1,
                   .data = data_.bytes()};
}

const SetPlan& SetLookups::plan(std::uint32_t set, const LookupKey& key) {
  const auto [found, is_new] = plans_.try_emplace({set, key.network_order, key.largest});
  if (is_new) {
    const ir::Set& members = function_.sets[set];
    found->second = key.network_order == 0 ? plan_set(members, key.largest, data_)
                                           : plan_set(in_network_order(members, key.network_order),
                                                      key.largest, data_);
  }
  return found->second;
}

}  // namespace weir::lower
