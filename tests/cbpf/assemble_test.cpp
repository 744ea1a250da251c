#include "cbpf/text/assemble.h"

#include <gtest/gtest.h>

#include <ostream>
#include <random>
#include <set>
#include <string>

#include "cbpf/text/disassemble.h"
#include "cbpf/text/text.h"
#include "cbpf/validate.h"
#include "tests/cbpf/expressions.h"

namespace weir::cbpf {
namespace {

// The errors as one text, a line each.
std::string errors_of(std::string_view text) {
  const auto program = assemble(text);
  std::string errors;
  if (!program) {
    for (const Error& error : program.error()) {
      EXPECT_EQ(error.code, ErrorCode::kSyntax);
      errors += to_string(error) + "\n";
    }
  }
  return errors;
}

Program assembled(std::string_view text) {
  const auto program = assemble(text);
  EXPECT_TRUE(program) << text << "\n" << errors_of(text);
  return program.value_or(Program{});
}

// ---- every mnemonic with every operand ----

struct Case {
  const char* text;
  Instruction instruction;
};

void PrintTo(const Case& c, std::ostream* os) { *os << c.text; }

class OneInstruction : public testing::TestWithParam<Case> {};

// Labels: `here` is the instruction itself, `next` the one after it, `far` the one after that.
TEST_P(OneInstruction, HasTheCodeOfTheBook) {
  const std::string text =
      std::string("here: ") + GetParam().text + "\nnext: ret #1\nfar: ret #2\n";
  const Program program = assembled(text);
  ASSERT_EQ(program.instructions.size(), 3U);
  EXPECT_EQ(program.instructions[0], GetParam().instruction);
}

// The codes are those of linux/filter.h and linux/bpf_common.h, put together by hand.
INSTANTIATE_TEST_SUITE_P(
    Loads, OneInstruction,
    testing::Values(Case{"ld [12]", {0x20, 0, 0, 12}}, Case{"ldh [12]", {0x28, 0, 0, 12}},
                    Case{"ldb [12]", {0x30, 0, 0, 12}}, Case{"ld [x + 12]", {0x40, 0, 0, 12}},
                    Case{"ldh [x + 12]", {0x48, 0, 0, 12}}, Case{"ldb [x + 12]", {0x50, 0, 0, 12}},
                    Case{"ld [%x + 12]", {0x40, 0, 0, 12}}, Case{"ldb[%x+12]", {0x50, 0, 0, 12}},
                    Case{"ld [x]", {0x40, 0, 0, 0}}, Case{"ld [x - 2]", {0x40, 0, 0, 0xfffffffe}},
                    Case{"ld [x + -2]", {0x40, 0, 0, 0xfffffffe}},
                    Case{"ld [-4096]", {0x20, 0, 0, 0xfffff000}}, Case{"ld #12", {0x00, 0, 0, 12}},
                    Case{"ldi #12", {0x00, 0, 0, 12}}, Case{"ldi 12", {0x00, 0, 0, 12}},
                    Case{"ld M[3]", {0x60, 0, 0, 3}}, Case{"ld m[15]", {0x60, 0, 0, 15}},
                    Case{"ld len", {0x80, 0, 0, 0}}, Case{"ld #len", {0x80, 0, 0, 0}},
                    Case{"ld #pktlen", {0x80, 0, 0, 0}}, Case{"ldx #12", {0x01, 0, 0, 12}},
                    Case{"ldxi #12", {0x01, 0, 0, 12}}, Case{"ldxi 12", {0x01, 0, 0, 12}},
                    Case{"ldx M[3]", {0x61, 0, 0, 3}}, Case{"ldx len", {0x81, 0, 0, 0}},
                    Case{"ldx #len", {0x81, 0, 0, 0}}, Case{"ldxb 4*([14]&0xf)", {0xb1, 0, 0, 14}},
                    Case{"ldx 4*([14]&0xf)", {0xb1, 0, 0, 14}},
                    Case{"ldxb 4 * ( [ 14 ] & 15 )", {0xb1, 0, 0, 14}},
                    Case{"st M[3]", {0x02, 0, 0, 3}}, Case{"stx M[3]", {0x03, 0, 0, 3}}));

INSTANTIATE_TEST_SUITE_P(
    Extensions, OneInstruction,
    testing::Values(
        Case{"ld proto", {0x20, 0, 0, 0xfffff000}}, Case{"ld type", {0x20, 0, 0, 0xfffff004}},
        Case{"ld ifidx", {0x20, 0, 0, 0xfffff008}}, Case{"ld nla", {0x20, 0, 0, 0xfffff00c}},
        Case{"ld nlan", {0x20, 0, 0, 0xfffff010}}, Case{"ld mark", {0x20, 0, 0, 0xfffff014}},
        Case{"ld queue", {0x20, 0, 0, 0xfffff018}}, Case{"ld hatype", {0x20, 0, 0, 0xfffff01c}},
        Case{"ld rxhash", {0x20, 0, 0, 0xfffff020}}, Case{"ld cpu", {0x20, 0, 0, 0xfffff024}},
        Case{"ld vlan_tci", {0x20, 0, 0, 0xfffff02c}},
        Case{"ld vlan_avail", {0x20, 0, 0, 0xfffff030}},
        Case{"ld vlan_pr", {0x20, 0, 0, 0xfffff030}}, Case{"ld poff", {0x20, 0, 0, 0xfffff034}},
        Case{"ld rand", {0x20, 0, 0, 0xfffff038}}, Case{"ld vlan_tpid", {0x20, 0, 0, 0xfffff03c}},
        Case{"ld vlan_tpr", {0x20, 0, 0, 0xfffff03c}}, Case{"ld #proto", {0x20, 0, 0, 0xfffff000}},
        Case{"ldh #type", {0x28, 0, 0, 0xfffff004}}, Case{"ldb # rand", {0x30, 0, 0, 0xfffff038}},
        Case{"ldh proto", {0x28, 0, 0, 0xfffff000}}, Case{"ldb cpu", {0x30, 0, 0, 0xfffff024}},
        Case{"ldb [vlanp]", {0x30, 0, 0, 0xfffff030}},
        Case{"ld [random]", {0x20, 0, 0, 0xfffff038}},
        Case{"LD VLAN_TCI", {0x20, 0, 0, 0xfffff02c}}));

INSTANTIATE_TEST_SUITE_P(
    Jumps, OneInstruction,
    testing::Values(
        Case{"ja far", {0x05, 0, 0, 1}}, Case{"jmp far", {0x05, 0, 0, 1}},
        Case{"jmp next", {0x05, 0, 0, 0}}, Case{"ja here", {0x05, 0, 0, 0xffffffff}},
        Case{"jeq #7, far, next", {0x15, 1, 0, 7}}, Case{"jeq #7, next, far", {0x15, 0, 1, 7}},
        Case{"jeq #7, far", {0x15, 1, 0, 7}}, Case{"jeq #7, far, far", {0x15, 1, 1, 7}},
        Case{"jeq x, next, far", {0x1d, 0, 1, 0}}, Case{"jeq %x, far", {0x1d, 1, 0, 0}},
        Case{"jneq #7, far", {0x15, 0, 1, 7}}, Case{"jne #7, far", {0x15, 0, 1, 7}},
        Case{"jneq x, far", {0x1d, 0, 1, 0}}, Case{"jne %x, far", {0x1d, 0, 1, 0}},
        Case{"jlt #7, far", {0x35, 0, 1, 7}}, Case{"jlt x, far", {0x3d, 0, 1, 0}},
        Case{"jle #7, far", {0x25, 0, 1, 7}}, Case{"jle x, far", {0x2d, 0, 1, 0}},
        Case{"jgt #7, far, next", {0x25, 1, 0, 7}}, Case{"jgt x, next, far", {0x2d, 0, 1, 0}},
        Case{"jgt #7, far", {0x25, 1, 0, 7}}, Case{"jgt x, far", {0x2d, 1, 0, 0}},
        Case{"jge #7, next, far", {0x35, 0, 1, 7}}, Case{"jge x, far, next", {0x3d, 1, 0, 0}},
        Case{"jge #7, far", {0x35, 1, 0, 7}}, Case{"jge x, far", {0x3d, 1, 0, 0}},
        Case{"jset #7, next, far", {0x45, 0, 1, 7}}, Case{"jset x, far, next", {0x4d, 1, 0, 0}},
        Case{"jset #7, far", {0x45, 1, 0, 7}}, Case{"jset x, far", {0x4d, 1, 0, 0}}));

INSTANTIATE_TEST_SUITE_P(
    Arithmetic, OneInstruction,
    testing::Values(Case{"add #7", {0x04, 0, 0, 7}}, Case{"add x", {0x0c, 0, 0, 0}},
                    Case{"sub #7", {0x14, 0, 0, 7}}, Case{"sub x", {0x1c, 0, 0, 0}},
                    Case{"mul #7", {0x24, 0, 0, 7}}, Case{"mul x", {0x2c, 0, 0, 0}},
                    Case{"div #7", {0x34, 0, 0, 7}}, Case{"div x", {0x3c, 0, 0, 0}},
                    Case{"mod #7", {0x94, 0, 0, 7}}, Case{"mod x", {0x9c, 0, 0, 0}},
                    Case{"and #7", {0x54, 0, 0, 7}}, Case{"and x", {0x5c, 0, 0, 0}},
                    Case{"or #7", {0x44, 0, 0, 7}}, Case{"or x", {0x4c, 0, 0, 0}},
                    Case{"xor #7", {0xa4, 0, 0, 7}}, Case{"xor x", {0xac, 0, 0, 0}},
                    Case{"lsh #7", {0x64, 0, 0, 7}}, Case{"lsh x", {0x6c, 0, 0, 0}},
                    Case{"rsh #7", {0x74, 0, 0, 7}}, Case{"rsh %x", {0x7c, 0, 0, 0}},
                    Case{"neg", {0x84, 0, 0, 0}}, Case{"tax", {0x07, 0, 0, 0}},
                    Case{"txa", {0x87, 0, 0, 0}}, Case{"ret #7", {0x06, 0, 0, 7}},
                    Case{"ret a", {0x16, 0, 0, 0}}, Case{"ret %a", {0x16, 0, 0, 0}},
                    Case{"RET %A", {0x16, 0, 0, 0}},
                    Case{".insn 0xffff, 255, 254, 0xffffffff", {0xffff, 255, 254, 0xffffffff}}));

INSTANTIATE_TEST_SUITE_P(
    Numbers, OneInstruction,
    testing::Values(Case{"ret #0xFFffFFff", {0x06, 0, 0, 0xffffffff}},
                    Case{"ret #4294967295", {0x06, 0, 0, 0xffffffff}},
                    Case{"ret #-1", {0x06, 0, 0, 0xffffffff}}, Case{"ret #+1", {0x06, 0, 0, 1}},
                    Case{"ret #-2147483648", {0x06, 0, 0, 0x80000000}},
                    Case{"ret #0b101", {0x06, 0, 0, 5}}, Case{"ret #0755", {0x06, 0, 0, 493}},
                    Case{"ret #0", {0x06, 0, 0, 0}}, Case{"ret # 0X1f", {0x06, 0, 0, 31}}));

// ---- the text around the instructions ----

TEST(Assemble, TakesCommentsLabelsAndBlanksWhereverTheyAre) {
  const Program expected{{{0x28, 0, 0, 12}, {0x15, 0, 1, 0x800}, {0x06, 0, 0, 1}, {0x06, 0, 0, 0}}};
  for (
      const char* text : {
          "ldh [12]\njne #0x800, drop\nret #1\ndrop: ret #0",
          "# 1 \"a.c\"\nldh [12] ; the type ; of it\n\tjne #0x800,drop\r\nret\t#1\r\ndrop:ret #0\n",
          "/* a\n b */ ldh /* c */ [12]\n\n;\njne #0x800, drop ; /*\nret #1\ndrop:\n\n  l1: ret #0",
          "  # note /* \nLDH [12]\nJNE #0x800, drop\nRet #1 /* ; */\ndrop: Drop: ret #0 /**/",
      }) {
    EXPECT_EQ(assembled(text), expected) << text;
  }
}

TEST(Assemble, TakesWholeProgramsOfTheKernelsDocument) {
  EXPECT_EQ(to_text(assembled("ldh [12]\n"
                              "jne #0x800, drop\n"
                              "ldb [23]\n"
                              "jneq #6, drop\n"
                              "ret #-1\n"
                              "drop: ret #0\n"),
                    TextForm::kXtBpf),
            "6,40 0 0 12,21 0 3 2048,48 0 0 23,21 0 1 6,6 0 0 4294967295,6 0 0 0\n");
  EXPECT_EQ(to_text(assembled("ld vlan_tci\n"
                              "jneq #10, drop\n"
                              "ret #-1\n"
                              "drop: ret #0\n"),
                    TextForm::kXtBpf),
            "4,32 0 0 4294963244,21 0 1 10,6 0 0 4294967295,6 0 0 0\n");
  EXPECT_EQ(to_text(assembled("ldh [12]\n"
                              "jne #0x800, drop\n"
                              "ldb [23]\n"
                              "jneq #1, drop\n"
                              "# get a random uint32 number\n"
                              "ld rand\n"
                              "mod #4\n"
                              "jneq #1, drop\n"
                              "ret #-1\n"
                              "drop: ret #0\n"),
                    TextForm::kXtBpf),
            "9,40 0 0 12,21 0 6 2048,48 0 0 23,21 0 4 1,32 0 0 4294963256,148 0 0 4,21 0 1 1,"
            "6 0 0 4294967295,6 0 0 0\n");
}

std::string repeated(const std::string& line, int times) {
  std::string text;
  for (int i = 0; i < times; ++i) {
    text += line;
  }
  return text;
}

TEST(Assemble, JumpsAsFarAsTheFieldsReach) {
  const std::string between = repeated("tax\n", 255);
  const std::string end = "over: ret #1\n";
  EXPECT_EQ(assembled("jeq #0, over\n" + between + end).instructions[0],
            (Instruction{0x15, 255, 0, 0}));
  EXPECT_EQ(assembled("jne #0, over\n" + between + end).instructions[0],
            (Instruction{0x15, 0, 255, 0}));
  EXPECT_EQ(errors_of("jeq #0, over\ntxa\n" + between + end),
            "1:9: 'over' is too far: 'jeq' can skip 255 instructions, and 256 lie between\n");
  EXPECT_EQ(assembled("ja over\ntxa\n" + between + end).instructions[0],
            (Instruction{0x05, 0, 0, 256}));
}

// ---- errors ----

struct Wrong {
  const char* text;
  const char* errors;
};

void PrintTo(const Wrong& wrong, std::ostream* os) { *os << wrong.text; }

class WrongAssembly : public testing::TestWithParam<Wrong> {};

TEST_P(WrongAssembly, GetsOneSentenceAndItsPlace) {
  EXPECT_EQ(errors_of(GetParam().text), std::string(GetParam().errors) + "\n");
}

INSTANTIATE_TEST_SUITE_P(
    Words, WrongAssembly,
    testing::Values(
        Wrong{"", "1:1: there is no instruction in the text"},
        Wrong{" ; nothing\n", "1:1: there is no instruction in the text"},
        Wrong{"jump l1", "1:1: unknown mnemonic 'jump' (did you mean 'jmp'?)"},
        Wrong{"  RTE #0", "1:3: unknown mnemonic 'RTE' (did you mean 'ret'?)"},
        Wrong{"frobnicate", "1:1: unknown mnemonic 'frobnicate'"},
        Wrong{"ret #0\n$", "2:1: expected a label or an instruction, found '$'"},
        Wrong{"ret #0\n.word 1", "2:1: expected a label or an instruction, found 'word'"},
        Wrong{"ret #0 ret #0", "1:8: unexpected 'ret' after the instruction"},
        Wrong{"tax, x", "1:4: 'tax' takes no operand"},
        Wrong{"/* a\n*/ret #0 /*\n", "2:10: the comment is not closed"},
        Wrong{"ret #0\n\x01", "2:1: expected a label or an instruction, found the byte 0x01"}));

INSTANTIATE_TEST_SUITE_P(
    Operands, WrongAssembly,
    testing::Values(
        Wrong{"ld", "1:3: 'ld' needs [k], [x + k], #k, M[k], len or an extension"},
        Wrong{"ret ; it", "1:9: 'ret' needs #k or a"},
        Wrong{"ret 0", "1:5: 'ret' takes #k or a, not k"},
        Wrong{"ret x", "1:5: 'ret' takes #k or a, not x"},
        Wrong{"st #1", "1:4: 'st' takes M[k], not #k"},
        Wrong{"tax x", "1:5: 'tax' takes no operand"},
        Wrong{"ja 5", "1:4: 'ja' takes a label, not k"},
        Wrong{"ldx [5]", "1:5: 'ldx' takes #k, M[k], len or 4*([k]&0xf), not [k]"},
        Wrong{"ldb len", "1:5: 'ldb' takes [k], [x + k] or an extension, not len"},
        Wrong{"add proto", "1:5: 'add' takes #k or x, not an extension"},
        Wrong{"add a", "1:5: 'add' takes #k or x, not a"},
        Wrong{"ld vlan_tic", "1:4: there is no extension 'vlan_tic' (did you mean 'vlan_tci'?)"},
        Wrong{"ld #markk", "1:5: there is no extension 'markk' (did you mean 'mark'?)"},
        Wrong{"ld [frobnicate]", "1:5: there is no extension 'frobnicate'"},
        Wrong{"st M[16]", "1:4: there is no M[16]; scratch memory is M[0] to M[15]"},
        Wrong{"ldxb 5*([0]&0xf)", "1:6: the only load of this kind is 4*([k]&0xf)"},
        Wrong{"ldxb 4*([0]&0xe)", "1:6: the only load of this kind is 4*([k]&0xf)"},
        Wrong{"ldxb 4*(0)", "1:9: expected '[', found '0'"},
        Wrong{"ldxb 4*([0]+1)", "1:12: expected '&', found '+'"},
        Wrong{"ld [12", "1:7: expected ']', found the end of the text"},
        Wrong{"ld [12\nret #0", "1:7: expected ']', found the end of the line"},
        Wrong{"ld [", "1:5: expected k or x, found the end of the text"},
        Wrong{"ld [%12]", "1:6: expected x, found '12'"},
        Wrong{"ld [x * 2]", "1:7: expected '+' or ']', found '*'"},
        Wrong{"ld [x + y]", "1:9: expected a number, found 'y'"},
        Wrong{"ld %y", "1:4: only x and a are registers"},
        Wrong{"ld M[x]", "1:6: expected a number, found 'x'"},
        Wrong{"ld ]", "1:4: expected an operand, found ']'"},
        Wrong{"ret #", "1:6: expected a number, found the end of the text"},
        Wrong{"ret #4294967296", "1:6: the number 4294967296 does not fit in 32 bits"},
        Wrong{"ret #99999999999999999999",
              "1:6: the number 99999999999999999999 does not fit in 32 bits"},
        Wrong{"ret #-2147483649", "1:6: the number -2147483649 does not fit in 32 bits"},
        Wrong{"ret #0x", "1:6: '0x' is not a number"},
        Wrong{"ret #089", "1:6: '089' is not a number"},
        Wrong{"ret #0b12", "1:6: '0b12' is not a number"},
        Wrong{"ret #12ab", "1:6: '12ab' is not a number"},
        Wrong{".insn 65536, 0, 0, 0", "1:7: this field is at most 65535"},
        Wrong{".insn 6, 0, 256, 0", "1:13: this field is at most 255"},
        Wrong{".insn 6, 0, 0", "1:14: expected ',', found the end of the text"},
        Wrong{".insn 6, 0, 0, x", "1:16: expected a number, found 'x'"}));

INSTANTIATE_TEST_SUITE_P(
    Labels, WrongAssembly,
    testing::Values(
        Wrong{"jeq #1", "1:7: 'jeq' needs ',' and a label, found the end of the text"},
        Wrong{"jeq #1 over", "1:8: 'jeq' needs ',' and a label, found 'over'"},
        Wrong{"jeq #1,", "1:8: expected a label, found the end of the text"},
        Wrong{"jeq #1, 5", "1:9: expected a label, found '5'"},
        Wrong{"jeq over", "1:5: 'jeq' takes #k or x, not a label"},
        Wrong{"jeq #1, l1, len\nl1: ret #0",
              "1:13: 'len' is a word of the language and cannot be a label"},
        Wrong{"jne #1, over, over\nover: ret #0", "1:13: 'jne' takes one label"},
        Wrong{"jgt x, a1, a2, a3\na1:a2:a3: ret #0", "1:14: unexpected ',' after the instruction"},
        Wrong{"ja over", "1:4: the label 'over' is not defined"},
        Wrong{"ja over\nOver: ret #0", "1:4: the label 'over' is not defined"},
        Wrong{"over: ret #1\nover: ret #0", "2:1: the label 'over' is already defined on line 1"},
        Wrong{"ret: ret #1", "1:1: 'ret' is a word of the language and cannot be a label"},
        Wrong{"1st: ret #1", "1:1: expected a label, found '1st'"},
        Wrong{"ret #1\nend:\n", "2:1: no instruction follows the label 'end'"},
        Wrong{"up: tax\njgt #1, up\nret #0",
              "2:9: 'jgt' cannot jump backward to 'up'; only 'ja' can"},
        Wrong{"up: jset #1, up\nret #0",
              "1:14: 'jset' cannot jump backward to 'up'; only 'ja' can"}));

TEST(Assemble, ReportsAllMistakesInTheOrderOfTheText) {
  EXPECT_EQ(errors_of("jeq #1, nowhere\n"
                      "ldh 12\n"
                      "here: ja here\n"
                      "here: ret #\n"),
            "1:9: the label 'nowhere' is not defined\n"
            "2:5: 'ldh' takes [k], [x + k] or an extension, not k\n"
            "4:1: the label 'here' is already defined on line 3\n"
            "4:12: expected a number, found the end of the line\n");
}

TEST(Assemble, ShowsTheLineWithItsComments) {
  const auto program = assemble("ret #0\n\tld /* x */ foo ; bar\n");
  ASSERT_FALSE(program);
  EXPECT_EQ(program.error()[0].detail, "\tld /* x */ foo ; bar\n\t           ^");
  const auto long_line = assemble("wrong ; " + std::string(300, '-'));
  ASSERT_FALSE(long_line);
  EXPECT_EQ(long_line.error()[0].detail, "");
}

// An instruction that cannot be read takes its place, so that the distance is still right.
TEST(Assemble, CountsUnreadableInstructionsInDistances) {
  const std::string text = "jeq #0, over\nret 0\n" + repeated("tax\n", 255);
  EXPECT_EQ(errors_of(text + "over: ret #1"),
            "1:9: 'over' is too far: 'jeq' can skip 255 instructions, and 256 lie between\n"
            "2:5: 'ret' takes #k or a, not k\n");
}

TEST(Assemble, StopsAtTwentyMistakes) {
  const std::string text = repeated("here: ja nowhere\nwrong\n", 30);
  const auto program = assemble(text);
  ASSERT_FALSE(program);
  EXPECT_EQ(program.error().size(), kMaxAssemblyErrors);
  EXPECT_EQ(to_string(program.error()[0]), "2:1: unknown mnemonic 'wrong'");
}

// ---- there and back ----

TEST(Disassemble, WritesLabelsAndTheShortFormsOfJumps) {
  const Program program = assembled(
      "top: ldh [12]\njeq #0x800, ip, not_ip\nip: ldxb 4*([14]&0xf)\nld [x + -2]\njne x, not_ip\n"
      "jset #1, not_ip, yes\nyes: ld vlan_avail\nldx len\nld len\nja top\nnot_ip: ret a\ntax\n"
      ".insn 0x87, 0, 0, 5\n.insn 0xff, 0, 0, 0\n.insn 0x15, 9, 0, 1\nret #-1");
  EXPECT_EQ(disassemble(program),
            "l0:  ldh [12]\n"
            "     jne #0x800, l10\n"
            "     ldxb 4*([14]&0xf)\n"
            "     ld [x + -2]\n"
            "     jne x, l10\n"
            "     jset #0x1, l10\n"
            "     ld vlan_avail\n"
            "     ldx len\n"
            "     ld len\n"
            "     ja l0\n"
            "l10: ret a\n"
            "     tax\n"
            "     .insn 0x87, 0, 0, 0x5  ; txa\n"
            "     .insn 0xff, 0, 0, 0x0\n"
            "     .insn 0x15, 9, 0, 0x1  ; jeq #0x1\n"
            "     ret #-1\n");
}

TEST(Disassemble, IsReadBackForWhatLibpcapWrites) {
  for (const bool optimize : {false, true}) {
    for (const std::string& expression : short_expressions()) {
      const Program program = libpcap_program(expression, optimize);
      EXPECT_EQ(assembled(disassemble(program)), program) << disassemble(program);
    }
  }
}

TEST(Disassemble, IsReadBackForEveryCode) {
  // All of the low byte, which is all that the machine knows, and some of those above.
  for (std::uint32_t code = 0; code <= 0xffff; code += code < 0x200 ? 1 : 0x1d3) {
    Program program;
    for (const std::uint32_t k : {0U, 1U, 15U, 16U, 0x80000000U, 0xfffff02cU, 0xffffffffU}) {
      for (const std::uint8_t jump : std::initializer_list<std::uint8_t>{0, 1, 255}) {
        const auto c = static_cast<std::uint16_t>(code);
        program.instructions.insert(program.instructions.end(), {{c, jump, 0, k}, {c, 0, jump, k}});
      }
    }
    ASSERT_EQ(assembled(disassemble(program)), program) << disassemble(program);
  }
}

// Every code of the machine, each as likely as the next.
std::vector<std::uint16_t> machine_codes() {
  std::vector<std::uint16_t> codes;
  for (const std::uint16_t c : std::initializer_list<std::uint16_t>{
           0x20, 0x28, 0x30, 0x40, 0x48, 0x50, 0x00, 0x60, 0x80, 0x01, 0x61, 0x81, 0xb1,
           0x02, 0x03, 0x05, 0x15, 0x1d, 0x25, 0x2d, 0x35, 0x3d, 0x45, 0x4d, 0x04, 0x0c,
           0x14, 0x1c, 0x24, 0x2c, 0x34, 0x3c, 0x44, 0x4c, 0x54, 0x5c, 0x64, 0x6c, 0x74,
           0x7c, 0x84, 0x94, 0x9c, 0xa4, 0xac, 0x07, 0x87, 0x06, 0x16}) {
    codes.push_back(c);
  }
  return codes;
}

TEST(Disassemble, NeedsNoEscapeForValidProgramsAndIsReadBack) {
  constexpr std::uint32_t kSeed = 20140902;
  std::mt19937 random(kSeed);
  const std::vector<std::uint16_t> codes = machine_codes();
  const auto below = [&random](std::uint32_t bound) {
    return static_cast<std::uint32_t>(random() % bound);
  };
  std::size_t valid = 0;
  std::set<std::uint16_t> seen;
  for (int round = 0; round < 20000; ++round) {
    Program program;
    const std::uint32_t count = 2 + below(12);
    for (std::uint32_t i = 0; i + 1 < count; ++i) {
      Instruction instruction{codes[below(static_cast<std::uint32_t>(codes.size()))], 0, 0, 0};
      const Code cls = class_of(instruction.code);
      if (cls == kJmp && op_of(instruction.code) != kJa) {
        instruction.jt = static_cast<std::uint8_t>(below(count - i - 1));
        instruction.jf = static_cast<std::uint8_t>(below(count - i - 1));
      }
      const bool from_x = (cls == kAlu || cls == kJmp) && source_of(instruction.code) == kX;
      const bool no_k = cls == kMisc || from_x || op_of(instruction.code) == kNeg ||
                        instruction.code == 0x16 || instruction.code == 0x80 ||
                        instruction.code == 0x81;
      if (!no_k) {
        instruction.k = instruction.code == 0x05 ? below(count - i - 1) : below(32);
      }
      program.instructions.push_back(instruction);
    }
    program.instructions.push_back({0x06, 0, 0, below(100)});
    if (!validate(program)) {
      continue;
    }
    ++valid;
    for (const Instruction& instruction : program.instructions) {
      seen.insert(instruction.code);
    }
    const std::string text = disassemble(program);
    ASSERT_EQ(text.find(".insn"), std::string::npos) << text;
    ASSERT_EQ(assembled(text), program) << "seed " << kSeed << "\n" << text;
  }
  EXPECT_GT(valid, 2000U);
  EXPECT_EQ(seen.size(), codes.size());
}

TEST(Disassemble, IsReadBackForProgramsThatNoValidatorWouldTake) {
  constexpr std::uint32_t kSeed = 19930125;
  std::mt19937 random(kSeed);
  const std::vector<std::uint16_t> codes = machine_codes();
  for (int round = 0; round < 5000; ++round) {
    Program program;
    const auto count = static_cast<std::uint32_t>(1 + random() % 20);
    for (std::uint32_t i = 0; i < count; ++i) {
      const std::uint32_t k = random() % 2 == 0 ? static_cast<std::uint32_t>(random())
                                                : static_cast<std::uint32_t>(random() % 20) - 10;
      program.instructions.push_back({codes[random() % codes.size()],
                                      static_cast<std::uint8_t>(random() % 20),
                                      static_cast<std::uint8_t>(random() % 20), k});
    }
    const std::string text = disassemble(program);
    ASSERT_EQ(assembled(text), program) << "seed " << kSeed << "\n" << text;
  }
}

}  // namespace
}  // namespace weir::cbpf
