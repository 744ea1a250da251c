#include "translator/frontend/list_file.h"

#include <gtest/gtest.h>

namespace weir::frontend {
namespace {

TEST(ListFile, GivesMembersWithTheirPlaces) {
  const auto lines = read_list("a\n\n  b c \t# d\r\n#e\n f#\r\n\t\r\ng");
  ASSERT_EQ(lines.size(), 4U);
  EXPECT_EQ(lines[0].text, "a");
  EXPECT_EQ(lines[1].text, "b c");
  EXPECT_EQ(lines[1].line, 3U);
  EXPECT_EQ(lines[1].column, 3U);
  EXPECT_EQ(lines[2].text, "f");
  EXPECT_EQ(lines[2].line, 5U);
  EXPECT_EQ(lines[3].text, "g");
  EXPECT_EQ(lines[3].line, 7U);
  EXPECT_TRUE(read_list("").empty());
}

}  // namespace
}  // namespace weir::frontend
