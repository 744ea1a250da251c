#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/cbpf/savefile_bytes.h"

namespace weir::cbpf {
namespace {

using test::FileBytes;
using test::read_all;
using test::ReadPacket;
using test::some_packet;

FileBytes options(const FileBytes& file, std::uint32_t code, Bytes value) {
  return file.body().option(code, value).option(0, {});
}

class PcapngTest : public testing::TestWithParam<bool> {
 protected:
  FileBytes file() const { return FileBytes(GetParam()); }
  // A file of one section, one Ethernet interface and what comes behind them.
  FileBytes begun() const { return file().section().interface(1); }
};
INSTANTIATE_TEST_SUITE_P(All, PcapngTest, testing::Bool(),
                         [](const auto& test) { return test.param ? "Big" : "Little"; });

TEST_P(PcapngTest, ReadsEveryKindOfPacketBlock) {
  FileBytes bytes = file().section().interface(1, 30).interface(101);
  bytes.enhanced(0, 5'000'001, some_packet(21, 1), 60);
  bytes.enhanced(1, 0x1'0000'0000, some_packet(3, 2), 3);
  bytes.simple(some_packet(17, 3), 17);
  bytes.simple(some_packet(30, 4), 100);  // Cut to the snapshot length of interface 0.
  bytes.obsolete(1, 7'000'000, some_packet(18, 5), 19);
  bytes.enhanced(0, 1, {}, 0);
  const std::vector<ReadPacket> wanted = {
      {some_packet(21, 1), 60, 5'000'001'000, 1, 0},
      {some_packet(3, 2), 3, 0x1'0000'0000 * 1000, 12, 1},
      {some_packet(17, 3), 17, 0, 1, 0},
      {some_packet(30, 4), 100, 0, 1, 0},
      {some_packet(18, 5), 19, 7'000'000'000, 12, 1},
      {{}, 0, 1000, 1, 0},
  };
  const test::ReadFile read = read_all(bytes.get());
  EXPECT_EQ(read.error, "");
  EXPECT_EQ(read.packets, wanted);
  EXPECT_EQ(read.bytes, bytes.get());
}

TEST_P(PcapngTest, TellsTheHeaderBeforeTheFirstPacket) {
  FileBytes bytes = file().section();
  bytes.block(0x0bad, bytes.body().text("something else"));
  bytes.interface(113, 96, options(bytes, 2, Bytes(FileBytes().text("eth0").get())));
  bytes.interface(1);
  auto reader = SavefileReader::from_fd(test::file_of(bytes.get()), "x");
  ASSERT_TRUE(reader);
  EXPECT_EQ(reader->header().format, SavefileFormat::kPcapng);
  EXPECT_EQ(reader->header().link_type, 113);
  EXPECT_EQ(reader->header().snaplen, 96U);
  ASSERT_GE(reader->interfaces().size(), 1U);
  EXPECT_EQ(reader->interfaces()[0].name, "eth0");
  EXPECT_EQ(read_all(*reader).bytes, bytes.get());
  EXPECT_EQ(reader->interfaces().size(), 2U);
}

TEST_P(PcapngTest, AFileWithoutInterfacesIsEmptyButSound) {
  const FileBytes bytes = file().section();
  auto reader = SavefileReader::from_fd(test::file_of(bytes.get()), "x");
  ASSERT_TRUE(reader);
  EXPECT_FALSE(reader->header().link_type);
  const test::ReadFile read = read_all(*reader);
  EXPECT_EQ(read.error, "");
  EXPECT_EQ(read.packets.size(), 0U);
}

// Packets of one batch have one link type, and the order of the file is kept.
TEST_P(PcapngTest, ABatchHasOneLinkType) {
  FileBytes bytes = file().section().interface(1).interface(101).interface(1);
  for (std::uint32_t i = 0; i < 30; ++i) {
    bytes.enhanced(i / 5 % 3, i, some_packet(i), i);
  }
  auto reader = SavefileReader::from_fd(test::file_of(bytes.get()), "x");
  std::vector<std::pair<int, std::size_t>> batches;
  for (;;) {
    const auto batch = reader->next_batch();
    ASSERT_TRUE(batch);
    if (batch->done()) {
      break;
    }
    batches.emplace_back(batch->link_type, batch->packets.size());
  }
  const std::vector<std::pair<int, std::size_t>> wanted = {
      {1, 5}, {12, 5}, {1, 10}, {12, 5}, {1, 5}};
  EXPECT_EQ(batches, wanted);
}

// Sections have interfaces and a byte order of their own.
TEST_P(PcapngTest, ReadsSeveralSections) {
  FileBytes bytes = begun().interface(101).enhanced(1, 0, some_packet(20), 20);
  FileBytes other(!GetParam());
  other.section(~std::uint64_t{0}, 2).interface(147).enhanced(0, 0, some_packet(30), 30);
  bytes.bytes(other.get());
  const test::ReadFile read = read_all(bytes.get());
  EXPECT_EQ(read.error, "");
  ASSERT_EQ(read.packets.size(), 2U);
  EXPECT_EQ(read.packets[0].link_type, 12);
  EXPECT_EQ(read.packets[0].interface, 1U);
  EXPECT_EQ(read.packets[1].link_type, 147);
  EXPECT_EQ(read.packets[1].interface, 0U);
  FileBytes missing = bytes;
  missing.bytes(FileBytes(GetParam()).section().enhanced(0, 0, some_packet(8), 8).get());
  EXPECT_EQ(read_all(missing.get()).error,
            "test.pcap: packet 3 at byte " + std::to_string(bytes.get().size() + 28) +
                " is of interface 0, which the file does not describe");
}

// A length that a section tells of itself would be wrong in a copy with fewer packets.
TEST_P(PcapngTest, ForgetsTheLengthOfASection) {
  const FileBytes packet = file().interface(1).enhanced(0, 0, some_packet(20), 20);
  const FileBytes told = file().section(packet.get().size()).bytes(packet.get());
  const FileBytes untold = file().section().bytes(packet.get());
  EXPECT_EQ(read_all(told.get()).bytes, untold.get());
}

// Every resolution, against 128-bit arithmetic.
TEST_P(PcapngTest, ConvertsTimestamps) {
  __extension__ using Wide = unsigned __int128;
  for (std::uint32_t exponent = 0; exponent < 64; ++exponent) {
    for (const bool binary : {false, true}) {
      if (!binary && exponent > 19) {
        continue;
      }
      std::uint64_t per_second = 1;
      for (std::uint32_t i = 0; i < exponent; ++i) {
        per_second *= binary ? 2 : 10;
      }
      FileBytes bytes = file().section();
      const std::uint8_t resolution[] = {
          static_cast<std::uint8_t>(exponent | (binary ? 0x80U : 0U))};
      bytes.interface(1, 0, options(bytes, 9, resolution));
      const std::uint64_t ticks[] = {
          0, 1, per_second - 1, per_second, 0x123456789abcdef0, ~std::uint64_t{0}};
      std::vector<std::uint64_t> wanted;
      for (const std::uint64_t tick : ticks) {
        bytes.enhanced(0, tick, {}, 0);
        wanted.push_back(static_cast<std::uint64_t>(Wide{tick} * 1'000'000'000 / per_second));
      }
      const test::ReadFile read = read_all(bytes.get());
      EXPECT_EQ(read.error, "");
      std::vector<std::uint64_t> got;
      for (const ReadPacket& packet : read.packets) {
        got.push_back(packet.timestamp);
      }
      EXPECT_EQ(got, wanted) << exponent << (binary ? " binary" : " decimal");
    }
  }
}

TEST_P(PcapngTest, AddsTheOffsetOfTheInterface) {
  FileBytes bytes = file().section();
  const FileBytes offset = bytes.body().u64(static_cast<std::uint64_t>(std::int64_t{-5}));
  bytes.interface(1, 0, options(bytes, 14, offset.get())).enhanced(0, 7'000'001, {}, 0);
  const test::ReadFile read = read_all(bytes.get());
  ASSERT_EQ(read.packets.size(), 1U);
  EXPECT_EQ(read.packets[0].timestamp, 2'000'001'000U);
}

// Cut anywhere, the file gives its whole packets, and an error unless the cut falls between blocks.
TEST_P(PcapngTest, CutAnywhereGivesWhatIsWhole) {
  FileBytes bytes = file().section();
  std::vector<std::size_t> blocks = {bytes.get().size()};
  std::vector<std::size_t> packets;
  const auto end = [&](bool packet) {
    blocks.push_back(bytes.get().size());
    if (packet) {
      packets.push_back(bytes.get().size());
    }
  };
  bytes.interface(1, 64, options(bytes, 2, Bytes(FileBytes().text("lo").get())));
  end(false);
  bytes.enhanced(0, 1, some_packet(21), 21);
  end(true);
  bytes.block(4, bytes.body().text("name resolution"));
  end(false);
  bytes.simple(some_packet(9), 9);
  end(true);
  bytes.obsolete(0, 1, some_packet(10), 10);
  end(true);
  bytes.block(5, bytes.body().text("statistics"));
  end(false);
  for (std::size_t size = 0; size <= bytes.get().size(); ++size) {
    SCOPED_TRACE(size);
    const test::ReadFile read = read_all(Bytes(bytes.get()).first(size));
    EXPECT_EQ(read.packets.size(),
              static_cast<std::size_t>(std::upper_bound(packets.begin(), packets.end(), size) -
                                       packets.begin()));
    EXPECT_EQ(read.error.empty(), std::find(blocks.begin(), blocks.end(), size) != blocks.end());
    const auto whole = std::upper_bound(blocks.begin(), blocks.end(), size);
    EXPECT_EQ(read.bytes.size(), whole == blocks.begin() ? 0 : *(whole - 1));
  }
}

TEST_P(PcapngTest, RefusesDamagedBlocks) {
  const auto error = [](const FileBytes& bytes) { return read_all(bytes.get()).error; };
  const auto at = [](const char* what, const char* rest) {
    return std::string("test.pcap: ") + what + " at byte 48 " + rest;
  };
  EXPECT_EQ(error(begun().u32(7).u32(8).u32(8).u32(8)),
            at("the block",
               "claims a length of 8 bytes, which is not a multiple of 4 from 12 to "
               "16777216"));
  EXPECT_EQ(error(begun().u32(7).u32(18).u32(18).u32(18)),
            at("the block",
               "claims a length of 18 bytes, which is not a multiple of 4 from 12 to "
               "16777216"));
  EXPECT_EQ(error(begun().u32(7).u32(0xfffffffc).u32(0).u32(0)),
            at("the block",
               "claims a length of 4294967292 bytes, which is not a multiple of 4 "
               "from 12 to 16777216"));
  EXPECT_EQ(error(begun().u32(7).u32(16).u32(0).u32(20)),
            at("the block", "has 16 as its length at one end and 20 at the other"));
  EXPECT_EQ(error(begun().u32(7).u32(64).u32(0)),
            at("the block", "is cut off after 12 of 64 bytes"));
  EXPECT_EQ(error(begun().u32(6).u32(64).u32(0)),
            at("the block of packet 1", "is cut off after 12 of 64 bytes"));
  EXPECT_EQ(error(begun().u32(6).u32(64)), at("the block", "is cut off after 8 bytes"));
  EXPECT_EQ(error(begun().block(6, file().u32(0))), at("the block of packet 1", "is too short"));
  EXPECT_EQ(error(begun().block(3, file())), at("the block of packet 1", "is too short"));
  EXPECT_EQ(error(begun().block(1, file().u32(0))), at("the interface block", "is too short"));
  EXPECT_EQ(error(begun().enhanced(1, 0, {}, 0)),
            at("packet 1", "is of interface 1, which the file does not describe"));
  EXPECT_EQ(error(begun().block(6, file().u32(0).u32(0).u32(0).u32(9).u32(9).u64(0))),
            at("packet 1", "claims 9 captured bytes where 8 can be"));
  EXPECT_EQ(error(begun().block(6, file().u32(0).u32(0).u32(0).u32(0xffffffff).u32(9).u64(0))),
            at("packet 1", "claims 4294967295 captured bytes where 8 can be"));
  EXPECT_EQ(error(begun().enhanced(0, 0, some_packet(262145), 262145)),
            at("packet 1", "claims 262145 captured bytes where 262144 can be"));
  EXPECT_EQ(error(begun().simple(some_packet(8), 9)),
            at("packet 1", "claims 9 captured bytes where 8 can be"));
}

TEST_P(PcapngTest, RefusesDamagedInterfaces) {
  const auto error = [](const FileBytes& bytes) { return read_all(bytes.get()).error; };
  const std::string at = "test.pcap: the interface block at byte 28 ";
  const std::uint8_t too_fine[] = {20};
  const std::uint8_t too_fine_binary[] = {0x80 | 64};
  const std::uint8_t too_long[] = {6, 0};
  for (const Bytes resolution : {Bytes(too_fine), Bytes(too_fine_binary), Bytes(too_long)}) {
    const FileBytes bytes = file().section();
    EXPECT_EQ(error(FileBytes(bytes).interface(1, 0, options(bytes, 9, resolution))),
              at + "has a timestamp resolution that is not known");
  }
  EXPECT_EQ(error(file().section().interface(1, 0, file().u16(2).u16(5).u32(0))),
            at + "has an option that is longer than the block");
  FileBytes many = begun();
  for (int i = 0; i < 65536; ++i) {
    many.interface(1);
  }
  EXPECT_EQ(error(many), "test.pcap: the interface block at byte " +
                             std::to_string(many.get().size() - 20) +
                             " is one too many: the section has 65536 already");
}

TEST_P(PcapngTest, RefusesDamagedSections) {
  const auto error = [](const FileBytes& bytes) { return read_all(bytes.get()).error; };
  EXPECT_EQ(error(file().block(0x0a0d0d0a, file().u32(0x1a2b3c4d).u16(2).u16(0).u64(0))),
            "test.pcap: the section at byte 0 has the pcapng version 2.0, which is not known");
  EXPECT_EQ(error(file().section(0, 1)),
            "test.pcap: the section at byte 0 has the pcapng version 1.1, which is not known");
  EXPECT_EQ(error(file().block(0x0a0d0d0a, file().u32(0x1a2b3c4e).u16(1).u16(0).u64(0))),
            "test.pcap: the section at byte 0 has no byte-order magic number");
  EXPECT_EQ(error(file().u32(0x0a0d0d0a).u32(20).u32(0x1a2b3c4d).u32(0).u32(20)),
            "test.pcap: the block at byte 0 claims a length of 20 bytes, which is not a multiple "
            "of 4 from 28 to 1048576");
}

// What is whole comes out before the error does, also when both are in one block of the file.
TEST_P(PcapngTest, DamageTakesNothingFromWhatCameBefore) {
  FileBytes bytes = begun();
  for (std::uint8_t i = 0; i < 10; ++i) {
    bytes.enhanced(0, i, some_packet(40, i), 40);
  }
  const std::size_t whole = bytes.get().size();
  bytes.enhanced(9, 0, some_packet(40), 40).enhanced(0, 0, some_packet(40), 40);
  const test::ReadFile read = read_all(bytes.get());
  EXPECT_EQ(read.packets.size(), 10U);
  EXPECT_EQ(read.bytes.size(), whole);
  EXPECT_EQ(read.error, "test.pcap: packet 11 at byte " + std::to_string(whole) +
                            " is of interface 9, which the file does not describe");
}

// Larger than the buffer: a block of 10 MiB between two packets.
TEST_P(PcapngTest, PassesALargeBlock) {
  FileBytes bytes = begun().enhanced(0, 0, some_packet(40, 1), 40);
  bytes.block(0x0bad, file().bytes(some_packet(10U << 20)));
  bytes.enhanced(0, 0, some_packet(40, 2), 40);
  const test::ReadFile read = read_all(bytes.get());
  EXPECT_EQ(read.error, "");
  EXPECT_EQ(read.packets.size(), 2U);
  EXPECT_EQ(read.bytes, bytes.get());
}

// Each batch tells the byte order of its section, which filters of loopback link types need.
TEST(SavefilePcapng, SectionsTellTheirByteOrder) {
  FileBytes file;
  file.section().interface(0).enhanced(0, 1, some_packet(20), 20);
  FileBytes big(true);
  big.section().interface(0).enhanced(0, 1, some_packet(20), 20);
  file.bytes(big.get());
  auto reader = SavefileReader::from_fd(test::file_of(file.get()), "test.pcapng");
  ASSERT_TRUE(reader);
  std::vector<bool> swapped;
  for (;;) {
    const auto batch = reader->next_batch();
    ASSERT_TRUE(batch);
    if (batch->done()) {
      break;
    }
    swapped.insert(swapped.end(), batch->packets.size(), batch->swapped);
  }
  EXPECT_EQ(swapped, (std::vector<bool>{false, true}));
}

TEST(SavefilePcapng, KeepsOnlySoMuchOfAName) {
  FileBytes file;
  const std::vector<std::uint8_t> name(60'000, 'n');
  file.section().interface(1, 0, file.body().option(2, name).option(0, {}));
  auto reader = SavefileReader::from_fd(test::file_of(file.get()), "test.pcapng");
  ASSERT_TRUE(reader);
  ASSERT_EQ(reader->interfaces().size(), 1U);
  EXPECT_EQ(reader->interfaces()[0].name, std::string(kMaxInterfaceName, 'n'));
}

}  // namespace
}  // namespace weir::cbpf
