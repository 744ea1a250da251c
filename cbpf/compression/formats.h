// What each format's file offers to compression.cpp. Not for others.
#pragma once

#include <memory>

#include "cbpf/compression/decompress.h"

namespace weir::cbpf {

std::unique_ptr<Decompressor> make_gzip_decompressor();
std::unique_ptr<Decompressor> make_zstd_decompressor();
std::unique_ptr<Decompressor> make_lz4_decompressor();
std::unique_ptr<Compressor> make_gzip_compressor();
std::unique_ptr<Compressor> make_zstd_compressor();
std::unique_ptr<Compressor> make_lz4_compressor();

// Grows `packed` by `room` bytes and gives the place where they begin.
inline std::uint8_t* grow(std::vector<std::uint8_t>& packed, std::size_t room) {
  packed.resize(packed.size() + room);
  return packed.data() + packed.size() - room;
}

}  // namespace weir::cbpf
