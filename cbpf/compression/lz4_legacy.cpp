#include "cbpf/compression/lz4_legacy.h"

#include <lz4.h>

#include <algorithm>
#include <new>

namespace weir::cbpf {
namespace {

constexpr int kMostPlain = 8 << 20;
constexpr std::size_t kMostPacked = LZ4_COMPRESSBOUND(kMostPlain);

}  // namespace

bool Lz4LegacyBlock::expect(std::uint32_t length) {
  if (length == 0 || length > kMostPacked) {
    return false;
  }
  length_ = length;
  packed_size_ = plain_size_ = given_ = 0;
  return true;
}

std::size_t Lz4LegacyBlock::take(Bytes packed) {
  if (packed_ == nullptr) {
    packed_.reset(new (std::nothrow) std::uint8_t[kMostPacked]);
    plain_.reset(new (std::nothrow) std::uint8_t[kMostPlain]);
  }
  const std::size_t taken = std::min(packed.size(), length_ - packed_size_);
  if (packed_ != nullptr) {
    std::copy_n(packed.begin(), taken, packed_.get() + packed_size_);
  }
  packed_size_ += taken;
  return taken;
}

Status Lz4LegacyBlock::unpack() {
  if (packed_ == nullptr || plain_ == nullptr) {
    return fail(ErrorCode::kSystem, "no memory to unpack lz4");
  }
  const int size = LZ4_decompress_safe(reinterpret_cast<const char*>(packed_.get()),
                                       reinterpret_cast<char*>(plain_.get()),
                                       static_cast<int>(length_), kMostPlain);
  if (size < 0) {
    return fail(ErrorCode::kInvalidFile, "the lz4 data are damaged: a block cannot be unpacked");
  }
  plain_size_ = static_cast<std::size_t>(size);
  return {};
}

std::size_t Lz4LegacyBlock::give(std::span<std::uint8_t> room) {
  const std::size_t count = std::min(room.size(), plain_size_ - given_);
  std::copy_n(plain_.get() + given_, count, room.data());
  given_ += count;
  return count;
}

}  // namespace weir::cbpf
