// Rotation, inputs and progress of `weir filter`, -C and -W beside tcpdump.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "tests/cli/cli.h"
#include "tools/filter/inputs.h"
#include "tools/filter/output.h"
#include "tools/filter/progress.h"

namespace weir::cli {
namespace {

const std::string kCapture = std::string(WEIR_PCAPS_DIR) + "/iperf3-tcp.pcap";

// A savefile of more than three million bytes: rotation counts in millions.
std::string large_capture(const TemporaryFolder& folder) {
  std::string all = read_file(kCapture);
  const std::string records = all.substr(24);
  while (all.size() < 3'500'000) {
    all += records;
  }
  return folder.file("large.pcap", all);
}

TEST(FilterRotation, IsTcpdumps) {
  if (std::system("tcpdump --version >/dev/null 2>&1") != 0) {
    GTEST_SKIP() << "tcpdump is not installed";
  }
  const TemporaryFolder input;
  const std::string in = large_capture(input);
  for (const std::vector<std::string>& options :
       {std::vector<std::string>{"-C", "1"}, {"-C", "1", "-W", "2"}, {"-C", "1", "-W", "11"}}) {
    const TemporaryFolder ours;
    const TemporaryFolder theirs;
    std::string command = "tcpdump -Z root -r " + in + " -w " + theirs.path("out");
    std::vector<std::string> arguments = {"filter", "-r", in, "-w", ours.path("out")};
    for (const std::string& option : options) {
      command += " " + option;
      arguments.push_back(option);
    }
    ASSERT_EQ(std::system((command + " tcp >/dev/null 2>&1").c_str()), 0);
    arguments.emplace_back("tcp");
    const Answer answer = weir(arguments);
    ASSERT_EQ(answer.status, 0) << answer.err;
    ASSERT_EQ(ours.names(), theirs.names());
    EXPECT_GE(ours.names().size(), 2U);
    for (const std::string& name : ours.names()) {
      EXPECT_TRUE(read_file(ours.path(name)) == read_file(theirs.path(name)))
          << name << " of " << command;
    }
  }
}

TEST(FilterRotation, ByTimeNamesFilesWithStrftimeAndEndsWithTheLast) {
  const TemporaryFolder folder;
  auto reader = cbpf::SavefileReader::open(kCapture);
  ASSERT_TRUE(reader);
  std::time_t now = 1'000'000'000;
  auto output = filter::Output::create(folder.path("out-%s"),
                                       options_like(reader->header(), cbpf::SavefileFormat::kPcap),
                                       {.seconds = 10, .max_files = 2}, [&now] { return now; });
  ASSERT_TRUE(output);
  const auto batch = reader->next_batch();
  ASSERT_TRUE(batch);
  const std::vector<std::uint32_t> all(batch->packets.size(), 1);
  ASSERT_TRUE(output->copy(*batch, all));
  now += 9;
  ASSERT_TRUE(output->copy(*batch, all));
  now += 1;
  ASSERT_TRUE(output->copy(*batch, all));
  EXPECT_FALSE(output->full());
  now += 10;
  ASSERT_TRUE(output->copy(*batch, all));
  EXPECT_TRUE(output->full());
  ASSERT_TRUE(output->close());
  EXPECT_EQ(folder.names(), (std::vector<std::string>{"out-1000000000", "out-1000000010"}));
  EXPECT_EQ(read_file(folder.path("out-1000000000")).size(), 24 + 2 * batch->bytes.size());
  EXPECT_EQ(read_file(folder.path("out-1000000010")).size(), 24 + batch->bytes.size());
}

TEST(FilterInputs, FoldersAndPatternsStandForTheSavefilesInThem) {
  const TemporaryFolder folder;
  const std::string bytes = read_file(kCapture);
  const std::string b = folder.file("b.pcap", bytes);
  const std::string a = folder.file("a.pcap", bytes);
  const std::string text = folder.file("c.txt", "no savefile");
  folder.file(".hidden.pcap", bytes);
  const auto files = [](const std::string& name) {
    return filter::expand_inputs({name}).value_or(std::vector<std::string>{});
  };
  const std::vector<std::string> both = {a, b};
  EXPECT_EQ(files(folder.path("")), both);
  EXPECT_EQ(files(folder.path("*")), both);
  EXPECT_EQ(files(folder.path("[a].pcap")), std::vector<std::string>{a});
  EXPECT_EQ(files(text), std::vector<std::string>{text});
  EXPECT_EQ(files("-"), std::vector<std::string>{"-"});
  EXPECT_FALSE(filter::expand_inputs({folder.path("*.txt")}));
  const std::string odd = folder.file("what?.pcap", bytes);
  EXPECT_EQ(files(odd), std::vector<std::string>{odd});
}

TEST(FilterInputs, FilesAreReadOneBehindTheOther) {
  const TemporaryFolder folder;
  const std::string bytes = read_file(kCapture);
  folder.file("a.pcap", bytes);
  folder.file("b.pcap", bytes);
  const TemporaryFolder out;
  ASSERT_EQ(weir({"filter", "-r", folder.path(""), "-w", out.path("out")}).status, 0);
  EXPECT_EQ(read_file(out.path("out")).substr(24), bytes.substr(24) + bytes.substr(24));
}

TEST(FilterInputs, RotationNeedsAnOutput) {
  EXPECT_EQ(weir({"filter", "-r", kCapture, "-C", "1"}).status, 2);
}

TEST(FilterProgress, SaysShareRateAndTimeLeft) {
  EXPECT_EQ(filter::progress_line(250'000'000, 1'000'000'000, 7, 2),
            "25% of 1000 MB, 7 packets, 125.0 MB/s, 6 s left");
  EXPECT_EQ(filter::progress_line(3'000'000, 0, 7, 2), "3 MB, 7 packets, 1.5 MB/s");
  EXPECT_EQ(filter::progress_line(0, 1'000'000, 0, 0), "0% of 1 MB, 0 packets, 0.0 MB/s, 0 s left");
}

}  // namespace
}  // namespace weir::cli
