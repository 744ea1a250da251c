// Direct packet access: bytes are read through pointers between data and data_end.
//
// Every base has one pointer, data + base, made where it is first needed and shared by what comes
// after; bounds are checked on that same pointer, as Linux's verifier wants it: a compare with
// data_end proves a range to all pointers of one id, if the largest offset that id can have is at
// most 0xffff (kernel/bpf/verifier.c, find_good_pkt_pointers). A base that the verifier cannot see
// to be small is compared first; a base past that limit ends the filter, because a packet has no
// bytes there that this target could read.
//
// A check moves the pointer on to behind the bytes it proves, and loads look back from there: so
// the pointer before it mostly dies in the check, which then is one addition and one compare. Where
// paths meet that moved a pointer differently, the last place they share is used.
//
// tc: part of a packet may lie outside data..data_end. A check that fails there asks the packet's
// length whether the bytes exist at all; if so, the packet is pulled in, once, and the filter
// starts again from the top. The fast path pays one store for the flag. XDP: the programs do not
// declare that they can take frames of several buffers, so data..data_end is the packet.
//
// Pointers to bases that vary, and XDP's length, data_end - data, take a loader with CAP_PERFMON:
// without it the verifier refuses such arithmetic. A helper tells the length, too, for a call.
#include <algorithm>
#include <cstdlib>
#include <functional>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "translator/lower/extended/packet/packet_reader.h"
#include "translator/lower/extended/packet/verifier_bounds.h"

namespace weir::lower {
namespace {

using ebpf::AluOp;
using ebpf::JumpOp;
using ebpf::Width;
using machine::BlockId;
using machine::End;
using machine::kNone;
using machine::Op;
using machine::Operand;
using machine::Vreg;

constexpr std::int64_t kMaxDisplacement = 0x7fff;  // Of a load instruction.

// A pointer to `shift` bytes behind a base.
struct Stop {
  Vreg vreg = kNone;
  std::uint64_t shift = 0;
  friend bool operator==(const Stop&, const Stop&) = default;
};

constexpr std::size_t kMaxStops = 6;

// The pointer to one base.
struct Pointer {
  // Where checks have moved it, the newest last; never empty once it is made. Not every stop is
  // kept, so that states stay small: an older one only helps where paths meet.
  std::vector<Stop> stops;
  std::uint64_t limit = 0;    // The largest `end` that can be checked on it.
  std::uint64_t covered = 0;  // Bytes behind the base that are known to be there.
  bool past_end = false;      // Whether the last stop has been compared and is not in the packet.

  void move_on(Stop stop) {
    if (stops.size() == kMaxStops) {
      stops.pop_back();
    }
    stops.push_back(stop);
  }
};

// A check that can fail.
struct Shortage {
  PacketBase base;
  BlockId block = kNone;
};

// By base; std::map because there are few at a time and they are merged in order.
using Pointers = std::map<ir::ValueId, Pointer>;

class DirectReader final : public PacketReader {
 public:
  explicit DirectReader(const ReaderContext& context)
      : function_(context.function),
        target_(context.target),
        builder_(context.builder),
        exits_(context.exits),
        bounds_(verifier_bounds(context.function)),
        last_use_(context.function.values.size(), 0),
        pointers_at_(context.function.blocks.size()) {
    for (ir::BlockId b = 0; b < function_.blocks.size(); ++b) {
      for (const ir::ValueId v : function_.blocks[b].body) {
        const ir::Value& value = function_.values[v];
        const bool reads =
            value.op == ir::Op::kNeed || value.op == ir::Op::kHas || value.op == ir::Op::kLoad;
        if (reads && value.a != ir::kNoValue) {
          last_use_[value.a] = b;
        }
      }
    }
  }

  void begin(Vreg context) override {
    entry_ = builder_.block();
    // A function that repeats has moved the context already, to keep it from one run to the next.
    context_ = function_.loop_words != 0 ? context : builder_.move(Operand::of(context));
    top_ = builder_.function().new_block();
    builder_.jump(top_);
    builder_.start(top_);
    data_ = load_field(target_.data);
    data_end_ = load_field(target_.data_end);
    pointers_[ir::kNoValue] = {.stops = {{.vreg = data_}}, .limit = max_end()};
    pointers_at_[0] = pointers_;
  }

  Vreg context() const override { return context_; }

  void enter(ir::BlockId block) override {
    pointers_ = std::move(*pointers_at_[block]);
    pointers_at_[block].reset();
  }

  void leave_to(ir::BlockId block) override {
    auto& there = pointers_at_[block];
    const auto outlived = [&](const auto& entry) {
      return entry.first != ir::kNoValue && last_use_[entry.first] < block;
    };
    if (!there) {
      there = pointers_;
      std::erase_if(*there, outlived);
      return;
    }
    std::erase_if(*there, [&](const auto& entry) {
      const auto here = pointers_.find(entry.first);
      return here == pointers_.end() || here->second.stops[0] != entry.second.stops[0];
    });
    for (auto& [base, pointer] : *there) {
      const Pointer& here = pointers_[base];
      pointer.covered = std::min(pointer.covered, here.covered);
      pointer.past_end = pointer.past_end || here.past_end;
      const auto shared = std::mismatch(pointer.stops.begin(), pointer.stops.end(),
                                        here.stops.begin(), here.stops.end());
      pointer.stops.erase(shared.first, pointer.stops.end());
    }
  }

