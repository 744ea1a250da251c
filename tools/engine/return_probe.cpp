#include "tools/engine/return_probe.h"

#include <algorithm>

namespace weir::engine {
namespace {

using cbpf::Instruction;
using cbpf::Program;

constexpr std::uint32_t kPartBits = 4;
constexpr std::uint32_t kPartMask = (1U << kPartBits) - 1;
constexpr std::uint32_t kParts = 32 / kPartBits;

constexpr cbpf::Code kReturnK = cbpf::kRet | cbpf::kK;
constexpr cbpf::Code kReturnA = cbpf::kRet | cbpf::kA;

bool is_return(const Instruction& instruction) {
  return cbpf::class_of(instruction.code) == cbpf::kRet;
}

std::uint32_t part_of(std::uint32_t value, std::uint32_t part) {
  return (value >> (part * kPartBits)) & kPartMask;
}

// The distinct constants returned, in order of appearance; empty where one return is of A, or where
// there are more than a part can tell apart.
std::vector<std::uint32_t> constant_returns(const Program& program) {
  std::vector<std::uint32_t> values;
  for (const Instruction& instruction : program.instructions) {
    if (!is_return(instruction)) {
      continue;
    }
    if (instruction.code != kReturnK) {
      return {};
    }
    if (std::find(values.begin(), values.end(), instruction.k) == values.end()) {
      values.push_back(instruction.k);
    }
  }
  // A load past the end returns 0 whether or not the program has such a return.
  if (std::find(values.begin(), values.end(), 0U) == values.end()) {
    values.push_back(0);
  }
  return values.size() <= kPartMask + 1 ? values : std::vector<std::uint32_t>{};
}

// Shows one part of every return value; `ret a` jumps to a tail that cuts the part out of A.
Program show_part(const Program& program, std::uint32_t part) {
  Program out = program;
  const auto tail = static_cast<std::uint32_t>(program.instructions.size());
  for (std::uint32_t i = 0; i < tail; ++i) {
    Instruction& instruction = out.instructions[i];
    if (instruction.code == kReturnK) {
      instruction.k = part_of(instruction.k, part) + 1;
    } else if (is_return(instruction)) {
      instruction = {cbpf::kJmp | cbpf::kJa, 0, 0, tail - i - 1};
    }
  }
  out.instructions.push_back({cbpf::kAlu | cbpf::kRsh | cbpf::kK, 0, 0, part * kPartBits});
  out.instructions.push_back({cbpf::kAlu | cbpf::kAnd | cbpf::kK, 0, 0, kPartMask});
  out.instructions.push_back({cbpf::kAlu | cbpf::kAdd | cbpf::kK, 0, 0, 1});
  out.instructions.push_back({kReturnA, 0, 0, 0});
  return out;
}

}  // namespace

std::uint32_t ReturnProbe::value(const std::vector<std::uint32_t>& lengths) const {
  // A length of 0 is the filter ended by a load, and that value is 0 in every part.
  if (!values.empty()) {
    return lengths[0] == 0 ? 0 : values[lengths[0] - 1];
  }
  std::uint32_t value = 0;
  for (std::uint32_t part = 0; part < kParts; ++part) {
    value |= (lengths[part] == 0 ? 0 : lengths[part] - 1) << (part * kPartBits);
  }
  return value;
}

ReturnProbe make_return_probe(const Program& program) {
  ReturnProbe probe;
  probe.values = constant_returns(program);
  if (!probe.values.empty()) {
    Program variant = program;
    for (Instruction& instruction : variant.instructions) {
      if (is_return(instruction)) {
        const auto it = std::find(probe.values.begin(), probe.values.end(), instruction.k);
        instruction.k = static_cast<std::uint32_t>(it - probe.values.begin()) + 1;
      }
    }
    probe.variants.push_back(std::move(variant));
    probe.least_packet = static_cast<std::uint32_t>(probe.values.size());
    return probe;
  }
  for (std::uint32_t part = 0; part < kParts; ++part) {
    probe.variants.push_back(show_part(program, part));
  }
  probe.least_packet = kPartMask + 1;
  return probe;
}

}  // namespace weir::engine
