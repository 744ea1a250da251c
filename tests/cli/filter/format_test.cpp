// The format and the precision of what `weir filter` writes, rotated or not.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "cbpf/savefile/reader.h"
#include "tests/cli/cli.h"
#include "tools/filter/output.h"
#include "tools/filter/section.h"

namespace weir::cli {
namespace {

constexpr std::uint32_t kEthernet = 1;
const std::string kPcapngMagic = "\x0a\x0d\x0d\x0a";
const std::string kMicroMagic = "\xd4\xc3\xb2\xa1";
const std::string kNanoMagic = "\x4d\x3c\xb2\xa1";

std::string le32(std::uint32_t v) {
  return {static_cast<char>(v), static_cast<char>(v >> 8), static_cast<char>(v >> 16),
          static_cast<char>(v >> 24)};
}

std::string be32(std::uint32_t v) { return le32(__builtin_bswap32(v)); }

std::string block(std::uint32_t type, const std::string& body) {
  const std::string length = le32(static_cast<std::uint32_t>(12 + body.size()));
  return le32(type) + length + body + length;
}

std::string section() {
  return block(0x0a0d0d0a, le32(0x1a2b3c4d) + std::string("\1\0\0\0", 4) + std::string(8, '\xff'));
}

// An Ethernet interface whose timestamps are in units of 10 to the power of -`digits`.
std::string interface(char digits) {
  return block(
      1, le32(kEthernet) + le32(0) + std::string("\x09\0\1\0", 4) + digits + std::string(7, '\0'));
}

std::string frame(std::size_t size) {
  std::string bytes(size, '\0');
  bytes.replace(12, 3, "\x08\x00\x45", 3);
  return bytes;
}

std::string packet(std::uint32_t of, std::uint32_t ticks, std::size_t size) {
  const std::string length = le32(static_cast<std::uint32_t>(size));
  return block(6, le32(of) + le32(0) + le32(ticks) + length + length + frame(size));
}

std::string pcap(const std::string& magic, std::uint32_t fraction) {
  return magic + std::string("\2\0\4\0", 4) + le32(0) + le32(0) + le32(262144) + le32(kEthernet) +
         le32(1) + le32(fraction) + le32(60) + le32(60) + frame(60);
}

// Long and short packets of two interfaces, a third one that is described late, and a block of
// another kind between packets: more than three million bytes.
std::string large_pcapng() {
  std::string all = section() + interface(9) + interface(6);
  for (std::uint32_t i = 0; all.size() < 3'500'000; ++i) {
    if (i == 1500) {
      all += interface(6);
    }
    all += packet(i % (i < 1500 ? 2 : 3), i, i % 7 == 0 ? 60 : 1200);
    if (i % 100 == 0) {
      all += block(0x0bad, le32(i));
    }
  }
  return all;
}

std::uint64_t packets_in(const std::string& file) {
  std::uint64_t packets = 0;
  auto reader = cbpf::SavefileReader::open(file);
  EXPECT_TRUE(reader) << file;
  while (reader) {
    const auto batch = reader->next_batch();
    EXPECT_TRUE(batch) << file;
    if (!batch || batch->done()) {
      break;
    }
    packets += batch->packets.size();
  }
  return packets;
}

TEST(FilterRotatedPcapng, IsPcapngThatCanBeReadFileByFile) {
  const TemporaryFolder input;
  const std::string in = input.file("in.pcapng", large_pcapng());
  const std::string filter = "len > 100";
  ASSERT_EQ(weir({"filter", "-r", in, "-w", input.path("whole"), filter}).status, 0);
  const std::string whole = read_file(input.path("whole"));
  for (const std::string threads : {"1", "2"}) {
    const TemporaryFolder out;
    const Answer answer = weir({"filter", "-r", in, "-w", out.path("out.pcapng"), "-C", "1", "-W",
                                "9", "--threads", threads, filter});
    ASSERT_EQ(answer.status, 0) << answer.err;
    ASSERT_EQ(out.names(), (std::vector<std::string>{"out.pcapng0", "out.pcapng1", "out.pcapng2",
                                                     "out.pcapng3"}));
    std::string joined;
    std::uint64_t packets = 0;
    for (const std::string& name : out.names()) {
      const std::string bytes = read_file(out.path(name));
      // The third interface is described in the second file.
      const std::string start =
          section() + interface(9) + interface(6) +
          (name == "out.pcapng0" || name == "out.pcapng1" ? "" : interface(6));
      EXPECT_EQ(bytes.substr(0, start.size()), start) << name;
      joined += joined.empty() ? bytes : bytes.substr(start.size());
      packets += packets_in(out.path(name));
      EXPECT_LT(bytes.size(), 1'003'000U) << name;
    }
    EXPECT_TRUE(joined == whole);
    EXPECT_EQ(packets, packets_in(input.path("whole")));
    EXPECT_LT(packets, packets_in(in));
  }
}

TEST(FilterRotatedPcapng, FilesAreTakenByTcpdump) {
  if (std::system("tcpdump --version >/dev/null 2>&1") != 0) {
    GTEST_SKIP() << "tcpdump is not installed";
  }
  const TemporaryFolder folder;
  const std::string in = folder.file("in", large_pcapng());
  const TemporaryFolder out;
  ASSERT_EQ(weir({"filter", "-r", in, "-w", out.path("out"), "-C", "1"}).status, 0);
  ASSERT_EQ(out.names().size(), 4U);
  std::string text;
  for (const std::string& name : out.names()) {
    const std::string command = "tcpdump --time-stamp-precision=nano -tt -nr " + out.path(name) +
                                " >" + folder.path("text") + " 2>/dev/null";
    ASSERT_EQ(std::system(command.c_str()), 0) << name;
    text += read_file(folder.path("text"));
  }
  const std::string command = "tcpdump --time-stamp-precision=nano -tt -nr " + in + " >" +
                              folder.path("text") + " 2>/dev/null";
  ASSERT_EQ(std::system(command.c_str()), 0);
  EXPECT_FALSE(text.empty());
  EXPECT_TRUE(text == read_file(folder.path("text")));
}

TEST(FilterRotatedPcapng, BeginsByTimeWithTheInterfacesToo) {
  const TemporaryFolder folder;
  const std::string bytes = section() + interface(9) + packet(0, 1, 60);
  auto reader = cbpf::SavefileReader::open(folder.file("in", bytes));
  ASSERT_TRUE(reader);
  std::time_t now = 100;
  const auto options = options_like(reader->header(), cbpf::SavefileFormat::kPcapng);
  auto output = filter::Output::create(folder.path("out-%s"), options, {.seconds = 10},
                                       [&now] { return now; });
  ASSERT_TRUE(output);
  std::vector<std::string> raw;
  for (auto batch = reader->next_batch(); batch && !batch->done(); batch = reader->next_batch()) {
    ASSERT_TRUE(output->copy(*batch, std::vector<std::uint32_t>(batch->packets.size(), 1)));
    if (!batch->packets.empty()) {
      now += 10;
      cbpf::Batch again = *batch;
      again.bytes = batch->raw(0);
      ASSERT_TRUE(output->copy(again, std::vector<std::uint32_t>{1}));
    }
  }
  ASSERT_TRUE(output->close());
  EXPECT_EQ(read_file(folder.path("out-100")), bytes);
  EXPECT_EQ(read_file(folder.path("out-110")), bytes);
}

TEST(SectionStart, IsOfTheLastSectionInEitherByteOrder) {
  const auto bytes_of = [](const std::string& text) {
    return Bytes(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
  };
  const auto swapped = [](std::uint32_t type, const std::string& body) {
    const std::string length = be32(static_cast<std::uint32_t>(12 + body.size()));
    return be32(type) + length + body + length;
  };
  filter::SectionStart start;
  const std::string little = section() + interface(6) + block(5, le32(0)) + interface(9);
  ASSERT_TRUE(start.take(bytes_of(little)));
  const std::string kept = section() + interface(6) + interface(9);
  EXPECT_EQ(std::string(start.bytes().begin(), start.bytes().end()), kept);
  const std::string big =
      swapped(0x0a0d0d0a, be32(0x1a2b3c4d) + std::string("\0\1\0\0", 4) + std::string(8, '\xff'));
  const std::string described = swapped(1, be32(kEthernet << 16) + be32(0));
  ASSERT_TRUE(start.take(bytes_of(big + swapped(5, be32(0)) + described)));
  EXPECT_EQ(std::string(start.bytes().begin(), start.bytes().end()), big + described);
  const std::string large = block(1, std::string(100'000, '\0'));
  ASSERT_TRUE(start.take(bytes_of(section())));
  for (std::size_t fit = filter::SectionStart::kMaxBytes / large.size(); fit != 0; --fit) {
    ASSERT_TRUE(start.take(bytes_of(large)));
  }
  const Status refused = start.take(bytes_of(large));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnsupported);
}

TEST(FilterFormat, IsOfTheOptionElseOfTheNameElseOfTheInput) {
  const TemporaryFolder folder;
  const std::string pcapng =
      folder.file("a", section() + interface(9) + packet(0, 1'000'000'007, 60));
  const std::string classic = folder.file("b", pcap(kMicroMagic, 5));
  const auto magic = [&](const std::string& in, const std::string& name,
                         const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {"filter", "-r", in, "-w", folder.path(name)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Answer answer = weir(arguments);
    EXPECT_EQ(answer.status, 0) << answer.err;
    EXPECT_EQ(answer.err, "");
    EXPECT_EQ(packets_in(folder.path(name)), 1U);
    return read_file(folder.path(name)).substr(0, 4);
  };
  EXPECT_EQ(magic(pcapng, "out"), kPcapngMagic);
  EXPECT_EQ(magic(classic, "out"), kMicroMagic);
  EXPECT_EQ(magic(pcapng, "out.pcap"), kNanoMagic);
  EXPECT_EQ(read_file(folder.path("out.pcap")), pcap(kNanoMagic, 7));
  EXPECT_EQ(magic(classic, "out.pcapng"), kPcapngMagic);
  EXPECT_EQ(magic(classic, "out.pcapng", {"--format", "pcap"}), kMicroMagic);
  EXPECT_EQ(magic(pcapng, "out.pcap", {"--format", "pcapng"}), kPcapngMagic);
  EXPECT_EQ(magic(classic, "out.pcapng", {"-C", "1"}), kPcapngMagic);
  EXPECT_EQ(filter::format_of_name("o.pcapng.gz"), cbpf::SavefileFormat::kPcapng);
  EXPECT_EQ(filter::format_of_name("o.pcap.zst"), cbpf::SavefileFormat::kPcap);
  EXPECT_EQ(filter::format_of_name("o.cap"), std::nullopt);

  EXPECT_EQ(weir({"filter", "-r", classic, "--format", "pcap"}).status, 2);
  const Answer unknown =
      weir({"filter", "-r", classic, "-w", folder.path("new"), "--format", "snoop"});
  EXPECT_EQ(unknown.status, 2);
  EXPECT_NE(unknown.err.find("'snoop'"), std::string::npos) << unknown.err;
}

TEST(FilterFormat, KeepsNanoseconds) {
  const TemporaryFolder folder;
  const std::string bytes = pcap(kNanoMagic, 123'456'789);
  const std::string in = folder.file("in", bytes);
  for (const std::vector<std::string>& more : {std::vector<std::string>{}, {"-C", "1"}}) {
    std::vector<std::string> arguments = {"filter", "-r", in, "-w", folder.path("out")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    EXPECT_EQ(weir(arguments).err, "");
    EXPECT_EQ(read_file(folder.path("out")), bytes);
  }
}

TEST(FilterFormat, SaysOnceThatNanosecondsAreCut) {
  const TemporaryFolder folder;
  std::string start = section() + interface(6);
  // Past what is read before the first byte is written.
  while (start.size() < 1'000'000) {
    start += packet(0, 5, 1200);
  }
  start += interface(9);
  const std::string cut = folder.file("cut", start + packet(1, 1001, 60) + packet(1, 1002, 60));
  const std::string even = folder.file("even", start + packet(1, 1000, 60));
  const std::string rules = folder.file("rules", "a\nb\n");
  const std::string said = "were cut to microseconds";
  const Answer answer = weir({"filter", "-r", cut, "--split", rules, "-w", folder.path("{}.pcap")});
  EXPECT_EQ(answer.status, 0);
  EXPECT_NE(answer.err.find(said), std::string::npos) << answer.err;
  EXPECT_EQ(answer.err.find(said), answer.err.rfind(said)) << answer.err;
  EXPECT_EQ(weir({"filter", "-r", even, "-w", folder.path("out.pcap")}).err, "");
}

TEST(FilterDiffering, NanosecondsOfALaterFileAreKept) {
  const TemporaryFolder folder;
  const std::string micro = folder.file("micro", pcap(kMicroMagic, 5));
  const std::string nano = folder.file("nano", pcap(kNanoMagic, 123'456'789));
  EXPECT_EQ(weir({"filter", "-r", micro, "-r", nano, "-w", folder.path("out")}).err, "");
  EXPECT_EQ(read_file(folder.path("out")),
            pcap(kNanoMagic, 5000) + pcap(kNanoMagic, 123'456'789).substr(24));
}

// Of each packet, one after the other.
std::vector<int> link_types_in(const std::string& file) {
  std::vector<int> types;
  auto reader = cbpf::SavefileReader::open(file);
  EXPECT_TRUE(reader) << file;
  while (reader) {
    const auto batch = reader->next_batch();
    EXPECT_TRUE(batch) << file;
    if (!batch || batch->done()) {
      break;
    }
    types.insert(types.end(), batch->packets.size(), batch->link_type);
  }
  return types;
}

TEST(FilterDiffering, LinkTypesAndFormatsGiveAPcapngFile) {
  const TemporaryFolder folder;
  std::string raw = pcap(kNanoMagic, 7);
  raw[20] = 101;
  constexpr int kRaw = 12;
  const std::string ethernet = folder.file("ethernet", pcap(kMicroMagic, 5));
  const std::string other = folder.file("raw", raw);
  const std::string ng = folder.file("ng", section() + interface(9) + packet(0, 7, 60));
  const std::string out = folder.path("out.pcap");
  const Answer types = weir({"filter", "-r", ethernet, "-r", other, "-r", ng, "-w", out});
  EXPECT_EQ(types.status, 0) << types.err;
  EXPECT_NE(types.err.find("tcpdump reads no file of several link types"), std::string::npos);
  EXPECT_EQ(read_file(out).substr(0, 4), kPcapngMagic);
  EXPECT_EQ(link_types_in(out), (std::vector<int>{1, kRaw, 1}));
  EXPECT_TRUE(read_file(out).ends_with(read_file(ng)));

  for (const auto& order : {std::vector{ethernet, ng}, std::vector{ng, ethernet}}) {
    const Answer both =
        weir({"filter", "-r", order[0], "-r", order[1], "-w", folder.path("both"), "-C", "1"});
    EXPECT_EQ(both.status, 0) << both.err;
    EXPECT_NE(both.err.find("both formats"), std::string::npos) << both.err;
    EXPECT_EQ(link_types_in(folder.path("both")), (std::vector<int>{1, 1}));
  }

  const Answer refused =
      weir({"filter", "-r", ethernet, "-r", other, "-w", folder.path("none"), "--format", "pcap"});
  EXPECT_EQ(refused.status, 1);
  EXPECT_NE(refused.err.find("--format pcapng"), std::string::npos) << refused.err;
  EXPECT_FALSE(std::filesystem::exists(folder.path("none")));
}

TEST(FilterDiffering, AlsoFromAPipe) {
  const TemporaryFolder folder;
  std::string raw = pcap(kMicroMagic, 7);
  raw[20] = 101;
  const std::string ethernet = folder.file("ethernet", pcap(kMicroMagic, 5));
  RunningWeir running({"filter", "-r", ethernet, "-r", "-", "-w", folder.path("out")});
  running.write(raw);
  running.close_input();
  EXPECT_EQ(running.wait().status, 0);
  EXPECT_EQ(link_types_in(folder.path("out")), (std::vector<int>{1, 12}));
}

TEST(FilterDiffering, RotatedFilesEachBeginWithTheirSection) {
  const TemporaryFolder input;
  std::string raw = pcap(kMicroMagic, 7);
  raw[20] = 101;
  const std::string record = raw.substr(24);
  while (raw.size() < 1'500'000) {
    raw += record;
  }
  const std::string in = input.file("raw", raw);
  const std::string ng = input.file("ng", large_pcapng());
  for (const auto& order : {std::vector{in, ng}, std::vector{ng, in}}) {
    const TemporaryFolder out;
    const Answer answer =
        weir({"filter", "-r", order[0], "-r", order[1], "-w", out.path("out"), "-C", "1"});
    ASSERT_EQ(answer.status, 0) << answer.err;
    EXPECT_GE(out.names().size(), 5U);
    std::uint64_t packets = 0;
    for (const std::string& name : out.names()) {
      packets += packets_in(out.path(name));
    }
    EXPECT_EQ(packets, packets_in(in) + packets_in(ng));
  }
}

TEST(FilterCounts, AreOfWhatWasWrittenAtTheEndOfTheLastPeriod) {
  const TemporaryFolder folder;
  const std::string one = pcap(kMicroMagic, 5);
  RunningWeir running(
      {"filter", "-r", "-", "-w", folder.path("out"), "-G", "1", "-W", "1", "--json"});
  running.write(one);
  std::this_thread::sleep_for(std::chrono::milliseconds(1200));
  running.write(one.substr(24));
  running.close_input();
  const Answer answer = running.wait();
  ASSERT_EQ(answer.status, 0) << answer.err;
  EXPECT_EQ(nlohmann::json::parse(answer.out)["matched"], packets_in(folder.path("out")));
}

TEST(FilterCounts, DoNotClaimWhatCouldNotBeWritten) {
  const TemporaryFolder folder;
  const std::string in = folder.file("in", large_pcapng());
  const Answer answer = weir({"filter", "-r", in, "-w", "/dev/full"});
  EXPECT_EQ(answer.status, 1);
  EXPECT_NE(answer.err.find("cannot write"), std::string::npos) << answer.err;
  EXPECT_EQ((answer.out + answer.err).find("match"), std::string::npos) << answer.err;
}

}  // namespace
}  // namespace weir::cli
