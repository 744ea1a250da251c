// `weir filter` never writes a file that it reads: it refuses before anything is opened for
// writing, whatever name leads to the file.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/cli/cli.h"
#include "tools/filter/rotation.h"

namespace weir::cli {
namespace {

// A folder with two savefiles, and what is in it.
class FilterOverlap : public testing::Test {
 protected:
  const std::string bytes_ = read_file(std::string(WEIR_PCAPS_DIR) + "/http.pcap");
  const TemporaryFolder folder_;
  const std::string one_ = folder_.file("1.pcap", bytes_);
  const std::string two_ = folder_.file("2.pcap", bytes_);

  // The run is refused by a sentence with both names, and no file was made, emptied or changed.
  void expect_refused(std::vector<std::string> arguments, const std::string& output,
                      const std::string& input) const {
    SCOPED_TRACE(testing::PrintToString(arguments));
    const auto names = folder_.names();
    arguments.insert(arguments.begin(), "filter");
    const Answer answer = weir(arguments);
    EXPECT_EQ(answer.status, 2);
    EXPECT_EQ(answer.out, "");
    EXPECT_NE(answer.err.find("weir: " + output + ": "), std::string::npos) << answer.err;
    EXPECT_NE(answer.err.find(" " + input + ","), std::string::npos) << answer.err;
    EXPECT_EQ(folder_.names(), names);
    expect_untouched();
  }

