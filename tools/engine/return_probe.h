// Makes the return value of a classic program readable at a socket, which shows no more of it than
// the length of the packet it cut off.
#pragma once

#include <cstdint>
#include <vector>

#include "cbpf/base/result.h"
#include "cbpf/program.h"

namespace weir::engine {

// Variants of one program that together show its return value. Every variant accepts every packet
// with a length of 1 + a part of the value.
struct ReturnProbe {
  std::vector<cbpf::Program> variants;
  // Where all returns are constants: one variant, which shows 1 + the index into this list of the
  // value. Empty: variants[i] shows 1 + bits 4i to 4i + 3 of the value.
  std::vector<std::uint32_t> values;
  // The shortest packet that shows every part, in bytes.
  std::uint32_t least_packet = 0;

  // The value from the length each variant showed (variants.size() of them).
  std::uint32_t value(const std::vector<std::uint32_t>& lengths) const;
};

// O(n). The variants have at most 4 instructions more than `program`; returns stay where they are,
// so no jump changes.
ReturnProbe make_return_probe(const cbpf::Program& program);

}  // namespace weir::engine
