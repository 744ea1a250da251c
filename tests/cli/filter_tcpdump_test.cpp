// `weir filter` beside `tcpdump -r IN -w OUT`: every capture, a list of filters, byte for byte.
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

TEST(FilterTcpdump, WritesTheSameBytes) {
  if (!tcpdump("--version")) {
    GTEST_SKIP() << "tcpdump is not installed";
  }
  const TemporaryFolder folder;
  const std::string theirs = folder.path("tcpdump.pcap");
  const std::string ours = folder.path("weir.pcap");
  std::size_t compared = 0;
  ASSERT_FALSE(captures().empty());
  for (const std::string& capture : captures()) {
    for (const std::string filter : kFilters) {
      if (!tcpdump("-r " + capture + " -w " + theirs + " '" + filter + "'")) {
        // A filter this link type cannot have.
        EXPECT_EQ(weir({"filter", "-r", capture, "-w", ours, filter}).status, 1)
            << capture << ": " << filter;
        continue;
      }
      const Answer answer = weir({"filter", "-r", capture, "-w", ours, filter});
      ASSERT_EQ(answer.status, 0) << capture << ": " << filter << ": " << answer.err;
      EXPECT_TRUE(read_file(ours) == read_file(theirs)) << capture << ": " << filter;
      ++compared;
    }
  }
  EXPECT_GE(compared, 200U);
}

}  // namespace
}  // namespace weir::cli
