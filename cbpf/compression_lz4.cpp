// The LZ4 frame format, through liblz4.
#include <lz4frame.h>

#include <algorithm>

#include "cbpf/compression_formats.h"

namespace weir::cbpf {
namespace {

constexpr std::size_t kPiece = std::size_t{256} << 10;  // Plain bytes packed at a time.

class Lz4Decompressor final : public Decompressor {
 public:
  ~Lz4Decompressor() override { LZ4F_freeDecompressionContext(context_); }

  bool start() {
    return LZ4F_isError(LZ4F_createDecompressionContext(&context_, LZ4F_VERSION)) == 0;
  }

  Result<Step> run(Bytes packed, std::span<std::uint8_t> room) override {
    if (at_end_ && packed.empty()) {
      return Step{};
    }
    Step step{packed.size(), room.size()};
    const std::size_t left =
        LZ4F_decompress(context_, room.data(), &step.made, packed.data(), &step.taken, nullptr);
    if (LZ4F_isError(left) != 0) {
      return fail(ErrorCode::kInvalidFile,
                  std::string("the lz4 data are damaged: ") + LZ4F_getErrorName(left));
    }
    at_end_ = left == 0;
    return step;
  }

  bool at_end() const override { return at_end_; }

 private:
  LZ4F_dctx* context_ = nullptr;
  bool at_end_ = true;
};

class Lz4Compressor final : public Compressor {
 public:
  Lz4Compressor() { preferences_.frameInfo.contentChecksumFlag = LZ4F_contentChecksumEnabled; }
  ~Lz4Compressor() override { LZ4F_freeCompressionContext(context_); }

  bool start() { return LZ4F_isError(LZ4F_createCompressionContext(&context_, LZ4F_VERSION)) == 0; }

  Status add(Bytes plain, std::vector<std::uint8_t>& packed) override {
    if (auto begun = begin(packed); !begun) {
      return begun;
    }
    while (!plain.empty()) {
      const Bytes piece = plain.first(std::min(plain.size(), kPiece));
      const std::size_t room = LZ4F_compressBound(piece.size(), &preferences_);
      const std::size_t made = LZ4F_compressUpdate(context_, grow(packed, room), room, piece.data(),
                                                   piece.size(), nullptr);
      if (auto kept = keep(made, room, packed); !kept) {
        return kept;
      }
      plain = plain.subspan(piece.size());
    }
    return {};
  }

  Status flush(std::vector<std::uint8_t>& packed) override {
    if (auto begun = begin(packed); !begun) {
      return begun;
    }
    const std::size_t room = LZ4F_compressBound(0, &preferences_);
    return keep(LZ4F_flush(context_, grow(packed, room), room, nullptr), room, packed);
  }

  Status finish(std::vector<std::uint8_t>& packed) override {
    if (auto begun = begin(packed); !begun) {
      return begun;
    }
    const std::size_t room = LZ4F_compressBound(0, &preferences_);
    return keep(LZ4F_compressEnd(context_, grow(packed, room), room, nullptr), room, packed);
  }

 private:
  Status begin(std::vector<std::uint8_t>& packed) {
    if (begun_) {
      return {};
    }
    begun_ = true;
    constexpr std::size_t kRoom = LZ4F_HEADER_SIZE_MAX;
    return keep(LZ4F_compressBegin(context_, grow(packed, kRoom), kRoom, &preferences_), kRoom,
                packed);
  }

  // Gives back the room that was not used.
  static Status keep(std::size_t made, std::size_t room, std::vector<std::uint8_t>& packed) {
    if (LZ4F_isError(made) != 0) {
      packed.resize(packed.size() - room);
      return fail(ErrorCode::kSystem, std::string("lz4 cannot go on: ") + LZ4F_getErrorName(made));
    }
    packed.resize(packed.size() - (room - made));
    return {};
  }

  LZ4F_cctx* context_ = nullptr;
  LZ4F_preferences_t preferences_ = LZ4F_INIT_PREFERENCES;
  bool begun_ = false;
};

}  // namespace

std::unique_ptr<Decompressor> make_lz4_decompressor() {
  auto made = std::make_unique<Lz4Decompressor>();
  if (!made->start()) {
    return nullptr;
  }
  return made;
}

std::unique_ptr<Compressor> make_lz4_compressor() {
  auto made = std::make_unique<Lz4Compressor>();
  if (!made->start()) {
    return nullptr;
  }
  return made;
}

}  // namespace weir::cbpf
