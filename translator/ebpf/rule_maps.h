// The maps of a standing rule: what the lowering puts into the program and what reads them back
// from the running kernel agree on.
#pragma once

#include <cstdint>

namespace weir::ebpf {

// What a program that stands on an interface does with the verdict.
enum class Action : std::uint8_t {
  kDrop,   // Matching packets are dropped, the others pass.
  kPass,   // Matching packets pass, the others are dropped.
  kCount,  // Every packet passes.
};

// A per-CPU array of 2 entries (0: no match, 1: match), each a Counter.
inline constexpr char kCounterMap[] = "weir_counters";
// Read-only data that no instruction names: the rule itself.
inline constexpr char kRuleMap[] = "weir_rule";

struct Counter {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;  // Wire length.
};

}  // namespace weir::ebpf
