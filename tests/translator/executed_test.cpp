// How long programs for XDP are, and how many of their instructions a packet costs: counted, not
// timed.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "cbpf/compile.h"
#include "cbpf/validate.h"
#include "translator/translate.h"

namespace weir {
namespace {

using ebpf::AluOp;
using ebpf::JumpOp;

// Runs XDP programs as far as filters go, with the packet at a made-up address below 2^32.
class Counter {
 public:
  Counter(const ebpf::Program& program, const std::vector<std::uint8_t>& packet)
      : all_(program.instructions), packet_(packet) {
    registers_[1] = kContext;
  }

  // How many instructions ran; the verdict is in verdict(). 0 when it met one it does not know.
  std::size_t run() {
    while (!ended_ && executed_ < 10000) {
      ++executed_;
      if (!std::visit([this](const auto& instruction) { return step(instruction); }, all_[at_])) {
        return 0;
      }
      ++at_;
    }
    return executed_;
  }
  std::uint64_t verdict() const { return registers_[0]; }

 private:
  static constexpr std::uint64_t kContext = 0x1000;
  static constexpr std::uint64_t kPacket = 0x10000;

  std::uint64_t& reg(ebpf::Reg which) { return registers_[static_cast<std::size_t>(which)]; }
  std::uint64_t value(const ebpf::Operand& operand) {
    const auto* from = std::get_if<ebpf::Reg>(&operand);
    return from != nullptr ? reg(*from)
                           : static_cast<std::uint64_t>(std::int64_t{std::get<1>(operand)});
  }

  bool step(const ebpf::Alu& alu) {
    const std::uint64_t mask = alu.is64 ? ~std::uint64_t{0} : 0xffffffff;
    const std::uint64_t a = reg(alu.dst) & mask;
    const std::uint64_t b = value(alu.src) & mask;
    std::optional<std::uint64_t> result;
    if (alu.op == AluOp::kMov) result = b;
    if (alu.op == AluOp::kAdd) result = a + b;
    if (alu.op == AluOp::kSub) result = a - b;
    if (alu.op == AluOp::kAnd) result = a & b;
    if (alu.op == AluOp::kOr) result = a | b;
    if (alu.op == AluOp::kLsh) result = a << (b & 63);
    if (alu.op == AluOp::kRsh) result = a >> (b & 63);
    reg(alu.dst) = result.value_or(0) & mask;
    return result.has_value();
  }
  bool step(const ebpf::Endian& endian) {
    std::uint64_t swapped = 0;
    for (int i = 0; i < endian.bits / 8; ++i) {
      swapped = swapped << 8 | (reg(endian.dst) >> (8 * i) & 0xff);
    }
    reg(endian.dst) = swapped;
    return endian.op == ebpf::EndianOp::kToBig;
  }
  bool step(const ebpf::Load& load) {
    const std::uint64_t address = reg(load.src) + static_cast<std::uint64_t>(load.offset);
    if (address == kContext || address == kContext + 4) {
      reg(load.dst) = kPacket + (address == kContext ? 0 : packet_.size());
      return true;
    }
    const auto bytes = static_cast<std::size_t>(load.width);
    if (address < kPacket || address + bytes > kPacket + packet_.size()) {
      return false;
    }
    std::uint64_t number = 0;
    for (std::size_t i = bytes; i-- > 0;) {
      number = number << 8 | packet_[address - kPacket + i];
    }
    reg(load.dst) = number;
    return true;
  }
  bool step(const ebpf::Jump& jump) {
    const std::uint64_t mask = jump.is64 ? ~std::uint64_t{0} : 0xffffffff;
    const std::uint64_t a = reg(jump.dst) & mask;
    const std::uint64_t b = value(jump.src) & mask;
    std::optional<bool> taken;
    if (jump.op == JumpOp::kJa) taken = true;
    if (jump.op == JumpOp::kEq) taken = a == b;
    if (jump.op == JumpOp::kNe) taken = a != b;
    if (jump.op == JumpOp::kGt) taken = a > b;
    if (jump.op == JumpOp::kGe) taken = a >= b;
    if (jump.op == JumpOp::kLt) taken = a < b;
    if (jump.op == JumpOp::kLe) taken = a <= b;
    if (jump.op == JumpOp::kSet) taken = (a & b) != 0;
    // One slot an instruction: no 64-bit immediates here.
    at_ = taken.value_or(false)
              ? static_cast<std::size_t>(static_cast<std::int64_t>(at_) + jump.offset)
              : at_;
    return taken.has_value();
  }
  bool step(const ebpf::Exit&) {
    ended_ = true;
    return true;
  }
  bool step(const ebpf::Store&) { return false; }
  bool step(const ebpf::Atomic&) { return false; }
  bool step(const ebpf::LoadImm64&) { return false; }
  bool step(const ebpf::LoadPacket&) { return false; }
  bool step(const ebpf::Call&) { return false; }

