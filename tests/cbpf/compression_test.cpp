#include "cbpf/compression.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "cbpf/savefile_writer.h"
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
    EXPECT_NE(read.error.find("damaged"), std::string::npos)
        << compression_name(compression) << ": " << read.error;
  }
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
