// Random valid classic programs and packets to run them on, from a seed.
#pragma once

#include <array>
#include <cstdint>
#include <random>
#include <vector>

#include "cbpf/packet.h"
#include "cbpf/validate.h"

namespace weir::ir {

class RandomPrograms {
 public:
  explicit RandomPrograms(std::uint32_t seed) : random_(seed) {
    for (std::uint32_t i = 0; i < 16; ++i) {
      ancillary_.set(static_cast<cbpf::Extension>(4 * i), 0x01010101 * i + i % 3);
    }
  }

  // A program that validate() accepts.
  cbpf::ValidatedProgram program(cbpf::Dialect dialect) {
    for (;;) {
      auto validated = cbpf::validate({attempt(dialect)}, dialect);
      if (validated) {
        return *std::move(validated);
      }
    }
  }

  // Bytes of a packet of up to 80 bytes; small numbers are frequent, so that loads through them
  // stay inside.
  std::vector<std::uint8_t> bytes() {
    std::vector<std::uint8_t> bytes(below(5) == 0 ? below(8) : below(81));
    for (std::uint8_t& byte : bytes) {
      byte = static_cast<std::uint8_t>(below(3) == 0 ? below(256) : below(16));
    }
    return bytes;
  }

  cbpf::Packet packet(const std::vector<std::uint8_t>& bytes) {
    return {.captured = bytes,
            .wire_length = static_cast<std::uint32_t>(bytes.size()) + below(20),
            .ancillary = &ancillary_};
  }

 private:
  std::uint32_t below(std::uint32_t limit) {
    return std::uniform_int_distribution<std::uint32_t>(0, limit - 1)(random_);
  }

  std::uint32_t number() {
    switch (below(8)) {
      case 0:
        return below(0xffffffff);
      case 1:
        return 0U - below(40);
      case 2:
        return 0x80000000 + below(4) - 2;
      case 3:
        return below(256);
      default:
        return below(20);
    }
  }

  std::uint32_t offset(bool absolute) {
    switch (below(12)) {
      case 0:
        return number();
      case 1:
        return cbpf::kNetworkOffset + below(30);
      case 2:
        return cbpf::kLinkOffset + below(30) - 2;
      case 3:
        return absolute ? cbpf::kAncillaryOffset + 4 * below(16) : 0U - below(30);
      default:
        return below(40);
    }
  }

  cbpf::Instruction straight() {
    using namespace cbpf;  // NOLINT: the codes have no meaning apart.
    constexpr std::array<Code, 3> kSizes = {kW, kH, kB};
    constexpr std::array<Code, 11> kOperations = {kAdd, kSub, kMul, kDiv, kOr, kAnd,
                                                  kLsh, kRsh, kNeg, kMod, kXor};
    const Code size = kSizes[below(3)];
    const std::uint32_t word = below(4);
    switch (below(16)) {
      case 0:
      case 1:
      case 2:
        return {static_cast<Code>(kLd | kAbs | size), 0, 0, offset(true)};
      case 3:
      case 4:
        return {static_cast<Code>(kLd | kInd | size), 0, 0, offset(false)};
      case 5:
        return {kLdx | kMsh | kB, 0, 0, offset(false)};
      case 6:
        return {static_cast<Code>(below(2) == 0 ? kSt : kStx), 0, 0, word};
      case 7:
        return {static_cast<Code>((below(2) == 0 ? kLd : kLdx) | kMem), 0, 0, word};
      case 8:
        return {static_cast<Code>((below(2) == 0 ? kLd : kLdx) | kImm), 0, 0, number()};
      case 9:
        return {static_cast<Code>((below(2) == 0 ? kLd : kLdx) | kLen), 0, 0, 0};
      case 10:
      case 11:
        return {static_cast<Code>(kMisc | (below(4) == 0 ? kTxa : kTax)), 0, 0, 0};
      default: {
        const Code operation = kOperations[below(11)];
        if (operation == kNeg) {
          return {kAlu | kNeg, 0, 0, 0};
        }
        const bool shift = operation == kLsh || operation == kRsh;
        const Code source = below(3) == 0 ? kX : kK;
        const std::uint32_t k = shift ? below(32) : number();
        return {static_cast<Code>(kAlu | operation | source), 0, 0, source == kX ? 0 : k};
      }
    }
  }

  cbpf::Instruction jump(std::uint32_t ahead) {
    using namespace cbpf;  // NOLINT
    constexpr std::array<Code, 4> kJumps = {kJeq, kJgt, kJge, kJset};
    const std::uint32_t far = ahead < 6 ? ahead : 6;
    if (below(8) == 0) {
      return {kJmp | kJa, 0, 0, below(far)};
    }
    return {static_cast<Code>(kJmp | kJumps[below(4)] | (below(4) == 0 ? kX : kK)),
            static_cast<std::uint8_t>(below(far)), static_cast<std::uint8_t>(below(far)), number()};
  }

  std::vector<cbpf::Instruction> attempt(cbpf::Dialect dialect) {
    using namespace cbpf;  // NOLINT
    std::vector<Instruction> code;
    for (std::uint32_t word = 0; word < 4; ++word) {
      code.push_back({static_cast<Code>(below(2) == 0 ? kSt : kStx), 0, 0, word});
    }
    const std::uint32_t length = 2 + below(30);
    for (std::uint32_t left = length; left > 0; --left) {
      if (below(4) == 0) {
        code.push_back(jump(left));
      } else if (below(24) == 0) {
        code.push_back({static_cast<Code>(kRet | (below(2) == 0 ? kA : kK)), 0, 0, number()});
      } else if (dialect == Dialect::kLibpcap && below(16) == 0) {
        code.push_back({kJmp | kJa, 0, 0, 0U - 2 - below(8)});
      } else {
        code.push_back(straight());
      }
    }
    code.push_back({static_cast<Code>(kRet | (below(4) != 0 ? kA : kK)), 0, 0, number()});
    return code;
  }

  std::mt19937 random_;
  cbpf::Ancillary ancillary_;
};

}  // namespace weir::ir
