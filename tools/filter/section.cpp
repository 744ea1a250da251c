#include "tools/filter/section.h"

#include <cstring>

namespace weir::filter {
namespace {

constexpr std::uint32_t kSectionBlock = 0x0a0d0d0a;  // The same in both byte orders.
constexpr std::uint32_t kInterfaceBlock = 1;
constexpr std::uint32_t kByteOrderMagic = 0x1a2b3c4d;
constexpr std::size_t kLeastBlock = 12;

std::uint32_t load32(const std::uint8_t* p, bool swapped) {
  std::uint32_t value = 0;
  std::memcpy(&value, p, sizeof value);
  return swapped ? __builtin_bswap32(value) : value;
}

}  // namespace

bool SectionStart::begins_section(Bytes blocks) {
  return blocks.size() >= kLeastBlock && load32(blocks.data(), false) == kSectionBlock;
}

Status SectionStart::take(Bytes blocks) {
  while (blocks.size() >= kLeastBlock) {
    if (begins_section(blocks)) {
      swapped_ = load32(blocks.data() + 8, false) != kByteOrderMagic;
      bytes_.clear();
    }
    const std::uint32_t type = load32(blocks.data(), swapped_);
    const std::uint32_t length = load32(blocks.data() + 4, swapped_);
    if (length < kLeastBlock || length > blocks.size()) {
      return {};  // No whole block; the reader hands out none.
    }
    if (type == kInterfaceBlock || begins_section(blocks)) {
      if (length > kMaxBytes - bytes_.size()) {
        return fail(ErrorCode::kUnsupported,
                    "the interface descriptions of a section exceed 8 MiB, too much to begin "
                    "every file with; write one file, without -C and -G");
      }
      bytes_.insert(bytes_.end(), blocks.begin(), blocks.begin() + length);
    }
    blocks = blocks.subspan(length);
  }
  return {};
}

}  // namespace weir::filter
