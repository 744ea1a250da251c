#include "translator/userspace/abstract_state.h"

#include <algorithm>

namespace weir::ebpf::abstract {
namespace {

// Names the variable part of what is in place `i` of the state in front of an instruction: apart
// from the numbers of instructions.
std::uint32_t meeting_id(std::size_t at, std::size_t i) {
  return 0x80000000U + static_cast<std::uint32_t>(at * 128 + i);
}

// With part of the fixed distance counted as variable, so that `fixed` is left: how large the
// variable part can be, and how many bytes are behind it.
std::uint64_t moved_on(const Value& pointer, std::int64_t fixed) {
  return pointer.high + static_cast<std::uint64_t>(pointer.fixed - fixed);
}
std::int64_t bytes_behind(const Value& pointer, const Facts& facts, std::int64_t fixed) {
  return std::int64_t{facts.bytes_of(pointer.id)} - (pointer.fixed - fixed);
}

}  // namespace

void StatesAhead::begin(std::size_t instructions, std::size_t values) {
  stride_ = values;
  state_of_.assign(instructions, kNoState);
  values_.reserve(kExpected * stride_);
  facts_.reserve(kExpected);
  free_.reserve(kExpected);
}

void StatesAhead::leave(std::uint32_t target, const std::vector<Value>& now, const Facts& facts) {
  std::uint32_t& state = state_of_[target];
  if (state != kNoState) {
    join(values_of(state), facts_[state], now.data(), facts, target);
    return;
  }
  if (free_.empty()) {
    state = static_cast<std::uint32_t>(facts_.size());
    facts_.push_back(facts);
    values_.insert(values_.end(), now.begin(), now.end());
    return;
  }
  state = free_.back();
  free_.pop_back();
  facts_[state] = facts;
  std::copy(now.begin(), now.end(), values_of(state));
}

bool StatesAhead::arrive(std::size_t at, std::vector<Value>& now, Facts& facts, bool alive) {
  const std::uint32_t state = state_of_[at];
  if (state == kNoState) {
    return alive;
  }
  const Value* const there = values_of(state);
  if (!alive) {
    std::copy(there, there + stride_, now.begin());
    facts = facts_[state];
  } else {
    join(now.data(), facts, there, facts_[state], at);
  }
  free_.push_back(state);
  return true;
}

// Makes of the state `into` what is true in both, where they meet in front of instruction `at`.
//
// Packet pointers that differ become one with a variable part of its own: what lies between data
// and the pointer less the smaller of the two fixed parts. As many bytes are behind that place as
// are there on either way.
void StatesAhead::join(Value* into, Facts& facts, const Value* from, const Facts& from_facts,
                       std::size_t at) const {
  std::vector<Covered> met;
  for (std::size_t i = 0; i < stride_; ++i) {
    const Value& a = into[i];
    const Value& b = from[i];
    if (a == b) {
      continue;
    }
    if (a.kind != Kind::kPacket || b.kind != Kind::kPacket) {
      into[i] = abstract::join(a, b);
      continue;
    }
    Value both{.kind = Kind::kPacket, .id = meeting_id(at, i)};
    both.fixed = std::min(a.fixed, b.fixed);
    both.high = std::max(moved_on(a, both.fixed), moved_on(b, both.fixed));
    const std::int64_t bytes =
        std::min(bytes_behind(a, facts, both.fixed), bytes_behind(b, from_facts, both.fixed));
    if (bytes > 0) {
      met.push_back({.id = both.id, .bytes = static_cast<std::uint32_t>(bytes)});
    }
    into[i] = both.high <= kMaxVariable ? both : kAnything;
  }
  facts.meet(from_facts);
  for (const Covered& each : met) {
    facts.cover(each.id, each.bytes);
  }
}

}  // namespace weir::ebpf::abstract