  bool need(PacketBase base, std::uint64_t end) override { return cover(base, end); }

  bool has(PacketBase base, std::uint64_t end, const std::function<BlockId()>& leave) override {
    if (end > max_end()) {
      return false;
    }
    Pointer& pointer = reach(base, end);
    if (pointer.covered >= end) {
      return true;
    }
    // Linux takes a pointer that was found to be past data_end for one that stays there, even when
    // something is subtracted from it, and cuts away what a second compare would lead to. It does
    // so by strictness: `>=`, one byte before, leaves the answer to a later `>` open (since 5.11,
    // kernel/bpf/verifier.c, mark_pkt_end and is_pkt_ptr_branch_taken). Nor can anything be read
    // through that pointer before it has been compared anew.
    const bool verified = target_.max_packet_offset != 0;
    stop_at(pointer, verified ? end - 1 : end);
    pointer.past_end = verified;
    const BlockId otherwise = leave();
    pointers_[base.id].past_end = false;
    compare(verified ? JumpOp::kGe : JumpOp::kGt, base, end, too_short_or(base, end, otherwise));
    return true;
  }

  Vreg load(PacketBase base, std::uint64_t offset, std::uint8_t width,
            bool network_order) override {
    if (!cover(base, offset + width)) {
      return kNone;
    }
    const Stop stop = pointers_[base.id].stops.back();
    Vreg pointer = stop.vreg;
    std::int64_t displacement =
        static_cast<std::int64_t>(offset) - static_cast<std::int64_t>(stop.shift);
    if (std::abs(displacement) > kMaxDisplacement) {
      pointer = advance(pointer, displacement);
      displacement = 0;
    }
    const auto bytes = static_cast<Width>(width);
    const Vreg raw = builder_.load(bytes, pointer, static_cast<std::int16_t>(displacement));
    return width == 1 || network_order ? raw : builder_.to_big(bytes, raw);
  }

  bool reads_network_order() const override { return true; }
  bool reads_wide() const override { return true; }

  Vreg length() override {
    if (target_.length.exists()) {
      return load_field(target_.length);
    }
    if (target_.length_helper != 0) {
      return builder_.define({.op = Op::kCall, .a = context_, .imm = target_.length_helper});
    }
    return builder_.alu64(AluOp::kSub, data_end_, Operand::of(data_));
  }

  void finish() override {
    for (const auto& [key, shortage] : shortages_) {
      look_at_length(shortage, key.second, exits_.reject());
    }
    if (pull_ != kNone) {
      pull_and_restart();
    }
  }

 private:
  std::uint64_t max_end() const {
    return target_.max_packet_offset != 0 ? target_.max_packet_offset : 0x7fffffff;
  }

  Vreg load_field(ContextField field) { return builder_.load(field.width, context_, field.offset); }

  // Where a check that `end` bytes are there behind `base` leads when it fails.
  BlockId too_short(PacketBase base, std::uint64_t end) {
    if (target_.pull_data_helper == 0) {
      return exits_.reject();
    }
    const auto [found, is_new] = shortages_.try_emplace({base.id, end});
    if (is_new) {
      found->second = {.base = base, .block = builder_.function().new_block()};
    }
    return found->second.block;
  }

  // The same where the way leads to `otherwise` when the bytes are nowhere. The block stands in
  // front of that one.
  BlockId too_short_or(PacketBase base, std::uint64_t end, BlockId otherwise) {
    if (target_.pull_data_helper == 0) {
      return otherwise;
    }
    const BlockId here = builder_.block();
    const BlockId block = builder_.function().new_block();
    look_at_length({.base = base, .block = block}, end, otherwise);
    builder_.resume(here);
    return block;
  }

  // Pulls the packet in and restarts.
  BlockId pull() {
    if (pull_ == kNone) {
      pull_ = builder_.function().new_block();
    }
    return pull_;
  }

  Vreg advance(Vreg pointer, std::int64_t bytes) {
    return builder_.alu64(AluOp::kAdd, pointer, {.imm = static_cast<std::int32_t>(bytes)});
  }

  // Proves `end` bytes behind `base` to be there; false when that cannot be.
  bool cover(PacketBase base, std::uint64_t end) {
    if (end > max_end()) {
      return false;
    }
    Pointer& pointer = reach(base, end);
    if (pointer.covered >= end && !pointer.past_end) {
      return true;
    }
    end = std::max(end, pointer.covered);
    stop_at(pointer, end);
    compare(JumpOp::kGt, base, end, too_short(base, end));
    if (pointer.past_end) {
      // Like the stop of the way that was left, so that what is read here is read like there.
      stop_at(pointer, end - 1);
      pointer.past_end = false;
    }
    return true;
  }

