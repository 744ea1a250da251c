// Packet access in place: a socket filter reads the packet where the kernel keeps it.
//
// bpf_cast_to_kern_ctx gives the kernel's own struct sk_buff, bpf_rdonly_cast makes its data
// pointer one that the program may read through; both are a move in the machine code. What a need
// means is ours to compare: the verifier lets these loads go anywhere, and one that faults reads 0.
// Lengths are compared as numbers, and no bound has to be proved.
//
// Only the linear part of the packet can be read like this. Where a need fails on a packet that has
// more, the filter starts again in its other form (LD_ABS), which knows how to get at the rest.
#include <algorithm>
#include <bit>
#include <cstdlib>
#include <functional>
#include <map>
#include <optional>
#include <utility>

#include "translator/ir/bounds.h"
#include "translator/lower/extended/packet/combine_loads.h"
#include "translator/lower/extended/packet/packet_reader.h"

namespace weir::lower {
namespace {

using ebpf::AluOp;
using ebpf::JumpOp;
using ebpf::Width;
using machine::BlockId;
using machine::kNone;
using machine::Op;
using machine::Operand;
using machine::Vreg;

constexpr std::uint64_t kMaxEnd = 0x7fffffff;      // skb->len is less.
constexpr std::int64_t kMaxDisplacement = 0x7fff;  // Of a load instruction.

struct Place {
  Vreg pointer = kNone;  // data + base + shift, once it is known.
  std::uint64_t shift = 0;
  std::uint64_t covered = 0;  // Bytes behind the base that are known to be there.
  // What has been read of them at once (combine_loads.h).
  std::vector<std::pair<LoadWindow, Vreg>> windows;
};

using Places = std::map<ir::ValueId, Place>;

class InPlaceReader final : public PacketReader {
 public:
  InPlaceReader(const ReaderContext& context, BlockId elsewhere, std::uint32_t least)
      : target_(context.target),
        builder_(context.builder),
        exits_(context.exits),
        elsewhere_(elsewhere),
        least_(least),
        bounds_(ir::upper_bounds(context.function)),
        windows_(plan_combined_loads(context.function, context.needed)),
        places_at_(context.function.blocks.size()) {}

  void begin(Vreg context) override {
    const ebpf::SkbLayout& layout = *target_.skb_layout;
    context_ = context;
    const Vreg skb =
        builder_.define({.op = Op::kCallKernel, .a = context_, .imm = layout.cast_to_kern_ctx});
    const Vreg all = builder_.load(Width::kW, skb, layout.length);
    const Vreg outside = builder_.load(Width::kW, skb, layout.data_length);
    linear_ = builder_.alu(AluOp::kSub, all, Operand::of(outside));
    const Vreg address = builder_.load(Width::kDw, skb, layout.data);
    data_ = builder_.define({.op = Op::kCallKernel,
                             .a = address,
                             .b = Operand::of(builder_.move(Operand::constant(0))),
                             .imm = layout.rdonly_cast});
    if (least_ != 0) {
      builder_.exit_if(JumpOp::kLt, linear_, Operand::constant(least_), elsewhere_);
    }
    places_[ir::kNoValue] = {.pointer = data_, .covered = least_};
    places_at_[0] = places_;
  }

  Vreg context() const override { return context_; }

  void enter(ir::BlockId block) override {
    places_ = std::move(*places_at_[block]);
    places_at_[block].reset();
  }

  void leave_to(ir::BlockId block) override {
    auto& there = places_at_[block];
    if (!there) {
      there = places_;
      return;
    }
    std::erase_if(*there, [&](const auto& entry) { return !places_.contains(entry.first); });
    for (auto& [base, place] : *there) {
      const Place& here = places_[base];
      place.covered = std::min(place.covered, here.covered);
      if (place.pointer != here.pointer) {
        place.pointer = base == ir::kNoValue ? data_ : kNone;
        place.shift = 0;
      }
      std::erase_if(place.windows, [&](const auto& window) {
        return std::none_of(here.windows.begin(), here.windows.end(),
                            [&](const auto& other) { return other.second == window.second; });
      });
    }
  }

