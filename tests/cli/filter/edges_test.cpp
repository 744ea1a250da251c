// What `weir filter` does where an input, an interface or a signal is not as expected.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <csignal>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "cbpf/base/fd.h"
#include "tests/cli/cli.h"

namespace weir::cli {
namespace {

using nlohmann::json;

const std::string kHttp = std::string(WEIR_PCAPS_DIR) + "/http.pcap";

std::string le32(std::uint32_t v) {
  return {static_cast<char>(v), static_cast<char>(v >> 8), static_cast<char>(v >> 16),
          static_cast<char>(v >> 24)};
}

std::string block(std::uint32_t type, const std::string& body) {
  const std::string length = le32(static_cast<std::uint32_t>(12 + body.size()));
  return le32(type) + length + body + length;
}

std::string section() {
  return block(0x0a0d0d0a, le32(0x1a2b3c4d) + std::string("\1\0\0\0", 4) + std::string(8, '\xff'));
}

std::string interface(std::uint32_t link_type) { return block(1, le32(link_type) + le32(0)); }

// An IPv4 packet in an Ethernet frame.
std::string packet(std::uint32_t of) {
  const std::string bytes =
      std::string(12, '\2') + std::string("\x08\x00\x45", 3) + std::string(45, '\0');
  return block(6, le32(of) + le32(0) + le32(0) + le32(60) + le32(60) + bytes);
}

constexpr std::uint32_t kEthernet = 1;
constexpr std::uint32_t kUnknown = 60000;

TEST(FilterInterfaces, OneThatTakesNoFilterDoesNotMatch) {
  const TemporaryFolder folder;
  const std::string unknown_last = section() + interface(kEthernet) + interface(kUnknown) +
                                   packet(0) + packet(1) + packet(0) + packet(1) + packet(1);
  const std::string unknown_first = section() + interface(kUnknown) + interface(kEthernet) +
                                    packet(1) + packet(0) + packet(1) + packet(0) + packet(0);
  const std::string in_sections = section() + interface(kUnknown) + packet(0) + packet(0) +
                                  packet(0) + section() + interface(kEthernet) + packet(0) +
                                  packet(0);
  for (const std::string& bytes : {unknown_last, unknown_first, in_sections}) {
    const std::string in = folder.file("in.pcapng", bytes);
    for (const char* threads : {"1", "2"}) {
      const Answer answer = weir(
          {"filter", "-r", in, "--threads", threads, "-w", folder.path("out.pcapng"), "-j", "ip"});
      EXPECT_EQ(answer.status, 0) << answer.err;
      const json object = json::parse(answer.out);
      EXPECT_EQ(object["packets"], 5);
      EXPECT_EQ(object["matched"], 2);
      EXPECT_EQ(object["unfiltered"], 3);
      const std::size_t said = answer.err.find("its 3 packets do not match");
      EXPECT_NE(said, std::string::npos) << answer.err;
      EXPECT_EQ(answer.err.find("do not match", said + 20), std::string::npos) << answer.err;
      const Answer again = weir({"filter", "-r", folder.path("out.pcapng"), "--count"});
      EXPECT_EQ(again.out, "2 packets\n");
    }
    EXPECT_EQ(weir({"filter", "-r", in, "--strict", "ip"}).status, 1);
    // What no interface takes is wrong.
    EXPECT_EQ(weir({"filter", "-r", in, "-w", folder.path("none"), "ip prot"}).status, 1);
    EXPECT_EQ(weir({"filter", "-r", in, "-w", folder.path("none"), "wlan type mgt"}).status, 1);
  }
  EXPECT_EQ(folder.names(), (std::vector<std::string>{"in.pcapng", "out.pcapng"}));
}

TEST(FilterInterfaces, ARuleThatOneDoesNotTakeEndsNoSplit) {
  const TemporaryFolder folder;
  const std::string in = folder.file(
      "in.pcapng", section() + interface(kEthernet) + interface(105) + packet(0) + packet(1));
  const std::string rules = folder.file("rules", "ip ip\nwlan wlan type mgt\nall\n");
  const Answer answer = weir({"filter", "-r", in, "--split", rules, "-j"});
  ASSERT_EQ(answer.status, 0) << answer.err;
  const json object = json::parse(answer.out);
  EXPECT_EQ(object["rules"][0]["matched"], 1);
  EXPECT_EQ(object["rules"][2]["matched"], 2);
  EXPECT_EQ(object["unfiltered"], 1);
}

TEST(FilterInputs, ADamagedFileDoesNotEndTheRun) {
  const TemporaryFolder folder;
  const std::string whole = read_file(kHttp);
  const std::string cut = folder.file("cut.pcap", whole.substr(0, whole.size() - 3));
  const std::string empty = folder.file("empty.pcap", "");
  const std::string missing = folder.path("missing.pcap");
  const std::string out = folder.path("out");
  const auto packets = [](const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {"filter", "-j"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Answer answer = weir(arguments);
    return json::parse(answer.out.substr(0, answer.out.find('\n')))["packets"].get<int>();
  };
  const int all = packets({"-r", kHttp});
  for (const char* threads : {"1", "2"}) {
    const Answer answer = weir({"filter", "-r", cut, "-r", empty, "-r", missing, "-r", kHttp, "-w",
                                out, "--threads", threads});
    EXPECT_EQ(answer.status, 1);
    EXPECT_NE(answer.out.find("of " + std::to_string(2 * all - 1) + " packets"), std::string::npos)
        << answer.out;
    for (const std::string& file : {cut, empty, missing}) {
      EXPECT_NE(answer.err.find("weir: " + file + ": "), std::string::npos) << answer.err;
    }
    EXPECT_NE(answer.err.find("3 of 4 savefiles could not be read to their end: " + cut + ", " +
                              empty + ", " + missing),
              std::string::npos)
        << answer.err;
    EXPECT_EQ(packets({"-r", out}), 2 * all - 1);
  }
  const Answer alone = weir({"filter", "-r", cut});
  EXPECT_EQ(alone.status, 1);
  EXPECT_NE(alone.out.find("of " + std::to_string(all - 1) + " packets"), std::string::npos);
}

TEST(FilterSignals, EndAsTcpdumpDoesAndTellTheCounts) {
  const std::string whole = read_file(kHttp);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    const TemporaryFolder folder;
    const std::string out = folder.path("out");
    RunningWeir running({"filter", "-r", "-", "-w", out, "-U"});
    running.write(whole.substr(0, 24 + 16 + 42 + 5));
    ASSERT_TRUE(RunningWeir::wait_for_size(out, 24 + 16 + 42));
    running.signal(SIGUSR1);
    running.signal(SIGUSR1);
    running.write(whole.substr(24 + 16 + 42 + 5, 11));  // Reading goes on.
    running.signal(number);
    const Answer answer = running.wait();
    EXPECT_EQ(answer.status, 0);
    EXPECT_EQ(answer.err.find("weir: 1 packets so far, 1 match\n"), 0U) << answer.err;
    EXPECT_EQ(answer.out, "1 of 1 packet matches, 42 bytes\n");
    EXPECT_EQ(read_file(out), whole.substr(0, 24 + 16 + 42));
  }
}

// A list that is a pipe: compiling waits in it for as long as it likes, each time it is read.
class ListPipe {
 public:
  explicit ListPipe(const TemporaryFolder& folder) : path_(folder.path("list")) {
    EXPECT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  }
  const std::string& path() const { return path_; }