  // The pointer to `base`, as one on which `end` can be checked.
  Pointer& reach(PacketBase base, std::uint64_t end) {
    Pointer& pointer = pointers_[base.id];
    if (pointer.stops.empty() || pointer.limit < end) {
      pointer = make_pointer(base, end);
    }
    return pointer;
  }

  void stop_at(Pointer& pointer, std::uint64_t shift) {
    const Stop last = pointer.stops.back();
    if (shift != last.shift) {
      pointer.move_on({.vreg = advance(last.vreg, static_cast<std::int64_t>(shift) -
                                                      static_cast<std::int64_t>(last.shift)),
                       .shift = shift});
    }
  }

  // From here on the bytes that the last stop stands for are there.
  void compare(JumpOp op, PacketBase base, std::uint64_t end, BlockId otherwise) {
    Pointer& pointer = pointers_[base.id];
    builder_.exit_if(op, pointer.stops.back().vreg, Operand::of(data_end_), otherwise, true);
    pointer.covered = end;
  }

  Pointer make_pointer(PacketBase base, std::uint64_t end) {
    std::uint64_t limit = max_end();
    if (target_.max_packet_offset != 0) {
      const std::uint64_t bound = bounds_[base.id];
      if (bound <= max_end() - end) {
        limit = max_end() - bound;
      } else {
        limit = end;
        builder_.exit_if(JumpOp::kGt, base.vreg,
                         Operand::constant(static_cast<std::uint32_t>(max_end() - end)),
                         exits_.reject(), true);
      }
    }
    const Stop data = pointers_[ir::kNoValue].stops.back();
    return {.stops = {{.vreg = builder_.alu64(AluOp::kAdd, data.vreg, Operand::of(base.vreg)),
                       .shift = data.shift}},
            .limit = limit};
  }

  // Goes on to `otherwise` when the packet is too short in all its pieces; the sums are arranged so
  // that none wraps.
  void look_at_length(const Shortage& shortage, std::uint64_t end, BlockId otherwise) {
    start_cold(shortage.block);
    const Operand wanted = Operand::constant(static_cast<std::uint32_t>(end));
    Vreg room = load_field(target_.length);
    builder_.exit_if(JumpOp::kLt, room, wanted, otherwise);
    if (shortage.base.id != ir::kNoValue) {
      room = builder_.alu(AluOp::kSub, room, wanted);
      builder_.exit_if(JumpOp::kGt, shortage.base.vreg, Operand::of(room), otherwise);
    }
    builder_.jump(pull());
  }

  // The flag says whether this has been done for the packet; without it a program could turn round
  // for ever in the verifier's eyes.
  void pull_and_restart() {
    auto& function = builder_.function();
    const std::int16_t flag = function.new_stack_word();
    const std::int16_t kept = function.new_stack_word();
    start_cold(pull_);
    const Vreg done = builder_.load(Width::kDw, machine::kFrame, flag);
    builder_.exit_if(JumpOp::kNe, done, Operand::constant(0), exits_.reject(), true);
    builder_.store(Width::kDw, machine::kFrame, flag, Operand::constant(1));
    builder_.append({.op = Op::kPullData,
                     .offset = kept,
                     .a = context_,
                     .b = Operand::of(load_field(target_.length)),
                     .imm = target_.pull_data_helper});
    if (function.live_at_restarts.empty()) {
      function.live_at_restarts = {context_};
    }
    builder_.end({.end = End::kRestart, .edges = {{.to = top_}}});
    function.blocks[entry_].body.push_back({.op = Op::kStore,
                                            .width = Width::kDw,
                                            .offset = flag,
                                            .a = machine::kFrame,
                                            .b = Operand::constant(0)});
  }

  void start_cold(BlockId block) {
    builder_.start(block);
    builder_.function().blocks[block].cold = true;
  }

  const ir::Function& function_;
  const Target& target_;
  machine::Builder& builder_;
  Exits& exits_;
  std::vector<std::uint64_t> bounds_;
  std::vector<ir::BlockId> last_use_;  // By base: the last block that reads through it.
  std::vector<std::optional<Pointers>> pointers_at_;
  Pointers pointers_;  // At this moment.
  BlockId entry_ = kNone;
  BlockId top_ = kNone;  // Where a restart begins.
  // Where failing checks lead, by base and end, if part of the packet can be elsewhere.
  std::map<std::pair<ir::ValueId, std::uint64_t>, Shortage> shortages_;
  BlockId pull_ = kNone;
  Vreg context_ = kNone;
  Vreg data_ = kNone;
  Vreg data_end_ = kNone;
};

}  // namespace

std::unique_ptr<PacketReader> make_direct_reader(const ReaderContext& context) {
  return std::make_unique<DirectReader>(context);
}

}  // namespace weir::lower
