#include "tests/random/random_program.h"

#include <algorithm>
#include <optional>
#include <vector>

namespace weir::random {
namespace {

using namespace cbpf;  // NOLINT: the codes, for a file that is made of them.

// Offsets at which an Ethernet frame has something, and numbers that are found there.
std::uint32_t plausible_offset(Choices& choices) {
  return choices.pick<std::uint32_t>(
      {12, 14, 23, 26, 30, 20, 34, 36, 16, 18, 0, 6, 46, 54, 38, 22, 40, 56, 47, 58});
}
std::uint32_t plausible_value(Choices& choices) {
  return choices.pick<std::uint32_t>({0x800, 0x86dd, 0x806, 0x8100, 6, 17, 1, 80, 443, 53, 0,
                                      0x0a000001, 0xc0a80101, 0x1fff, 0x45, 20, 0x20010db8, 0x12});
}
// Where arithmetic changes its mind.
std::uint32_t edge_value(Choices& choices) {
  return choices.pick<std::uint32_t>({0, 1, 2, 3, 4, 15, 16, 31, 32, 33, 0xff, 0xffff, 0x7fffffff,
                                      0x80000000, 0x80000001, 0xfffffffe, 0xffffffff});
}
std::uint32_t any_value(Choices& choices) {
  switch (choices.below(4)) {
    case 0:
      return edge_value(choices);
    case 1:
      return choices.any();
    default:
      return plausible_value(choices);
  }
}

// Makes one program from front to back. `written_` follows the validator's account of scratch
// memory: what is written on every path to an instruction.
class Maker {
 public:
  Maker(Choices& choices, Dialect dialect, const ProgramOptions& options)
      : choices_(choices),
        dialect_(dialect),
        options_(options),
        size_(2 + choices.below(std::max(options.max_instructions, 2U) - 1)),
        written_(size_, 0xffff) {}

  Program make() {
    while (code_.size() + 1 < size_) {
      add_one();
    }
    add(random_return());
    return {std::move(code_)};
  }

 private:
  std::size_t ahead() const { return size_ - code_.size() - 1; }

  void add(Instruction i) {
    const std::size_t at = code_.size();
    now_ &= written_[at];
    written_[at] = now_;
    const std::uint16_t cls = class_of(i.code);
    if (cls == kSt || cls == kStx) {
      now_ |= static_cast<std::uint16_t>(1U << i.k);
    } else if (i.code == (kJmp | kJa) && i.k >= 0x80000000) {
      now_ = 0xffff;
    } else if (i.code == (kJmp | kJa)) {
      written_[at + 1 + i.k] &= now_;
      now_ = 0xffff;
    } else if (cls == kJmp) {
      written_[at + 1 + i.jt] &= now_;
      written_[at + 1 + i.jf] &= now_;
      now_ = 0xffff;
    }
    code_.push_back(i);
  }
  void add(int code, std::uint32_t k = 0) { add({static_cast<std::uint16_t>(code), 0, 0, k}); }

  void add_one() {
    if (options_.extreme_offsets && ahead() >= 7 && choices_.chance(30)) {
      add_load_past_constant();
      return;
    }
    const std::uint32_t kind = choices_.below(100);
    if (kind < 25) {
      add_absolute_load();
    } else if (kind < 35) {
      add_indirect_load();
    } else if (kind < 40) {
      add(kLdx | kMsh | kB, choices_.chance(60) ? 14 : random_offset());
    } else if (kind < 47) {
      add_immediate_or_length();
    } else if (kind < 55) {
      add_scratch();
    } else if (kind < 70) {
      add_arithmetic();
    } else if (kind < 77) {
      add(kMisc | (choices_.chance(60) ? kTax : kTxa));
    } else if (kind < 96) {
      add_conditional_jump();
    } else if (kind < 98) {
      add_jump();
    } else {
      add(random_return());
    }
  }

  std::uint32_t random_offset() {
    const std::uint32_t kind = choices_.below(100);
    if (kind < 60) return plausible_offset(choices_);
    if (kind < 90) return choices_.below(80);
    if (kind < 94) return choices_.below(310);
    const std::uint32_t base = choices_.pick<std::uint32_t>(
        {kNetworkOffset, kLinkOffset, 0x7ffffff0, 0x80000000, 0xffdffff0});
    return base + choices_.below(60);
  }

  void add_absolute_load() {
    const std::uint16_t size = choices_.pick({kW, kH, kB});
    if (options_.extensions != 0 && choices_.chance(20)) {
      const std::uint32_t number = choices_.below(16);
      if ((options_.extensions >> number & 1) != 0) {
        add(kLd | kAbs | size, kAncillaryOffset + 4 * number);
        return;
      }
    }
    add(kLd | kAbs | size, random_offset());
  }

  // X is made small first, most of the time, so that the load has a chance to succeed.
  void add_indirect_load() {
    const std::uint16_t size = choices_.pick({kW, kH, kB});
    if (ahead() >= 4 && choices_.chance(60)) {
      if (choices_.chance(50)) {
        add(kLdx | kMsh | kB, 14);
      } else {
        add(kAlu | kAnd | kK, choices_.pick<std::uint32_t>({0x3c, 0x1f, 0x0f, 0x3f}));
        add(kMisc | kTax);
      }
    }
    const std::uint32_t kind = choices_.below(10);
    const std::uint32_t k = kind < 7   ? choices_.pick<std::uint32_t>({14, 16, 0, 2, 20, 27, 40})
                            : kind < 9 ? 0U - choices_.below(40)
                                       : random_offset();
    add(kLd | kInd | size, k);
  }

