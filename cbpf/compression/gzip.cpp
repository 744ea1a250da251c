// gzip, through zlib.
#include <zlib.h>

#include <algorithm>
#include <limits>

#include "cbpf/compression/formats.h"

namespace weir::cbpf {
namespace {

constexpr int kGzipOnly = 16;  // Added to the window bits: a gzip header, not zlib's.
constexpr std::size_t kRoom = std::size_t{64} << 10;

uInt limited(std::size_t size) {
  return static_cast<uInt>(std::min<std::size_t>(size, std::numeric_limits<uInt>::max()));
}

class GzipDecompressor final : public Decompressor {
 public:
  ~GzipDecompressor() override { inflateEnd(&stream_); }

  bool start() { return inflateInit2(&stream_, MAX_WBITS + kGzipOnly) == Z_OK; }

  Result<Step> run(Bytes packed, std::span<std::uint8_t> room) override {
    if (broken_) {
      return damaged();
    }
    if (at_end_) {
      // Tapes and disk images pad with zeros.
      const std::size_t zeros = begun_ ? leading_zeros(packed) : 0;
      if (zeros > 0 || packed.empty()) {
        return Step{.taken = zeros, .made = 0};
      }
      inflateReset(&stream_);
      at_end_ = false;
      begun_ = true;
    }
    const uInt in = limited(packed.size());
    const uInt out = limited(room.size());
    stream_.next_in = const_cast<Bytef*>(packed.data());
    stream_.avail_in = in;
    stream_.next_out = room.data();
    stream_.avail_out = out;
    const int code = inflate(&stream_, Z_NO_FLUSH);
    if (code != Z_OK && code != Z_BUF_ERROR && code != Z_STREAM_END) {
      // What comes before the damage is whole.
      broken_ = true;
      if (out == stream_.avail_out) {
        return damaged();
      }
    }
    at_end_ = code == Z_STREAM_END;
    return Step{in - stream_.avail_in, out - stream_.avail_out};
  }

  bool at_end() const override { return at_end_; }

 private:
  static tl::unexpected<Error> damaged() {
    return fail(ErrorCode::kInvalidFile, "the gzip data are damaged");
  }
  static std::size_t leading_zeros(Bytes bytes) {
    return static_cast<std::size_t>(
        std::find_if(bytes.begin(), bytes.end(), [](std::uint8_t byte) { return byte != 0; }) -
        bytes.begin());
  }

  z_stream stream_{};
  bool begun_ = false;  // There is a member.
  bool at_end_ = true;
  bool broken_ = false;
};

class GzipCompressor final : public Compressor {
 public:
  ~GzipCompressor() override { deflateEnd(&stream_); }

  bool start() {
    return deflateInit2(&stream_, Z_DEFAULT_COMPRESSION, Z_DEFLATED, MAX_WBITS + kGzipOnly,
                        MAX_MEM_LEVEL - 1, Z_DEFAULT_STRATEGY) == Z_OK;
  }

  Status add(Bytes plain, std::vector<std::uint8_t>& packed) override {
    while (!plain.empty()) {
      const uInt in = limited(plain.size());
      if (auto done = deflate_all(plain.first(in), Z_NO_FLUSH, packed); !done) {
        return done;
      }
      plain = plain.subspan(in);
    }
    return {};
  }
  Status flush(std::vector<std::uint8_t>& packed) override {
    return deflate_all({}, Z_SYNC_FLUSH, packed);
  }
  Status finish(std::vector<std::uint8_t>& packed) override {
    return deflate_all({}, Z_FINISH, packed);
  }

 private:
  Status deflate_all(Bytes plain, int mode, std::vector<std::uint8_t>& packed) {
    stream_.next_in = const_cast<Bytef*>(plain.data());
    stream_.avail_in = static_cast<uInt>(plain.size());
    do {
      stream_.next_out = grow(packed, kRoom);
      stream_.avail_out = kRoom;
      if (deflate(&stream_, mode) == Z_STREAM_ERROR) {
        return fail(ErrorCode::kSystem, "gzip cannot go on");
      }
      packed.resize(packed.size() - stream_.avail_out);
    } while (stream_.avail_out == 0);
    return {};
  }

  z_stream stream_{};
};

}  // namespace

std::unique_ptr<Decompressor> make_gzip_decompressor() {
  auto made = std::make_unique<GzipDecompressor>();
  if (!made->start()) {
    return nullptr;
  }
  return made;
}

std::unique_ptr<Compressor> make_gzip_compressor() {
  auto made = std::make_unique<GzipCompressor>();
  if (!made->start()) {
    return nullptr;
  }
  return made;
}

}  // namespace weir::cbpf