  // Waits until the command has opened it, and gives the end to write to.
  Fd wait() const {
    for (int i = 0; i < 1000; ++i) {
      if (Fd fd(::open(path_.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC)); fd.valid()) {
        return fd;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    ADD_FAILURE() << "no process reads " << path_;
    return Fd();
  }

 private:
  std::string path_;
};

constexpr int kEnding[] = {SIGINT, SIGTERM, SIGHUP};

TEST(FilterSignals, EndAtOnceWhileTheExpressionIsCompiled) {
  for (const int number : kEnding) {
    const TemporaryFolder folder;
    const ListPipe list(folder);
    RunningWeir running(
        {"filter", "-r", kHttp, "-w", folder.path("out"), "host in @" + list.path()});
    const Fd held = list.wait();
    running.signal(number);
    const Answer answer = running.wait();
    EXPECT_EQ(answer.status, 128 + number);
    EXPECT_EQ(answer.out + answer.err, "");
    EXPECT_EQ(folder.names(), std::vector<std::string>{"list"});
  }
}

// libpcap does not look at signals. What it compiles takes much longer than it takes to see that it
// is at it.
TEST(FilterSignals, EndAtOnceWhileLibpcapIsAtIt) {
  std::string expression = "host 10.0.0.0";
  for (int i = 1; i < 4000; ++i) {
    expression += " or host 10." + std::to_string(i % 7) + "." + std::to_string(i / 250) + "." +
                  std::to_string(i % 250) + " and tcp[" + std::to_string(i % 60) + "] = 1";
  }
  const TemporaryFolder folder;
  RunningWeir running({"filter", "-r", kHttp, "--optimizer", "libpcap", "-w", folder.path("out"),
                       "-F", folder.file("expression", expression)});
  ASSERT_TRUE(running.wait_for_cpu_seconds(0.2));
  running.signal(SIGTERM);
  const Answer answer = running.wait();
  EXPECT_EQ(answer.status, 128 + SIGTERM);
  EXPECT_EQ(answer.out + answer.err, "");
  EXPECT_EQ(folder.names(), std::vector<std::string>{"expression"});
}

// Packets of another link type come later and the expression is compiled for them: what was written
// before is whole, packed or not, and no result is claimed.
TEST(FilterSignals, EndAtOnceWhileItIsCompiledForALaterInterface) {
  constexpr std::uint32_t kRaw = 101;
  const std::string begin = section() + interface(kEthernet) + packet(0);
  for (const char* threads : {"1", "2"}) {
    for (const char* name : {"out.pcapng", "out.pcapng.zst"}) {
      for (const int number : kEnding) {
        SCOPED_TRACE(std::string(threads) + " " + name + " " + std::to_string(number));
        const TemporaryFolder folder;
        const ListPipe list(folder);
        const std::string out = folder.path(name);
        RunningWeir running({"filter", "-r", "-", "-w", out, "-U", "--threads", threads,
                             "not host in @" + list.path()});
        running.write(begin);
        list.wait();  // The first time it is empty.
        ASSERT_TRUE(RunningWeir::wait_for_size(out, 30));
        running.write(interface(kRaw) + packet(1));
        const Fd held = list.wait();
        running.signal(number);
        const Answer answer = running.wait();
        EXPECT_EQ(answer.status, 128 + number);
        EXPECT_EQ(answer.out + answer.err, "");
        const Answer again = weir({"filter", "-r", out, "--count"});
        EXPECT_EQ(again.status, 0) << again.err;
        EXPECT_EQ(again.out, "1 packet\n");
      }
    }
  }
}

TEST(FilterSignals, EndAtOnceWhileItIsCompiledForALaterFile) {
  const TemporaryFolder folder;
  const ListPipe list(folder);
  const std::string first = folder.file("first", section() + interface(kEthernet) + packet(0));
  const std::string second = folder.file("second", section() + interface(101) + packet(0));
  const std::string out = folder.path("out.pcapng");
  RunningWeir running(
      {"filter", "-r", first, "-r", second, "-w", out, "not host in @" + list.path()});
  list.wait();
  ASSERT_TRUE(RunningWeir::wait_for_size(out, 0));
  const Fd held = list.wait();
  running.signal(SIGTERM);
  const Answer answer = running.wait();
  EXPECT_EQ(answer.status, 128 + SIGTERM);
  EXPECT_EQ(answer.out, "");
  EXPECT_EQ(answer.err.find("stopped"), std::string::npos) << answer.err;
  EXPECT_EQ(weir({"filter", "-r", out, "--count"}).out, "1 packet\n");
}

}  // namespace
}  // namespace weir::cli
