// Help goes to stdout with status 0, and every command has a page.
#include <gtest/gtest.h>

#include <cstdlib>
#include <sstream>
#include <string>
#include <vector>

#include "tests/cli/cli.h"

namespace weir::cli {
namespace {

constexpr const char* kCommands[] = {"compile", "explain", "filter", "bench", "attach",
                                     "detach",  "show",    "stats",  "vm"};

TEST(Help, ListsEveryCommand) {
  const Answer answer = weir({"help"});
  EXPECT_EQ(answer.status, 0);
  EXPECT_EQ(answer.err, "");
  EXPECT_EQ(weir({"--help"}).out, answer.out);
  for (const char* command : kCommands) {
    EXPECT_NE(answer.out.find("\n  " + std::string(command) + " "), std::string::npos) << command;
  }
}

TEST(Help, EveryCommandHasAPage) {
  for (const char* command : kCommands) {
    const Answer answer = weir({"help", command});
    EXPECT_EQ(answer.status, 0);
    EXPECT_EQ(answer.out.find(std::string("usage: weir ") + command), 0U) << answer.out;
    EXPECT_NE(answer.out.find("\noptions:\n"), std::string::npos);
    EXPECT_NE(answer.out.find("\nexamples:\n"), std::string::npos);
    EXPECT_EQ(weir({command, "--help"}).out, answer.out);
  }
}

TEST(Help, IsForOneCommand) {
  const Answer answer = weir({"help", "attach", "detach"});
  EXPECT_EQ(answer.status, 2);
  EXPECT_EQ(answer.out, "");
  EXPECT_EQ(answer.err, "weir: help is for one command; 'detach' is a word too many\n");
}

TEST(Help, NoLineIsWiderThanATerminal) {
  std::vector<std::vector<std::string>> pages = {{"help"}};
  for (const char* command : kCommands) {
    pages.push_back({"help", command});
  }
  for (const std::vector<std::string>& arguments : pages) {
    std::istringstream page(weir(arguments).out);
    for (std::string line; std::getline(page, line);) {
      EXPECT_LE(line.size(), 80U) << line;
    }
  }
}

TEST(Stdout, AFullDiskIsSaidAndAReaderThatLeftIsNot) {
  const TemporaryFolder folder;
  const std::string said = folder.path("said");
  // More than a buffer of output, so that it fails in the middle and not at the end.
  std::string assembly;
  for (int i = 0; i < 3000; ++i) {
    assembly += "ldb [" + std::to_string(i) + "]\njset #7, next" + std::to_string(i) +
                "\nret #1\nnext" + std::to_string(i) + ":";
  }
  const std::string weir = std::string(kWeirInShell) + " compile --target xdp --asm " +
                           folder.file("long", assembly + "ret #0\n");
  EXPECT_NE(std::system((weir + " >/dev/full 2>" + said).c_str()), 0);
  EXPECT_EQ(read_file(said), "weir: stdout: No space left on device\n");
  EXPECT_EQ(std::system((weir + " 2>" + said + " | head -n 1 >/dev/null").c_str()), 0);
  EXPECT_EQ(read_file(said), "");
}

TEST(Version, NamesWeirAndItsLibraries) {
  const Answer answer = weir({"--version"});
  EXPECT_EQ(answer.status, 0);
  EXPECT_EQ(answer.out.find("weir "), 0U);
  EXPECT_NE(answer.out.find("libpcap version "), std::string::npos);
  EXPECT_NE(answer.out.find("libbpf "), std::string::npos);
}

}  // namespace
}  // namespace weir::cli
