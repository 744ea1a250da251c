// Every filter of the corpus on every packet of the captures, in every engine.
#include "tests/engines/corpus.h"

#include <gtest/gtest.h>

#include <iostream>
#include <optional>

#include "cbpf/compile.h"
#include "tests/engines/judge.h"
#include "tests/engines/packets.h"
#include "tests/kernel/kernel.h"
#include "tests/random/choices.h"

namespace weir::judge {
namespace {

// Filters past this are for the tests of long lists; the kernel takes no longer classic program.
constexpr std::size_t kMostInstructions = 4096;

// The filter compiled; nothing when libpcap refuses it (its 1.10.3 takes no division by a variable)
// or it is longer than the kernel takes.
std::optional<Case> compiled(const CorpusFilter& filter) {
  const auto link_type = cbpf::link_type_by_name(filter.link_type);
  if (!link_type) {
    ADD_FAILURE() << filter.name << ": " << to_string(link_type.error());
    return std::nullopt;
  }
  auto program = cbpf::compile(filter.expression, {.link_type = *link_type});
  if (!program) {
    std::cout << filter.name << ": " << to_string(program.error()) << "\n";
    return std::nullopt;
  }
  if (program->instructions.size() > kMostInstructions) {
    return std::nullopt;
  }
  return Case{filter.name, std::move(*program), cbpf::Dialect::kLibpcap, *link_type};
}

// Every n-th packet where the random tests take an n-th of theirs; every filter all the same.
std::vector<cbpf::Packet> share_of(const std::vector<cbpf::Packet>& packets) {
  const std::size_t count = random::share_of(static_cast<std::uint32_t>(packets.size()));
  std::vector<cbpf::Packet> some;
  for (std::size_t i = 0; i < count && !packets.empty(); ++i) {
    some.push_back(packets[i * packets.size() / count]);
  }
  return some;
}

void judge_corpus(std::span<const engine::EngineId> engines) {
  const auto captures = all_captures();
  Tally total;
  int judged = 0;
  for (const CorpusFilter& filter : corpus()) {
    const std::optional<Case> subject = compiled(filter);
    if (!subject) {
      continue;
    }
    ++judged;
    const auto set = captures.find(subject->link_type);
    const auto packets =
        set == captures.end() ? std::vector<cbpf::Packet>{} : share_of(set->second.view());
    const Tally tally = judge(*subject, packets, engines);
    total.verdicts += tally.verdicts;
    total.matches += tally.matches;
    total.skipped += tally.skipped;
    total.shortened += tally.shortened;
  }
  // A judge that hears nothing, or only refusals, judges nothing.
  EXPECT_GE(judged, 90);
  EXPECT_GT(total.verdicts, random::share_of(100'000));
  EXPECT_GT(total.matches, random::share_of(10'000));
  EXPECT_GT(total.verdicts, total.skipped);
  EXPECT_GT(total.shortened, 40U);
  std::cout << total.verdicts << " verdicts, " << total.matches << " matches, " << total.skipped
            << " skipped, " << total.shortened << " classic programs made shorter\n";
}

TEST(Corpus, UserEnginesAgreeOnEveryCapturedPacket) { judge_corpus(user_engines()); }

TEST(Corpus, KernelEnginesAgreeOnEveryCapturedPacket) {
  WEIR_NEEDS_KERNEL();
  judge_corpus(kernel_engines());
}

// A load past the captured bytes ends the filter; so every length of packet is its own case.
TEST(Corpus, UserEnginesAgreeOnEveryPrefix) {
  const auto captures = all_captures();
  const auto ethernet = captures.find(cbpf::kLinkTypeEthernet);
  ASSERT_NE(ethernet, captures.end());
  const auto packets = ethernet->second.view();
  std::vector<cbpf::Packet> some;
  const std::size_t count = random::share_of(40);
  for (std::size_t i = 0; i < count; ++i) {
    cbpf::Packet packet = packets[i * packets.size() / count];
    packet.captured = packet.captured.first(std::min<std::size_t>(packet.captured.size(), 100));
    some.push_back(packet);
  }
  const PacketSet prefixes = all_prefixes(some);
  const auto views = prefixes.view();
  for (const CorpusFilter& filter : corpus()) {
    if (filter.link_type != "EN10MB" || filter.expression.size() > 200) {
      continue;
    }
    if (const std::optional<Case> subject = compiled(filter)) {
      judge(*subject, views, user_engines());
    }
  }
}

}  // namespace
}  // namespace weir::judge
