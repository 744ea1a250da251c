// The bytes of a savefile, read from a descriptor in large blocks into one buffer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>

#include "cbpf/base/bytes.h"
#include "cbpf/base/fd.h"
#include "cbpf/base/result.h"
#include "cbpf/compression/decompress.h"
#include "cbpf/savefile/file_map.h"

namespace weir::cbpf {

// Bytes of a file that lie in memory.
struct SavefileWindow {
  std::uint8_t* data = nullptr;
  std::size_t size = 0;
  std::uint64_t offset = 0;  // Where in the file (unpacked, where it is compressed) it begins.
  bool mapped = false;       // The caches hold nothing of it yet.

  Bytes bytes() const { return {data, size}; }
};

// Memory that begins at a page. The kernel's copy out of its cache wants source and destination to
// stand alike towards the lines of the cache: it takes twice the time else, and six times where the
// destination is a few bytes ahead of the source.
struct PageDelete {
  void operator()(std::uint8_t* memory) const { ::operator delete[](memory, kAlignment); }
  static constexpr std::align_val_t kAlignment{4096};
};
using Pages = std::unique_ptr<std::uint8_t[], PageDelete>;
Pages make_pages(std::size_t size);  // Null without memory.

// A window on the file: the bytes that have been read and not yet been consumed.
//
// They are read() into a buffer that stays in the cache. The buffer is read into piece by piece
// from `area_` on, so that what is left of one piece stays in front of the next, and in the end
// from `area_` on again, what is left being copied before it. Two pieces are better than one: the
// kernel copies faster to where the cache does not hold the lines of the piece before.
class SavefileInput {
 public:
  SavefileInput(Fd fd, std::string name);

  // It moves with every fill().
  SavefileWindow window() {
    return {.data = buffer_.get() + begin_, .size = size(), .offset = offset_};
  }
  std::size_t size() const { return end_ - begin_; }
  const std::string& name() const { return name_; }

  // Takes all bytes, those in the window too, for compressed ones: from here on the window is on
  // what they unpack to. kSystem when the library fails.
  Status decompress(Compression compression);

  // Passes over the skippable frames (skippable_frame_length()) at the front of the window, to the
  // first byte after them. Whether there was one. The errors are those of fill().
  Result<bool> skip_frames();

  // Bytes read from the descriptor so far, for whoever shows progress.
  std::uint64_t bytes_read() const { return bytes_read_; }

  // Drops the first `count` bytes of the window, count <= size().
  void consume(std::size_t count);

  // Reads more behind the window with one read(), which on a pipe takes what is there. The buffer
  // grows only when the window has nearly filled it, so a record that lies about its length costs
  // no more memory than some times the bytes that are really there. False at the end of the file;
  // kSystem when read() fails, which a signal can also make it do, and when there is no memory;
  // kInvalidFile when compressed data are damaged or end too early.
  Result<bool> fill();

  // Whether what is read is unpacked on the way.
  bool compressed() const { return decompressor_ != nullptr; }

  // Where the next read() would begin in a file that can be read at any place; nothing for a pipe
  // and for compressed files.
  std::optional<std::uint64_t> place() const;

  // Reads at a place of such a file, past the window and without moving it, so that several threads
  // may; as many bytes as one pread() gives, 0 at the end. kSystem when that fails.
  Result<std::size_t> read_at(std::uint64_t place, std::span<std::uint8_t> to) const;

  // The file as memory, for whoever reads it past the window; nothing where that cannot be, or
  // where nothing is behind the window. Nobody else is guarded by `guard`, which outlives the map.
  std::optional<SavefileMap> map_rest(SigbusGuard& guard) const;

  // Reads on past the window, into other memory; 0 at the end. The errors are those of fill().
  Result<std::size_t> read(std::span<std::uint8_t> to);

 private:
  Status make_room();
  Status move_before_area();
  tl::unexpected<Error> cannot_read() const;
  Result<std::size_t> read_some(std::uint8_t* to, std::size_t room);
  Result<std::size_t> unpack_some(std::uint8_t* to, std::size_t room);

  Fd fd_;
  std::string name_;
  Pages buffer_;
  std::size_t area_ = 0;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::uint64_t offset_ = 0;
  std::uint64_t bytes_read_ = 0;

  // Of a compressed file: its bytes as they are in it, those from packed_begin_ on still packed.
  Compression compression_ = Compression::kNone;
  std::unique_ptr<Decompressor> decompressor_;
  std::optional<Error> broken_;  // What it has said, and will say again.
  std::unique_ptr<std::uint8_t[]> packed_;
  std::size_t packed_begin_ = 0;
  std::size_t packed_end_ = 0;
};

}  // namespace weir::cbpf
