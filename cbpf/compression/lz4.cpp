// The LZ4 frame format, through liblz4.
#include <lz4frame.h>

#include <algorithm>
#include <array>

#include "cbpf/compression/formats.h"
#include "cbpf/compression/lz4_legacy.h"

namespace weir::cbpf {
namespace {

constexpr std::size_t kPiece = std::size_t{256} << 10;  // Plain bytes packed at a time.

// Frames of both kinds one after the other: each begins with four bytes that tell which it is.
class Lz4Decompressor final : public Decompressor {
 public:
  ~Lz4Decompressor() override { LZ4F_freeDecompressionContext(context_); }

  bool start() {
    return LZ4F_isError(LZ4F_createDecompressionContext(&context_, LZ4F_VERSION)) == 0;
  }

  Result<Step> run(Bytes packed, std::span<std::uint8_t> room) override {
    switch (state_) {
      case State::kMagic:
      case State::kLegacyLength:
        return take_number(packed);
      case State::kFrame:
        return run_frame(packed, room);
      case State::kLegacyBlock:
        return legacy_.full() ? give_block(room) : take_block(packed, room);
    }
    return Step{};
  }

  // A legacy frame has no mark for its end.
  bool at_end() const override {
    return number_size_ == 0 && (state_ == State::kMagic || state_ == State::kLegacyLength);
  }

 private:
  enum class State : std::uint8_t { kMagic, kFrame, kLegacyLength, kLegacyBlock };
  static constexpr std::uint32_t kFrameMagic = 0x184d2204;
  static constexpr std::uint32_t kLegacyMagic = 0x184c2102;

  static tl::unexpected<Error> damaged(const char* why) {
    return fail(ErrorCode::kInvalidFile, std::string("the lz4 data are damaged: ") + why);
  }
  static bool is_magic(std::uint32_t number) {
    return number == kFrameMagic || number == kLegacyMagic || number >> 4 == 0x184d2a5;
  }

  // Four bytes: a magic number, or the length of a legacy block.
  Result<Step> take_number(Bytes packed) {
    const std::size_t taken = std::min(packed.size(), number_.size() - number_size_);
    std::copy_n(packed.begin(), taken, number_.begin() + number_size_);
    number_size_ += taken;
    if (number_size_ < number_.size()) {
      return Step{.taken = taken, .made = 0};
    }
    number_size_ = 0;
    const std::uint32_t number = number_[0] | std::uint32_t{number_[1]} << 8 |
                                 std::uint32_t{number_[2]} << 16 | std::uint32_t{number_[3]} << 24;
    if (number == kLegacyMagic) {
      state_ = State::kLegacyLength;
    } else if (state_ == State::kMagic || is_magic(number)) {
      state_ = State::kFrame;
      hint_ = number_.size();
      if (auto begun = run_frame(number_, {}); !begun) {
        return begun;
      }
    } else if (!legacy_.expect(number)) {
      return damaged("a block is too long");
    } else {
      state_ = State::kLegacyBlock;
    }
    return Step{.taken = taken, .made = 0};
  }

  // liblz4 forgets what a call has made when it fails, so no call gets more than one block. Its
  // hint is that block and the length of the next.
  Result<Step> run_frame(Bytes packed, std::span<std::uint8_t> room) {
    const std::size_t most = hint_ > number_.size() ? hint_ - number_.size() : number_.size();
    Step step{std::min(packed.size(), most), room.size()};
    const std::size_t left =
        LZ4F_decompress(context_, room.data(), &step.made, packed.data(), &step.taken, nullptr);
    if (LZ4F_isError(left) != 0) {
      if (std::string_view(LZ4F_getErrorName(left)) == "ERROR_allocation_failed") {
        return fail(ErrorCode::kSystem, "no memory to unpack lz4");
      }
      return damaged(LZ4F_getErrorName(left));
    }
    hint_ = left;
    if (left == 0) {
      state_ = State::kMagic;
    }
    return step;
  }

  Result<Step> take_block(Bytes packed, std::span<std::uint8_t> room) {
    const std::size_t taken = legacy_.take(packed);
    if (!legacy_.full()) {
      return Step{.taken = taken, .made = 0};
    }
    if (auto unpacked = legacy_.unpack(); !unpacked) {
      return tl::make_unexpected(unpacked.error());
    }
    auto given = give_block(room);
    given->taken = taken;
    return given;
  }

  Result<Step> give_block(std::span<std::uint8_t> room) {
    const std::size_t made = legacy_.give(room);
    if (legacy_.given()) {
      state_ = State::kLegacyLength;
    }
    return Step{.taken = 0, .made = made};
  }

  LZ4F_dctx* context_ = nullptr;
  State state_ = State::kMagic;
  std::array<std::uint8_t, 4> number_{};
  std::size_t number_size_ = 0;
  std::size_t hint_ = 0;
  Lz4LegacyBlock legacy_;
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
