// Small worlds tried whole: the classic interpreter against the plain reference and libpcap's
// bpf_filter. First every instruction with the operands at which it could go wrong, then every
// program of three instructions of a small set.

#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "cbpf/interpret.h"
#include "tests/cbpf/libpcap_filter.h"
#include "tests/random/random_program.h"
#include "tests/reference/reference_interpreter.h"

namespace weir::cbpf {
namespace {

constexpr Instruction make(int code, std::uint32_t k = 0, int jt = 0, int jf = 0) {
  return {static_cast<std::uint16_t>(code), static_cast<std::uint8_t>(jt),
          static_cast<std::uint8_t>(jf), k};
}

// Counts what was compared, and stops a test after the first difference.
class Judge {
 public:
  explicit Judge(Dialect dialect) : dialect_(dialect) {}

  // Takes programs that are valid, passes over the others.
  void run(const Program& program, const std::vector<Packet>& packets) {
    const Result<ValidatedProgram> valid = validate(program, dialect_);
    if (!valid) return;
    ++programs_;
    const LibpcapFilter libpcap(program);
    for (const Packet& packet : packets) {
      const reference::Outcome wanted = reference::run(program, dialect_, packet);
      ++pairs_;
      ASSERT_EQ(interpret(*valid, packet), wanted.accept_length) << about(program, packet);
      if (dialect_ == Dialect::kLinux || reads_extension(program) || wanted.loop_bound) continue;
      ASSERT_EQ(libpcap.run(packet), wanted.accept_length) << about(program, packet);
    }
  }
  int programs() const { return programs_; }
  int pairs() const { return pairs_; }

 private:
  static bool reads_extension(const Program& program) {
    for (const Instruction& i : program.instructions) {
      if (class_of(i.code) == kLd && mode_of(i.code) == kAbs && i.k >= kAncillaryOffset)
        return true;
    }
    return false;
  }
  static std::string about(const Program& program, const Packet& packet) {
    return random::to_text(program) + to_hex(packet.captured) + ", wire length " +
           std::to_string(packet.wire_length);
  }

