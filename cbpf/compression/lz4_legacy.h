// The blocks of LZ4's legacy frames (`lz4 -l`, Linux kernel images): a length of four bytes and a
// block that unpacks to 8 MiB at most. Source: lz4_Frame_format.md, "Legacy frame".
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "cbpf/base/bytes.h"
#include "cbpf/base/result.h"

namespace weir::cbpf {

// One block at a time: gathered, unpacked, given out.
class Lz4LegacyBlock {
 public:
  // Begins a block of this packed length. False when no block can have it.
  bool expect(std::uint32_t length);

  // Gathers the packed bytes of the block; gives how many it took.
  std::size_t take(Bytes packed);
  bool full() const { return packed_size_ == length_; }

  // Unpacks what was gathered. kInvalidFile when it is damaged, kSystem without memory.
  Status unpack();

  // Gives out unpacked bytes; returns how many.
  std::size_t give(std::span<std::uint8_t> room);
  bool given() const { return given_ == plain_size_; }

 private:
  std::unique_ptr<std::uint8_t[]> packed_;
  std::unique_ptr<std::uint8_t[]> plain_;
  std::size_t length_ = 0;
  std::size_t packed_size_ = 0;
  std::size_t plain_size_ = 0;
  std::size_t given_ = 0;
};

}  // namespace weir::cbpf
