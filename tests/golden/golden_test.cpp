// Golden pages: one filter a page, from the expression through every stage to packets and results.
// They are tests, and meant to be read. UPDATE_GOLDEN=1 writes them anew; the diff is read like
// code.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "cbpf/compile.h"
#include "tests/cli/cli.h"
#include "tools/engine/engine.h"
#include "tools/weir/explain_page.h"

namespace weir {
namespace {

struct Page {
  const char* name;
  const char* expression;
  const char* link_type;
  lower::TargetId target;
};

constexpr Page kPages[] = {
    {"ip", "ip", "EN10MB", lower::TargetId::kUser},
    {"tcp_port_80", "tcp port 80", "EN10MB", lower::TargetId::kXdp},
    {"tcp_syn", "tcp[tcpflags] & tcp-syn != 0", "EN10MB", lower::TargetId::kUser},
    {"arithmetic", "ip[2:2] - ((ip[0] & 0xf) << 2) > 24", "EN10MB", lower::TargetId::kUser},
    {"tc", "arp", "EN10MB", lower::TargetId::kTc},
    {"socket", "udp port 53", "EN10MB", lower::TargetId::kSocket},
    {"raw", "host 10.0.0.1", "RAW", lower::TargetId::kUser},
};

struct NamedPacket {
  std::string name;
  std::vector<std::uint8_t> bytes;
  std::uint32_t wire_length = 0;
};

std::vector<NamedPacket> golden_packets() {
  std::vector<NamedPacket> packets;
  std::ifstream file(WEIR_GOLDEN_DIR "/packets.txt");
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line.front() == '#') {
      continue;
    }
    std::istringstream words(line);
    NamedPacket packet;
    std::string hex;
    words >> packet.wire_length >> hex >> std::ws;
    std::getline(words, packet.name);
    packet.bytes = from_hex(hex).value();
    packets.push_back(std::move(packet));
  }
  return packets;
}

// What every user-space engine gives for each packet; they have to agree before it is printed.
std::string results(const tool::FilterInput& input) {
  std::string text = "\n== packets ==\n";
  const std::vector<NamedPacket> packets = golden_packets();
  std::vector<cbpf::Packet> views;
  for (const NamedPacket& packet : packets) {
    views.push_back({packet.bytes, packet.wire_length});
  }
  std::vector<std::uint32_t> first;
  for (const engine::EngineInfo& engine : engine::all_engines()) {
    if (engine.in_kernel) {
      continue;
    }
    auto prepared = engine::prepare(engine.id, input.filter());
    EXPECT_TRUE(prepared) << to_string(prepared.error());
    std::vector<std::uint32_t> got(views.size());
    EXPECT_TRUE((*prepared)->run(views, got));
    first = first.empty() ? got : first;
    EXPECT_EQ(got, first) << engine.name;
  }
  for (std::size_t i = 0; i < packets.size(); ++i) {
    text += fmt::format("{:>8}  {}\n", first[i], packets[i].name);
  }
  return text;
}

class Golden : public ::testing::TestWithParam<Page> {};

TEST_P(Golden, IsAsItWas) {
  const Page& page = GetParam();
  tool::FilterInput input;
  input.text = page.expression;
  input.link_type = cbpf::link_type_by_name(page.link_type).value();
  auto program = cbpf::compile(input.text, {.link_type = input.link_type});
  ASSERT_TRUE(program) << to_string(program.error());
  input.program.emplace(cbpf::validate(std::move(*program)).value());
  const auto text = tool::explain_page(input, {.target = page.target, .native = false});
  ASSERT_TRUE(text) << to_string(text.error());
  const std::string now = *text + results(input);

  const std::string path = fmt::format("{}/{}.txt", WEIR_GOLDEN_DIR, page.name);
  if (std::getenv("UPDATE_GOLDEN") != nullptr) {
    std::ofstream(path) << now;
    return;
  }
  EXPECT_EQ(now, cli::read_file(path)) << "UPDATE_GOLDEN=1 writes the page anew";
}

INSTANTIATE_TEST_SUITE_P(Pages, Golden, ::testing::ValuesIn(kPages),
                         [](const auto& page) { return std::string(page.param.name); });

}  // namespace
}  // namespace weir