  bool need(PacketBase base, std::uint64_t end) override {
    if (end > kMaxEnd) {
      return false;
    }
    if (places_[base.id].covered < end) {
      compare(base, end, too_short());
      move_on(base, end);
    }
    return true;
  }

  bool has(PacketBase base, std::uint64_t end, const std::function<BlockId()>& leave) override {
    if (end > kMaxEnd) {
      return false;
    }
    if (places_[base.id].covered < end) {
      const BlockId here = builder_.block();
      const BlockId shorter = builder_.function().new_block();
      look_elsewhere(shorter, leave());
      builder_.resume(here);
      compare(base, end, shorter);
      move_on(base, end);
    }
    return true;
  }

  Vreg load(PacketBase base, std::uint64_t offset, std::uint8_t width,
            bool network_order) override {
    if (!need(base, offset + width)) {
      return kNone;
    }
    const auto bytes = static_cast<Width>(width);
    Vreg raw = load_from_window(base, offset, width);
    if (raw == kNone) {
      raw = read(base, offset, bytes);
    }
    return width == 1 || network_order ? raw : builder_.to_big(bytes, raw);
  }

  bool reads_network_order() const override { return true; }

  Vreg length() override {
    return builder_.load(target_.length.width, context_, target_.length.offset);
  }

  void finish() override {
    if (shortage_ == kNone) {
      return;
    }
    look_elsewhere(shortage_, exits_.reject());
  }

 private:
  // From here on `end` bytes behind the base are there.
  void compare(PacketBase base, std::uint64_t end, BlockId otherwise) {
    behind_ = kNone;
    is_first_ = base.id == ir::kNoValue && places_[base.id].covered == 0;
    places_[base.id].covered = end;
    const Operand wanted = Operand::constant(static_cast<std::uint32_t>(end));
    if (base.id == ir::kNoValue) {
      builder_.exit_if(JumpOp::kLt, linear_, wanted, otherwise);
    } else if (bounds_[base.id] <= kMaxEnd - end) {
      behind_ = builder_.alu(AluOp::kAdd, base.vreg, wanted);
      builder_.exit_if(JumpOp::kGt, behind_, Operand::of(linear_), otherwise);
    } else {
      // Arranged so that nothing wraps.
      builder_.exit_if(JumpOp::kLt, linear_, wanted, otherwise);
      const Vreg room = builder_.alu(AluOp::kSub, linear_, wanted);
      builder_.exit_if(JumpOp::kGt, base.vreg, Operand::of(room), otherwise);
    }
  }

  // Behind a compare but the first, the pointer goes to behind the bytes it has proved, as that of
  // direct access does: what is read behind different headers is then read alike, and a read is the
  // longest thing here in the machine code.
  void move_on(PacketBase base, std::uint64_t end) {
    Place& place = places_[base.id];
    if (behind_ != kNone) {
      place.pointer = builder_.alu64(AluOp::kAdd, data_, Operand::of(behind_));
    } else if (base.id == ir::kNoValue && !is_first_ &&
               end <= static_cast<std::uint64_t>(kMaxDisplacement)) {
      place.pointer =
          builder_.alu64(AluOp::kAdd, data_, Operand::constant(static_cast<std::uint32_t>(end)));
    } else {
      return;
    }
    place.shift = end;
  }

  Vreg read(PacketBase base, std::uint64_t offset, Width width) {
    Place& place = places_[base.id];
    if (place.pointer == kNone) {
      place.pointer = builder_.alu64(AluOp::kAdd, data_, Operand::of(base.vreg));
    }
    Vreg pointer = place.pointer;
    std::int64_t displacement =
        static_cast<std::int64_t>(offset) - static_cast<std::int64_t>(place.shift);
    if (std::abs(displacement) > kMaxDisplacement) {
      pointer =
          builder_.alu64(AluOp::kAdd, pointer, {.imm = static_cast<std::int32_t>(displacement)});
      displacement = 0;
    }
    return builder_.load(width, pointer, static_cast<std::int16_t>(displacement));
  }

