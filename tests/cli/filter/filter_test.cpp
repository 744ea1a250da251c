#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/cli/cli.h"
#include "tools/engine/engine.h"

namespace weir::cli {
namespace {

using nlohmann::json;

// A pcap file of three Ethernet packets: IPv4, ARP, IPv4.
std::string three_packets() {
  const auto le32 = [](std::uint32_t v) {
    return std::string{static_cast<char>(v), static_cast<char>(v >> 8), static_cast<char>(v >> 16),
                       static_cast<char>(v >> 24)};
  };
  std::string file =
      le32(0xa1b2c3d4) + std::string("\2\0\4\0", 4) + le32(0) + le32(0) + le32(262144) + le32(1);
  std::uint32_t second = 1;
  for (const char* type : {"\x08\x00", "\x08\x06", "\x08\x00"}) {
    const std::string packet =
        std::string(12, '\2') + std::string(type, 2) + std::string("\x45", 1) + std::string(45, 0);
    file += le32(second++) + le32(0) + le32(60) + le32(60) + packet;
  }
  return file;
}

TEST(Filter, CountsInEveryEngineAlike) {
  const TemporaryFolder folder;
  const std::string in = folder.file("in.pcap", three_packets());
  for (const char* engine :
       {"classic-interpreter", "libpcap", "extended-interpreter", "extended-jit"}) {
    const Answer answer = weir({"filter", "-r", in, "--engine", engine, "-j", "ip"});
    ASSERT_EQ(answer.status, 0) << answer.err;
    EXPECT_EQ(json::parse(answer.out),
              json({{"engine", engine}, {"packets", 3}, {"matched", 2}, {"bytes_matched", 120}}));
  }
}

TEST(Filter, TheFastestEngineOfThisMachineIsTheDefault) {
  const Answer answer = weir({"filter", "-r", "-", "-j", "ip"}, three_packets());
  ASSERT_EQ(answer.status, 0) << answer.err;
  EXPECT_EQ(json::parse(answer.out)["engine"], engine::info(engine::fastest_engine()).name);
}

TEST(Filter, WritesWhatMatchesAndNothingElse) {
  const TemporaryFolder folder;
  const std::string whole = three_packets();
  const std::string in = folder.file("in.pcap", whole);
  ASSERT_EQ(weir({"filter", "-r", in, "-w", folder.path("out.pcap"), "arp"}).status, 0);
  EXPECT_EQ(read_file(folder.path("out.pcap")), whole.substr(0, 24) + whole.substr(24 + 76, 76));
  ASSERT_EQ(weir({"filter", "-r", in, "-w", folder.path("all.pcap")}).status, 0);
  EXPECT_EQ(read_file(folder.path("all.pcap")), whole);
}

TEST(Filter, ReadsStdinAndWritesStdout) {
  const std::string whole = three_packets();
  const Answer answer = weir({"filter", "-r", "-", "-w", "-", "ip"}, whole);
  EXPECT_EQ(answer.status, 0);
  EXPECT_EQ(answer.out, whole.substr(0, 24 + 76) + whole.substr(24 + 2 * 76));
  EXPECT_EQ(answer.err, "2 of 3 packets match, 120 bytes\n");
}

TEST(Filter, ReadsAndWritesCompressedFiles) {
  const TemporaryFolder folder;
  const std::string whole = three_packets();
  const std::string in = folder.file("in.pcap", whole);
  for (const char* name : {"out.pcap.gz", "out.pcap.zst", "out.pcap.lz4"}) {
    const std::string packed = folder.path(name);
    ASSERT_EQ(weir({"filter", "-r", in, "-w", packed}).status, 0);
    EXPECT_NE(read_file(packed).substr(0, 4), whole.substr(0, 4));
    ASSERT_EQ(weir({"filter", "-r", packed, "-w", folder.path("back.pcap")}).status, 0);
    EXPECT_EQ(read_file(folder.path("back.pcap")), whole) << name;
  }
}

TEST(Filter, StopsAfterTheNthMatch) {
  const Answer answer = weir({"filter", "-r", "-", "--count", "-c", "1", "ip"}, three_packets());
  EXPECT_EQ(answer.out, "1 packet\n");
}

TEST(Filter, ATruncatedFileIsSaidAndWhatWasWholeIsKept) {
  const TemporaryFolder folder;
  const std::string whole = three_packets();
  const std::string in = folder.file("in.pcap", whole.substr(0, whole.size() - 5));
  const Answer answer = weir({"filter", "-r", in, "-w", folder.path("out.pcap")});
  EXPECT_EQ(answer.status, 1);
  EXPECT_NE(answer.err.find(in), std::string::npos) << answer.err;
  EXPECT_EQ(answer.out, "2 of 2 packets match, 120 bytes\n");
  EXPECT_EQ(read_file(folder.path("out.pcap")), whole.substr(0, 24 + 2 * 76));
}

// For every link type of the files the filter is made anew, and stdin is there once.
TEST(Filter, TakesTheFilterFromStdin) {
  const std::string ethernet = WEIR_PCAPS_DIR "/ping.pcap";
  const std::string raw = WEIR_PCAPS_DIR "/raw.pcap";
  const Answer words = weir({"filter", "-j", "-r", ethernet, "-r", raw, "icmp"});
  ASSERT_EQ(words.status, 0) << words.err;
  const json want = json::parse(words.out);
  ASSERT_LT(want["matched"], want["packets"]);
  const Answer piped = weir({"filter", "-j", "-r", ethernet, "-r", raw, "-F", "-"}, "icmp\n");
  ASSERT_EQ(piped.status, 0) << piped.err;
  EXPECT_EQ(json::parse(piped.out), want);

  const Answer both = weir({"filter", "-r", "-", "-F", "-"}, "icmp\n");
  EXPECT_EQ(both.status, 2);
  EXPECT_EQ(both.err.find("weir: stdin cannot be both the filter and a savefile\n"), 0U)
      << both.err;
}

TEST(Filter, WrongInputLeavesNoFileBehind) {
  const TemporaryFolder folder;
  const std::string in = folder.file("in.pcap", three_packets());
  const std::string out = folder.path("out.pcap");
  EXPECT_EQ(weir({"filter", "-r", in, "-w", out, "tcp prot 80"}).status, 1);
  EXPECT_EQ(weir({"filter", "-r", folder.path("none.pcap"), "-w", out, "ip"}).status, 1);
  EXPECT_EQ(weir({"filter", "-r", folder.file("empty", ""), "-w", out, "ip"}).status, 1);
  EXPECT_EQ(weir({"filter", "-r", folder.file("text", "hello"), "-w", out, "ip"}).status, 1);
  EXPECT_EQ(weir({"filter", "-r", in, "-w", out, "--engine", "moon", "ip"}).status, 2);
  EXPECT_EQ(weir({"filter", "-w", out, "ip"}).status, 2);
  EXPECT_EQ(folder.names(), (std::vector<std::string>{"empty", "in.pcap", "text"}));
}

TEST(Filter, TheInputIsNotOverwritten) {
  const TemporaryFolder folder;
  const std::string in = folder.file("in.pcap", three_packets());
  EXPECT_EQ(weir({"filter", "-r", in, "-w", in, "ip"}).status, 2);
  EXPECT_EQ(read_file(in), three_packets());
}

TEST(Filter, WarnsWhereAnEngineReadsTheProgramInAnotherDialect) {
  const TemporaryFolder folder;
  const std::string in = folder.file("in.pcap", three_packets());
  const std::string assembly = folder.file("shift.asm", "ldb [14]\ntax\nld #1\nlsh x\nret a");
  const Answer answer =
      weir({"filter", "-r", in, "--dialect", "linux", "--engine", "libpcap", "--asm", assembly});
  EXPECT_EQ(answer.status, 0);
  EXPECT_NE(answer.err.find("libpcap reads programs in the libpcap dialect, and instruction 3"),
            std::string::npos)
      << answer.err;
  EXPECT_EQ(weir({"filter", "-r", in, "--engine", "libpcap", "--asm", assembly}).err, "");
}

TEST(Filter, AFullDiskIsSaid) {
  const TemporaryFolder folder;
  const std::string in = folder.file("in.pcap", three_packets());
  const Answer answer = weir({"filter", "-r", in, "-w", "/dev/full"});
  EXPECT_EQ(answer.status, 1);
  EXPECT_NE(answer.err.find("No space left on device"), std::string::npos) << answer.err;
}

// As tcpdump: a savefile says itself what its packets are.
TEST(Filter, TheLinkTypeOfASavefileIsItsOwn) {
  const std::string file = std::string(WEIR_PCAPS_DIR) + "/arp.pcap";
  const Answer plain = weir({"filter", "-r", file, "--count", "arp"});
  ASSERT_EQ(plain.status, 0) << plain.err;
  EXPECT_NE(plain.out.rfind("0 ", 0), 0U) << plain.out;
  EXPECT_EQ(weir({"filter", "-r", file, "-y", "RAW", "--count", "arp"}).out, plain.out);
  EXPECT_EQ(weir({"filter", "-r", file, "-y", "NO_SUCH_LINK", "--count", "arp"}).status, 2);
}

}  // namespace
}  // namespace weir::cli
