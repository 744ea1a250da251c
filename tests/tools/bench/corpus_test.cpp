#include "tools/bench/corpus.h"

#include <gtest/gtest.h>

namespace weir::bench {
namespace {

TEST(Corpus, ReadsALineAFilter) {
  const auto filters =
      parse_corpus("# name\ttype\texpression\n\nweb\tEN10MB\ttcp port 80\r\nall\tRAW\t\n", "f.tsv");
  ASSERT_TRUE(filters) << to_string(filters.error());
  ASSERT_EQ(filters->size(), 2U);
  EXPECT_EQ((*filters)[0].name, "web");
  EXPECT_EQ((*filters)[0].link_type, 1);
  EXPECT_EQ((*filters)[0].expression, "tcp port 80");
  EXPECT_EQ((*filters)[0].line, 3U);
  EXPECT_EQ((*filters)[1].link_type, 12);
  EXPECT_EQ((*filters)[1].expression, "");
}

TEST(Corpus, SaysWhereALineIsWrong) {
  const auto short_line = parse_corpus("web\tEN10MB\ttcp\nweb\tEN10MB\n", "f.tsv");
  ASSERT_FALSE(short_line);
  EXPECT_EQ(to_string(short_line.error()),
            "f.tsv:2: a line of a corpus is a name, a link type and an expression with tabs "
            "between");
  const auto link_type = parse_corpus("web\tMOON\ttcp\n", "f.tsv");
  ASSERT_FALSE(link_type);
  EXPECT_EQ(link_type.error().code, ErrorCode::kInvalidFile);
  EXPECT_EQ(link_type.error().place.line, 1U);
  EXPECT_FALSE(parse_corpus("# nothing\n", "f.tsv"));
}

TEST(Corpus, FindsTheAddressesOfAnExpression) {
  EXPECT_EQ(ipv4_literals("host 1.2.3.4 or net 10.0.0.0/8 and tcp[0:2] > 1.2 or (5.6.7.8)"),
            (std::vector<std::uint32_t>{0x01020304, 0x0a000000, 0x05060708}));
  EXPECT_TRUE(ipv4_literals("").empty());
}

}  // namespace
}  // namespace weir::bench
