// The captures of pcaps/: every one is read to its end, and holds what its line in the README says.
#include <gtest/gtest.h>
#include <pcap/pcap.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <string>

#include "tests/cbpf/savefile_bytes.h"

namespace weir::cbpf {
namespace {

const std::filesystem::path kFolder = WEIR_CAPTURES;

// The lines of the README's table: name and count of packets.
std::map<std::string, std::size_t> described() {
  const std::regex line(R"(\| `([^`]+)` \| (\d+) \|.*)");
  std::map<std::string, std::size_t> counts;
  std::ifstream readme(kFolder / "README.md");
  std::smatch match;
  for (std::string text; std::getline(readme, text);) {
    if (std::regex_match(text, match, line)) {
      counts[match[1]] = std::stoul(match[2]);
    }
  }
  return counts;
}

std::set<std::filesystem::path> captures() {
  std::set<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder)) {
    if (entry.path().extension().string().starts_with(".pcap")) {
      paths.insert(entry.path());
    }
  }
  return paths;
}

TEST(Captures, HoldWhatTheReadmeSays) {
  std::map<std::string, std::size_t> counts;
  for (const auto& path : captures()) {
    auto reader = SavefileReader::open(path);
    ASSERT_TRUE(reader) << path;
    const test::ReadFile file = test::read_all(*reader);
    EXPECT_EQ(file.error, "");
    counts[path.filename()] = file.packets.size();
  }
  EXPECT_GE(counts.size(), 26U);
  EXPECT_EQ(counts, described());
}

// What libpcap reads of each, as far as it can: it knows one link type a file.
TEST(Captures, AreReadAsLibpcapReadsThem) {
  std::size_t compared = 0;
  for (const auto& path : captures()) {
    SCOPED_TRACE(path);
    if (path.extension() == ".pcapng") {
      continue;
    }
    char why[PCAP_ERRBUF_SIZE] = {};
    pcap_t* const pcap =
        pcap_open_offline_with_tstamp_precision(path.c_str(), PCAP_TSTAMP_PRECISION_NANO, why);
    ASSERT_NE(pcap, nullptr) << why;
    auto reader = SavefileReader::open(path);
    const test::ReadFile file = test::read_all(*reader);
    EXPECT_EQ(reader->header().link_type, pcap_datalink(pcap));
    pcap_pkthdr* header = nullptr;
    const u_char* data = nullptr;
    for (const test::ReadPacket& packet : file.packets) {
      ASSERT_EQ(pcap_next_ex(pcap, &header, &data), 1);
      EXPECT_EQ(packet.wire_length, header->len);
      EXPECT_EQ(packet.captured, std::vector<std::uint8_t>(data, data + header->caplen));
      EXPECT_EQ(packet.timestamp, static_cast<std::uint64_t>(header->ts.tv_sec) * 1'000'000'000 +
                                      static_cast<std::uint64_t>(header->ts.tv_usec));
    }
    EXPECT_EQ(pcap_next_ex(pcap, &header, &data), PCAP_ERROR_BREAK);
    pcap_close(pcap);
    ++compared;
  }
  EXPECT_GE(compared, 25U);
}

TEST(Captures, CoverLinkTypesAndLengths) {
  std::set<int> link_types;
  bool cut = false;
  bool runt = false;
  std::uintmax_t size = 0;
  for (const auto& path : captures()) {
    size += std::filesystem::file_size(path);
    auto reader = SavefileReader::open(path);
    for (const test::ReadPacket& packet : test::read_all(*reader).packets) {
      link_types.insert(packet.link_type);
      cut |= packet.captured.size() < packet.wire_length;
      runt |= packet.wire_length < 14;
    }
  }
  EXPECT_EQ(link_types,
            (std::set<int>{DLT_NULL, DLT_EN10MB, DLT_RAW, DLT_LINUX_SLL, DLT_LINUX_SLL2}));
  EXPECT_TRUE(cut);
  EXPECT_TRUE(runt);
  EXPECT_LT(size, 5U << 20);
}

}  // namespace
}  // namespace weir::cbpf
