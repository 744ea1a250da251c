// Programs whose maps have weir's names but are not what weir makes: they are foreign, are reported
// as such, and hide nothing else.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>

#include <vector>

#include "tests/kernel/kernel.h"
#include "tests/kernel/network.h"
#include "tests/kernel/programs.h"
#include "xdp/hooks/dispatcher.h"
#include "xdp/hooks/xdp_attach.h"
#include "xdp/kernel/inspect.h"
#include "xdp/rules/counters.h"
#include "xdp/rules/rules.h"

namespace weir::xdp {
namespace {

constexpr std::int32_t kPass = 2;  // XDP_PASS.

const RuleText kText{.action = ebpf::Action::kDrop,
                     .hook = Hook::kTcIngress,
                     .attached_at = 1790000000,
                     .expression = "ip"};

struct Shape {
  const char* description;
  bpf_map_type type = BPF_MAP_TYPE_ARRAY;
  std::uint32_t key_size = 4;
  std::uint32_t value_size = 128;
  std::uint32_t entries = 1;
  std::uint32_t flags = BPF_F_RDONLY_PROG;
  bool frozen = true;
  std::string text = encode_rule(kText);  // Zero bytes fill the value.
  const char* remark = "";
};

// A map of that shape, every entry for which the type needs one filled.
Fd make_map(const char* name, const Shape& shape) {
  LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = shape.flags);
  Fd map(
      bpf_map_create(shape.type, name, shape.key_size, shape.value_size, shape.entries, &options));
  EXPECT_TRUE(map.valid()) << shape.description << ": " << strerror(errno);
  const std::vector<std::uint8_t> key(shape.key_size);
  std::vector<char> value(shape.text.begin(), shape.text.end());
  // The per-CPU types take a value of each CPU.
  value.resize(std::size_t{shape.value_size} *
               static_cast<std::size_t>(shape.frozen ? 1 : libbpf_num_possible_cpus()));
  EXPECT_EQ(bpf_map_update_elem(map.get(), key.data(), value.data(), BPF_ANY), 0)
      << shape.description;
  if (shape.frozen) {
    EXPECT_EQ(bpf_map_freeze(map.get()), 0) << shape.description;
  }
  return map;
}

std::uint32_t text_size() { return static_cast<std::uint32_t>(encode_rule(kText).size()); }

std::vector<Shape> foreign_shapes() {
  RuleText late = kText;
  late.attached_at = ~std::uint64_t{0};
  return {
      {.description = "per-CPU hash",
       .type = BPF_MAP_TYPE_PERCPU_HASH,
       .value_size = 16384,
       .flags = 0,
       .frozen = false,
       .remark = "is of type percpu_hash, not array"},
      {.description = "LRU per-CPU hash",
       .type = BPF_MAP_TYPE_LRU_PERCPU_HASH,
       .value_size = 16384,
       .entries = 64,
       .flags = 0,
       .frozen = false,
       .remark = "is of type lru_percpu_hash, not array"},
      {.description = "per-CPU array",
       .type = BPF_MAP_TYPE_PERCPU_ARRAY,
       .value_size = 16384,
       .frozen = false,
       .remark = "is of type percpu_array, not array"},
      {.description = "hash with long keys",
       .type = BPF_MAP_TYPE_HASH,
       .key_size = 64,
       .value_size = 1 << 20,
       .remark = "is of type hash, not array"},
      {.description = "huge value",
       .value_size = kLargestArrayValue + 1,
       .remark = "holds 16777217 bytes, more than weir writes"},
      {.description = "two entries",
       .value_size = text_size(),
       .entries = 2,
       .remark = "has 2 entries and keys of 4 bytes, not 1 and 4"},
      {.description = "writable by programs",
       .value_size = text_size(),
       .flags = 0,
       .remark = "has the flags 0x0, not 0x80"},
      {.description = "not frozen",
       .value_size = text_size(),
       .frozen = false,
       .remark = "is not frozen"},
      {.description = "no rule",
       .text = "weir-rule 1\naction drop\n",
       .remark = "cannot be read: the text of a rule breaks off"},
      {.description = "a time no calendar knows",
       .text = encode_rule(late),
       .remark = "cannot be read: the text of a rule has a line 'attached-at' that cannot be read"},
  };
}

class ForeignMaps : public ::testing::Test {
 protected:
  void SetUp() override { WEIR_NEEDS_KERNEL(); }
  static LoadedProgram passing(const std::vector<const Fd*>& maps) {
    auto program = load(testing::returning(kPass), ProgramType::kXdp, {.name = "stranger"});
    EXPECT_TRUE(program) << to_string(program.error());
    for (const Fd* map : maps) {
      EXPECT_EQ(bpf_prog_bind_map(program->fd(), map->get(), nullptr), 0);
    }
    return std::move(*program);
  }
  // Not by way of libxdp's dispatcher, which would run a copy without the maps.
  static void attach_alone(const std::string& interface, const LoadedProgram& program) {
    EXPECT_EQ(bpf_xdp_attach(static_cast<int>(if_nametoindex(interface.c_str())), program.fd(),
                             XDP_FLAGS_SKB_MODE, nullptr),
              0);
  }
};

TEST_F(ForeignMaps, OfTheRulesNameMakeNoRule) {
  for (const Shape& shape : foreign_shapes()) {
    const testing::NetworkNamespace network;
    const testing::VethPair veth;
    const Fd map = make_map(ebpf::kRuleMap, shape);
    const LoadedProgram program = passing({&map});
    attach_alone(veth.b(), program);
    // What follows it in the list is listed.
    const auto other = load(testing::returning(-1), ProgramType::kTc, {.name = "other"});
    const auto at_tc = attach_tc(veth.b(), TcDirection::kIngress, *other);
    ASSERT_TRUE(at_tc) << to_string(at_tc.error());

    const auto rows = list_rules();
    ASSERT_TRUE(rows) << shape.description << ": " << to_string(rows.error());
    ASSERT_EQ(rows->size(), 2U) << shape.description;
    EXPECT_FALSE(rows->front().error) << shape.description;
    EXPECT_FALSE(rows->front().rule) << shape.description;
    EXPECT_EQ(rows->front().remark, std::string("its map 'weir_rule' ") + shape.remark);
    EXPECT_EQ((*rows)[1].program.name, "other");
    EXPECT_EQ((*rows)[1].remark, "");
    EXPECT_FALSE(program_counters(rows->front().program.id));
    const auto detached = detach_rules(veth.b());
    ASSERT_TRUE(detached) << to_string(detached.error());
    EXPECT_TRUE(detached->empty()) << shape.description;
  }
}

TEST_F(ForeignMaps, HideNoRuleOfTheSameProgram) {
  const testing::NetworkNamespace network;
  const testing::VethPair veth;
  const Shape right{.description = "a rule", .value_size = text_size()};
  const Shape wrong = foreign_shapes().front();
  const Fd before = make_map(ebpf::kRuleMap, wrong);
  const Fd rule = make_map(ebpf::kRuleMap, right);
  const Fd after = make_map(ebpf::kRuleMap, wrong);
  const LoadedProgram program = passing({&before, &rule, &after});
  attach_alone(veth.b(), program);
  const auto rows = list_rules();
  ASSERT_TRUE(rows && rows->size() == 1);
  ASSERT_TRUE(rows->front().rule) << rows->front().remark;
  EXPECT_EQ(*rows->front().rule, kText);
  EXPECT_EQ(rows->front().remark, "its rule was made for tc-ingress");
}

// libxdp would read the map of a dispatcher as a plain array.
TEST_F(ForeignMaps, MakeNoDispatcher) {
  const auto program =
      load(testing::returning(kPass), ProgramType::kXdp, {.name = "xdp_dispatcher"});
  ASSERT_TRUE(program) << to_string(program.error());
  EXPECT_FALSE(is_dispatcher(program->info().id));
  const Fd map = make_map("xdp_disp.rodata", {.description = "per-CPU array",
                                              .type = BPF_MAP_TYPE_PERCPU_ARRAY,
                                              .value_size = 16384,
                                              .frozen = false});
  ASSERT_EQ(bpf_prog_bind_map(program->fd(), map.get(), nullptr), 0);
  EXPECT_FALSE(is_dispatcher(program->info().id));
  const testing::NetworkNamespace network;
  const testing::VethPair veth;
  attach_alone(veth.b(), *program);
  const auto rows = list_rules();
  ASSERT_TRUE(rows) << to_string(rows.error());
  EXPECT_FALSE(rows->empty());
}

TEST_F(ForeignMaps, OfTheCountersNameAreNotRead) {
  const Shape shapes[] = {
      {.description = "per-CPU hash",
       .type = BPF_MAP_TYPE_PERCPU_HASH,
       .value_size = 16384,
       .flags = 0,
       .frozen = false},
      {.description = "array", .value_size = 16, .entries = 2, .frozen = false},
      {.description = "large values",
       .type = BPF_MAP_TYPE_PERCPU_ARRAY,
       .value_size = 32768,
       .entries = 2,
       .flags = 0,
       .frozen = false},
  };
  for (const Shape& shape : shapes) {
    const Fd map = make_map(ebpf::kCounterMap, shape);
    const LoadedProgram program = passing({&map});
    const auto counters = program_counters(program.info().id);
    ASSERT_FALSE(counters) << shape.description;
    EXPECT_EQ(counters.error().code, ErrorCode::kUnsupported) << shape.description;
    EXPECT_FALSE(read_counters(map.get())) << shape.description;
    EXPECT_FALSE(per_cpu_values(map.get(), 0).has_value() &&
                 shape.value_size > kLargestPerCpuValue);
  }
}

TEST_F(ForeignMaps, BeyondTheFirst256AreNotOpened) {
  const Shape right{.description = "a rule", .value_size = text_size()};
  std::vector<Fd> maps;
  std::vector<const Fd*> bound;
  for (int i = 0; i < 300; ++i) {
    maps.push_back(make_map("other", right));
  }
  for (const Fd& map : maps) {
    bound.push_back(&map);
  }
  const LoadedProgram program = passing(bound);
  const auto info = program_info(program.fd());
  ASSERT_TRUE(info);
  EXPECT_EQ(info->map_ids.size(), 256U);
}

}  // namespace
}  // namespace weir::xdp
