#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tests/cli/cli.h"

namespace weir::cli {
namespace {

using nlohmann::json;

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

TEST(Explain, JsonHasAFieldForEachStage) {
  const Answer answer = weir({"explain", "-j", "--time-report", "--dump-ir", "tcp port 80"});
  ASSERT_EQ(answer.status, 0) << answer.err;
  const json object = json::parse(answer.out);
  EXPECT_EQ(object["expression"], "tcp port 80");
  EXPECT_EQ(object["link_type"], "EN10MB");
  const json compiled = json::parse(weir({"compile", "-j", "-O", "tcp port 80"}).out);
  for (const char* const program : {"classic", "extended"}) {
    EXPECT_EQ(object[program]["instructions"], compiled[program]["instructions"]) << program;
  }
  EXPECT_EQ(object["classic"]["listing"], weir({"compile", "-O", "tcp port 80"}).out);
  EXPECT_EQ(object["classic_optimized"]["listing"], weir({"compile", "tcp port 80"}).out);
  EXPECT_EQ(object["extended"]["maps"], json::array());
  EXPECT_NE(object["ir"]["built"], object["ir"]["optimized"]);
  std::string last = object["ir"]["built"];
  for (const json& pass : object["passes"]) {
    EXPECT_EQ(pass.contains("text"), pass["changed"].get<bool>()) << pass;
    EXPECT_TRUE(pass["ns"].is_number()) << pass;
    last = pass.contains("text") ? pass["text"].get<std::string>() : last;
  }
  EXPECT_EQ(object["ir"]["optimized"], last);
  EXPECT_GT(object["native"]["bytes"], 0);
  EXPECT_TRUE(
      json::parse(weir({"explain", "-j", "--target", "xdp", "ip"}).out)["native"].is_null());
  const Answer wrong = weir({"explain", "-j", "tcp prot"});
  EXPECT_EQ(wrong.status, 1);
  EXPECT_TRUE(json::parse(wrong.out).contains("error")) << wrong.out;
}

}  // namespace
}  // namespace weir::cli
