// Compressed streams: gzip (RFC 1952), zstd (RFC 8878) and the LZ4 frame format with the legacy
// frames of `lz4 -l`, through zlib, libzstd and liblz4. Both ways work on pieces of any size and
// keep only the library's own window.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "cbpf/base/bytes.h"
#include "cbpf/base/result.h"

namespace weir::cbpf {

enum class Compression : std::uint8_t { kNone, kGzip, kZstd, kLz4 };

// By the first four bytes of a file; kNone when they are no magic number of these.
Compression compression_of_magic(Bytes beginning);

// Whether a skippable frame begins here, with which zstd and lz4 streams may begin.
bool is_skippable_magic(Bytes beginning);

// The length of its content, which comes after 8 bytes of header; nothing when the first eight
// bytes are no such header.
std::optional<std::uint32_t> skippable_frame_length(Bytes beginning);

// By the end of a file's name: .gz, .zst, .lz4; kNone for all others.
Compression compression_of_name(std::string_view path);

// "gzip", "zstd", "lz4"; "none".
std::string_view compression_name(Compression compression);

// Unpacks a stream. Several members or frames one behind the other are one stream, as for gzip,
// zstd and lz4 themselves.
class Decompressor {
 public:
  struct Step {
    std::size_t taken = 0;  // Bytes of `packed` that are used up.
    std::size_t made = 0;   // Bytes in `room`.
  };

  virtual ~Decompressor() = default;

  // Goes on with `packed`, which may be empty: what does not fit into `room` comes with the next
  // calls. With nothing made and all of `packed` taken, more packed bytes are wanted. kInvalidFile
  // when the data are damaged or want more memory than is given (zstd: a window of more than 128
  // MiB); kSystem when there is no memory. All that comes before the damage has been given by the
  // calls before: of gzip byte by byte, of zstd and lz4 block by block (of 128 KiB, of 8 MiB at
  // most). After an error the decompressor is of no use.
  virtual Result<Step> run(Bytes packed, std::span<std::uint8_t> room) = 0;

  // Whether the stream may end here: nothing has come, or the last member is whole.
  virtual bool at_end() const = 0;
};

// Packs a stream into one member.
class Compressor {
 public:
  virtual ~Compressor() = default;

  // Appends to `packed` what the library gives out for these bytes, which may be nothing yet.
  // kSystem when the library fails, which takes a lack of memory.
  virtual Status add(Bytes plain, std::vector<std::uint8_t>& packed) = 0;

  // Appends everything that was added so far, for a reader that waits; costs some compression.
  virtual Status flush(std::vector<std::uint8_t>& packed) = 0;

  // Appends the rest and the end of the member. Nothing may be added after it.
  virtual Status finish(std::vector<std::uint8_t>& packed) = 0;
};

// Null for kNone and where the library cannot get its memory. Each library's default level (gzip
// 6, zstd 3, lz4 0), and checksums of the contents where the format has them.
std::unique_ptr<Decompressor> make_decompressor(Compression compression);
std::unique_ptr<Compressor> make_compressor(Compression compression);

}  // namespace weir::cbpf
