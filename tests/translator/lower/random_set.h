// Random sets of every shape that look-ups tell apart, and the keys that are likely to find a
// mistake in them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/random/choices.h"
#include "translator/ir/builder.h"
#include "translator/ir/set.h"

namespace weir::lower {

inline std::uint32_t word_of(random::Choices& choices) {
  return choices.pick<std::uint32_t>(
      {choices.any(), choices.any(), choices.below(4), 0xffffffff - choices.below(4)});
}

inline ir::Key random_key(random::Choices& choices, std::uint8_t words) {
  ir::Key key;
  for (std::uint8_t i = 0; i < words; ++i) {
    key = key.append(word_of(choices));
  }
  return key;
}

// The keys that begin with the first `bits` bits of `key`.
inline ir::Range net_of(const ir::Key& key, std::uint32_t bits, std::uint32_t words) {
  ir::Range range;
  for (std::uint32_t i = 0; i < words; ++i) {
    const std::uint32_t kept = bits > 32 * i ? bits - 32 * i : 0;
    const std::uint32_t mask = kept >= 32 ? 0xffffffff : kept == 0 ? 0 : ~(0xffffffffU >> kept);
    const std::uint32_t word = key.word(words - 1 - i);
    range.low = range.low.append(word & mask);
    range.high = range.high.append(word | ~mask);
  }
  return range;
}

// Keys of one word are at most `largest`.
inline ir::Set random_set(random::Choices& choices, std::uint8_t words, std::uint32_t largest) {
  const std::uint32_t count =
      choices.pick<std::uint32_t>({0, 1, 2, 3, 5, 12, 40, 100, 300, 1500, choices.below(3000)});
  const std::uint32_t shape = choices.below(6);
  const std::uint32_t bits = choices.below(32 * words + 1);
  const std::uint32_t window = 1U << choices.below(20);
  const ir::Key around = random_key(choices, words);
  std::vector<ir::Range> ranges;
  for (std::uint32_t i = 0; i < count; ++i) {
    ir::Key key = random_key(choices, words);
    if (words > 1 && choices.chance(50)) {
      key = around.without(1).append(word_of(choices));
    }
    ir::Range range{key, key};
    switch (shape) {
      case 0:  // Hosts.
        break;
      case 1:  // Nets of one length.
        range = net_of(key, bits, words);
        break;
      case 2:  // Nets of any length, most of them long.
        range = net_of(key, 32 * words - choices.below(1 + choices.below(32 * words)), words);
        break;
      case 3:  // Hosts, and now and then a net.
        range = choices.chance(2) ? net_of(key, choices.below(32 * words + 1), words) : range;
        break;
      case 4:  // Hosts close to each other.
        range.low = around.without(1).append(around.word(0) - choices.below(window));
        range.high = range.low;
        break;
      default: {  // Any ranges.
        ir::Key other = choices.chance(50) ? random_key(choices, words) : key;
        if (choices.chance(80)) {
          other = key.without(1).append(key.word(0) | choices.below(1000));
        }
        range = {std::min(key, other), std::max(key, other)};
        break;
      }
    }
    if (words == 1) {
      range.low.lower %= std::uint64_t{largest} + 1;
      range.high.lower %= std::uint64_t{largest} + 1;
      if (range.high < range.low) {
        std::swap(range.low, range.high);
      }
    }
    ranges.push_back(range);
  }
  return ir::make_set(words, std::move(ranges));
}

// Keys at the edges of the set, and others.
inline std::vector<ir::Key> telling_keys(random::Choices& choices, const ir::Set& set,
                                         std::size_t count) {
  std::vector<ir::Key> keys = {ir::Key{}, ir::Key::last(set.words)};
  while (keys.size() < count) {
    ir::Key key = random_key(choices, set.words);
    if (!set.ranges.empty() && choices.chance(90)) {
      const ir::Range& range =
          set.ranges[choices.below(static_cast<std::uint32_t>(set.ranges.size()))];
      key = choices.chance(50) ? range.low : range.high;
      if (choices.chance(50)) {
        const std::uint32_t word = choices.below(set.words);
        const ir::Key kept = key;
        const std::uint32_t step =
            choices.pick<std::uint32_t>({1, 0xffffffff, 1U << choices.below(32), choices.any()});
        key = {};
        for (std::uint32_t i = set.words; i-- > 0;) {
          key = key.append(kept.word(i) + (i == word ? step : 0));
        }
      }
    }
    keys.push_back(key);
  }
  return keys;
}

// Where the key stands in the packets of set_function(), and how long those are.
inline constexpr std::uint32_t kKeyOffset = 40;
inline constexpr std::size_t kKeyPacket = 64;

// Whether the key in the packet is in the set: 1 or 0, or where `as_number` is set, 5 or 3 made of
// the test's value. A key of one word is a field of `width` bytes.
inline ir::Function set_function(const ir::Set& set, std::uint8_t width, bool as_number) {
  ir::Function function;
  function.sets.push_back(set);
  ir::FunctionBuilder builder(function);
  const auto entry = builder.add_block();
  builder.need(entry, ir::kNoValue, kKeyOffset + 4 * ir::kMaxWords);
  ir::ValueId key = builder.load(entry, set.words == 1 ? width : 4, ir::kNoValue, kKeyOffset);
  for (std::uint8_t i = 1; i < set.words; ++i) {
    const auto next = builder.load(entry, 4, ir::kNoValue, kKeyOffset + 4U * i);
    key = builder.append(
        entry,
        {.op = ir::Op::kJoin, .width = static_cast<std::uint8_t>(i + 1), .a = key, .b = next});
  }
  const auto test = builder.append(entry, {.op = ir::Op::kIn, .k = 0, .a = key});
  if (as_number) {
    const auto twice = builder.arithmetic(entry, ir::Op::kAdd, test, test);
    const auto sum = builder.arithmetic(entry, ir::Op::kAdd, twice, builder.constant(3));
    builder.end_return(entry, sum);
    return function;
  }
  const auto yes = builder.add_block();
  const auto no = builder.add_block();
  builder.end_branch(entry, ir::Compare::kNe, test, builder.constant(0), {.to = yes}, {.to = no});
  builder.end_return(yes, builder.constant(1));
  builder.end_return(no, builder.constant(0));
  return function;
}

// A packet of set_function(): an Ethernet frame of an unknown type.
inline std::vector<std::uint8_t> packet_with(const ir::Key& key, std::uint8_t words,
                                             std::uint8_t width) {
  std::vector<std::uint8_t> packet(kKeyPacket, 0);
  packet[12] = 0x88;
  packet[13] = 0xb5;
  const std::uint32_t bytes = words == 1 ? width : 4U * words;
  for (std::uint32_t i = 0; i < bytes; ++i) {
    const std::uint32_t from_last = bytes - 1 - i;
    packet[kKeyOffset + i] =
        static_cast<std::uint8_t>(key.word(from_last / 4) >> 8 * (from_last % 4));
  }
  return packet;
}

}  // namespace weir::lower
