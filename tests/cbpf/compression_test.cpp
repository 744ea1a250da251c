#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "cbpf/compression/decompress.h"
#include "cbpf/savefile/writer.h"
#include "tests/cbpf/savefile_bytes.h"

namespace weir::cbpf {
namespace {

constexpr Compression kAll[] = {Compression::kGzip, Compression::kZstd, Compression::kLz4};

std::vector<std::uint8_t> packed(Compression compression, Bytes plain, bool flush = false) {
  const auto compressor = make_compressor(compression);
  std::vector<std::uint8_t> out;
  const std::size_t half = plain.size() / 2;
  EXPECT_TRUE(compressor->add(plain.first(half), out));
  if (flush) {
    EXPECT_TRUE(compressor->flush(out));
  }
  EXPECT_TRUE(compressor->add(plain.subspan(half), out));
  EXPECT_TRUE(compressor->finish(out));
  return out;
}

// A file of so many packets, and more bytes than any buffer on the way holds.
std::vector<std::uint8_t> savefile(std::size_t packets) {
  const Fd out = test::file_of({});
  auto writer = SavefileWriter::to_fd(Fd(::dup(out.get())), "out", {});
  for (std::size_t i = 0; i < packets; ++i) {
    const auto packet = test::some_packet(1 + i % 1500);
    EXPECT_TRUE(
        writer->write({.captured = packet, .wire_length = 1500}, 1'000'000'000 * std::uint64_t{i}));
  }
  EXPECT_TRUE(writer->close());
  return test::contents_of(out.get());
}

TEST(Compression, IsKnownByMagicAndByName) {
  const std::vector<std::uint8_t> text = {'a', 'b', 'c', 'd', 'e'};
  for (const Compression compression : kAll) {
    EXPECT_EQ(compression_of_magic(packed(compression, text)), compression);
  }
  EXPECT_EQ(compression_of_magic(text), Compression::kNone);
  EXPECT_EQ(compression_of_magic(Bytes(packed(Compression::kZstd, text)).first(3)),
            Compression::kNone);
  EXPECT_EQ(compression_of_name("a.pcap.gz"), Compression::kGzip);
  EXPECT_EQ(compression_of_name("a.pcap.zst"), Compression::kZstd);
  EXPECT_EQ(compression_of_name("a.pcap.lz4"), Compression::kLz4);
  EXPECT_EQ(compression_of_name("a.gz.pcap"), Compression::kNone);
}

TEST(Compression, SavefilesAreReadAsIfTheyWerePlain) {
  const auto plain = savefile(2000);
  const auto wanted = test::read_all(plain);
  ASSERT_EQ(wanted.packets.size(), 2000U);
  for (const Compression compression : kAll) {
    SCOPED_TRACE(compression_name(compression));
    const auto read = test::read_all(packed(compression, plain, true));
    EXPECT_EQ(read.error, "");
    ASSERT_EQ(read.packets.size(), wanted.packets.size());
    for (std::size_t i = 0; i < read.packets.size(); ++i) {
      ASSERT_EQ(read.packets[i].captured, wanted.packets[i].captured) << i;
    }
  }
}

TEST(Compression, MembersOneBehindTheOtherAreOneFile) {
  const auto plain = savefile(300);
  const std::size_t middle = plain.size() / 3;
  for (const Compression compression : kAll) {
    SCOPED_TRACE(compression_name(compression));
    auto file = packed(compression, Bytes(plain).first(middle));
    const auto rest = packed(compression, Bytes(plain).subspan(middle));
    file.insert(file.end(), rest.begin(), rest.end());
    const auto read = test::read_all(file);
    EXPECT_EQ(read.error, "");
    EXPECT_EQ(read.packets.size(), 300U);
  }
}

TEST(Compression, AFileThatBreaksOffGivesItsWholePacketsAndSaysSo) {
  const auto plain = savefile(2000);
  for (const Compression compression : kAll) {
    auto file = packed(compression, plain, true);
    file.resize(file.size() - 5);
    const auto read = test::read_all(file);
    EXPECT_GE(read.packets.size(), 500U) << compression_name(compression);
    EXPECT_EQ(read.error, "test.pcap: the " + std::string(compression_name(compression)) +
                              " data end too early");
  }
}

TEST(Compression, DamagedDataAreRefused) {
  const auto plain = savefile(300);
  for (const Compression compression : kAll) {
    auto file = packed(compression, plain);
    for (std::size_t i = file.size() / 2; i < file.size() / 2 + 64; ++i) {
      file[i] ^= 0x55;
    }
    const auto read = test::read_all(file);
    // Damaged gzip may unpack to other bytes, which are then no record.
    EXPECT_NE(read.error.find(compression == Compression::kGzip ? "test.pcap: " : "damaged"),
              std::string::npos)
        << compression_name(compression) << ": " << read.error;
  }
}

std::vector<std::uint8_t> join(std::vector<std::uint8_t> first, Bytes second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

// All that is before the damage is given: of gzip byte by byte, of the others block by block.
TEST(Compression, PacketsBeforeTheDamageAreGiven) {
  const auto plain = savefile(2000);
  for (const Compression compression : kAll) {
    SCOPED_TRACE(compression_name(compression));
    // The checksum at the end (gzip: before the length): nothing before it is lost.
    auto file = packed(compression, plain);
    file[file.size() - (compression == Compression::kGzip ? 6 : 2)] ^= 0x10;
    const auto sum = test::read_all(file);
    EXPECT_EQ(sum.packets.size(), 2000U);
    EXPECT_NE(sum.error.find("damaged"), std::string::npos) << sum.error;
    // What was flushed is whole, and the next block is not.
    auto half = packed(compression, plain, true);
    for (std::size_t i = half.size() - 3000; i < half.size(); ++i) {
      half[i] ^= 0x55;
    }
    const auto read = test::read_all(half);
    EXPECT_GE(read.packets.size(), 1000U);
    EXPECT_LT(read.packets.size(), 2000U);
    EXPECT_NE(read.error, "");
  }
}

TEST(Compression, SkippableFramesComeFirst) {
  const auto plain = savefile(300);
  for (const std::uint32_t length : {0U, 5U, 3'000'000U}) {
    test::FileBytes frame;
    frame.u32(0x184d2a53).u32(length).bytes(std::vector<std::uint8_t>(length, 7));
    for (const Compression compression : {Compression::kZstd, Compression::kLz4}) {
      const auto read =
          test::read_all(join(join(frame.get(), frame.get()), packed(compression, plain)));
      EXPECT_EQ(read.error, "");
      EXPECT_EQ(read.packets.size(), 300U);
    }
    EXPECT_EQ(test::read_all(join(frame.get(), plain)).error,
              "test.pcap: no zstd or lz4 data come after the skippable frame at the beginning");
  }
}

TEST(Compression, ZerosAfterGzipAreNoMember) {
  const auto plain = savefile(300);
  const auto member = packed(Compression::kGzip, Bytes(plain).first(5000));
  const std::vector<std::uint8_t> zeros(1000);
  auto file = join(join(member, zeros), packed(Compression::kGzip, Bytes(plain).subspan(5000)));
  const auto read = test::read_all(join(file, zeros));
  EXPECT_EQ(read.error, "");
  EXPECT_EQ(read.packets.size(), 300U);
}

// Blocks made of literals alone, which is what LZ4 is where nothing repeats.
TEST(Compression, LegacyFramesOfLz4AreRead) {
  const auto plain = savefile(300);
  test::FileBytes file;
  const Bytes halves[] = {Bytes(plain).first(7000), Bytes(plain).subspan(7000)};
  for (const Bytes half : halves) {
    test::FileBytes block;
    block.u8(0xf0);
    std::size_t left = half.size() - 15;
    for (; left >= 255; left -= 255) {
      block.u8(255);
    }
    block.u8(static_cast<std::uint8_t>(left)).bytes(half);
    file.u32(0x184c2102).u32(static_cast<std::uint32_t>(block.get().size())).bytes(block.get());
  }
  const auto read = test::read_all(file.get());
  EXPECT_EQ(read.error, "");
  EXPECT_EQ(read.packets.size(), 300U);
  const auto cut = test::read_all(Bytes(file.get()).first(file.get().size() - 1));
  EXPECT_GE(cut.packets.size(), 1U);
  EXPECT_EQ(cut.error, "test.pcap: the lz4 data end too early");
}

TEST(Compression, TheWriterPacksWhatTheReaderUnpacks) {
  const auto plain = savefile(1000);
  for (const Compression compression : kAll) {
    SCOPED_TRACE(compression_name(compression));
    auto reader = SavefileReader::from_fd(test::file_of(plain), "in");
    const Fd out = test::file_of({});
    auto options = options_like(reader->header(), SavefileFormat::kPcap);
    options.compression = compression;
    auto writer = SavefileWriter::to_fd(Fd(::dup(out.get())), "out", options);
    ASSERT_TRUE(writer);
    for (;;) {
      const auto batch = reader->next_batch();
      ASSERT_TRUE(batch);
      if (batch->done()) {
        break;
      }
      ASSERT_TRUE(writer->copy(*batch, std::vector<std::uint32_t>(batch->packets.size(), 1)));
      ASSERT_TRUE(writer->flush());
    }
    EXPECT_EQ(writer->bytes(), plain.size());
    ASSERT_TRUE(writer->close());
    const auto file = test::contents_of(out.get());
    EXPECT_EQ(compression_of_magic(file), compression);
    const auto read = test::read_all(file);
    EXPECT_EQ(read.error, "");
    EXPECT_EQ(read.packets.size(), 1000U);
  }
}

}  // namespace
}  // namespace weir::cbpf
