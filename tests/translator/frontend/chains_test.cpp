#include "translator/frontend/chains.h"

#include <gtest/gtest.h>

#include <string>

namespace weir::frontend {
namespace {

// The first text and, after '|', the number of ranges of each sentinel's set; or the error.
std::string shortened(const std::string& expression, const std::string& file = "") {
  ChainOptions options;
  options.shortest = 2;
  options.read_file = [&](const std::string& name) -> Result<std::string> {
    if (name != "list") {
      return fail(ErrorCode::kSystem, "no such file", {.file = name});
    }
    return file;
  };
  const auto result = shorten(expression, options);
  if (!result) {
    return to_string(result.error());
  }
  std::string text = result->texts[0] + " |";
  for (const Sentinel& sentinel : result->sentinels) {
    text += " " + std::to_string(sentinel.set.ranges.size());
  }
  return text;
}

TEST(Shorten, CopiesWhatIsNoList) {
  for (const std::string text :
       {"", "tcp port 80", "host 1.2.3.4 and (tcp or udp)", "not (ip or tcp[(2+1):2] & 7 != 0)",
        "(((", ")) or ip", "host in", "ip6 host ::1 or ip6 host 1::2 or ip6 host 2::3"}) {
    EXPECT_EQ(shortened(text), text + " |");
  }
}

TEST(Shorten, KeepsTheFirstTermOfEachShape) {
  EXPECT_EQ(shortened("src host 1.1.1.1 or src host 1.1.1.9 or src host 1.1.1.5"),
            "src host 1.1.1.1 or src host 90.0.0.0 | 2");
  // What is gathered comes before a new shape, which may end the filter.
  EXPECT_EQ(shortened("port 1 or port 2 or port 9 or tcp port 3 or port 4 or tcp port 5 or port 8 "
                      "or tcp port 7"),
            "port 1 or port 32768 or tcp port 3 or port 32769 or tcp port 32770 | 2 2 2");
  // IPv6 terms keep their order among other shapes.
  EXPECT_EQ(
      shortened("src host ::1 or dst host ::2 or src host ::3 or src host ::5 or dst host ::3 "
                "or dst host ::7"),
      "src host ::1 or dst host ::2 or src host 6000:0:6100:0:6200:0:6300:0 or dst host "
      "6000:1:6100:1:6200:1:6300:1 | 2 2");
  // Where either side is asked for, the first of each /96 stays.
  EXPECT_EQ(
      shortened("host ::1 or host 1::2 or host ::3 or host 1::4 or net 1::8/126 or net 1::/64 or "
                "host ::6 or host 1::7"),
      "host ::1 or host 1::2 or net 6000:0:6100:0:6200:0:6300:0 or net 1::/64 or "
      "host ::6 or host 1::7 | 3");
  // A single one is not worth a sentinel.
  EXPECT_EQ(shortened("port 1 or port 2 or tcp port 3"), "port 1 or port 2 or tcp port 3 |");
}

TEST(Shorten, AndBindsAsInLibpcap) {
  EXPECT_EQ(shortened("ip and port 1 or port 2 or port 3 or port 4 and tcp"),
            "ip and port 1 or port 2 or port 32768 and tcp | 1");
  EXPECT_EQ(shortened("not port 1 or port 2 or port 3 or port 4"),
            "not port 1 or port 2 or port 32768 | 1");
  EXPECT_EQ(shortened("port 1 or port 2 or port 3 or ip || port 4"),
            "port 1 or port 32768 or ip || port 4 | 1");
}

TEST(Shorten, BareLiteralsInherit) {
  EXPECT_EQ(shortened("tcp dst port 1 or 2 or 3"), "tcp dst port 1 or 32768 | 1");
  EXPECT_EQ(shortened("tcp dst port (1 or 2 or 3)"), "tcp dst port (1 or 32768) | 1");
  EXPECT_EQ(shortened("net (1.0.0.0/8 or 2.0.0.0/8 or 3.0.0.0/8 or 9.0.0.0/8)"),
            "net (1.0.0.0/8 or 90.0.0.0) | 2");
  EXPECT_EQ(shortened("port 9 and (1 or 2 or 3)"), "port 9 and (1 or 32768) | 1");
  EXPECT_EQ(shortened("ip and (1 or 2 or 3)"), "ip and (1 or 2 or 3) |");
  // The word behind a chain inherits from its last term, and a sentinel is no range.
  EXPECT_EQ(shortened("portrange 1-2 or portrange 4-5 or portrange 7-8 or portrange 10-11 and 5-6"),
            "portrange 1-2 or port 32768 or portrange 10-11 and 5-6 | 2");
}

TEST(Shorten, SrcOrDstIsOneWord) {
  EXPECT_EQ(shortened("src or dst port 1 or dst or src port 2 or port 3"),
            "port 1 or port 32768 | 1");
  EXPECT_EQ(shortened("src and dst port 1 or dst port 2 or dst port 3"),
            "src and dst port 1 or dst port 2 or dst port 3 |");
}

TEST(Shorten, ReadsFiles) {
  EXPECT_EQ(shortened("tcp and not src host in @list and udp",
                      "# bad ones\n1.1.1.1 \n\n 2.0.0.0/8#net\r\n3.3.3.3-3.3.3.9\n"),
            "tcp and not (src host 1.1.1.1 or src host 90.0.0.0) and udp | 2");
  EXPECT_EQ(shortened("port not in @list", "80\n1000-2000\n443"),
            "not (port 80 or port 32768) | 2");
  EXPECT_EQ(shortened("not (port in @list)", "80"), "not ((port 80)) |");
  EXPECT_EQ(shortened("host in @list", "5.5.5.5-5.5.5.6"), "(host 5.5.5.5 or host 90.0.0.0) | 1");
  EXPECT_EQ(shortened("host in @list", "\n# none\n"), "(0 = 1) |");
  EXPECT_EQ(shortened("ether host in @list", "1:2:3:4:5:6\n1:2:3:4:5:7\n1:2:3:4:5:9"),
            "(ether host 1:2:3:4:5:6 or ether host a0:00:70:00:00:00) | 2");
}

TEST(Shorten, SaysWhatIsWrongWithAFile) {
  EXPECT_EQ(
      shortened("host in @list", "1.1.1.1\n  example.com"),
      "list:2:3: 'example.com' is no member of a list of 'host in': it is none that is known here");
  EXPECT_EQ(
      shortened("tcp host in @list", "1.1.1.1"),
      "list:1:1: '1.1.1.1' is no member of a list of 'tcp host in': it is none that is known here");
  EXPECT_EQ(shortened("host in @nowhere"), "nowhere: no such file");
}

}  // namespace
}  // namespace weir::frontend
