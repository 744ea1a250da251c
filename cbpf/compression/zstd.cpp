// zstd, through libzstd.
#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>

#include "cbpf/compression/formats.h"

namespace weir::cbpf {
namespace {

class ZstdDecompressor final : public Decompressor {
 public:
  bool start() const { return context_ != nullptr; }

  Result<Step> run(Bytes packed, std::span<std::uint8_t> room) override {
    if (at_end_ && packed.empty()) {
      return Step{};
    }
    // libzstd forgets what a call has made when it fails, so no call gets more than one block. Its
    // hint is that block and the header of the next.
    const std::size_t most = hint_ > kBlockHeader ? hint_ - kBlockHeader : kBlockHeader;
    ZSTD_inBuffer in = {packed.data(), std::min(packed.size(), most), 0};
    ZSTD_outBuffer out = {room.data(), room.size(), 0};
    const std::size_t left = ZSTD_decompressStream(context_.get(), &out, &in);
    if (ZSTD_isError(left) != 0) {
      return error(left);
    }
    at_end_ = left == 0;
    hint_ = left;
    return Step{in.pos, out.pos};
  }

  bool at_end() const override { return at_end_; }

 private:
  static constexpr std::size_t kBlockHeader = 3;

  static tl::unexpected<Error> error(std::size_t code) {
    switch (ZSTD_getErrorCode(code)) {
      case ZSTD_error_memory_allocation:
        return fail(ErrorCode::kSystem, "no memory to unpack zstd");
      case ZSTD_error_frameParameter_windowTooLarge:
        return fail(ErrorCode::kInvalidFile,
                    "the zstd data need a window of more than 128 MiB; unpack the file with 'zstd "
                    "-d --long=31' first");
      default:
        return fail(ErrorCode::kInvalidFile,
                    std::string("the zstd data are damaged: ") + ZSTD_getErrorName(code));
    }
  }

  std::size_t hint_ = 0;
  std::unique_ptr<ZSTD_DCtx, std::size_t (*)(ZSTD_DCtx*)> context_{ZSTD_createDCtx(),
                                                                   ZSTD_freeDCtx};
  bool at_end_ = true;
};

class ZstdCompressor final : public Compressor {
 public:
  bool start() const {
    return context_ != nullptr &&
           ZSTD_isError(ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_checksumFlag, 1)) == 0;
  }

  Status add(Bytes plain, std::vector<std::uint8_t>& packed) override {
    return run(plain, ZSTD_e_continue, packed);
  }
  Status flush(std::vector<std::uint8_t>& packed) override { return run({}, ZSTD_e_flush, packed); }
  Status finish(std::vector<std::uint8_t>& packed) override { return run({}, ZSTD_e_end, packed); }

 private:
  Status run(Bytes plain, ZSTD_EndDirective mode, std::vector<std::uint8_t>& packed) {
    const std::size_t room = ZSTD_CStreamOutSize();
    ZSTD_inBuffer in = {plain.data(), plain.size(), 0};
    bool more = true;
    while (more) {
      ZSTD_outBuffer out = {grow(packed, room), room, 0};
      const std::size_t left = ZSTD_compressStream2(context_.get(), &out, &in, mode);
      packed.resize(packed.size() - (room - out.pos));
      if (ZSTD_isError(left) != 0) {
        return fail(ErrorCode::kSystem,
                    std::string("zstd cannot go on: ") + ZSTD_getErrorName(left));
      }
      more = mode == ZSTD_e_continue ? in.pos < in.size : left != 0;
    }
    return {};
  }

  std::unique_ptr<ZSTD_CCtx, std::size_t (*)(ZSTD_CCtx*)> context_{ZSTD_createCCtx(),
                                                                   ZSTD_freeCCtx};
};

}  // namespace

std::unique_ptr<Decompressor> make_zstd_decompressor() {
  auto made = std::make_unique<ZstdDecompressor>();
  if (!made->start()) {
    return nullptr;
  }
  return made;
}

std::unique_ptr<Compressor> make_zstd_compressor() {
  auto made = std::make_unique<ZstdCompressor>();
  if (!made->start()) {
    return nullptr;
  }
  return made;
}

}  // namespace weir::cbpf
