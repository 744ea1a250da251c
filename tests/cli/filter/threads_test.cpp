// `weir filter --threads N` does what one thread does: the same files, the same words, the same
// end, for every capture and in every engine of this process.
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "tests/cli/cli.h"

namespace weir::cli {
namespace {

constexpr const char* kEngines[] = {"classic-interpreter", "libpcap", "extended-interpreter",
                                    "extended-jit"};

std::string capture(const std::string& name) {
  return read_file(std::string(WEIR_PCAPS_DIR) + "/" + name);
}

std::vector<std::string> captures() {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(WEIR_PCAPS_DIR)) {
    if (entry.path().extension() == ".pcap" || entry.path().extension() == ".pcapng") {
      files.push_back(entry.path().string());
    }
  }
  return files;
}

// A capture again and again, until it fills several pieces. A pcapng file takes that as it is.
std::string repeated(const std::string& file, std::size_t header) {
  std::string all = file;
  while (all.size() < 5'000'000) {
    all += file.substr(header);
  }
  return all;
}
std::string large_pcap() { return repeated(capture("http.pcap"), 24); }
std::string large_pcapng() { return repeated(capture("two-interfaces.pcapng"), 0); }

// Runs with one thread and with several, and compares all that comes of it.
void expect_the_same(std::vector<std::string> arguments, int status) {
  const TemporaryFolder one;
  arguments.insert(arguments.begin(), "filter");
  std::vector<std::string> alone = arguments;
  alone.insert(alone.end(), {"-w", one.path("out")});
  const Answer wanted = weir(alone);
  EXPECT_EQ(wanted.status, status) << wanted.err;
  for (const char* threads : {"2", "3"}) {
    const TemporaryFolder several;
    std::vector<std::string> together = arguments;
    together.insert(together.end(), {"-w", several.path("out"), "--threads", threads});
    const Answer answer = weir(together);
    EXPECT_EQ(answer.status, wanted.status);
    EXPECT_EQ(answer.out, wanted.out);
    EXPECT_EQ(answer.err, wanted.err);
    ASSERT_EQ(several.names(), one.names());
    for (const std::string& name : one.names()) {
      EXPECT_TRUE(read_file(several.path(name)) == read_file(one.path(name))) << name;
    }
  }
}

TEST(FilterThreads, WriteWhatOneThreadWrites) {
  ASSERT_FALSE(captures().empty());
  for (const std::string& file : captures()) {
    SCOPED_TRACE(file);
    expect_the_same({"-r", file, "len > 100"}, 0);
  }
}

TEST(FilterThreads, WriteTheSameInEveryEngine) {
  const TemporaryFolder folder;
  for (const std::string& file :
       {folder.file("large.pcap", large_pcap()), folder.file("large.pcapng", large_pcapng())}) {
    for (const char* engine : kEngines) {
      for (const char* filter : {"", "tcp[tcpflags] & tcp-push != 0", "len < 100", "arp"}) {
        SCOPED_TRACE(file + " " + engine + " " + filter);
        expect_the_same({"-r", file, "--engine", engine, filter}, 0);
      }
    }
  }
}

TEST(FilterThreads, EndAfterTheSamePacket) {
  const TemporaryFolder folder;
  for (const std::string& file :
       {folder.file("large.pcap", large_pcap()), folder.file("large.pcapng", large_pcapng())}) {
    for (const char* most : {"1", "777", "4000", "1000000"}) {
      SCOPED_TRACE(file + " " + most);
      expect_the_same({"-r", file, "-c", most, "len < 100"}, 0);
    }
  }
}

TEST(FilterThreads, BeginFilesAtTheSamePackets) {
  const TemporaryFolder folder;
  expect_the_same({"-r", folder.file("large.pcap", large_pcap()), "-C", "1", "-W", "3"}, 0);
}

TEST(FilterThreads, SayTheSameOfADamagedFile) {
  const TemporaryFolder folder;
  const std::string whole = large_pcap();
  expect_the_same({"-r", folder.file("cut.pcap", whole.substr(0, 3'456'789)), "len < 100"}, 1);
  std::string broken = large_pcapng();
  broken.replace(3'000'000, 5000, std::string(5000, '\xff'));
  expect_the_same({"-r", folder.file("broken.pcapng", broken), "len < 100"}, 1);
}

TEST(FilterThreads, ReadPipesPackedFilesAndSeveralFiles) {
  const TemporaryFolder folder;
  const std::string file = folder.file("large.pcap", large_pcap());
  for (const char* ending : {"gz", "zst", "lz4"}) {
    const std::string packed = folder.path(std::string("packed.pcap.") + ending);
    ASSERT_EQ(weir({"filter", "-r", file, "-w", packed}).status, 0);
    expect_the_same({"-r", packed, "-r", file, "len < 100"}, 0);
  }
  RunningWeir running({"filter", "--threads", "2", "-r", "-", "-w", folder.path("out"), "tcp"});
  running.write(capture("http.pcap").substr(0, 30'000));
  running.write(capture("http.pcap").substr(30'000));
  running.close_input();
  EXPECT_EQ(running.wait().status, 0);
  ASSERT_EQ(weir({"filter", "-r", std::string(WEIR_PCAPS_DIR) + "/http.pcap", "-w",
                  folder.path("wanted"), "tcp"})
                .status,
            0);
  EXPECT_TRUE(read_file(folder.path("out")) == read_file(folder.path("wanted")));
}

// A file much larger than what may be in memory of it, with one filter and with a file for each
// rule.
TEST(FilterThreads, TakeNoMoreMemoryForALargeFile) {
  if (std::string_view(WEIR_SANITIZE) != "") {
    GTEST_SKIP() << "instrumented code takes more";
  }
  constexpr long kMost = 64L << 10;
  const TemporaryFolder folder;
  const std::string file = folder.file("large.pcap", large_pcap());
  const std::string part = read_file(file).substr(24);
  {
    std::ofstream more(file, std::ios::binary | std::ios::app);
    for (int i = 0; i < 40; ++i) {
      more << part;
    }
  }
  const std::string rules = folder.file("rules", "push tcp[tcpflags] & tcp-push != 0\nip ip\n");
  for (const char* threads : {"1", "2", "8"}) {
    for (const bool split : {false, true}) {
      const TemporaryFolder outputs;
      std::vector<std::string> arguments = {"filter", "-r", file, "--threads", threads};
      if (split) {
        arguments.insert(arguments.end(), {"--split", rules, "-w", outputs.path("{}.pcap")});
      } else {
        arguments.insert(arguments.end(), {"-w", outputs.path("out"), "len < 100"});
      }
      const Answer answer = weir(arguments);
      ASSERT_EQ(answer.status, 0) << answer.err;
      EXPECT_GT(answer.most_memory, 0);
      EXPECT_LE(answer.most_memory, kMost) << threads << " threads, split " << split;
    }
  }
}

TEST(FilterThreads, SayThatTheDiskIsFull) {
  const TemporaryFolder folder;
  const std::string file = folder.file("large.pcap", large_pcap());
  for (const char* threads : {"1", "2"}) {
    const Answer answer = weir({"filter", "-r", file, "-w", "/dev/full", "--threads", threads});
    EXPECT_EQ(answer.status, 1);
    EXPECT_NE(answer.err.find("No space left on device"), std::string::npos) << answer.err;
  }
}

// The signal ends the waiting for a pipe. What was read is in the file, and is told.
TEST(FilterSignals, LeaveAValidFile) {
  const std::string whole = capture("http.pcap");
  for (const int number : {SIGINT, SIGTERM}) {
    for (const char* threads : {"1", "2", "3"}) {
      const TemporaryFolder folder;
      const std::string out = folder.path("out");
      RunningWeir running({"filter", "-r", "-", "-w", out, "-U", "--threads", threads});
      running.write(whole.substr(0, 24 + 16 + 42 + 5));  // One packet, and a little of the next.
      ASSERT_TRUE(RunningWeir::wait_for_size(out, 24 + 16 + 42));
      running.signal(number);
      const Answer answer = running.wait();
      EXPECT_EQ(answer.status, 0);
      EXPECT_EQ(answer.err, "weir: stopped after 1 packet, 1 of which matches\n");
      EXPECT_EQ(answer.out, "1 of 1 packet matches, 42 bytes\n");
      EXPECT_EQ(read_file(out), whole.substr(0, 24 + 16 + 42));
    }
  }
}

TEST(FilterSignals, LeaveEveryFileOfASplitValid) {
  const std::string whole = capture("http.pcap");
  const TemporaryFolder folder;
  const std::string rules = folder.file("rules", "arp arp\nip ip\n");
  const std::string arp = folder.path("arp.pcap");
  RunningWeir running({"filter", "-r", "-", "--split", rules, "-w", folder.path("{}.pcap"), "-U",
                       "--threads", "2"});
  running.write(whole.substr(0, 24 + 16 + 42 + 5));
  ASSERT_TRUE(RunningWeir::wait_for_size(arp, 24 + 16 + 42));
  running.signal(SIGINT);
  const Answer answer = running.wait();
  EXPECT_EQ(answer.status, 0);
  EXPECT_EQ(answer.err, "weir: stopped after 1 packet, 1 of which matches\n");
  EXPECT_EQ(read_file(arp), whole.substr(0, 24 + 16 + 42));
  EXPECT_EQ(read_file(folder.path("ip.pcap")), whole.substr(0, 24));
}

TEST(FilterThreads, HaveToBeANumberThatCanBe) {
  EXPECT_EQ(weir({"filter", "-r", "-", "--threads", "0"}).status, 2);
  EXPECT_EQ(weir({"filter", "-r", "-", "--threads", "many"}).status, 2);
}

}  // namespace
}  // namespace weir::cli
