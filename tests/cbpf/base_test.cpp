#include <gtest/gtest.h>

#include "cbpf/base/bytes.h"
#include "cbpf/base/printable.h"
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

TEST(Printable, ShowsWhatWouldSteerATerminal) {
  EXPECT_EQ(printable("tcp port 80 \\ \u00e9\u20ac\U0001f600"),
            "tcp port 80 \\ \u00e9\u20ac\U0001f600");
  EXPECT_EQ(printable(std::string_view("a\n\r\t\0\x1b[2J\x7f", 10)), R"(a\n\x0d\t\x00\x1b[2J\x7f)");
  EXPECT_EQ(printable("\xc2\x9b\xe2\x80\xae"), R"(\xc2\x9b\xe2\x80\xae)");  // C1, right to left.
  // Not UTF-8: cut off, alone, too long, a surrogate, above U+10FFFF.
  EXPECT_EQ(printable("\xe2\x82"), R"(\xe2\x82)");
  EXPECT_EQ(printable("\x80z\xffz"), R"(\x80z\xffz)");
  EXPECT_EQ(printable("\xc0\xaf\xe0\x80\xaf"), R"(\xc0\xaf\xe0\x80\xaf)");
  EXPECT_EQ(printable("\xed\xa0\x80\xf4\x90\x80\x80"), R"(\xed\xa0\x80\xf4\x90\x80\x80)");
  EXPECT_EQ(printable_lines("a\n\tb\r\n"), "a\n\tb\\x0d\n");
}

TEST(Printable, ChangesNothingTwice) {
  for (int lead = 0; lead < 256; ++lead) {
    const std::string text = {static_cast<char>(lead), '\x9b', '\xaf', static_cast<char>(lead)};
    EXPECT_EQ(printable(printable(text)), printable(text));
    EXPECT_EQ(printable(text).find('\x1b'), std::string::npos);
  }
}

TEST(CaretPage, IsUnderWhatIsPrinted) {
  EXPECT_EQ(caret_page("\x1b[A tcp prot", 8, 4), "\\x1b[A tcp prot\n           ^~~~");
  EXPECT_EQ(caret_page("\u00e9 prot", 3, 4), "\u00e9 prot\n  ^~~~");
  EXPECT_EQ(caret_page("ip \x1b[m", 3, 3), "ip \\x1b[m\n   ^~~~~~");
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
