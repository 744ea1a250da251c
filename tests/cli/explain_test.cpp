#include <gtest/gtest.h>

#include <algorithm>

#include "tests/cli/cli.h"

namespace weir::cli {
namespace {

// What stands under a heading, up to the next one; empty when there is no such heading.
std::string section(const std::string& page, const std::string& heading) {
  const std::size_t begin = page.find("\n== " + heading);
  if (begin == std::string::npos) {
    return {};
  }
  const std::size_t body = page.find('\n', begin + 1) + 1;
  return page.substr(body, page.find("\n== ", body) - body);
}

std::size_t lines(const std::string& text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

TEST(Explain, TellsWhatEachPassDid) {
  const Answer brief = weir({"explain", "tcp port 80"});
  ASSERT_EQ(brief.status, 0) << brief.err;
  const std::string work = section(brief.out, "what the passes did");
  EXPECT_NE(work.find("\nas built "), std::string::npos) << work;
  EXPECT_NE(work.find("\nmerge_needs "), std::string::npos) << work;
  EXPECT_NE(work.find(" found nothing to do\n"), std::string::npos) << work;

  const Answer timed =
      weir({"explain", "--time-report", "--passes", "dead_code,merge_needs", "ip"});
  ASSERT_EQ(timed.status, 0) << timed.err;
  const std::string times = section(timed.out, "what the passes did");
  EXPECT_EQ(lines(times), 4U) << times;
  EXPECT_NE(times.find(" us\n"), std::string::npos) << times;
  EXPECT_NE(times.find("(nothing to do)"), std::string::npos) << times;

  const Answer none = weir({"explain", "--passes", "none", "ip"});
  EXPECT_EQ(section(none.out, "what the passes did"), "");
}

TEST(Explain, ShowsTheNativeCodeOfTheTargetUserAlone) {
  const Answer user = weir({"explain", "ip"});
  ASSERT_EQ(user.status, 0) << user.err;
  const std::string code = section(user.out, "native code");
  EXPECT_GT(lines(code), 5U) << user.out;
  EXPECT_NE(code.find(": ret\n"), std::string::npos) << code;
  EXPECT_EQ(section(weir({"explain", "--target", "xdp", "ip"}).out, "native code"), "");
}

}  // namespace
}  // namespace weir::cli