  // Mostly the constant is taken off again, so that the load has a chance to succeed; between the
  // two a number that is read twice is copied.
  void add_load_past_constant() {
    const std::uint32_t constant =
        choices_.pick<std::uint32_t>({0x20000000, 0x1fffffff, 0x40000000, 0x7fffffff, 0x80000000,
                                      0xc0000000, 0xdfffffff, 0xe0000000, 0xffff0000});
    if (choices_.chance(70)) {
      add(kLd | kLen);
      add(kAlu | kSub | kK, constant + choices_.below(60));
    } else {
      add(kLd | kAbs | kW, random_offset());
    }
    add(kMisc | kTax);
    add(kAlu | choices_.pick({kAdd, kAdd, kSub}) | kK, constant);
    if (choices_.chance(50)) {
      add({static_cast<std::uint16_t>(kJmp | kJgt | kX), 0, 0, 0});
    } else {
      add(kMisc | kTax);
    }
    add(kLd | kInd | choices_.pick({kW, kH, kB}), choices_.pick<std::uint32_t>({0, 14, constant}));
  }

  void add_immediate_or_length() {
    switch (choices_.below(5)) {
      case 0:
        add(kLd | kLen);
        break;
      case 1:
        add(kLdx | kLen);
        break;
      case 2:
        add(kLd | kImm, any_value(choices_));
        break;
      case 3:
        add(kLdx | kImm, any_value(choices_));
        break;
      default:
        add(kLdx | kImm, choices_.below(64));
        break;
    }
  }

  void add_scratch() {
    const std::uint16_t words = static_cast<std::uint16_t>(now_ & written_[code_.size()]);
    const std::uint32_t k = choices_.chance(80) ? choices_.below(4) : choices_.below(kScratchWords);
    if ((words >> k & 1) != 0 && choices_.chance(60)) {
      add((choices_.chance(50) ? kLd : kLdx) | kMem, k);
    } else {
      add(choices_.chance(50) ? kSt : kStx, k);
    }
  }

  void add_arithmetic() {
    const std::uint16_t op =
        choices_.pick({kAdd, kSub, kMul, kDiv, kOr, kAnd, kLsh, kRsh, kNeg, kMod, kXor, kAnd});
    if (op != kNeg && choices_.chance(40)) {
      add(kAlu | op | kX);
      return;
    }
    std::uint32_t k = any_value(choices_);
    if (op == kLsh || op == kRsh) k %= 32;
    if ((op == kDiv || op == kMod) && k == 0) k = 1;
    add(kAlu | op, op == kNeg ? 0 : k);
  }

  void add_conditional_jump() {
    const std::uint16_t op = choices_.pick({kJeq, kJeq, kJgt, kJge, kJset});
    const std::uint32_t reach = static_cast<std::uint32_t>(std::min<std::size_t>(ahead(), 256));
    Instruction i;
    i.code = kJmp | op | (choices_.chance(20) ? kX : kK);
    i.k = source_of(i.code) == kX ? 0 : any_value(choices_);
    // Short jumps mostly, or little of a program would run.
    i.jt = static_cast<std::uint8_t>(
        choices_.below(choices_.chance(70) ? std::min(reach, 4U) : reach));
    i.jf = static_cast<std::uint8_t>(
        choices_.below(choices_.chance(70) ? std::min(reach, 4U) : reach));
    add(i);
  }

  void add_jump() {
    if (options_.loops && dialect_ == Dialect::kLibpcap && choices_.chance(60) && add_loop()) {
      return;
    }
    add(kJmp | kJa, choices_.below(static_cast<std::uint32_t>(std::min<std::size_t>(ahead(), 8))));
  }

  // Jumps back to the head of the last loop, or to a place behind it, if scratch memory allows.
  bool add_loop() {
    const std::size_t at = code_.size();
    if (at <= loops_end_) return false;
    std::size_t head = loops_end_ + choices_.below(static_cast<std::uint32_t>(at - loops_end_));
    if (has_loop_ && choices_.chance(30)) {
      head = loop_head_;
    }
    const std::uint16_t words = static_cast<std::uint16_t>(now_ & written_[at]);
    if ((written_[head] & ~words) != 0) return false;
    add(kJmp | kJa, static_cast<std::uint32_t>(head - at - 1));
    has_loop_ = true;
    loop_head_ = head;
    loops_end_ = at + 1;
    return true;
  }

  Instruction random_return() {
    if (choices_.chance(40)) return {kRet | kA, 0, 0, 0};
    return {kRet | kK, 0, 0, choices_.pick<std::uint32_t>({262144, 0, 1, 96, 0xffffffff})};
  }

  Choices& choices_;
  Dialect dialect_;
  const ProgramOptions& options_;
  std::size_t size_;
  std::vector<Instruction> code_;
  std::vector<std::uint16_t> written_;
  std::uint16_t now_ = 0;
  bool has_loop_ = false;
  std::size_t loop_head_ = 0;
  std::size_t loops_end_ = 0;  // Behind the last backward jump.
};

}  // namespace

Program random_program(Choices& choices, Dialect dialect, const ProgramOptions& options) {
  return Maker(choices, dialect, options).make();
}

std::string to_text(const Program& program) {
  std::string out = std::to_string(program.instructions.size()) + "\n";
  for (const Instruction& i : program.instructions) {
    out += std::to_string(i.code) + " " + std::to_string(i.jt) + " " + std::to_string(i.jf) + " " +
           std::to_string(i.k) + "\n";
  }
  return out;
}

}  // namespace weir::random
