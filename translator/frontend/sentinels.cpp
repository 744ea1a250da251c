#include "translator/frontend/sentinels.h"

#include <fmt/format.h>

namespace weir::frontend {
namespace {

// One word of the sentinels of a kind: in one text `first` + index, in the other `second` + index.
struct Numbers {
  std::uint32_t first = 0;
  std::uint32_t second = 0;
  std::uint32_t count = 0;
};

// No ranges overlap; protocols that libpcap has code of its own for (0, 6, 17, 44, 132 and others)
// are in none.
Numbers numbers_of(MemberKind kind, std::uint32_t word) {
  switch (kind) {
    case MemberKind::kIpv4:
      return {0x5a000000, 0x5b000000, 0x10000};
    case MemberKind::kIpv6:
      return {0x60000000 + (word << 24), 0x68000000 + (word << 24), 0x10000};
    case MemberKind::kMac:
      return word == 0 ? Numbers{0x70000000, 0x71000000, 0x1000} : Numbers{0xa000, 0xb000, 0x1000};
    case MemberKind::kPort:
      return {0x8000, 0x9000, 0x1000};
    case MemberKind::kProtocol:
      return {150, 200, 50};
  }
  return {};
}

}  // namespace

bool choose_words(Sentinel& sentinel, std::size_t index) {
  for (std::uint32_t word = 0; word < words_of(sentinel.kind); ++word) {
    const Numbers numbers = numbers_of(sentinel.kind, word);
    if (index >= numbers.count) {
      return false;
    }
    sentinel.words[0][word] = numbers.first + static_cast<std::uint32_t>(index);
    sentinel.words[1][word] = numbers.second + static_cast<std::uint32_t>(index);
  }
  return true;
}

std::string literal_of(const Sentinel& sentinel, std::size_t text) {
  const auto& words = sentinel.words[text];
  switch (sentinel.kind) {
    case MemberKind::kIpv4:
      return fmt::format("{}.{}.{}.{}", words[0] >> 24, words[0] >> 16 & 255, words[0] >> 8 & 255,
                         words[0] & 255);
    case MemberKind::kIpv6: {
      std::string literal;
      for (std::size_t i = 0; i < words.size(); ++i) {
        literal += fmt::format("{}{:x}:{:x}", i == 0 ? "" : ":", words[i] >> 16, words[i] & 0xffff);
      }
      return literal;
    }
    case MemberKind::kMac:
      return fmt::format("{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", words[1] >> 8, words[1] & 255,
                         words[0] >> 24, words[0] >> 16 & 255, words[0] >> 8 & 255, words[0] & 255);
    case MemberKind::kPort:
    case MemberKind::kProtocol:
      return fmt::format("{}", words[0]);
  }
  return {};
}

}  // namespace weir::frontend
