#include <gtest/gtest.h>

#include <csignal>
#include <string>
#include <thread>
#include <vector>

#include "cbpf/savefile/writer.h"
#include "tests/cbpf/savefile_bytes.h"
#include "tests/random/choices.h"

namespace weir::cbpf {
namespace {

using test::contents_of;
using test::FileBytes;
using test::read_all;
using test::some_packet;

// A file in memory and a second descriptor to look at it.
struct MemoryFile {
  Fd fd = test::file_of({});
  Fd writable() const { return Fd(::dup(fd.get())); }
  std::vector<std::uint8_t> contents() const { return contents_of(fd.get()); }
};

// Copies `input` through a filter that says this of its packets, again and again.
std::vector<std::uint8_t> copied(Bytes input, SavefileFormat format,
                                 const std::vector<std::uint32_t>& accept_lengths) {
  auto reader = SavefileReader::from_fd(test::file_of(input), "in");
  const MemoryFile out;
  auto writer =
      SavefileWriter::to_fd(out.writable(), "out", options_like(reader->header(), format));
  std::size_t number = 0;
  for (;;) {
    const auto batch = reader->next_batch();
    if (!batch || batch->done()) {
      break;
    }
    std::vector<std::uint32_t> accept(batch->packets.size());
    for (std::uint32_t& length : accept) {
      length = accept_lengths[number++ % accept_lengths.size()];
    }
    EXPECT_TRUE(writer->copy(*batch, accept));
  }
  EXPECT_TRUE(writer->close());
  return out.contents();
}

// The same with one that takes every n-th packet, from the first on.
std::vector<std::uint8_t> copied(Bytes input, SavefileFormat format, std::size_t every = 1) {
  std::vector<std::uint32_t> accept_lengths(every, 0);
  accept_lengths[0] = 262144;
  return copied(input, format, accept_lengths);
}

TEST(SavefileWriter, CutsNoPacketOfPcapngInPcap) {
  // Longer than the interface says, and of a second interface with a larger snapshot length.
  FileBytes input;
  input.section().interface(1, 3).interface(1, 64);
  input.enhanced(0, 0, some_packet(14), 60).enhanced(1, 0, some_packet(40), 40);
  const auto read = read_all(input.get());
  ASSERT_EQ(read.packets.size(), 2U);
  const auto again = read_all(copied(input.get(), SavefileFormat::kPcap));
  ASSERT_EQ(again.packets.size(), 2U);
  EXPECT_EQ(again.packets[0].captured, some_packet(14));
  EXPECT_EQ(again.packets[1].captured, some_packet(40));
}

TEST(SavefileWriter, WritesPcap) {
  for (const bool nanoseconds : {false, true}) {
    const MemoryFile out;
    auto writer = SavefileWriter::to_fd(
        out.writable(), "out", {.link_type = 12, .snaplen = 96, .nanoseconds = nanoseconds});
    ASSERT_TRUE(writer);
    const auto packet = some_packet(21);
    ASSERT_TRUE(writer->write({.captured = packet, .wire_length = 60}, 5'123'456'789));
    ASSERT_TRUE(writer->write({.captured = {}, .wire_length = 1}, 0));
    EXPECT_EQ(writer->packets(), 2U);
    ASSERT_TRUE(writer->close());
    FileBytes wanted;
    wanted.u32(nanoseconds ? 0xa1b23c4d : 0xa1b2c3d4).u16(2).u16(4).u32(0).u32(0).u32(96).u32(101);
    wanted.pcap_record(5, nanoseconds ? 123456789 : 123456, packet, 60).pcap_record(0, 0, {}, 1);
    EXPECT_EQ(out.contents(), wanted.get());
  }
}

TEST(SavefileWriter, WritesPcapngThatReadsBack) {
  for (const bool nanoseconds : {false, true}) {
    const MemoryFile out;
    auto writer = SavefileWriter::to_fd(out.writable(), "out",
                                        {.format = SavefileFormat::kPcapng,
                                         .link_type = 1,
                                         .snaplen = 128,
                                         .nanoseconds = nanoseconds,
                                         .interface_name = "weir0"});
    ASSERT_TRUE(writer);
    const auto second = writer->add_interface({.link_type = 12, .snaplen = 64, .name = "tun"});
    ASSERT_TRUE(second);
    EXPECT_EQ(*second, 1U);
    const auto packet = some_packet(21);
    ASSERT_TRUE(writer->write({.captured = packet, .wire_length = 60}, 5'123'456'000));
    ASSERT_TRUE(writer->write({.captured = packet, .wire_length = 21}, 6'000'001'000, *second));
    EXPECT_FALSE(writer->write({.captured = packet, .wire_length = 21}, 0, 2));
    ASSERT_TRUE(writer->close());
    auto reader = SavefileReader::from_fd(test::file_of(out.contents()), "back");
    ASSERT_TRUE(reader);
    const test::ReadFile read = read_all(*reader);
    EXPECT_EQ(read.error, "");
    ASSERT_EQ(reader->interfaces().size(), 2U);
    EXPECT_EQ(reader->interfaces()[0].name, "weir0");
    EXPECT_EQ(reader->interfaces()[0].snaplen, 128U);
    EXPECT_EQ(reader->interfaces()[1].name, "tun");
    const std::vector<test::ReadPacket> wanted = {{packet, 60, 5'123'456'000, 1, 0},
                                                  {packet, 21, 6'000'001'000, 12, 1}};
    EXPECT_EQ(read.packets, wanted);
  }
}

// A pcap file of this machine's kind comes out as it went in, but for the header's unused fields.
TEST(SavefileWriter, CopiesPcapRecordsAsTheyAre) {
  FileBytes in;
  in.pcap_header({});
  FileBytes wanted;
  wanted.u32(0xa1b2c3d4).u16(2).u16(4).u32(0).u32(0).u32(65535).u32(1);
  FileBytes thirds = wanted;
  for (std::size_t i = 0; i < 1000; ++i) {
    const auto packet = some_packet(i * 31 % 1500, static_cast<std::uint8_t>(i));
    // A fraction past a second is kept like any other.
    in.pcap_record(1, 0xfffffff0, packet, 1500);
    wanted.pcap_record(1, 0xfffffff0, packet, 1500);
    if (i % 3 == 0) {
      thirds.pcap_record(1, 0xfffffff0, packet, 1500);
    }
  }
  EXPECT_EQ(copied(in.get(), SavefileFormat::kPcap), wanted.get());
  EXPECT_EQ(copied(in.get(), SavefileFormat::kPcap, 3), thirds.get());
}

// Runs of every length and of many parts, in both formats: what was accepted, nothing else, in the
// order of the file.
TEST(SavefileWriter, CopiesRunsOfAnyLength) {
  random::Choices choices(std::uint64_t{1});
  for (const std::uint32_t longest : {20U, 700U, 3000U, 100'000U}) {
    FileBytes pcap;
    FileBytes pcapng;
    pcap.pcap_header({.snaplen = 262144});
    pcapng.section().interface(1);
    std::vector<std::uint8_t> wanted;  // Behind the header.
    std::vector<std::uint8_t> wanted_blocks = pcapng.get();
    std::vector<std::uint32_t> accept;
    const std::uint32_t keep = choices.pick({20U, 50U, 95U});
    for (std::size_t i = 0; i < 4'000'000 / (longest + 200); ++i) {
      const auto packet = some_packet(choices.below(longest), static_cast<std::uint8_t>(i));
      const std::size_t record = pcap.get().size();
      const std::size_t block = pcapng.get().size();
      pcap.pcap_record(1, 1, packet, 1500);
      pcapng.enhanced(0, 0, packet, 1500);
      accept.push_back(choices.chance(keep) ? 1 : 0);
      if (accept.back() != 0) {
        wanted.insert(wanted.end(), pcap.get().begin() + static_cast<std::ptrdiff_t>(record),
                      pcap.get().end());
        wanted_blocks.insert(wanted_blocks.end(),
                             pcapng.get().begin() + static_cast<std::ptrdiff_t>(block),
                             pcapng.get().end());
      }
    }
    std::vector<std::uint8_t> records = copied(pcap.get(), SavefileFormat::kPcap, accept);
    records.erase(records.begin(), records.begin() + 24);
    EXPECT_TRUE(records == wanted) << longest;
    EXPECT_TRUE(copied(pcapng.get(), SavefileFormat::kPcapng, accept) == wanted_blocks) << longest;
  }
}

TEST(SavefileWriter, CopiesPcapIntoPcapng) {
  FileBytes in;
  in.pcap_header({.nanoseconds = true, .link_type = 101});
  in.pcap_record(7, 123456789, some_packet(33), 60);
  const test::ReadFile read = read_all(copied(in.get(), SavefileFormat::kPcapng));
  EXPECT_EQ(read.error, "");
  ASSERT_EQ(read.packets.size(), 1U);
  EXPECT_EQ(read.packets[0], (test::ReadPacket{some_packet(33), 60, 7'123'456'789, 12, 0}));
}

// All blocks that are no packets stay, and the packets that were taken, byte for byte.
TEST(SavefileWriter, CopiesPcapngBlocksAsTheyAre) {
  for (const bool big_endian : {false, true}) {
    FileBytes in(big_endian);
    FileBytes wanted(big_endian);
    std::size_t number = 0;
    const auto both = [&](const auto& add) {
      add(in);
      add(wanted);
    };
    const auto packet = [&](const auto& add) {
      add(in);
      if (number++ % 3 == 0) {
        add(wanted);
      }
    };
    both([](FileBytes& file) { file.section().interface(1).interface(101); });
    for (std::uint32_t i = 0; i < 700; ++i) {
      const auto data = some_packet(i * 31 % 1500, static_cast<std::uint8_t>(i));
      packet([&](FileBytes& file) { file.enhanced(i / 7 % 2, i, data, 1500); });
      packet([&](FileBytes& file) { file.obsolete(i % 2, i, data, 1500); });
      packet([&](FileBytes& file) { file.simple(data, static_cast<std::uint32_t>(data.size())); });
      if (i % 10 == 0) {
        both([&](FileBytes& file) { file.block(5, file.body().u32(i).text("statistics")); });
      }
      if (i == 350) {
        both([&](FileBytes& file) { file.section().interface(113).interface(101); });
      }
    }
    both([](FileBytes& file) { file.block(4, file.body().text("names")); });
    EXPECT_EQ(copied(in.get(), SavefileFormat::kPcapng, 3), wanted.get());
    EXPECT_EQ(copied(in.get(), SavefileFormat::kPcapng), in.get());
  }
}

TEST(SavefileWriter, CopiesPcapngIntoPcap) {
  FileBytes in;
  in.section().interface(1, 100).enhanced(0, 5'000'001, some_packet(40), 60);
  FileBytes wanted;
  wanted.u32(0xa1b2c3d4).u16(2).u16(4).u32(0).u32(0).u32(262144).u32(1);
  wanted.pcap_record(5, 1, some_packet(40), 60);
  EXPECT_EQ(copied(in.get(), SavefileFormat::kPcap), wanted.get());
}

// A disk that is full, which /dev/full always is.
TEST(SavefileWriter, TellsThatTheDiskIsFull) {
  auto writer = SavefileWriter::create("/dev/full", {});
  ASSERT_TRUE(writer);
  const auto packet = some_packet(100);
  EXPECT_TRUE(writer->write({.captured = packet, .wire_length = 100}, 0));
  const Status closed = writer->close();
  ASSERT_FALSE(closed);
  EXPECT_EQ(closed.error().code, ErrorCode::kSystem);
  EXPECT_EQ(to_string(closed.error()), "/dev/full: cannot write: No space left on device");
}

// The error comes while writing too, once the gathered output has to go, and it stays.
TEST(SavefileWriter, ErrorStays) {
  auto writer = SavefileWriter::create("/dev/full", {});
  const auto packet = some_packet(60000);
  bool failed = false;
  for (int i = 0; i < 10; ++i) {
    failed = !writer->write({.captured = packet, .wire_length = 60000}, 0);
  }
  EXPECT_TRUE(failed);
  EXPECT_FALSE(writer->flush());
  EXPECT_FALSE(writer->close());
}

TEST(SavefileWriter, TellsThatThePipeIsClosed) {
  const auto before = std::signal(SIGPIPE, SIG_IGN);
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  ::close(ends[0]);
  auto writer = SavefileWriter::to_fd(Fd(ends[1]), "pipe", {});
  const Status flushed = writer->flush();
  ASSERT_FALSE(flushed);
  EXPECT_EQ(to_string(flushed.error()), "pipe: cannot write: Broken pipe");
  std::signal(SIGPIPE, before);
}

// Through a pipe that is non-blocking at both ends and holds much less than is sent.
TEST(SavefileWriter, WaitsForANonBlockingPipe) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_NONBLOCK), 0);
  constexpr std::size_t kCount = 500;
  std::thread sender([fd = ends[1]] {
    auto writer = SavefileWriter::to_fd(Fd(fd), "pipe", {});
    for (std::size_t i = 0; i < kCount; ++i) {
      const auto packet = some_packet(1000, static_cast<std::uint8_t>(i));
      EXPECT_TRUE(writer->write({.captured = packet, .wire_length = 1000}, i));
    }
    EXPECT_TRUE(writer->close());
  });
  auto reader = SavefileReader::from_fd(Fd(ends[0]), "pipe");
  const test::ReadFile read = read_all(*reader);
  sender.join();
  EXPECT_EQ(read.error, "");
  ASSERT_EQ(read.packets.size(), kCount);
  EXPECT_EQ(read.packets.back().captured, some_packet(1000, static_cast<std::uint8_t>(kCount - 1)));
}

TEST(SavefileWriter, TellsThatItCannotCreate) {
  const auto writer = SavefileWriter::create("/nonexistent/out.pcap", {});
  ASSERT_FALSE(writer);
  EXPECT_EQ(to_string(writer.error()),
            "/nonexistent/out.pcap: cannot create: No such file or directory");
}

// Without close() nothing is lost either; only the errors are.
TEST(SavefileWriter, DestructionWritesOut) {
  const MemoryFile out;
  { const auto writer = SavefileWriter::to_fd(out.writable(), "out", {}); }
  EXPECT_EQ(out.contents().size(), 24U);
}

TEST(SavefileWriter, RefusesASecondLinkTypeInPcap) {
  FileBytes in;
  in.pcap_header({.link_type = 101}).pcap_record(1, 1, some_packet(20), 20);
  auto reader = SavefileReader::from_fd(test::file_of(in.get()), "in");
  const MemoryFile out;
  auto writer = SavefileWriter::to_fd(out.writable(), "out", {.nanoseconds = true});
  const std::uint32_t accept[] = {1};
  const Status copied_one = writer->copy(*reader->next_batch(), accept);
  ASSERT_FALSE(copied_one);
  EXPECT_EQ(copied_one.error().code, ErrorCode::kUnsupported);
  EXPECT_FALSE(writer->add_interface({}));
}

// A file that takes blocks as they are has nothing that other packets could belong to.
TEST(SavefileWriter, ACopyOfBlocksTakesPcapRecordsInASectionOfTheirOwn) {
  FileBytes in;
  in.pcap_header({.link_type = 101}).pcap_record(1, 1, some_packet(20), 20);
  auto reader = SavefileReader::from_fd(test::file_of(in.get()), "in");
  const MemoryFile out;
  auto writer = SavefileWriter::to_fd(out.writable(), "out",
                                      {.format = SavefileFormat::kPcapng, .copied_blocks = true});
  const std::uint32_t accept[] = {1};
  EXPECT_FALSE(writer->write({}, 0));
  const auto batch = reader->next_batch();
  ASSERT_TRUE(batch);
  EXPECT_TRUE(writer->copy(*batch, accept));
  EXPECT_TRUE(writer->copy(*batch, accept));
  EXPECT_FALSE(writer->write({}, 0));
  EXPECT_FALSE(writer->add_interface({}));
  EXPECT_TRUE(writer->close());
  EXPECT_EQ(out.contents().size(), 28U + 32 + 2 * (32 + 20));
  auto again = SavefileReader::from_fd(test::file_of(out.contents()), "again");
  ASSERT_TRUE(again);
  const auto written = again->next_batch();
  ASSERT_TRUE(written);
  EXPECT_EQ(written->packets.size(), 2U);
  EXPECT_EQ(written->link_type, batch->link_type);
}

}  // namespace
}  // namespace weir::cbpf
