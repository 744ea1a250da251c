#include "tests/reference/reference_interpreter.h"

#include <array>
#include <map>
#include <optional>

namespace weir::reference {
namespace {

using cbpf::Dialect;
using cbpf::Instruction;
using cbpf::Packet;

// The machine in the middle of a program. Every step function returns false when the filter ends
// with 0.
class Machine {
 public:
  Machine(const cbpf::Program& program, Dialect dialect, const Packet& packet,
          std::optional<std::uint64_t> most_turns)
      : program_(program),
        dialect_(dialect),
        packet_(packet),
        most_turns_(most_turns.value_or(packet.captured.size() / 8 + 1)) {}

  Outcome run() {
    Outcome outcome;
    while (!returned_) {
      const Instruction& instruction = program_.instructions.at(pc_);
      ++pc_;
      ++outcome.steps;
      if (!step(instruction)) {
        result_ = 0;
        returned_ = true;
      }
    }
    outcome.accept_length = result_;
    outcome.loop_bound = loop_bound_;
    outcome.link_region = link_region_;
    return outcome;
  }

 private:
  bool step(const Instruction& i) {
    switch (i.code & 0x07) {
      case 0:
        return load(i, a_);
      case 1:
        return load(i, x_);
      case 2:
        m_.at(i.k) = a_;
        return true;
      case 3:
        m_.at(i.k) = x_;
        return true;
      case 4:
        return calculate(i);
      case 5:
        return jump(i);
      case 6:
        result_ = (i.code & 0x18) == 0x10 ? a_ : i.k;
        returned_ = true;
        return true;
      default:
        if ((i.code & 0xf8) == 0x80) {
          a_ = x_;
        } else {
          x_ = a_;
        }
        return true;
    }
  }

  // The eight addressing modes; `into` is A or X.
  bool load(const Instruction& i, std::uint32_t& into) {
    const std::uint32_t width = (i.code & 0x18) == 0x00 ? 4 : (i.code & 0x18) == 0x08 ? 2 : 1;
    switch (i.code & 0xe0) {
      case 0x00:
        into = i.k;
        return true;
      case 0x20:
        return i.k >= 0xfffff000 ? load_extension(i.k - 0xfffff000) : load_bytes(i.k, width, into);
      case 0x40: {
        std::uint64_t offset = static_cast<std::uint64_t>(x_) + static_cast<std::uint64_t>(i.k);
        if (dialect_ == Dialect::kLinux) {
          offset %= std::uint64_t{1} << 32;
        }
        return load_bytes(offset, width, into);
      }
      case 0x60:
        into = m_.at(i.k);
        return true;
      case 0x80:
        into = packet_.wire_length;
        return true;
      default: {
        std::uint32_t byte = 0;
        if (!load_bytes(i.k, 1, byte)) return false;
        into = 4 * (byte % 16);
        return true;
      }
    }
  }

  bool load_bytes(std::uint64_t offset, std::uint32_t width, std::uint32_t& into) {
    if (dialect_ == Dialect::kLinux && offset >= 0xffe00000) {
      if (offset >= 0xfff00000) {
        offset = offset - 0xfff00000 + packet_.network_offset;
      } else {
        offset = offset - 0xffe00000;
        link_region_ = true;
      }
    }
    std::uint32_t value = 0;
    for (std::uint32_t n = 0; n < width; ++n) {
      if (offset + n >= packet_.captured.size()) return false;
      value = value * 256 + packet_.captured[static_cast<std::size_t>(offset + n)];
    }
    into = value;
    return true;
  }

  bool load_extension(std::uint32_t number) {
    const auto extension = static_cast<cbpf::Extension>(number);
    if (extension == cbpf::Extension::kAluXorX) {
      a_ ^= x_;
      return true;
    }
    if (packet_.ancillary == nullptr) return false;
    const std::optional<std::uint32_t> value = packet_.ancillary->get(extension);
    if (!value) return false;
    a_ = *value;
    return true;
  }

  std::uint32_t operand(const Instruction& i) const { return (i.code & 0x08) != 0 ? x_ : i.k; }

  bool calculate(const Instruction& i) {
    const std::uint32_t b = operand(i);
    const std::uint32_t turns = dialect_ == Dialect::kLinux ? b % 32 : b;
    switch (i.code & 0xf0) {
      case 0x00:
        a_ = a_ + b;
        return true;
      case 0x10:
        a_ = a_ - b;
        return true;
      case 0x20:
        a_ = a_ * b;
        return true;
      case 0x30:
        if (b == 0) return false;
        a_ = a_ / b;
        return true;
      case 0x40:
        a_ = a_ | b;
        return true;
      case 0x50:
        a_ = a_ & b;
        return true;
      case 0x60:
        a_ = turns >= 32 ? 0 : a_ << turns;
        return true;
      case 0x70:
        a_ = turns >= 32 ? 0 : a_ >> turns;
        return true;
      case 0x80:
        a_ = ~a_ + 1;
        return true;
      case 0x90:
        if (b == 0) return false;
        a_ = a_ % b;
        return true;
      default:
        a_ = a_ ^ b;
        return true;
    }
  }

  bool jump(const Instruction& i) {
    const std::uint32_t b = operand(i);
    switch (i.code & 0xf0) {
      case 0x00:
        return jump_always(i.k);
      case 0x10:
        pc_ += a_ == b ? i.jt : i.jf;
        return true;
      case 0x20:
        pc_ += a_ > b ? i.jt : i.jf;
        return true;
      case 0x30:
        pc_ += a_ >= b ? i.jt : i.jf;
        return true;
      default:
        pc_ += (a_ & b) != 0 ? i.jt : i.jf;
        return true;
    }
  }

  bool jump_always(std::uint32_t k) {
    if (k < 0x80000000) {
      pc_ += k;
      return true;
    }
    pc_ -= 0x100000000 - std::uint64_t{k};
    if (turns_[pc_] == most_turns_) {
      loop_bound_ = true;
      return false;
    }
    ++turns_[pc_];
    return true;
  }

  const cbpf::Program& program_;
  Dialect dialect_;
  const Packet& packet_;
  std::uint32_t a_ = 0;
  std::uint32_t x_ = 0;
  std::array<std::uint32_t, 16> m_{};
  std::uint64_t pc_ = 0;
  std::map<std::uint64_t, std::uint32_t> turns_;  // Backward jumps taken, by target.
  std::uint64_t most_turns_;
  bool returned_ = false;
  bool loop_bound_ = false;
  bool link_region_ = false;
  std::uint32_t result_ = 0;
};

}  // namespace

Outcome run(const cbpf::Program& program, cbpf::Dialect dialect, const cbpf::Packet& packet,
            std::optional<std::uint64_t> most_backward_jumps) {
  return Machine(program, dialect, packet, most_backward_jumps).run();
}

}  // namespace weir::reference
