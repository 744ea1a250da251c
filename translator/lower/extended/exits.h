// How a program ends: the blocks that turn a verdict into the target's return value.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "translator/ir/function.h"
#include "translator/lower/extended/builder.h"
#include "translator/lower/target/rule.h"
#include "translator/lower/target/target.h"

namespace weir::lower {

// Makes each exit once, when it is first asked for. Without a rule: one block a return value. With
// one: match and no match meet in one epilogue that counts the packet.
class Exits {
 public:
  Exits(machine::Builder& builder, const Target& target, const std::optional<Rule>& rule)
      : builder_(builder), target_(target), rule_(rule) {}

  // The block that ends the filter with the number `accept_length`. `origin` is the classic `ret`
  // that asks, if one does; the first stands for all.
  machine::BlockId constant(std::uint32_t accept_length, std::uint32_t origin = ir::kNoOrigin);
  machine::BlockId reject() { return constant(0); }

  // Ends the current block, and the filter, with the number in `accept_length`.
  void value(machine::Vreg accept_length);

  // Lays out every block that was asked for. `length` appends, at the place it is called, the
  // packet's wire length. Call last.
  template <typename Length>
  void finish(Length length) {
    finish_constants();
    if (epilogue_ != machine::kNone) {
      builder_.start(epilogue_);
      count(length());
    }
  }

 private:
  void finish_constants();
  // From the current block on: the counters, and the rule's return value.
  void count(machine::Vreg length);
  void return_verdict(machine::Vreg matched);

  machine::Builder& builder_;
  const Target& target_;
  const std::optional<Rule>& rule_;
  struct Exit {
    machine::BlockId block = machine::kNone;
    std::uint32_t origin = ir::kNoOrigin;
  };
  std::map<std::int64_t, Exit> exits_;  // By return value, or with a rule by match.
  machine::BlockId epilogue_ = machine::kNone;
  machine::Vreg matched_ = machine::kNone;  // The epilogue's parameter: 1 on a match, else 0.
};

}  // namespace weir::lower