  const std::vector<ebpf::Instruction>& all_;
  const std::vector<std::uint8_t>& packet_;
  std::array<std::uint64_t, 11> registers_{};
  std::size_t at_ = 0;
  std::size_t executed_ = 0;
  bool ended_ = false;
};

ebpf::Program xdp_program(const std::string& expression) {
  const auto compiled = cbpf::compile(expression, {.link_type = 1});
  EXPECT_TRUE(compiled) << expression;
  const auto valid = cbpf::validate(*compiled);
  EXPECT_TRUE(valid) << expression;
  auto program = translate(*valid, {.target = lower::TargetId::kXdp});
  EXPECT_TRUE(program) << expression;
  return program ? std::move(*program) : ebpf::Program{};
}

// TCP over IPv4 without options, from port 40000.
std::vector<std::uint8_t> tcp_packet(std::uint8_t to_port, std::size_t length) {
  std::vector<std::uint8_t> packet(74, 0);
  packet[12] = 0x08;
  packet[14] = 0x45;
  packet[23] = 6;
  packet[34] = 0x9c;
  packet[35] = 0x40;
  packet[37] = to_port;
  packet.resize(length);
  return packet;
}

struct Case {
  const char* expression;
  std::size_t instructions;  // At most.
  std::size_t executed;      // At most, on a packet to port 80; XDP_PASS is a match.
  std::uint64_t verdict;
};

constexpr std::uint64_t kPass = 2;
constexpr std::uint64_t kDrop = 1;

TEST(Executed, NoMoreInstructionsThanThis) {
  for (const Case& each :
       {Case{"ip", 9, 9, kPass}, Case{"ip6", 9, 8, kDrop}, Case{"tcp", 19, 14, kPass},
        Case{"tcp port 80", 31, 23, kPass}, Case{"tcp dst port 80", 25, 21, kPass},
        Case{"port 80", 36, 25, kPass}, Case{"udp port 53", 31, 12, kDrop},
        Case{"host 10.0.0.1", 23, 15, kDrop}, Case{"portrange 1-1023", 40, 29, kPass}}) {
    const ebpf::Program program = xdp_program(each.expression);
    const auto packet = tcp_packet(80, 74);
    Counter counter(program, packet);
    const std::size_t executed = counter.run();
    std::printf("%-20s %2zu instructions, %2zu executed\n", each.expression,
                program.instructions.size(), executed);
    EXPECT_EQ(counter.verdict(), each.verdict) << each.expression;
    EXPECT_GT(executed, 0U) << each.expression;
    EXPECT_LE(executed, each.executed) << each.expression;
    EXPECT_LE(program.instructions.size(), each.instructions) << each.expression;
  }
}

// One check asks for both ports; a packet with the first one only goes another way.
TEST(Executed, ShortPacketsFareAsBefore) {
  const ebpf::Program program = xdp_program("tcp port 80");
  for (const std::size_t length : {std::size_t{35}, std::size_t{36}, std::size_t{37}}) {
    auto packet = tcp_packet(80, length);
    packet[34] = 0;
    packet[std::min<std::size_t>(35, length - 1)] = 80;
    Counter counter(program, packet);
    EXPECT_GT(counter.run(), 0U);
    EXPECT_EQ(counter.verdict(), length == 35 ? kDrop : kPass) << length;
  }
  const auto packet = tcp_packet(80, 37);
  Counter counter(program, packet);
  EXPECT_GT(counter.run(), 0U);
  EXPECT_EQ(counter.verdict(), kDrop);
}

}  // namespace
}  // namespace weir
