// How a test looks at a packet, and how its verdict comes about: numbers, without a jump that would
// often be mispredicted.
#pragma once

#include <cstdint>
#include <cstring>

#include "translator/vm/code.h"

namespace weir::vm {

// The bytes at an address that is known to be right; not aligned.
template <typename T>
T load_as(std::uint64_t at) {
  T value;
  std::memcpy(&value, reinterpret_cast<const void*>(at), sizeof(T));
  return value;
}

// 1 where the bytes a packet operation looks at differ from its number, else 0: a number, so that
// several are put together without a jump. `base` is the address its place is counted from.
template <typename T>
std::uint32_t differs(const Op& op, std::uint64_t base) {
  const auto place = static_cast<std::uint64_t>(std::int64_t{op.place});
  const std::uint32_t bytes = load_as<T>(base + place) & op.mask;
  return bytes != static_cast<std::uint32_t>(op.jump.imm) ? 1 : 0;
}

// `one` where first is 1, `other` where it is 0. Computed, for a compiler may make a jump of a
// condition.
inline std::uint32_t chosen(std::uint32_t first, std::uint32_t one, std::uint32_t other) {
  return other ^ ((one ^ other) & (0 - first));
}

// What handler::kFinal says, of bytes that differ (1) or not (0),
inline std::uint32_t final_verdict(const Op& op, std::uint32_t differ) {
  return chosen(differ, op.verdict, op.final.other);
}
// and handler::kFinalPair, of which the second op is a kFinal with this verdict.
inline std::uint32_t pair_verdict(const Op& op, std::uint32_t differ, std::uint32_t second) {
  return chosen(differ ^ op.final.other ^ 1, op.verdict, second);
}

}  // namespace weir::vm
