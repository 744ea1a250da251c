// `weir filter` beside `tcpdump -r IN -w OUT`: every capture, a list of filters, byte for byte, in
// one thread and in two, from a file and from a pipe.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/cli/cli.h"

namespace weir::cli {
namespace {

constexpr const char* kFilters[] = {
    "",
    "ip",
    "tcp port 80",
    "udp port 53 and host 10.0.0.1",
    "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0",
    "ip6 or arp",
    "not tcp",
    "len > 100",
    "greater 200 and less 1000",
    "vlan",
    "net 10.0.0.0/8 and not icmp",
};

std::vector<std::string> captures() {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(WEIR_PCAPS_DIR)) {
    if (entry.path().extension() == ".pcap") {
      files.push_back(entry.path().string());
    }
  }
  return files;
}

bool tcpdump(const std::string& arguments) {
  return std::system(("tcpdump -Z root " + arguments + " >/dev/null 2>&1").c_str()) == 0;
}

// Unlike weir, tcpdump cuts nanoseconds unless told otherwise.
bool tcpdump_copies(const std::string& in, const std::string& out, const std::string& filter) {
  const std::string magic = read_file(in).substr(0, 4);
  const bool nanoseconds = magic == "\x4d\x3c\xb2\xa1" || magic == "\xa1\xb2\x3c\x4d";
  return tcpdump((nanoseconds ? "--time-stamp-precision=nano -r " : "-r ") + in + " -w " + out +
                 " '" + filter + "'");
}

Answer filter_from_pipe(const std::string& capture, const std::string& ours,
                        const std::string& filter) {
  RunningWeir running({"filter", "-r", "-", "-w", ours, filter});
  running.write(read_file(capture));
  running.close_input();
  return running.wait();
}

// What weir writes of a capture, in every way to read it, beside what tcpdump has written.
void expect_the_same_bytes(const TemporaryFolder& folder, const std::string& capture,
                           const std::string& filter, const std::string& theirs) {
  const std::string ours = folder.path("weir.pcap");
  const std::string wanted = read_file(theirs);
  for (const std::string way : {"1", "2", "pipe"}) {
    SCOPED_TRACE(capture + ": " + filter + ": " + way);
    const Answer answer =
        way == "pipe" ? filter_from_pipe(capture, ours, filter)
                      : weir({"filter", "-r", capture, "-w", ours, "--threads", way, filter});
    ASSERT_EQ(answer.status, 0) << answer.err;
    EXPECT_TRUE(read_file(ours) == wanted);
  }
}

TEST(FilterTcpdump, WritesTheSameBytes) {
  if (!tcpdump("--version")) {
    GTEST_SKIP() << "tcpdump is not installed";
  }
  const TemporaryFolder folder;
  const std::string theirs = folder.path("tcpdump.pcap");
  std::size_t compared = 0;
  ASSERT_FALSE(captures().empty());
  for (const std::string& capture : captures()) {
    for (const std::string filter : kFilters) {
      if (!tcpdump_copies(capture, theirs, filter)) {
        // A filter this link type cannot have.
        EXPECT_EQ(weir({"filter", "-r", capture, "-w", folder.path("weir.pcap"), filter}).status, 1)
            << capture << ": " << filter;
        continue;
      }
      expect_the_same_bytes(folder, capture, filter, theirs);
      ++compared;
    }
  }
  EXPECT_GE(compared, 200U);
}

// Long enough to be read in pieces, some of them mapped and some copied, their records guessed.
TEST(FilterTcpdump, WritesTheSameBytesOfLongFiles) {
  if (!tcpdump("--version")) {
    GTEST_SKIP() << "tcpdump is not installed";
  }
  constexpr std::size_t kHeader = 24;
  const TemporaryFolder folder;
  const std::string theirs = folder.path("tcpdump.pcap");
  for (const std::string& capture : captures()) {
    std::string all = read_file(capture);
    const std::string records = all.substr(kHeader);
    if (records.empty()) {
      continue;
    }
    while (all.size() < 7'000'000) {
      all += records;
    }
    const std::string file = folder.file("long.pcap", all);
    const std::string filter = "len > 100";
    ASSERT_TRUE(tcpdump_copies(file, theirs, filter)) << capture;
    expect_the_same_bytes(folder, file, filter, theirs);
  }
}

}  // namespace
}  // namespace weir::cli
