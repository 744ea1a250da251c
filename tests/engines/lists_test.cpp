// ValueClasses with lists in every engine: the verdict of libpcap's program for the expression
// written out.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "cbpf/compile.h"
#include "tests/engines/judge.h"
#include "tests/kernel/kernel.h"
#include "tests/random/choices.h"
#include "tests/reference/reference_interpreter.h"
#include "translator/frontend/compile.h"

namespace weir::judge {
namespace {

using random::Choices;

// One kind of list: the words before `in`, a member, and where the members stand in a frame.
struct Kind {
  const char* words;
  std::string (*member)(Choices&);
};

std::uint32_t close_to(Choices& choices, std::uint32_t number, std::uint32_t span) {
  return number + choices.below(span);
}

std::string host(Choices& choices) {
  return fmt::format("10.{}.{}.{}", choices.below(2), choices.below(3), choices.below(200));
}
std::string net(Choices& choices) {
  return choices.chance(50) ? host(choices) + "/32"
                            : fmt::format("10.{}.{}.0/24", choices.below(2), choices.below(200));
}
std::string port(Choices& choices) { return std::to_string(close_to(choices, 1000, 400)); }
std::string port_range(Choices& choices) {
  const std::uint32_t low = close_to(choices, 1000, 400);
  return fmt::format("{}-{}", low, low + choices.below(4));
}
std::string host6(Choices& choices) {
  return fmt::format("2001:db8:{:x}::{:x}", choices.below(3), choices.below(200));
}
std::string net6(Choices& choices) {
  return fmt::format("2001:db8:{:x}:{:x}::/64", choices.below(3), choices.below(3));
}
std::string mac(Choices& choices) {
  return fmt::format("2:{:x}:0:0:0:{:x}", choices.below(3), choices.below(200));
}

constexpr Kind kKinds[] = {{"host", host},
                           {"src host", host},
                           {"dst net", net},
                           {"tcp port", port},
                           {"udp src portrange", port_range},
                           {"ip6 src host", host6},
                           {"dst net", net6},
                           {"ether src host", mac},
                           {"port", port}};

void put(std::vector<std::uint8_t>& frame, std::size_t at, std::uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) {
    frame[at + static_cast<std::size_t>(i)] =
        static_cast<std::uint8_t>(value >> 8 * (bytes - 1 - i));
  }
}

std::vector<std::uint8_t> frame_of(Choices& choices) {
  std::vector<std::uint8_t> frame(78, 0);
  const auto ipv4 = [&] {
    return 0x0a000000U | choices.below(2) << 16 | choices.below(3) << 8 | choices.below(200);
  };
  put(frame, 6, 0x020000000000 | std::uint64_t{choices.below(3)} << 32 | choices.below(200), 6);
  const std::uint8_t protocol = choices.pick<std::uint8_t>({6, 17, 17, 6, 1});
  const auto ports = [&](std::size_t at) {
    put(frame, at, close_to(choices, 1000, 400), 2);
    put(frame, at + 2, close_to(choices, 1000, 400), 2);
  };
  if (choices.chance(60)) {
    put(frame, 12, 0x0800, 2);
    frame[14] = 0x45;
    put(frame, 16, 64, 2);
    frame[23] = protocol;
    put(frame, 26, ipv4(), 4);
    put(frame, 30, ipv4(), 4);
    ports(34);
  } else {
    put(frame, 12, 0x86dd, 2);
    frame[14] = 0x60;
    put(frame, 18, 24, 2);
    frame[20] = protocol;
    for (const std::size_t at : {std::size_t{22}, std::size_t{38}}) {
      put(frame, at, 0x20010db8, 4);
      put(frame, at + 4, std::uint64_t{choices.below(3)} << 16 | choices.below(3), 4);
      put(frame, at + 12, choices.below(200), 4);
    }
    ports(54);
  }
  return frame;
}

// The filter as the commands make it, in the engines, against the reference on the whole program.
void judge_list(const std::string& expression, const std::string& written_out, Choices& choices,
                const frontend::ReadFile& read, std::span<const engine::EngineId> engines,
                Tally& tally) {
  const auto compiled = frontend::compile(expression, {.read_file = read});
  ASSERT_TRUE(compiled) << to_string(compiled.error());
  ASSERT_FALSE(compiled->tests.empty()) << expression;
  const auto whole = cbpf::compile(written_out);
  ASSERT_TRUE(whole) << to_string(whole.error());
  const engine::Filter filter{.program = *cbpf::validate(compiled->program),
                              .set_tests = compiled->tests};
  std::vector<std::vector<std::uint8_t>> frames;
  std::vector<cbpf::Packet> packets;
  while (frames.size() < 40) {
    frames.push_back(frame_of(choices));
  }
  for (const auto& frame : frames) {
    packets.push_back({.captured = frame, .wire_length = static_cast<std::uint32_t>(frame.size())});
  }
  for (const engine::EngineId id : engines) {
    const engine::EngineInfo& info = engine::info(id);
    const auto prepared = engine::prepare(id, filter);
    ASSERT_TRUE(prepared) << info.name << ": " << to_string(prepared.error()) << "\n"
                          << prepared.error().detail;
    std::vector<cbpf::Packet> shown;
    for (const cbpf::Packet& packet : packets) {
      if ((*prepared)->can_run(packet)) {
        shown.push_back(packet);
      } else {
        ++tally.skipped;
      }
      if (!info.in_kernel) {  // And cut off somewhere.
        shown.push_back(packet);
        shown.back().captured = packet.captured.first(choices.below(79));
      }
    }
    std::vector<std::uint32_t> results(shown.size());
    ASSERT_TRUE((*prepared)->run(shown, results));
    for (std::size_t i = 0; i < shown.size(); ++i) {
      std::uint32_t wanted = reference::interpret(*whole, cbpf::Dialect::kLibpcap, shown[i]);
      wanted = info.shows_accept_length ? wanted : static_cast<std::uint32_t>(wanted != 0);
      ASSERT_EQ(results[i], wanted) << info.name << "\n"
                                    << written_out << "\n"
                                    << to_hex(shown[i].captured);
      ++tally.verdicts;
      tally.matches += wanted != 0 ? 1 : 0;
    }
  }
}

void judge_lists(std::span<const engine::EngineId> engines, std::uint32_t lists) {
  const std::uint64_t seed = random::seed_or(8);
  SCOPED_TRACE("WEIR_SEED=" + std::to_string(seed));
  Choices choices(seed);
  Tally tally;
  for (std::uint32_t i = random::share_of(lists); i > 0; --i) {
    const Kind& kind = kKinds[choices.below(std::size(kKinds))];
    std::string members;
    std::string chain;
    for (std::uint32_t n = choices.pick<std::uint32_t>({3, 6, 25, 60}); n > 0; --n) {
      const std::string member = kind.member(choices);
      members += member + "\n";
      chain += (chain.empty() ? "" : " or ") + std::string(kind.words) + " " + member;
    }
    const bool negated = choices.chance(25);
    const std::string tail = choices.pick<std::string>({"", " and len > 60", " or icmp"});
    const std::string list =
        fmt::format("{} {}in @list{}", kind.words, negated ? "not " : "", tail);
    const std::string written_out = fmt::format("{}({}){}", negated ? "not " : "", chain, tail);
    judge_list(
        list, written_out, choices,
        [&](const std::string&) { return Result<std::string>(members); }, engines, tally);
    if (::testing::Test::HasFailure()) {
      return;
    }
  }
  EXPECT_GT(tally.matches, tally.verdicts / 10);
  EXPECT_LT(tally.matches, tally.verdicts * 9 / 10);
}

TEST(ListsInEngines, GiveTheVerdictOfTheExpressionWrittenOut) { judge_lists(user_engines(), 200); }

TEST(ListsInEngines, KernelEnginesToo) {
  WEIR_NEEDS_KERNEL();
  judge_lists(kernel_engines(), 40);
}

}  // namespace
}  // namespace weir::judge
