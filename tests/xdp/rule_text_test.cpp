#include "xdp/carried_rule/rule_text.h"

#include <gtest/gtest.h>

namespace weir::xdp {
namespace {

Bytes bytes_of(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

TEST(RuleText, IsThePageOfTheHeader) {
  const RuleText rule{
      .action = ebpf::Action::kDrop, .attached_at = 1790000000, .expression = "tcp port 80"};
  EXPECT_EQ(encode_rule(rule),
            "weir-rule 1\n"
            "action drop\n"
            "hook xdp\n"
            "link-type 1\n"
            "attached-at 1790000000\n"
            "expression tcp port 80");
}

TEST(RuleText, RoundTripsWhateverTheExpressionHolds) {
  for (const ebpf::Action action :
       {ebpf::Action::kDrop, ebpf::Action::kPass, ebpf::Action::kCount}) {
    for (const Hook hook : {Hook::kXdp, Hook::kTcIngress, Hook::kTcEgress}) {
      for (const std::string& expression :
           {std::string(), std::string("ip"), std::string("a\nexpression b\n"),
            std::string("nul\0inside", 10)}) {
        const RuleText rule{.action = action,
                            .hook = hook,
                            .link_type = 12,
                            .attached_at = kLatestTime,
                            .network = expression.size(),
                            .vlan_tags_from_driver = hook == Hook::kXdp,
                            .expression = expression};
        const auto read = decode_rule(bytes_of(encode_rule(rule)));
        ASSERT_TRUE(read) << to_string(read.error());
        EXPECT_EQ(*read, rule);
      }
    }
  }
}

TEST(RuleText, SkipsKeysItDoesNotKnow) {
  const auto read =
      decode_rule(bytes_of("weir-rule 1\ncolour blue\naction pass\nhook xdp\nlink-type "
                           "1\nattached-at 5\nexpression ip"));
  ASSERT_TRUE(read) << to_string(read.error());
  EXPECT_EQ(read->action, ebpf::Action::kPass);
  EXPECT_EQ(read->expression, "ip");
}

TEST(RuleText, RefusesWhatIsNone) {
  const std::string whole = encode_rule({.expression = "ip"});
  ASSERT_TRUE(decode_rule(bytes_of(whole)));
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = whole;
    return text.replace(text.find(from), from.size(), to);
  };
  for (const std::string& text :
       {std::string(), std::string("weir-rule 1\n"), with("weir-rule 1", "weir-rule 2"),
        with("expression ip", ""), with("action count", "actioncount"),
        with("action count", "action burn"), with("link-type 1", "link-type 1x"),
        with("link-type 1", "link-type -1"), with("hook xdp", "hook nowhere"),
        with("attached-at 0", "attached-at 253402300800"),
        with("attached-at 0", "attached-at 99999999999999999999"), with("action count\n", ""),
        with("hook xdp\n", "hook xdp\nhook xdp\n")}) {
    const auto read = decode_rule(bytes_of(text));
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().code, ErrorCode::kInvalidFile) << text;
  }
}

TEST(Hook, NamesRoundTripAndTcIsIngress) {
  for (const Hook hook : {Hook::kXdp, Hook::kTcIngress, Hook::kTcEgress}) {
    EXPECT_EQ(hook_by_name(hook_name(hook)), hook);
  }
  EXPECT_EQ(hook_by_name("tc"), Hook::kTcIngress);
  const auto none = hook_by_name("sock");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::kUsage);
}

}  // namespace
}  // namespace weir::xdp
