// What the verifier of the running kernel, and of the second, has to do for weir's programs.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/utsname.h>

#include <cstdlib>
#include <iostream>

#include "cbpf/compile.h"
#include "cbpf/validate.h"
#include "tests/engines/corpus.h"
#include "tests/kernel/kernel.h"
#include "tests/kernel/network.h"
#include "tests/random/choices.h"
#include "tests/random/random_program.h"
#include "tools/engine/programs.h"
#include "tools/engine/socket_program.h"
#include "translator/frontend/compile.h"
#include "xdp/kernel/load.h"
#include "xdp/rules/vlan_tags.h"

namespace weir::judge {
namespace {

// A tenth of what it would go through before it gives a program up. It follows every iteration of a
// loop, and those of a second one from each end of the first: one loop may take a quarter, two a
// half.
constexpr std::uint32_t kMost = 100'000;
constexpr std::uint32_t kMostOfALoop = 250'000;
constexpr std::uint32_t kMostOfTwoLoops = 500'000;

struct Hook {
  lower::TargetId target;
  xdp::ProgramType type;
  std::uint32_t most = 0;  // Instructions processed, and for which filter.
  std::string filter;
};

std::string chain(std::string_view term, std::uint32_t members, std::uint32_t step) {
  std::string all;
  for (std::uint32_t i = 0; i < members; ++i) {
    const std::uint32_t address = 0x0a000000 + i * step;
    all += fmt::format("{}{} {}.{}.{}.{}", i == 0 ? "" : " or ", term, address >> 24,
                       address >> 16 & 255, address >> 8 & 255, address & 255);
  }
  return all;
}

std::string ports(std::uint32_t members) {
  std::string all = "tcp and (";
  for (std::uint32_t i = 0; i < members; ++i) {
    all += fmt::format("{}dst port {}", i == 0 ? "" : " or ", 1 + i * 641 % 65535);
  }
  return all + ")";
}

// What the interface's driver tells of VLAN tags at XDP, if anything.
std::optional<xdp::VlanTagAccess> tags_from_driver(const xdp::Interface& interface) {
  const auto access = xdp::find_vlan_tag_access(interface, xdp::XdpMode::kNative);
  return access.tags == xdp::VlanTags::kFromDriver ? std::optional(access) : std::nullopt;
}

bool has_two_loops(const std::string& expression) {
  const std::size_t first = expression.find("protochain");
  return first != expression.npos && expression.find("protochain", first + 1) != expression.npos;
}

// The corpus, and long lists of the kinds it has where its file is there.
std::vector<CorpusFilter> filters() {
  std::vector<CorpusFilter> all = corpus();
  all.push_back({"500 hosts", "EN10MB", chain("host", 500, 7919)});
  all.push_back({"1500 source hosts", "EN10MB", chain("src host", 1500, 104729)});
  all.push_back({"50 nets", "EN10MB", chain("src net", 50, 0x11300)});
  all.push_back({"100 ports", "EN10MB", ports(100)});
  return all;
}

Result<ebpf::Program> program_for(const engine::Filter& filter, lower::TargetId target) {
  return target == lower::TargetId::kSocket
             ? engine::socket_program(filter)
             : translate(filter.program, engine::translate_options(filter, target));
}

// Nothing where libpcap refuses the expression, as its releases differ in, or makes no program of
// it that can be run.
std::optional<engine::Filter> compiled(const CorpusFilter& filter) {
  const auto link_type = cbpf::link_type_by_name(filter.link_type);
  EXPECT_TRUE(link_type) << filter.name;
  auto made =
      frontend::compile(filter.expression, {.compile = {.link_type = link_type.value_or(1)}});
  auto valid = made ? cbpf::validate(std::move(made->program)) : tl::make_unexpected(made.error());
  if (!valid) {
    std::cout << filter.name << ": " << to_string(valid.error()) << "\n";
    return std::nullopt;
  }
  return engine::Filter{
      .program = std::move(*valid), .link_type = *link_type, .set_tests = std::move(made->tests)};
}

// At every hook. What no target can say (kUnsupported) is left out.
void expect_loaded(const engine::Filter& filter, const std::string& name) {
  const std::pair<lower::TargetId, xdp::ProgramType> hooks[] = {
      {lower::TargetId::kSocket, xdp::ProgramType::kSocketFilter},
      {lower::TargetId::kTc, xdp::ProgramType::kTc},
      {lower::TargetId::kXdp, xdp::ProgramType::kXdp}};
  for (const auto& [target, type] : hooks) {
    const auto program = program_for(filter, target);
    if (!program) {
      EXPECT_EQ(program.error().code, ErrorCode::kUnsupported)
          << name << ": " << to_string(program.error());
      continue;
    }
    const auto accepted = xdp::load(*program, type);
    EXPECT_TRUE(accepted) << name << ": " << to_string(accepted.error()) << "\n"
                          << accepted.error().detail;
  }
}

TEST(Verifier, KernelTakesEveryFilterThatAsksTheDriverForVlanTags) {
  WEIR_NEEDS_KERNEL();
  const testing::NetworkNamespace network;
  const testing::VethPair pair;
  const auto interface = xdp::interface_named(pair.a());
  ASSERT_TRUE(interface) << to_string(interface.error());
  const auto tags = tags_from_driver(*interface);
  if (!tags) {
    EXPECT_TRUE(!testing::kernel_tests_required() || getenv("WEIR_SECOND_KERNEL"));
    GTEST_SKIP() << "this kernel has no bpf_xdp_metadata_rx_vlan_tag (Linux 6.8)";
  }
  int loaded = 0;
  for (const CorpusFilter& named : filters()) {
    const auto filter = compiled(named);
    if (!filter) {
      continue;
    }
    TranslateOptions options = engine::translate_options(*filter, lower::TargetId::kXdp);
    options.vlan_tag_kfunc = tags->kfunc;
    const auto program = translate(filter->program, options);
    ASSERT_TRUE(program) << named.name << ": " << to_string(program.error());
    const auto accepted =
        xdp::load(*program, xdp::ProgramType::kXdp, {.interface = interface->index});
    ASSERT_TRUE(accepted) << named.name << ": " << to_string(accepted.error()) << "\n"
                          << accepted.error().detail;
    ++loaded;
  }
  EXPECT_GE(loaded, 90);
}

TEST(Verifier, KernelTakesEveryFilterAfterATenthOfItsLimit) {
  WEIR_NEEDS_KERNEL();
  Hook hooks[] = {{lower::TargetId::kSocket, xdp::ProgramType::kSocketFilter, 0, {}},
                  {lower::TargetId::kTc, xdp::ProgramType::kTc, 0, {}},
                  {lower::TargetId::kXdp, xdp::ProgramType::kXdp, 0, {}}};
  int loaded = 0;
  for (const CorpusFilter& named : filters()) {
    const auto filter = compiled(named);
    if (!filter) {
      continue;
    }
    for (Hook& hook : hooks) {
      const auto program = program_for(*filter, hook.target);
      ASSERT_TRUE(program) << named.name << ": " << to_string(program.error());
      const auto accepted = xdp::load(*program, hook.type);
      ASSERT_TRUE(accepted) << named.name << ": " << to_string(accepted.error());
      ++loaded;
      const std::uint32_t processed = accepted->statistics().processed_instructions;
      EXPECT_GT(processed, 0U) << named.name;
      if (has_two_loops(named.expression)) {
        EXPECT_LE(processed, kMostOfTwoLoops) << named.name;
        continue;
      }
      const bool loops = named.expression.find("protochain") != std::string::npos;
      EXPECT_LE(processed, loops ? kMostOfALoop : kMost) << named.name;
      if (processed > hook.most) {
        hook.most = processed;
        hook.filter = named.name;
      }
    }
  }
  EXPECT_GE(loaded, 3 * 90) << "a corpus of which little is loaded says little";
  utsname system{};
  uname(&system);
  for (const Hook& hook : hooks) {
    std::cout << fmt::format("Linux {}: {}: at most {} instructions processed, for {}\n",
                             system.release, xdp::program_type_name(hook.type), hook.most,
                             hook.filter);
  }
}

// `len` is read again after the check that bounds its sum, so the sum is made in a copy.
TEST(Verifier, KernelTakesExtremeOffsets) {
  WEIR_NEEDS_KERNEL();
  const std::uint32_t constants[] = {0x1fffffff, 0x20000000, 0x20000001, 0x40000000, 0x7fffffff,
                                     0x80000000, 0xc0000000, 0xdfffffff, 0xe0000000, 0xe0000001};
  for (const std::uint32_t constant : constants) {
    for (const char* form : {"ether[len + {}] = 1", "ether[len - {}] = 1 or len > 200",
                             "ether[ether[3:4] + {}:2] = 1 or ether[3:4] > 7",
                             "ether[(len + {}) & 0xff] = 1 or len > 200",
                             "ether[((len + {0}) | 1) - {0}] = 1 or len > 200",
                             "ether[len + {0}] = 1 or ip[ip[2:2] + {0}] = 2"}) {
      const std::string expression = fmt::format(fmt::runtime(form), constant);
      const auto filter = compiled({expression, "EN10MB", expression});
      ASSERT_TRUE(filter) << expression;
      expect_loaded(*filter, expression);
    }
  }
}

TEST(Verifier, KernelTakesRandomProgramsOfExtremeOffsets) {
  WEIR_NEEDS_KERNEL();
  const std::uint64_t seed = random::seed_or(3'000'000);
  const std::uint32_t programs = random::share_of(300);
  for (std::uint32_t i = 0; i < programs && !HasFailure(); ++i) {
    random::Choices choices(seed + i);
    const cbpf::Program program =
        random::random_program(choices, cbpf::Dialect::kLibpcap, {.extreme_offsets = true});
    auto valid = cbpf::validate(program);
    ASSERT_TRUE(valid) << to_string(valid.error());
    expect_loaded({.program = std::move(*valid), .link_type = 1, .set_tests = {}},
                  fmt::format("WEIR_SEED={} (program {})\n{}", seed, i, random::to_text(program)));
  }
}

}  // namespace
}  // namespace weir::judge