  void expect_untouched() const {
    EXPECT_TRUE(read_file(one_) == bytes_);
    EXPECT_TRUE(read_file(two_) == bytes_);
  }
};

TEST_F(FilterOverlap, AnyInputByAnyName) {
  const std::string symbolic = folder_.path("symbolic");
  const std::string hard = folder_.path("hard");
  ASSERT_EQ(::symlink("2.pcap", symbolic.c_str()), 0);
  ASSERT_EQ(::link(two_.c_str(), hard.c_str()), 0);
  const std::string round = folder_.path("") + "/./2.pcap";
  for (const std::string& output : {two_, symbolic, hard, round}) {
    expect_refused({"-r", one_, "-r", two_, "-w", output}, output, two_);
  }
  expect_refused({"-r", two_, "-w", two_}, two_, two_);
  expect_refused({"-r", symbolic, "-w", hard}, hard, symbolic);
}

TEST_F(FilterOverlap, AFileOfAFolderOrAPattern) {
  expect_refused({"-r", folder_.path(""), "-w", two_}, two_, two_);
  expect_refused({"-r", folder_.path("*.pcap"), "-w", one_}, one_, one_);
}

TEST_F(FilterOverlap, APackedInput) {
  const std::string packed = folder_.path("3.pcap.gz");
  ASSERT_EQ(weir({"filter", "-r", one_, "-w", packed}).status, 0);
  expect_refused({"-r", one_, "-r", packed, "-w", packed}, packed, packed);
}

TEST_F(FilterOverlap, EveryNameThatRotationComesTo) {
  const std::string numbered = folder_.file("out7", bytes_);
  const std::string base = folder_.path("out");
  expect_refused({"-r", one_, "-r", numbered, "-w", base, "-C", "1"}, numbered, numbered);
  expect_refused({"-r", numbered, "-w", base, "-C", "1", "-W", "9"}, numbered, numbered);
  const std::string timed = folder_.file("day-31-7", bytes_);
  expect_refused({"-r", timed, "-w", folder_.path("day-%d-%-H"), "-G", "5"}, timed, timed);
  expect_refused({"-r", timed, "-w", folder_.path("day-%d-"), "-G", "5", "-C", "1"}, timed, timed);
  // What the names cannot be is written.
  EXPECT_EQ(weir({"filter", "-r", numbered, "-w", base, "-C", "1", "-W", "3"}).status, 0);
  EXPECT_EQ(weir({"filter", "-r", timed, "-w", folder_.path("week-%d"), "-G", "5"}).status, 0);
  expect_untouched();
}

TEST_F(FilterOverlap, EveryOutputOfASplit) {
  const std::string rules = folder_.file("rules", "1 ip\n2 tcp\n3 arp\n");
  expect_refused({"-r", two_, "--split", rules, "-w", folder_.path("")}, two_, two_);
  expect_refused({"-r", two_, "--split", rules, "-w", folder_.path("{}.pcap")}, two_, two_);
}

TEST_F(FilterOverlap, TheFileOfTheFilter) {
  const std::string rules = folder_.file("rules", "rules ip\n");
  expect_refused({"-r", one_, "--split", rules, "-w", folder_.path("{}")}, rules, rules);
  const std::string expression = folder_.file("expression", "ip");
  expect_refused({"-r", one_, "-F", expression, "-w", expression}, expression, expression);
  EXPECT_EQ(read_file(rules), "rules ip\n");
}

// A list that an expression names is read, too: given as words, in the file of -F, in a rule.
TEST_F(FilterOverlap, TheFileOfAList) {
  const std::string list = folder_.file("list", "10.0.0.1\n");
  const std::string link = folder_.path("link");
  ASSERT_EQ(::symlink("list", link.c_str()), 0);
  const std::string in_list = "tcp or not src host in @" + list;
  expect_refused({"-r", one_, "-w", list, in_list}, list, list);
  expect_refused({"-r", one_, "-w", link, in_list}, link, list);
  expect_refused({"-r", one_, "-w", list, "host", "not", "in", "@" + link}, list, link);
  expect_refused({"-r", one_, "-w", list, "-F", folder_.file("expression", in_list)}, list, list);
  const std::string rules = folder_.file("rules", "other ip\nlist " + in_list + "\n");
  expect_refused({"-r", one_, "--split", rules, "-w", folder_.path("{}")}, list, list);
  EXPECT_EQ(read_file(list), "10.0.0.1\n");
  // Rotation comes to the name.
  const std::string second = folder_.file("out1", "10.0.0.1\n");
  expect_refused({"-r", one_, "-w", folder_.path("out"), "-C", "1", "host in @" + second}, second,
                 second);
}

TEST_F(FilterOverlap, TwoOutputsThatAreOneFile) {
  const std::string a = folder_.file("a.pcap", "");
  ASSERT_EQ(::link(a.c_str(), folder_.path("b.pcap").c_str()), 0);
  const std::string rules = folder_.file("rules", "a ip\nb tcp\n");
  expect_refused({"-r", one_, "--split", rules, "-w", folder_.path("{}.pcap")},
                 folder_.path("b.pcap"), "output and " + a + " are the same file");
  const std::string numbered = folder_.file("numbered", "x ip\nx1 tcp\n");
  const Answer answer =
      weir({"filter", "-r", one_, "--split", numbered, "-C", "1", "-w", folder_.path("{}")});
  EXPECT_EQ(answer.status, 2);
}

TEST_F(FilterOverlap, StreamsThatAreOneFile) {
  const std::string weir = std::string("'") + WEIR_BINARY + "' filter ";
  for (const std::string& call :
       {weir + "-r - -w - <1.pcap 1<>1.pcap", weir + "-r 1.pcap >>1.pcap",
        weir + "-r 2.pcap -r - <1.pcap >>1.pcap", weir + "-r - -w 1.pcap <1.pcap",
        weir + "-r 1.pcap -w - >>1.pcap", weir + "-r - -w /dev/stdout <2.pcap 1<>2.pcap"}) {
    const int status =
        std::system(("cd " + folder_.path("") + " && { " + call + "; } 2>/dev/null").c_str());
    EXPECT_EQ(WEXITSTATUS(status), 2) << call;
    expect_untouched();
  }
  // Where nothing is lost it is done.
  EXPECT_EQ(std::system((weir + "-r " + one_ +
                         " -r - </dev/null -w /dev/null ip >/dev/null 2>&1; "
                         "test $? -ne 2")
                            .c_str()),
            0);
}

TEST(FilterRotationNames, HaveTheNumberBeforeThePacking) {
  const filter::Rotation by_size = {.max_bytes = 1};
  EXPECT_EQ(filter::rotated_name("o.pcap", by_size, 0, 0), "o.pcap");
  EXPECT_EQ(filter::rotated_name("o.pcap", by_size, 0, 12), "o.pcap12");
  EXPECT_EQ(filter::rotated_name("o.pcap.gz", by_size, 0, 1), "o.pcap1.gz");
  const filter::Rotation ring = {.max_bytes = 1, .max_files = 11};
  EXPECT_EQ(filter::rotated_name("o.pcapng.zst", ring, 0, 0), "o.pcapng00.zst");
}

}  // namespace
}  // namespace weir::cli