  Dialect dialect_;
  int programs_ = 0;
  int pairs_ = 0;
};

class SmallWorld : public testing::TestWithParam<Dialect> {};
INSTANTIATE_TEST_SUITE_P(Dialects, SmallWorld, testing::Values(Dialect::kLibpcap, Dialect::kLinux),
                         [](const auto& test) {
                           return test.param == Dialect::kLinux ? "Linux" : "Libpcap";
                         });

const std::vector<std::uint32_t> kOperands = {
    0,          1,          2,          4,          5,          7,          8,
    15,         16,         31,         32,         33,         0x7fffffff, 0x80000000,
    0xfffffffe, 0xffffffff, 0xfffffffc, 0xffe00000, 0xffe00006, 0xfff00000, 0xfff00002,
    0xfffff000, 0xfffff014, 0xfffff028, 0xffdfffff};
const std::vector<std::uint32_t> kRegisters = {0,  1,  2,          5,          14,
                                               31, 32, 0x7fffffff, 0x80000000, 0xffffffff};

const std::vector<std::uint32_t> kOneRegister = {0x55667788};

// What every instruction does to A, X and M[1], for all operands, registers and packet lengths.
TEST_P(SmallWorld, EveryInstruction) {
  const std::vector<std::uint8_t> bytes = {0xf7, 0x45, 0x80, 0x00, 0xff, 0x3c, 0x01, 0xfe, 0x29};
  Ancillary ancillary;
  ancillary.set(Extension::kMark, 0x12345678);
  std::vector<Packet> packets;
  for (std::size_t length = 0; length <= bytes.size(); ++length) {
    packets.push_back({.captured = Bytes(bytes).first(length),
                       .wire_length = 100,
                       .ancillary = &ancillary,
                       .network_offset = 3});
  }
  const std::vector<std::vector<Instruction>> endings = {
      {make(kRet | kA)},
      {make(kMisc | kTxa), make(kRet | kA)},
      {make(kLd | kMem, 1), make(kRet | kA)},
  };
  Judge judge(GetParam());
  for (int code = 0; code < 0x100; ++code) {
    const Program alone{{make(kSt, 1), make(code, 1), make(kRet), make(kRet)}};
    if (!validate(alone, GetParam())) continue;
    const bool load = class_of(static_cast<std::uint16_t>(code)) <= kLdx;
    const std::vector<Packet> seen(packets.begin(), load ? packets.end() : packets.begin() + 1);
    for (const std::uint32_t k : kOperands) {
      for (const std::uint32_t a : load ? kOneRegister : kRegisters) {  // No load reads A.
        for (const std::uint32_t x : kRegisters) {
          for (const auto& ending : endings) {
            Program program{
                {make(kLd | kImm, a), make(kLdx | kImm, x), make(kSt, 1), make(code, k)}};
            program.instructions.insert(program.instructions.end(), ending.begin(), ending.end());
            judge.run(program, seen);
            if (HasFatalFailure()) return;
          }
        }
      }
    }
  }
  EXPECT_GT(judge.programs(), 100000);
}

// Every comparison, both ways, with jumps of every small length.
TEST_P(SmallWorld, EveryJump) {
  const std::vector<Packet> packets = {{.captured = {}, .wire_length = 0}};
  Judge judge(GetParam());
  for (const int op : {kJa, kJeq, kJgt, kJge, kJset}) {
    for (const int source : {kK, kX}) {
      for (const std::uint32_t k : kOperands) {
        for (const std::uint32_t a : kRegisters) {
          for (const std::uint32_t x : kRegisters) {
            for (int jt = 0; jt < 3; ++jt) {
              judge.run({{make(kLd | kImm, a), make(kLdx | kImm, x),
                          make(kJmp | op | source, k, jt, 2 - jt), make(kRet | kK, 1),
                          make(kRet | kK, 2), make(kRet | kK, 3)}},
                        packets);
              if (HasFatalFailure()) return;
            }
          }
        }
      }
    }
  }
  EXPECT_GT(judge.programs(), 30000);
}

// All packets of up to three bytes out of a few.
std::vector<std::vector<std::uint8_t>> tiny_packets() {
  std::vector<std::vector<std::uint8_t>> all = {{}};
  for (std::size_t from = 0, length = 0; length < 3; ++length) {
    const std::size_t to = all.size();
    for (; from < to; ++from) {
      for (const int byte : {0x00, 0x01, 0x82}) {
        std::vector<std::uint8_t> longer = all[from];
        longer.push_back(static_cast<std::uint8_t>(byte));
        all.push_back(std::move(longer));
      }
    }
  }
  return all;
}

TEST_P(SmallWorld, EveryProgramOfThreeInstructions) {
  const std::vector<std::vector<std::uint8_t>> bytes = tiny_packets();
  ASSERT_EQ(bytes.size(), 1U + 3 + 9 + 27);
  std::vector<Packet> packets;
  for (const auto& packet : bytes) {
    packets.push_back(
        {.captured = packet, .wire_length = static_cast<std::uint32_t>(packet.size())});
  }
  const std::vector<Instruction> set = {
      make(kLd | kAbs | kB, 0),
      make(kLd | kAbs | kH, 1),
      make(kLd | kInd | kB, 0),
      make(kLd | kInd | kH, 0xffffffff),
      make(kLdx | kMsh | kB, 1),
      make(kLd | kLen),
      make(kLdx | kLen),
      make(kLd | kImm, 33),
      make(kSt, 0),
      make(kStx, 0),
      make(kLd | kMem, 0),
      make(kLdx | kMem, 0),
      make(kMisc | kTax),
      make(kMisc | kTxa),
      make(kAlu | kAdd | kK, 1),
      make(kAlu | kSub | kX),
      make(kAlu | kDiv | kX),
      make(kAlu | kLsh | kX),
      make(kAlu | kNeg),
      make(kJmp | kJeq | kK, 1, 0, 1),
      make(kJmp | kJgt | kX, 0, 1, 0),
      make(kJmp | kJset | kK, 2, 2, 0),
      make(kJmp | kJa, 1),
      make(kJmp | kJa, 0xfffffffe),
      make(kJmp | kJa, 0xfffffffd),
      make(kRet | kK, 7),
  };
  Judge judge(GetParam());
  for (const Instruction& first : set) {
    for (const Instruction& second : set) {
      for (const Instruction& third : set) {
        judge.run({{first, second, third, make(kRet | kA)}}, packets);
        if (HasFatalFailure()) return;
      }
    }
  }
  EXPECT_GT(judge.programs(), 8000);
  EXPECT_EQ(judge.pairs(), judge.programs() * 40);
}

}  // namespace
}  // namespace weir::cbpf
