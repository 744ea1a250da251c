#include <gtest/gtest.h>
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <string>
#include <thread>
#include <tuple>

#include "tests/cbpf/savefile_bytes.h"

namespace weir::cbpf {
namespace {

using test::FileBytes;
using test::read_all;
using test::some_packet;

// Both byte orders, both resolutions.
class PcapTest : public testing::TestWithParam<std::tuple<bool, bool>> {
 protected:
  bool big_endian() const { return std::get<0>(GetParam()); }
  bool nanoseconds() const { return std::get<1>(GetParam()); }
  FileBytes file(FileBytes::PcapHeader header = {}) const {
    header.nanoseconds = nanoseconds();
    return FileBytes(big_endian()).pcap_header(header);
  }
};

INSTANTIATE_TEST_SUITE_P(All, PcapTest, testing::Combine(testing::Bool(), testing::Bool()),
                         [](const auto& test) {
                           return std::string(std::get<0>(test.param) ? "Big" : "Little") +
                                  (std::get<1>(test.param) ? "Nano" : "Micro");
                         });

TEST_P(PcapTest, GivesPacketsAsTheyWereWritten) {
  FileBytes bytes = file({.snaplen = 300, .link_type = 113});
  bytes.pcap_record(1000, 123456, some_packet(60, 1), 60);
  bytes.pcap_record(0xfffffff0, 999999, some_packet(0, 2), 40);
  bytes.pcap_record(1002, 0, some_packet(300, 3), 1500);
  auto reader = SavefileReader::from_fd(test::file_of(bytes.get()), "x");
  ASSERT_TRUE(reader);
  EXPECT_EQ(reader->header().format, SavefileFormat::kPcap);
  EXPECT_EQ(reader->header().link_type, 113);
  EXPECT_EQ(reader->header().snaplen, 300U);
  EXPECT_EQ(reader->header().nanoseconds, nanoseconds());
  ASSERT_EQ(reader->interfaces().size(), 1U);
  const test::ReadFile read = read_all(*reader);
  EXPECT_EQ(read.error, "");
  ASSERT_EQ(read.packets.size(), 3U);
  const std::uint64_t unit = nanoseconds() ? 1 : 1000;
  EXPECT_EQ(read.packets[0].captured, some_packet(60, 1));
  EXPECT_EQ(read.packets[0].wire_length, 60U);
  EXPECT_EQ(read.packets[0].timestamp, 1'000'000'000'000U + 123456U * unit);
  EXPECT_EQ(read.packets[0].link_type, 113);
  EXPECT_EQ(read.packets[1].captured.size(), 0U);
  EXPECT_EQ(read.packets[1].wire_length, 40U);
  EXPECT_EQ(read.packets[1].timestamp, 0xfffffff0U * 1'000'000'000ULL + 999999U * unit);
  EXPECT_EQ(read.packets[2].captured, some_packet(300, 3));
  EXPECT_EQ(read.packets[2].wire_length, 1500U);
}

// A file cut at every byte gives exactly the packets that are whole, then an error unless the cut
// falls between two of them.
TEST_P(PcapTest, CutAnywhereGivesWhatIsWhole) {
  FileBytes bytes = file();
  std::vector<std::size_t> ends = {bytes.get().size()};
  for (std::uint8_t i = 0; i < 4; ++i) {
    bytes.pcap_record(i, i, some_packet(std::size_t{i} * 9U, i), 100);
    ends.push_back(bytes.get().size());
  }
  for (std::size_t size = 0; size <= bytes.get().size(); ++size) {
    SCOPED_TRACE(size);
    const test::ReadFile read = read_all(Bytes(bytes.get()).first(size));
    const auto whole = std::upper_bound(ends.begin(), ends.end(), size) - ends.begin();
    EXPECT_EQ(read.packets.size(),
              static_cast<std::size_t>(std::max<std::ptrdiff_t>(whole, 1) - 1));
    EXPECT_EQ(read.error.empty(), std::find(ends.begin(), ends.end(), size) != ends.end());
    for (std::size_t i = 0; i < read.packets.size(); ++i) {
      EXPECT_EQ(read.packets[i].captured, some_packet(i * 9U, static_cast<std::uint8_t>(i)));
    }
  }
}

TEST_P(PcapTest, ErrorsTellPacketAndByte) {
  FileBytes bytes = file();
  bytes.pcap_record(1, 1, some_packet(10), 10).pcap_record(1, 1, some_packet(20), 20);
  const Bytes all = bytes.get();
  EXPECT_EQ(read_all(all.first(75)).error,
            "test.pcap: packet 2 at byte 50 is cut off after 9 of its 20 bytes");
  EXPECT_EQ(read_all(all.first(60)).error,
            "test.pcap: the header of packet 2 at byte 50 is cut off after 10 of 16 bytes");
  EXPECT_EQ(read_all(all.first(23)).error,
            "test.pcap: the header of the file is cut off after 23 of 24 bytes");
}

TEST_P(PcapTest, RefusesAbsurdLengths) {
  for (const std::uint32_t length : {262145U, 0x7fffffffU, 0x80000000U, 0xffffffffU}) {
    FileBytes bytes = file();
    bytes.pcap_record(1, 1, some_packet(10), 10);
    bytes.u32(1).u32(1).u32(length).u32(length).bytes(some_packet(100));
    const test::ReadFile read = read_all(bytes.get());
    EXPECT_EQ(read.packets.size(), 1U);
    EXPECT_EQ(read.error, "test.pcap: packet 2 at byte 50 claims " + std::to_string(length) +
                              " captured bytes, more than the 262144 a packet can have");
  }
}

TEST_P(PcapTest, TakesTheLargestPacket) {
  FileBytes bytes = file({.snaplen = 0});
  bytes.pcap_record(1, 1, some_packet(262144), 300000).pcap_record(2, 2, some_packet(5), 5);
  const test::ReadFile read = read_all(bytes.get());
  EXPECT_EQ(read.error, "");
  ASSERT_EQ(read.packets.size(), 2U);
  EXPECT_EQ(read.packets[0].captured, some_packet(262144));
  EXPECT_EQ(read.packets[1].captured, some_packet(5));
}

// The error stays, and so does the end.
TEST(Pcap, ErrorAndEndStay) {
  FileBytes bytes;
  bytes.pcap_header({}).pcap_record(1, 1, some_packet(10), 10);
  const std::size_t whole = bytes.get().size();
  bytes.u32(1);
  auto broken = SavefileReader::from_fd(test::file_of(bytes.get()), "x");
  ASSERT_TRUE(broken);
  ASSERT_EQ(broken->next_batch()->packets.size(), 1U);
  EXPECT_FALSE(broken->next_batch());
  EXPECT_FALSE(broken->next_batch());
  auto sound = SavefileReader::from_fd(test::file_of(Bytes(bytes.get()).first(whole)), "x");
  ASSERT_EQ(sound->next_batch()->packets.size(), 1U);
  EXPECT_TRUE(sound->next_batch()->done());
  EXPECT_TRUE(sound->next_batch()->done());
}

TEST(Pcap, CutsPacketsToTheSnapshotLength) {
  FileBytes bytes;
  bytes.pcap_header({.snaplen = 25}).pcap_record(1, 1, some_packet(30), 40);
  auto reader = SavefileReader::from_fd(test::file_of(bytes.get()), "x");
  ASSERT_TRUE(reader);
  const auto batch = reader->next_batch();
  ASSERT_TRUE(batch);
  ASSERT_EQ(batch->packets.size(), 1U);
  EXPECT_TRUE(batch->altered);
  EXPECT_EQ(batch->packets[0].captured, 25U);
  EXPECT_EQ(batch->packets[0].length, 40U);
  EXPECT_EQ(batch->raw(0).size(), 46U);
}

// Before version 2.3 the lengths stood the other way round, and in 2.3 either way.
TEST(Pcap, ReadsOldVersions) {
  const auto wire_length = [](std::uint32_t major, std::uint32_t minor, bool wire_first) {
    FileBytes bytes;
    bytes.pcap_header({.major = major, .minor = minor}).u32(1).u32(1);
    bytes.u32(wire_first ? 60 : 20).u32(wire_first ? 20 : 60).bytes(some_packet(20));
    const test::ReadFile read = read_all(bytes.get());
    EXPECT_EQ(read.error, "");
    return read.packets.empty() ? 0 : read.packets[0].wire_length;
  };
  EXPECT_EQ(wire_length(2, 0, true), 60U);
  EXPECT_EQ(wire_length(2, 2, true), 60U);
  EXPECT_EQ(wire_length(2, 3, true), 60U);
  EXPECT_EQ(wire_length(2, 3, false), 60U);
  EXPECT_EQ(wire_length(2, 4, false), 60U);
  EXPECT_EQ(wire_length(543, 0, true), 60U);
}

TEST(Pcap, RefusesOtherVersions) {
  const auto error = [](std::uint32_t major, std::uint32_t minor) {
    return read_all(FileBytes().pcap_header({.major = major, .minor = minor}).get()).error;
  };
  EXPECT_EQ(error(2, 5), "test.pcap: pcap version 2.5 is not known");
  EXPECT_EQ(error(1, 4), "test.pcap: pcap version 1.4 is not known");
  EXPECT_EQ(error(543, 1), "test.pcap: pcap version 543.1 is not known");
}

TEST(Pcap, RefusesWhatIsNoSavefile) {
  const auto error = [](std::string_view text) {
    return read_all(FileBytes().text(text).get()).error;
  };
  EXPECT_EQ(error(""), "test.pcap: the file is empty");
  EXPECT_EQ(error("abc"), "test.pcap: neither pcap nor pcapng: the file has only 3 bytes");
  EXPECT_EQ(error("hello"),
            "test.pcap: neither pcap nor pcapng: the file begins with the bytes 68656c6c");
  EXPECT_EQ(error("\x34\xcd\xb2\xa1 and so on"),
            "test.pcap: the header of the file is cut off after 14 of 24 bytes");
  EXPECT_EQ(error("\xa1\x2b\x3c\x4d and so on"),
            "test.pcap: a Navtel pcap file (magic number a12b3c4d) cannot be read");
  EXPECT_EQ(error("\x1f\x8b\x08\x08 and so on"), "test.pcap: the gzip data end too early");
}

TEST(Pcap, OpenTellsWhatTheSystemSays) {
  const auto missing = SavefileReader::open("/nonexistent/x.pcap");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kSystem);
  EXPECT_EQ(to_string(missing.error()),
            "/nonexistent/x.pcap: cannot open: No such file or directory");
  const auto directory = SavefileReader::open("/");
  ASSERT_FALSE(directory);
  EXPECT_EQ(to_string(directory.error()), "/: cannot read: Is a directory");
}

TEST(Pcap, MapsLinkTypes) {
  const auto link_type = [](std::uint32_t number) {
    const FileBytes bytes = FileBytes().pcap_header({.link_type = number});
    return SavefileReader::from_fd(test::file_of(bytes.get()), "x")->header().link_type;
  };
  EXPECT_EQ(link_type(101), 12);
  EXPECT_EQ(link_type(12), 12);
  EXPECT_EQ(link_type(276), 276);
  EXPECT_EQ(link_type(0x24000001), 1);
}

// A packet is handed out as soon as it is there, however the bytes drip in.
TEST(Pcap, ReadsAPipeByteByByte) {
  FileBytes bytes;
  bytes.pcap_header({});
  for (std::uint8_t i = 0; i < 5; ++i) {
    bytes.pcap_record(i, i, some_packet(30, i), 30);
  }
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  std::thread writer([&] {
    const Fd out(ends[1]);
    for (const std::uint8_t byte : bytes.get()) {
      EXPECT_EQ(::write(out.get(), &byte, 1), 1);
    }
  });
  auto reader = SavefileReader::from_fd(Fd(ends[0]), "pipe");
  ASSERT_TRUE(reader);
  const test::ReadFile read = read_all(*reader);
  writer.join();
  EXPECT_EQ(read.error, "");
  ASSERT_EQ(read.packets.size(), 5U);
  EXPECT_EQ(read.packets[4].captured, some_packet(30, 4));
}

TEST(Pcap, DoesNotWaitWhileAPacketIsThere) {
  FileBytes bytes;
  bytes.pcap_header({}).pcap_record(1, 1, some_packet(30), 30).u32(5);
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const Fd out(ends[1]);
  ASSERT_EQ(::write(out.get(), bytes.get().data(), bytes.get().size()),
            static_cast<ssize_t>(bytes.get().size()));
  auto reader = SavefileReader::from_fd(Fd(ends[0]), "pipe");
  ASSERT_TRUE(reader);
  EXPECT_EQ(reader->next_batch()->packets.size(), 1U);
}

// A signal ends the waiting, and nothing is lost by it.
TEST(Pcap, ASignalEndsTheWaiting) {
  struct sigaction action {};
  struct sigaction before {};
  action.sa_handler = [](int) {};
  ASSERT_EQ(::sigaction(SIGUSR1, &action, &before), 0);
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const Fd out(ends[1]);
  FileBytes bytes;
  bytes.pcap_header({}).u32(1).u32(1).u32(30).u32(30);
  ASSERT_GT(::write(out.get(), bytes.get().data(), bytes.get().size()), 0);
  auto reader = SavefileReader::from_fd(Fd(ends[0]), "pipe");
  ASSERT_TRUE(reader);
  std::atomic<bool> waiting = true;
  std::thread signaller([&waiting, reading = ::pthread_self()] {
    while (waiting) {
      ::pthread_kill(reading, SIGUSR1);
      ::usleep(1000);
    }
  });
  const auto interrupted = reader->next_batch();
  waiting = false;
  signaller.join();
  ::sigaction(SIGUSR1, &before, nullptr);
  ASSERT_FALSE(interrupted);
  EXPECT_EQ(to_string(interrupted.error()), "pipe: cannot read: Interrupted system call");
  ASSERT_EQ(::write(out.get(), some_packet(30).data(), 30), 30);
  EXPECT_EQ(reader->next_batch()->packets.size(), 1U);
}

// Records that the buffer has to grow for, with small ones between them.
TEST(Pcap, ReadsRecordsLargerThanTheBuffer) {
  FileBytes bytes;
  bytes.pcap_header({.link_type = 279});  // EBHSCR: messages of up to 8 MiB.
  const std::size_t sizes[] = {10, 8U << 20, 0, 3'000'001, 700, 600'000, 600'001, 5, 8U << 20};
  for (const std::size_t size : sizes) {
    bytes.pcap_record(1, 1, some_packet(size, static_cast<std::uint8_t>(size)), 9U << 20);
  }
  const test::ReadFile read = read_all(bytes.get());
  EXPECT_EQ(read.error, "");
  ASSERT_EQ(read.packets.size(), std::size(sizes));
  EXPECT_TRUE(std::equal(read.bytes.begin(), read.bytes.end(), bytes.get().begin() + 24,
                         bytes.get().end()));
}

// Standard input may have been read by somebody else before.
TEST(Pcap, ReadsFromTheMiddleOfAFile) {
  for (const std::size_t before : {1U, 4095U, 5000U}) {
    FileBytes bytes;
    bytes.bytes(some_packet(before)).pcap_header({});
    for (std::size_t i = 0; i < 1000; ++i) {
      bytes.pcap_record(1, 1, some_packet(i * 37 % 1999), 2000);
    }
    Fd file = test::file_of(bytes.get());
    ASSERT_EQ(::lseek(file.get(), static_cast<off_t>(before), SEEK_SET),
              static_cast<off_t>(before));
    auto reader = SavefileReader::from_fd(std::move(file), "x");
    ASSERT_TRUE(reader);
    const test::ReadFile read = read_all(*reader);
    EXPECT_EQ(read.error, "");
    EXPECT_TRUE(std::equal(read.bytes.begin(), read.bytes.end(),
                           bytes.get().begin() + static_cast<std::ptrdiff_t>(before) + 24,
                           bytes.get().end()));
  }
}

// Many more packets than a batch or a block holds, of all sizes.
TEST(Pcap, ReadsALargeFile) {
  FileBytes bytes;
  bytes.pcap_header({});
  constexpr std::size_t kCount = 3000;
  for (std::size_t i = 0; i < kCount; ++i) {
    bytes.pcap_record(1, 1, some_packet(i * 37 % 1999, static_cast<std::uint8_t>(i)), 2000);
  }
  const test::ReadFile read = read_all(bytes.get());
  EXPECT_EQ(read.error, "");
  ASSERT_EQ(read.packets.size(), kCount);
  for (std::size_t i = 0; i < kCount; ++i) {
    ASSERT_EQ(read.packets[i].captured, some_packet(i * 37 % 1999, static_cast<std::uint8_t>(i)));
  }
  EXPECT_TRUE(std::equal(read.bytes.begin(), read.bytes.end(), bytes.get().begin() + 24,
                         bytes.get().end()));
}

}  // namespace
}  // namespace weir::cbpf