  // The bytes as they lie in the packet, from a window that is open or can be opened; else kNone.
  Vreg load_from_window(PacketBase base, std::uint64_t offset, std::uint8_t width) {
    const auto planned = windows_.find({base.id, static_cast<std::uint32_t>(offset)});
    if (offset > UINT32_MAX || planned == windows_.end()) {
      return kNone;
    }
    const LoadWindow window = planned->second;
    Place& place = places_[base.id];
    if (window.end() > place.covered || offset + width > window.end()) {
      return kNone;
    }
    const auto open =
        std::find_if(place.windows.begin(), place.windows.end(), [&](const auto& other) {
          return other.first.offset == window.offset && other.first.width == window.width;
        });
    Vreg all = kNone;
    if (open == place.windows.end()) {
      all = read(base, window.offset, static_cast<Width>(window.width));
      places_[base.id].windows.emplace_back(window, all);
    } else {
      all = open->second;
    }
    return part_of(all, window, static_cast<std::uint32_t>(offset) - window.offset, width);
  }

  // `width` bytes of the window from byte `first` on.
  Vreg part_of(Vreg all, const LoadWindow& window, std::uint32_t first, std::uint32_t width) {
    const std::uint32_t behind = window.width - first - width;
    const std::uint32_t shift = 8 * (std::endian::native == std::endian::little ? first : behind);
    Vreg part = all;
    if (shift != 0) {
      part = window.width == 8 ? builder_.alu64(AluOp::kRsh, all, Operand::constant(shift))
                               : builder_.alu(AluOp::kRsh, all, Operand::constant(shift));
    }
    if (shift + 8 * width == 8U * window.width) {
      return part;  // Nothing is above it.
    }
    const std::uint32_t mask = width == 4 ? 0xffffffff : (1U << 8 * width) - 1;
    return builder_.alu(AluOp::kAnd, part, Operand::constant(mask));
  }

  // A block that goes on to `otherwise` if the packet is all here.
  void look_elsewhere(BlockId block, BlockId otherwise) {
    builder_.start(block);
    builder_.function().blocks[block].cold = true;
    builder_.end({.end = machine::End::kBranch,
                  .compare = JumpOp::kEq,
                  .a = length(),
                  .b = Operand::of(linear_),
                  .edges = {{.to = otherwise}, {.to = elsewhere_}}});
  }

  BlockId too_short() {
    if (shortage_ == kNone) {
      shortage_ = builder_.function().new_block();
    }
    return shortage_;
  }

  const Target& target_;
  machine::Builder& builder_;
  Exits& exits_;
  BlockId elsewhere_;    // Where the filter's other form begins.
  std::uint32_t least_;  // Of the bytes in the linear part; shorter packets go there at once.
  std::vector<std::uint32_t> bounds_;
  const std::map<LoadKey, LoadWindow> windows_;
  std::vector<std::optional<Places>> places_at_;
  Places places_;  // At this moment.
  BlockId shortage_ = kNone;
  Vreg context_ = kNone;
  Vreg data_ = kNone;
  Vreg linear_ = kNone;    // The length of the linear part.
  Vreg behind_ = kNone;    // What the last compare has added up, if it was a sum.
  bool is_first_ = false;  // Whether it was the first from the packet's beginning.
};

}  // namespace

std::unique_ptr<PacketReader> make_skb_reader(const ReaderContext& context,
                                              machine::BlockId elsewhere, std::uint32_t least) {
  return std::make_unique<InPlaceReader>(context, elsewhere, least);
}

}  // namespace weir::lower
