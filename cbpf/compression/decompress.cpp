#include "cbpf/compression/decompress.h"

#include "cbpf/compression/formats.h"

namespace weir::cbpf {

Compression compression_of_magic(Bytes beginning) {
  if (beginning.size() < 4) {
    return Compression::kNone;
  }
  if (beginning[0] == 0x1f && beginning[1] == 0x8b) {
    return Compression::kGzip;
  }
  switch (load_be32(beginning.data())) {
    case 0x28b52ffd:
      return Compression::kZstd;
    case 0x04224d18:
    case 0x02214c18:  // The format before frames.
      return Compression::kLz4;
    default:
      return Compression::kNone;
  }
}

bool is_skippable_magic(Bytes beginning) {
  return beginning.size() >= 4 && (load_be32(beginning.data()) & 0xf0ffffff) == 0x502a4d18;
}

std::optional<std::uint32_t> skippable_frame_length(Bytes beginning) {
  if (beginning.size() < 8 || !is_skippable_magic(beginning)) {
    return std::nullopt;
  }
  return beginning[4] | std::uint32_t{beginning[5]} << 8 | std::uint32_t{beginning[6]} << 16 |
         std::uint32_t{beginning[7]} << 24;
}

Compression compression_of_name(std::string_view path) {
  if (path.ends_with(".gz")) {
    return Compression::kGzip;
  }
  if (path.ends_with(".zst")) {
    return Compression::kZstd;
  }
  return path.ends_with(".lz4") ? Compression::kLz4 : Compression::kNone;
}

std::string_view compression_name(Compression compression) {
  switch (compression) {
    case Compression::kNone:
      return "none";
    case Compression::kGzip:
      return "gzip";
    case Compression::kZstd:
      return "zstd";
    case Compression::kLz4:
      return "lz4";
  }
  return "none";
}

std::unique_ptr<Decompressor> make_decompressor(Compression compression) {
  switch (compression) {
    case Compression::kNone:
      return nullptr;
    case Compression::kGzip:
      return make_gzip_decompressor();
    case Compression::kZstd:
      return make_zstd_decompressor();
    case Compression::kLz4:
      return make_lz4_decompressor();
  }
  return nullptr;
}

std::unique_ptr<Compressor> make_compressor(Compression compression) {
  switch (compression) {
    case Compression::kNone:
      return nullptr;
    case Compression::kGzip:
      return make_gzip_compressor();
    case Compression::kZstd:
      return make_zstd_compressor();
    case Compression::kLz4:
      return make_lz4_compressor();
  }
  return nullptr;
}

}  // namespace weir::cbpf
