// The plainest machine that runs what random_extended() makes: one step an instruction, by its
// meaning, arithmetic from alu_reference.h. It shares nothing with the product but the types of
// instructions.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <optional>

#include "cbpf/base/bytes.h"
#include "tests/translator/vm/alu_reference.h"
#include "translator/ebpf/program.h"

namespace weir::vm {

class PlainEvaluator {
 public:
  PlainEvaluator(const ebpf::Program& program, Bytes packet) : program_(program), packet_(packet) {
    for (std::size_t i = 0; i < program.instructions.size(); ++i) {
      starts_.insert(starts_.end(), slots(program.instructions[i]), i);
    }
  }

  // r0 at the exit; nothing when the program does what this machine does not know.
  std::optional<std::uint64_t> run() {
    for (std::size_t slot = 0; slot < starts_.size();) {
      const ebpf::Instruction& instruction = program_.instructions[starts_[slot]];
      slot += slots(instruction);
      jump_ = 0;
      const auto one = [this](const auto& what) { return step(what); };
      if (!std::visit(one, instruction)) {
        return std::nullopt;
      }
      if (ended_) {
        return r_[0];
      }
      slot = static_cast<std::size_t>(static_cast<std::int64_t>(slot) + jump_);
    }
    return std::nullopt;
  }

 private:
  std::uint64_t& at(ebpf::Reg reg) { return r_[static_cast<std::size_t>(reg)]; }
  std::uint64_t value(const ebpf::Operand& operand) {
    const auto* reg = std::get_if<ebpf::Reg>(&operand);
    return reg != nullptr
               ? at(*reg)
               : static_cast<std::uint64_t>(std::int64_t{std::get<std::int32_t>(operand)});
  }
  static std::uint64_t part(std::uint64_t number, int bytes) {
    return bytes == 8 ? number : number % (std::uint64_t{1} << 8 * bytes);
  }
  // Of the bytes below r10, in the byte order of the machine.
  std::uint64_t get(std::int16_t offset, int bytes) const {
    std::uint64_t number = 0;
    for (int i = 0; i < bytes; ++i) {
      const int shift = std::endian::native == std::endian::little ? i : bytes - 1 - i;
      number |= std::uint64_t{stack_.at(static_cast<std::size_t>(512 + offset + i))} << 8 * shift;
    }
    return number;
  }
  void put(std::int16_t offset, int bytes, std::uint64_t number) {
    for (int i = 0; i < bytes; ++i) {
      const int shift = std::endian::native == std::endian::little ? i : bytes - 1 - i;
      stack_.at(static_cast<std::size_t>(512 + offset + i)) =
          static_cast<std::uint8_t>(number >> 8 * shift);
    }
  }

  bool step(const ebpf::Alu& alu) {
    at(alu.dst) = reference_alu(alu.op, alu.is64, at(alu.dst), value(alu.src));
    return true;
  }
  bool step(const ebpf::Endian& endian) {
    const int bytes = endian.bits / 8;
    const bool little = std::endian::native == std::endian::little;
    const bool swap =
        endian.op == ebpf::EndianOp::kSwap || (endian.op == ebpf::EndianOp::kToBig) == little;
    const std::uint64_t old = at(endian.dst);
    std::uint64_t now = part(old, bytes);
    if (swap) {
      now = 0;
      for (int i = 0; i < bytes; ++i) {
        now = now << 8 | (old >> 8 * i & 0xff);
      }
    }
    at(endian.dst) = now;
    return true;
  }
  bool step(const ebpf::Load& load) {
    const int bytes = static_cast<int>(load.width);
    if (load.src != ebpf::Reg::kR10) {
      return false;
    }
    const std::uint64_t number = get(load.offset, bytes);
    at(load.dst) = load.sign_extend ? cut(signed_part(number, 8 * bytes), 64) : number;
    return true;
  }
  bool step(const ebpf::Store& store) {
    put(store.offset, static_cast<int>(store.width), value(store.src));
    return store.dst == ebpf::Reg::kR10;
  }
  bool step(const ebpf::Atomic& atomic) {
    const int bytes = static_cast<int>(atomic.width);
    const std::uint64_t old = get(atomic.offset, bytes);
    const std::uint64_t operand = part(at(atomic.src), bytes);
    std::uint64_t now = operand;
    switch (atomic.op) {
      case ebpf::AtomicOp::kAdd:
        now = old + operand;
        break;
      case ebpf::AtomicOp::kOr:
        now = old | operand;
        break;
      case ebpf::AtomicOp::kAnd:
        now = old & operand;
        break;
      case ebpf::AtomicOp::kXor:
        now = old ^ operand;
        break;
      case ebpf::AtomicOp::kExchange:
        break;
      case ebpf::AtomicOp::kCompareExchange:
        now = old == part(r_[0], bytes) ? operand : old;
        break;
    }
    put(atomic.offset, bytes, now);
    if (atomic.op == ebpf::AtomicOp::kCompareExchange) {
      r_[0] = old;
    } else if (atomic.fetch) {
      at(atomic.src) = old;
    }
    return atomic.dst == ebpf::Reg::kR10;
  }
  bool step(const ebpf::LoadImm64& load) {
    at(load.dst) = load.value;
    return load.kind == ebpf::Imm64Kind::kValue;
  }
  bool step(const ebpf::LoadPacket& load) {
    const std::uint64_t offset =
        (load.indirect ? at(load.index) : 0) + static_cast<std::uint32_t>(load.imm);
    const int bytes = static_cast<int>(load.width);
    r_[0] = 0;
    for (int i = 0; i < bytes && !ended_; ++i) {
      const std::uint64_t byte = offset + static_cast<std::uint64_t>(i);
      ended_ = byte >= packet_.size();
      r_[0] = ended_ ? 0 : r_[0] << 8 | packet_[byte];
    }
    return true;
  }
  bool step(const ebpf::Jump& jump) {
    if (reference_jump(jump.op, jump.is64, at(jump.dst), value(jump.src))) {
      jump_ = jump.offset;
    }
    return true;
  }
  bool step(const ebpf::Call&) { return false; }
  bool step(const ebpf::Exit&) {
    ended_ = true;
    return true;
  }

  const ebpf::Program& program_;
  Bytes packet_;
  std::vector<std::size_t> starts_;  // The instruction of each slot.
  std::array<std::uint64_t, 11> r_{};
  std::array<std::uint8_t, 512> stack_{};
  std::int64_t jump_ = 0;
  bool ended_ = false;
};

}  // namespace weir::vm
