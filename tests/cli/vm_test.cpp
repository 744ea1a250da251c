// The contract conformance suites drive the command by: hexadecimal in, hexadecimal out.
#include <gtest/gtest.h>

#include <regex>

#include "tests/cli/cli.h"

namespace weir::cli {
namespace {

constexpr const char* kEngines[] = {"extended-interpreter", "extended-jit"};
const std::string kExit = "9500000000000000";

// What both engines print.
std::string printed(const std::string& program, const std::string& memory = {}) {
  std::string first;
  for (const char* engine : kEngines) {
    std::vector<std::string> arguments = {"vm", "--engine", engine};
    if (!memory.empty()) {
      arguments.push_back(memory);
    }
    const Answer answer = weir(arguments, program + kExit);
    EXPECT_EQ(answer.status, 0) << engine << ": " << answer.err;
    EXPECT_EQ(answer.err, "");
    EXPECT_TRUE(first.empty() || answer.out == first) << engine << ": " << answer.out;
    first = answer.out;
  }
  return first;
}

// A sentence without the addresses in it, which differ from run to run.
std::string without_addresses(const std::string& text) {
  static const std::regex kAddress("0x[0-9a-f]{3,}");
  return std::regex_replace(text, kAddress, "ADDRESS");
}

// What both engines say to a program that fails.
std::string said(const std::string& program, const std::string& memory = {}) {
  std::string first;
  for (const char* engine : kEngines) {
    const Answer answer = weir({"vm", memory, "--engine", engine}, program);
    EXPECT_EQ(answer.status, 1) << engine;
    EXPECT_EQ(answer.out, "");
    const std::string text = without_addresses(answer.err);
    EXPECT_TRUE(first.empty() || text == first) << engine << ": " << text;
    first = text;
  }
  return first;
}

TEST(Vm, PrintsR0InHexadecimal) {
  EXPECT_EQ(printed("b7 00 0000 2a000000\n"), "2a\n");
  EXPECT_EQ(printed("B7000000\tffffffff"), "ffffffffffffffff\n");
  EXPECT_EQ(printed("180000007856341200000000f0debc9a"), "9abcdef012345678\n");
  EXPECT_EQ(printed(""), "0\n");
}

TEST(Vm, TheEngineIsTheInterpreterUnlessSaid) {
  EXPECT_EQ(weir({"vm"}, "b700000001000000" + kExit).out, "1\n");
}

TEST(Vm, MemoryIsAtR1AndItsSizeInR2) {
  EXPECT_EQ(printed("6110000000000000", "01 02 03 04"), "4030201\n");
  EXPECT_EQ(printed("bf20000000000000", "aabbcc"), "3\n");
  EXPECT_EQ(printed("bf20000000000000"), "0\n");
  EXPECT_EQ(printed("bf10000000000000"), "0\n");
  EXPECT_EQ(weir({"vm", ""}, "bf20000000000000" + kExit).out, "0\n");
  EXPECT_EQ(weir({"vm", "01", "02 03"}, "bf20000000000000" + kExit).out, "3\n");
}

TEST(Vm, HelperFiveGivesBackItsArgument) {
  EXPECT_EQ(printed("b7010000ffffffff 8500000005000000"), "ffffffffffffffff\n");
}

TEST(Vm, RunsEveryGroupOfTheStandard) {
  // base32: w0 = -1; base64: r0 <<= 32; divmul32: w0 /= 2; divmul64: r0 s/= -2; MOVSX; bswap.
  EXPECT_EQ(printed("b4000000ffffffff"), "ffffffff\n");
  EXPECT_EQ(printed("b400000001000000 6700000020000000"), "100000000\n");
  EXPECT_EQ(printed("b400000007000000 3400000002000000"), "3\n");
  EXPECT_EQ(printed("b700000007000000 37000100feffffff"), "fffffffffffffffd\n");
  EXPECT_EQ(printed("b700000080000000 bf00080000000000"), "ffffffffffffff80\n");
  EXPECT_EQ(printed("b700000002010000 d700000010000000"), "201\n");
  // atomic64: 1 += 5 with the old value fetched, old + new; atomic32: without the fetch.
  EXPECT_EQ(
      printed(
          "b702000005000000 db21000001000000 bf20000000000000 7913000000000000 0f30000000000000",
          "0100000000000000"),
      "7\n");
  EXPECT_EQ(printed("b702000005000000 c321000000000000 6110000000000000", "01000000"), "6\n");
  // packet: r0 = 16 bits at 2.
  EXPECT_EQ(printed("bf16000000000000 2800000002000000", "00000800"), "800\n");
}

TEST(Vm, LocalCallsHaveTheirOwnFrame) {
  // r6 = 3; *(u64 *)(r10 - 8) = 9; call f; r0 = r6 + *(u64 *)(r10 - 8); exit;
  // f: r6 = 0; *(u64 *)(r10 - 8) = 1.
  EXPECT_EQ(printed("b706000003000000 7a0af8ff09000000 8510000003000000 79a0f8ff00000000"
                    "0f60000000000000 9500000000000000 b706000000000000 7a0af8ff01000000"),
            "c\n");
}

TEST(Vm, LoopsEnd) {
  // r0 += 1; if r0 < 100 goto -2.
  EXPECT_EQ(printed("0700000001000000 a500feff64000000"), "64\n");
}

TEST(Vm, AnAccessOutsideItsMemoryIsAFault) {
  EXPECT_EQ(said("6110010000000000" + kExit, "01020304"),
            "weir: instruction 0: load of 4 bytes at ADDRESS is outside every region\n");
  EXPECT_EQ(said("7201040000000000" + kExit, "01020304"),
            "weir: instruction 0: store of 1 byte at ADDRESS is outside every region\n");
  EXPECT_EQ(said("79a0000000000000" + kExit),
            "weir: instruction 0: load of 8 bytes at ADDRESS is outside every region\n");
  EXPECT_EQ(said("6110000000000000" + kExit),
            "weir: instruction 0: load of 4 bytes at 0x0 is outside every region\n");
}

TEST(Vm, RefusesWhatIsNoProgram) {
  EXPECT_EQ(said(""), "weir: the program is empty\n");
  EXPECT_EQ(said("b7000000"), "weir: 1:1: an instruction has 16 hexadecimal digits, this one 8\n");
  EXPECT_EQ(said("b70000000000000g"), "weir: 1:16: not a hexadecimal digit\n");
  EXPECT_EQ(said("ff00000000000000" + kExit), "weir: instruction 0: unknown opcode 0xff\n");
  EXPECT_EQ(said("8500000007000000" + kExit), "weir: instruction 0: no helper has number 7\n");
  EXPECT_EQ(said("0500050000000000" + kExit),
            "weir: instruction 0: the jump leads to no instruction\n");
  EXPECT_EQ(said("b700000001000000"), "weir: instruction 0: the program runs off its end\n");
  EXPECT_EQ(said("1811000001000000 0000000000000000" + kExit),
            "weir: instruction 0: the kernel's maps are not in reach of user space\n");
}

TEST(Vm, WrongCallsExitWithTwo) {
  EXPECT_EQ(weir({"vm", "012"}, kExit).status, 2);
  EXPECT_EQ(weir({"vm", "xy"}, kExit).status, 2);
  EXPECT_EQ(weir({"vm", "--engine", "libpcap"}, kExit).status, 2);
}

}  // namespace
}  // namespace weir::cli
