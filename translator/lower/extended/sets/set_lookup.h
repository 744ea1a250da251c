// Set tests as machine instructions.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <tuple>

#include "translator/ebpf/program.h"
#include "translator/ir/function.h"
#include "translator/lower/extended/builder.h"
#include "translator/lower/extended/sets/set_plan.h"

namespace weir::lower {

inline constexpr char kSetMap[] = "weir_sets";

// A key as the machine has it.
struct LookupKey {
  std::span<const machine::Vreg> words;  // Of 32 bits each, the most significant first.
  std::uint8_t network_order = 0;        // Of one word: the width of the field whose bytes it has.
  std::uint32_t largest = 0xffffffff;    // Of one word: what it can be, in that order.
  bool bounded = false;                  // Whether the verifier sees that it is no larger.
  // Two words, from that of the number on, as one of 64 bits, made at the place of the call: where
  // that is shorter than putting them together. Else kNone.
  std::function<machine::Vreg(std::uint32_t)> load_pair;
};

// Makes look-ups in the sets of one function; all their tables lie in one map.
class SetLookups {
 public:
  // The map will be number `map` of the program.
  SetLookups(const ir::Function& function, machine::Builder& builder, std::uint32_t map)
      : function_(function), builder_(builder), map_(map) {}

  // Ends the current block with the question whether the key is in the set. `yes` and `no` make the
  // edges, any number of times. A fixed number of instructions, whatever the key.
  void branch(std::uint32_t set, const LookupKey& key, const std::function<machine::Edge()>& yes,
              const std::function<machine::Edge()>& no);

  // The tables of all look-ups, if any has one.
  std::optional<ebpf::Map> map() const;

 private:
  const SetPlan& plan(std::uint32_t set, const LookupKey& key);

  const ir::Function& function_;
  machine::Builder& builder_;
  std::uint32_t map_;
  DataSection data_;
  // By set, order and largest key: a function that is lowered twice has its tables once.
  std::map<std::tuple<std::uint32_t, std::uint8_t, std::uint32_t>, SetPlan> plans_;
};

}  // namespace weir::lower
