#include <gtest/gtest.h>

#include "cbpf/base/bytes.h"
#include "cbpf/base/result.h"

namespace weir {
namespace {

TEST(ErrorText, NamesOnlyThePartsOfThePlaceThatAreSet) {
  EXPECT_EQ(to_string(Error{ErrorCode::kSyntax, "no", {}, {}}), "no");
  EXPECT_EQ(to_string(Error{ErrorCode::kSyntax, "no", {.file = "a", .line = 3, .column = 4}, {}}),
            "a:3:4: no");
  EXPECT_EQ(to_string(Error{ErrorCode::kInvalidProgram, "no", {.instruction = 0}, {}}),
            "instruction 0: no");
}

TEST(ErrorText, ControlBytesDoNotReachTheTerminal) {
  EXPECT_EQ(to_string(Error{ErrorCode::kSyntax, "'\x1b[2J\x7f' is odd", {.file = "a\rb"}, {}}),
            R"(a\x0db: '\x1b[2J\x7f' is odd)");
  EXPECT_EQ(to_string(Error{ErrorCode::kSyntax, "\t\u00e9\n", {}, {}}), "\t\u00e9\n");
}

TEST(CaretPage, PointsUnderTheWord) {
  EXPECT_EQ(caret_page("tcp prot 80", 4, 4), "tcp prot 80\n    ^~~~");
  EXPECT_EQ(caret_page("a\nb\tcd\ne", 4, 9), "b\tcd\n \t^~");
  EXPECT_EQ(caret_page("ab", 9), "ab\n  ^");
  EXPECT_EQ(caret_page("", 0), "\n^");
}

TEST(Hex, RoundTripsAndRefusesWhatIsNotHex) {
  const std::vector<std::uint8_t> bytes = {0, 0x1f, 0xff};
  EXPECT_EQ(to_hex(bytes), "001fff");
  EXPECT_EQ(from_hex(" 00 1F\nff "), bytes);
  EXPECT_EQ(from_hex("0"), std::nullopt);
  EXPECT_EQ(from_hex("0g"), std::nullopt);
}

TEST(Bytes, AreBigEndian) {
  const std::uint8_t bytes[] = {0x81, 0x02, 0x03, 0x04};
  EXPECT_EQ(load_be16(bytes), 0x8102U);
  EXPECT_EQ(load_be32(bytes), 0x81020304U);
}

}  // namespace
}  // namespace weir
