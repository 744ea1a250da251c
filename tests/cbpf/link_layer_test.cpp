#include "cbpf/link_layer.h"

#include <gtest/gtest.h>

#include "cbpf/compile.h"

namespace weir::cbpf {
namespace {

std::optional<std::uint32_t> length_of(const char* name) {
  return link_header_length(link_type_by_name(name).value());
}

TEST(LinkLayer, HeaderLengths) {
  EXPECT_EQ(length_of("EN10MB"), 14U);
  EXPECT_EQ(length_of("RAW"), 0U);
  EXPECT_EQ(length_of("IPV6"), 0U);
  EXPECT_EQ(length_of("NULL"), 4U);
  EXPECT_EQ(length_of("LOOP"), 4U);
  EXPECT_EQ(length_of("LINUX_SLL"), 16U);
  EXPECT_EQ(length_of("LINUX_SLL2"), 20U);
  EXPECT_EQ(length_of("IEEE802_11"), std::nullopt);
  EXPECT_EQ(network_offset(1), 14U);
  EXPECT_EQ(network_offset(-1), kNoNetworkOffset);
}

// libpcap's own idea of the header: where `ip[0]` is read.
TEST(LinkLayer, AgreesWithTheCodeLibpcapMakes) {
  int compared = 0;
  for (const LinkType& type : link_types()) {
    const std::optional<std::uint32_t> length = link_header_length(type.number);
    if (!length) continue;
    const char* expression = type.name == "IPV6" ? "ip6[1] = 7" : "ip[1] = 7";
    const Result<Program> program =
        compile(expression, {.link_type = type.number, .optimize = true});
    ASSERT_TRUE(program.has_value()) << type.name;
    bool found = false;
    for (const Instruction& i : program->instructions) {
      found = found || (i.code == (kLd | kAbs | kB) && i.k == *length + 1);
    }
    EXPECT_TRUE(found) << type.name;
    ++compared;
  }
  EXPECT_GE(compared, 10);
}

}  // namespace
}  // namespace weir::cbpf
