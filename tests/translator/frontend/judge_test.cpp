// Lists against libpcap's own program, term by term: the same verdict for every packet and every
// prefix of it.
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/random/choices.h"
#include "tests/reference/reference_interpreter.h"
#include "translator/frontend/compile.h"
#include "translator/frontend/pieces.h"
#include "translator/ir/build/build.h"
#include "translator/ir/check.h"
#include "translator/ir/evaluate.h"

namespace weir::frontend {
namespace {

using random::Choices;

constexpr std::uint64_t kSeed = 19930125;
constexpr int kExpressions = 300;

// Few enough that lists and packets meet.
constexpr std::array kIpv4 = {"10.0.0.1", "10.0.0.2",        "10.0.3.0", "192.168.1.9",
                              "0.0.0.0",  "255.255.255.255", "10.1.0.0"};
constexpr std::array kNets = {"10.0.0.0/8", "10.0.0.0/31",        "192.168.0.0/16",
                              "10.0.3.0",   "255.255.255.255/32", "128.0.0.0/1"};
constexpr std::array kIpv6 = {
    "::",      "::2",           "2001:db8::1",       "2001:db8::2",       "2001:db8::3",
    "fe80::1", "2001:db8:1::1", "2001:db8:1:0:1::1", "2001:db8:1:0:1::2", "2001:db8:1:0:2::1"};
constexpr std::array kNets6 = {"2001:db8::/32", "2001:db8:1::/48", "fe80::/10",
                               "::/128",        "2001:db8::/127",  "2001:db8:1::/80",
                               "2001:db8::/96", "2001:db8::/112"};
constexpr std::array kMacs = {"2:0:0:0:0:1", "2:0:0:0:0:2", "2:1:0:0:0:1", "ff:ff:ff:ff:ff:ff"};
constexpr std::array kPorts = {"53", "80", "443", "1024", "0", "65535", "81"};
constexpr std::array kPortRanges = {"80-90", "1024-2048", "53-53", "443-80", "0-65535"};
constexpr std::array kProtocols = {"6", "17", "1", "58", "44", "132", "47"};

template <std::size_t n>
std::string pick(Choices& choices, const std::array<const char*, n>& list) {
  return list[choices.below(n)];
}

std::string direction(Choices& choices) {
  return choices.pick<std::string>({"src ", "dst ", "", "src or dst "});
}

std::string random_term(Choices& choices, std::uint32_t family) {
  switch (family) {
    case 0:
      return direction(choices) + "host " + pick(choices, kIpv4);
    case 1:
      return direction(choices) + "net " + pick(choices, kNets);
    case 2:
      return choices.pick<std::string>(
                 {"ip6 src host ", "dst host ", "host ", "host ", "ip6 host "}) +
             pick(choices, kIpv6);
    case 3:
      return choices.pick<std::string>({"src net ", "ip6 dst net ", "net "}) +
             pick(choices, kNets6);
    case 4:
      return "ether " + choices.pick<std::string>({"src ", "dst ", "host "}) + pick(choices, kMacs);
    case 5:
      return choices.pick<std::string>({"", "tcp ", "udp "}) + direction(choices) + "port " +
             pick(choices, kPorts);
    case 6:
      return direction(choices) + "portrange " + pick(choices, kPortRanges);
    case 7:
      return choices.pick<std::string>({"", "ip ", "ip6 "}) + "proto " + pick(choices, kProtocols);
    default:
      return choices.pick<std::string>({"arp", "tcp", "ip6 host 2001:db8::1", "tcp[13] & 2 != 0",
                                        "ether[60] = 0", "greater 60", "icmp"});
  }
}

// Terms of one to all families, with `and` and others between them now and then.
std::string random_expression(Choices& choices) {
  const std::uint32_t first = choices.below(8);
  const std::uint32_t families = choices.pick<std::uint32_t>({1, 2, 8});
  const std::uint32_t terms = 2 + choices.below(choices.below(4) == 0 ? 58 : 12);
  std::string text = choices.below(4) == 0 ? "not (" : "(";
  for (std::uint32_t i = 0; i < terms; ++i) {
    const bool other = choices.below(20) == 0;
    text += i == 0 ? "" : choices.below(25) == 0 ? " and " : " or ";
    text += choices.below(30) == 0 ? "not " : "";
    text += random_term(choices, other ? 8 : (first + choices.below(families)) % 8);
  }
  text += choices.below(3) == 0 ? " or len > 50)" : ")";
  return text + choices.pick<std::string>({"", " or len <= 50", " and not arp", " or arp"});
}

void append(std::vector<std::uint8_t>& packet, const ir::Key& key, std::uint32_t words) {
  for (std::uint32_t i = words; i-- > 0;) {
    for (int shift = 24; shift >= 0; shift -= 8) {
      packet.push_back(static_cast<std::uint8_t>(key.word(i) >> shift));
    }
  }
}

void append_mac(Choices& choices, std::vector<std::uint8_t>& packet) {
  const auto mac = parse_member({.protocol = "ether", .type = "host"}, pick(choices, kMacs), 1);
  const ir::Key key = mac->range.low;  // The last four bytes first.
  const std::uint32_t first = key.word(0);
  packet.push_back(static_cast<std::uint8_t>(first >> 8));
  packet.push_back(static_cast<std::uint8_t>(first));
  append(packet, ir::Key::of(key.word(1)), 1);
}

void append_address(Choices& choices, std::vector<std::uint8_t>& packet, bool six) {
  const std::string text = six ? pick(choices, kIpv6) : pick(choices, kIpv4);
  append(packet, parse_member({.type = "host"}, text, 1)->range.low, six ? 4 : 1);
}

void append_ports(Choices& choices, std::vector<std::uint8_t>& packet) {
  for (int i = 0; i < 2; ++i) {
    const auto port = static_cast<std::uint32_t>(std::stoul(pick(choices, kPorts)));
    packet.push_back(static_cast<std::uint8_t>(port >> 8));
    packet.push_back(static_cast<std::uint8_t>(port));
  }
}

std::vector<std::uint8_t> random_frame(Choices& choices) {
  std::vector<std::uint8_t> packet;
  append_mac(choices, packet);
  append_mac(choices, packet);
  const auto protocol = static_cast<std::uint8_t>(std::stoul(pick(choices, kProtocols)));
  const std::uint32_t kind = choices.below(8);
  if (kind < 3) {
    const std::uint8_t options = choices.below(4) == 0 ? 1 : 0;
    const std::uint8_t fragment = choices.below(6) == 0 ? 1 : 0;
    packet.insert(packet.end(), {8, 0, static_cast<std::uint8_t>(0x45 + options), 0, 0, 60, 0, 0,
                                 fragment, 0, 64, protocol, 0, 0});
    append_address(choices, packet, false);
    append_address(choices, packet, false);
    packet.resize(packet.size() + std::size_t{options} * 4);
    append_ports(choices, packet);
  } else if (kind < 6) {
    packet.insert(packet.end(), {0x86, 0xdd, 0x60, 0, 0, 0, 0, 20, protocol, 64});
    append_address(choices, packet, true);
    append_address(choices, packet, true);
    append_ports(choices, packet);
  } else {
    const bool reverse = kind == 7;
    packet.insert(packet.end(),
                  {static_cast<std::uint8_t>(reverse ? 0x80 : 8),
                   static_cast<std::uint8_t>(reverse ? 0x35 : 6), 0, 1, 8, 0, 6, 4, 0, 1});
    append_mac(choices, packet);
    append_address(choices, packet, false);
    append_mac(choices, packet);
    append_address(choices, packet, false);
  }
  packet.resize(packet.size() + choices.below(12));
  return packet;
}

struct Subject {
  cbpf::Program plain;
  ir::Function function;
  std::size_t sets = 0;
};

void make_subject(const std::string& expression, Subject& subject, const ReadFile& read = {}) {
  ExpressionOptions options;
  options.shortest_chain = 2;
  options.read_file = read;
  const auto compiled = compile(expression, options);
  ASSERT_TRUE(compiled.has_value()) << to_string(compiled.error()) << "\n" << expression;
  // libpcap has code for every sentinel.
  const auto shortened = shorten(expression, {.shortest = 2, .read_file = read});
  ASSERT_EQ(compiled->tests.empty(), shortened->sentinels.empty()) << expression;
  const auto validated = cbpf::validate(compiled->program);
  ASSERT_TRUE(validated.has_value()) << expression;
  auto function = ir::build(*validated, cbpf::kLinkTypeEthernet, compiled->tests);
  ASSERT_TRUE(function.has_value()) << to_string(function.error());
  const Status checked = ir::check(*function);
  ASSERT_TRUE(checked.has_value()) << to_string(checked.error()) << "\n" << expression;
  subject.function = *std::move(function);
  subject.sets = compiled->tests.sets.size();
}

// Every prefix of the frame.
void compare(const Subject& subject, const std::vector<std::uint8_t>& frame,
             const std::string& expression, int& accepted) {
  for (std::size_t length = 0; length <= frame.size(); ++length) {
    cbpf::Packet packet;
    packet.captured = Bytes(frame).first(length);
    packet.wire_length = static_cast<std::uint32_t>(frame.size());
    const std::uint32_t wanted =
        reference::interpret(subject.plain, cbpf::Dialect::kLibpcap, packet);
    accepted += wanted != 0 ? 1 : 0;
    ASSERT_EQ(ir::evaluate(subject.function, packet), wanted)
        << expression << "\npacket " << to_hex(packet.captured);
  }
}

TEST(ListJudge, ChainsMeanWhatLibpcapsProgramMeans) {
  const std::uint64_t seed = random::seed_or(kSeed);
  Choices choices(seed);
  int accepted = 0;
  int with_sets = 0;
  for (int i = 0; i < kExpressions; ++i) {
    const std::string expression = random_expression(choices);
    Subject subject;
    ASSERT_NO_FATAL_FAILURE(make_subject(expression, subject)) << "seed " << seed;
    subject.plain = cbpf::compile(expression).value();
    with_sets += subject.sets != 0 ? 1 : 0;
    for (int j = 0; j < 8; ++j) {
      ASSERT_NO_FATAL_FAILURE(compare(subject, random_frame(choices), expression, accepted))
          << "seed " << seed << ", expression " << i;
    }
  }
  EXPECT_GT(with_sets, kExpressions / 5);
  EXPECT_GT(accepted, kExpressions * 8 * 5);
}

// Packets that end inside of a destination which begins as a member does, their source another one.
TEST(ListJudge, ChainsOfIpv6HostsEndTheFilterWhereTheirTermsDo) {
  const std::uint64_t seed = random::seed_or(kSeed);
  Choices choices(seed);
  int accepted = 0;
  int with_sets = 0;
  for (int i = 0; i < kExpressions; ++i) {
    std::string expression = "ip6 host " + pick(choices, kIpv6);
    for (std::uint32_t n = 2 + choices.below(8); n > 0; --n) {
      expression += choices.below(6) == 0 ? " or net " + pick(choices, kNets6)
                                          : " or ip6 host " + pick(choices, kIpv6);
    }
    Subject subject;
    ASSERT_NO_FATAL_FAILURE(make_subject(expression, subject)) << "seed " << seed;
    subject.plain = cbpf::compile(expression).value();
    with_sets += subject.sets != 0 ? 1 : 0;
    for (int j = 0; j < 20; ++j) {
      std::vector<std::uint8_t> frame(12);
      frame.insert(frame.end(), {0x86, 0xdd, 0x60, 0, 0, 0, 0, 0, 59, 64});
      append_address(choices, frame, true);
      append_address(choices, frame, true);
      ASSERT_NO_FATAL_FAILURE(compare(subject, frame, expression, accepted)) << "seed " << seed;
    }
  }
  EXPECT_GT(with_sets, kExpressions / 4);
  EXPECT_GT(accepted, kExpressions * 20);
}

TEST(Pieces, MeanWhatTheWholeMeans) {
  const std::uint64_t seed = random::seed_or(kSeed);
  Choices choices(seed);
  int accepted = 0;
  int divided = 0;
  for (int i = 0; i < 15; ++i) {
    std::string expression = random_expression(choices);
    const std::uint32_t first = choices.below(8);
    for (int n = 0; n < 90; ++n) {
      // Rare members, so that packets come past many.
      expression += n == 40 && choices.below(4) == 0 ? " and " : " or ";
      expression += choices.below(6) != 0 ? "port " + std::to_string(2000 + n)
                                          : random_term(choices, (first + choices.below(2)) % 8);
    }
    expression += choices.below(2) == 0 ? " or host 10.0.0.1 or 10.0.0.2" : " or not ip6";
    const auto whole = cbpf::compile(expression);
    ASSERT_TRUE(whole) << to_string(whole.error());
    const auto pieces = compile_in_pieces(expression, {});
    ASSERT_TRUE(pieces) << to_string(pieces.error());
    ASSERT_TRUE(cbpf::validate(*pieces));
    divided += *pieces != *whole ? 1 : 0;
    for (int j = 0; j < 4; ++j) {
      const std::vector<std::uint8_t> frame = random_frame(choices);
      for (std::size_t length = 0; length <= frame.size(); ++length) {
        const cbpf::Packet packet{.captured = Bytes(frame).first(length),
                                  .wire_length = static_cast<std::uint32_t>(frame.size())};
        const auto wanted = reference::interpret(*whole, cbpf::Dialect::kLibpcap, packet);
        accepted += wanted != 0 ? 1 : 0;
        ASSERT_EQ(reference::interpret(*pieces, cbpf::Dialect::kLibpcap, packet), wanted)
            << expression << "\npacket " << to_hex(packet.captured) << "\nseed " << seed;
      }
    }
  }
  EXPECT_GT(divided, 10);
  EXPECT_GT(accepted, 15 * 4 * 3);
}

TEST(Pieces, LeaveWhatChangesTheTermsBehindIt) {
  std::string chain = "tcp";
  for (int n = 0; n < 80; ++n) {
    chain += " or port " + std::to_string(n);
  }
  EXPECT_NE(compile_in_pieces(chain, {}).value(), cbpf::compile(chain).value());
  for (const std::string& expression :
       {"vlan or " + chain, "(geneve and " + chain + ")", chain + " and ip", "(" + chain + ")",
        chain.substr(0, 300)}) {
    EXPECT_EQ(compile_in_pieces(expression, {}).value(), cbpf::compile(expression).value())
        << expression;
  }
  // Faults are found in the whole.
  const auto wrong = compile_in_pieces(chain + " or port 99999 or port 1 or host 1.1.1.1", {});
  ASSERT_FALSE(wrong);
  EXPECT_NE(wrong.error().detail.find("port 0 or port 1"), std::string::npos);
}

// A file means the `or` of its lines.
TEST(ListJudge, FilesMeanTheirLines) {
  const std::uint64_t seed = random::seed_or(kSeed);
  Choices choices(seed);
  int accepted = 0;
  for (int i = 0; i < kExpressions; ++i) {
    const std::uint32_t kind = choices.below(4);
    const std::string words = kind == 0   ? direction(choices) + "net "
                              : kind == 1 ? "ip6 src net "
                              : kind == 2 ? direction(choices) + "port "
                                          : "ether src ";
    std::string lines;
    std::string chain;
    for (std::uint32_t n = 1 + choices.below(20); n-- > 0;) {
      const std::string literal = kind == 0   ? pick(choices, kNets)
                                  : kind == 1 ? pick(choices, kNets6)
                                  : kind == 2 ? pick(choices, kPorts)
                                              : pick(choices, kMacs);
      lines += literal + "\n";
      chain += (chain.empty() ? "" : " or ") + words + literal;
    }
    const std::string tail = choices.pick<std::string>({"", " or len > 20", " and len > 60"});
    const std::string expression = words + "in @list" + tail;
    Subject subject;
    ASSERT_NO_FATAL_FAILURE(make_subject(
        expression, subject, [&](const std::string&) { return Result<std::string>(lines); }));
    subject.plain = cbpf::compile("(" + chain + ")" + tail).value();
    for (int j = 0; j < 4; ++j) {
      ASSERT_NO_FATAL_FAILURE(compare(subject, random_frame(choices), chain + tail, accepted))
          << "seed " << seed;
    }
  }
  EXPECT_GT(accepted, kExpressions * 4 * 5);
}

// What libpcap cannot say in one term.
TEST(ListJudge, FilesHoldRangesOfAddresses) {
  Subject subject;
  ASSERT_NO_FATAL_FAILURE(make_subject("src host in @list", subject, [](const std::string&) {
    return Result<std::string>("10.0.0.0-10.0.0.2\n10.0.0.9\n");
  }));
  subject.plain = cbpf::compile(
                      "src host 10.0.0.0 or src host 10.0.0.1 or src host 10.0.0.2 or "
                      "src host 10.0.0.9")
                      .value();
  Choices choices(kSeed);
  int accepted = 0;
  for (int i = 0; i < 200; ++i) {
    ASSERT_NO_FATAL_FAILURE(compare(subject, random_frame(choices), "", accepted));
  }
  EXPECT_GT(accepted, 100);
}

TEST(CompileLists, ErrorsSpeakOfTheExpressionAsItWasWritten) {
  ExpressionOptions options;
  options.shortest_chain = 2;
  const std::string good = "port 1 or port 2 or port 3";
  for (const char* bad : {" or port", " and tcp host 1.1.1.1", " or (port 7"}) {
    const auto compiled = compile(good + bad, options);
    const auto plain = cbpf::compile(good + bad);
    ASSERT_FALSE(compiled.has_value()) << bad;
    EXPECT_EQ(to_string(compiled.error()), to_string(plain.error()));
    EXPECT_EQ(compiled.error().detail, plain.error().detail);
  }
  EXPECT_FALSE(compile("host in @list").has_value());
}

}  // namespace
}  // namespace weir::frontend
