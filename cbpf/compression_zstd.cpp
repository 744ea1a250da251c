// zstd, through libzstd.
#include <zstd.h>

#include "cbpf/compression_formats.h"

namespace weir::cbpf {
namespace {

class ZstdDecompressor final : public Decompressor {
 public:
  bool start() const { return context_ != nullptr; }

  Result<Step> run(Bytes packed, std::span<std::uint8_t> room) override {
    if (at_end_ && packed.empty()) {
      return Step{};
    }
    ZSTD_inBuffer in = {packed.data(), packed.size(), 0};
    ZSTD_outBuffer out = {room.data(), room.size(), 0};
    const std::size_t left = ZSTD_decompressStream(context_.get(), &out, &in);
    if (ZSTD_isError(left) != 0) {
      return fail(ErrorCode::kInvalidFile,
                  std::string("the zstd data are damaged: ") + ZSTD_getErrorName(left));
    }
    at_end_ = left == 0;
    return Step{in.pos, out.pos};
  }

  bool at_end() const override { return at_end_; }

 private:
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
