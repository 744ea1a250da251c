#include "cbpf/text/text.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <memory>
#include <sstream>

#include "cbpf/text/assemble.h"
#include "cbpf/text/disassemble.h"
#include "tests/cbpf/expressions.h"

namespace weir::cbpf {
namespace {

constexpr TextForm kEveryForm[] = {TextForm::kListing, TextForm::kCArray, TextForm::kDecimal,
                                   TextForm::kXtBpf, TextForm::kJson};

// `ip`, as libpcap compiles it for Ethernet.
Program ip_program() {
  return {{{0x28, 0, 0, 12}, {0x15, 0, 1, 0x800}, {0x06, 0, 0, 262144}, {0x06, 0, 0, 0}}};
}

// ---- writing ----

TEST(Text, WritesEveryForm) {
  EXPECT_EQ(to_text(ip_program(), TextForm::kListing),
            "(000) ldh      [12]\n"
            "(001) jeq      #0x800           jt 2\tjf 3\n"
            "(002) ret      #262144\n"
            "(003) ret      #0\n");
  EXPECT_EQ(to_text(ip_program(), TextForm::kCArray),
            "{ 0x28, 0, 0, 0x0000000c },\n"
            "{ 0x15, 0, 1, 0x00000800 },\n"
            "{ 0x6, 0, 0, 0x00040000 },\n"
            "{ 0x6, 0, 0, 0x00000000 },\n");
  EXPECT_EQ(to_text(ip_program(), TextForm::kDecimal),
            "4\n40 0 0 12\n21 0 1 2048\n6 0 0 262144\n6 0 0 0\n");
  EXPECT_EQ(to_text(ip_program(), TextForm::kXtBpf),
            "4,40 0 0 12,21 0 1 2048,6 0 0 262144,6 0 0 0\n");
  EXPECT_EQ(to_text(ip_program(), TextForm::kJson),
            "[[40,0,0,12],[21,0,1,2048],[6,0,0,262144],[6,0,0,0]]\n");
}

// libpcap's own printer is the judge of every code there is, known or not.
TEST(ListingLine, IsLibpcapsForEveryCode) {
  constexpr std::uint32_t kNumbers[] = {0,          1,          12,         15,         0x800,
                                        0x7fffffff, 0x80000000, 0xfffffff6, 0xffffffff, 0xfff00000};
  for (std::uint32_t code = 0; code <= 0xffff; ++code) {
    for (const std::uint32_t k : kNumbers) {
      if (code > 0xff && k > 1) {
        continue;  // No code of the machine is that large, and none of these looks at k.
      }
      const Instruction ours{static_cast<std::uint16_t>(code), 3, 255, k};
      const bpf_insn theirs{ours.code, ours.jt, ours.jf, ours.k};
      ASSERT_EQ(listing_line(ours, 7), bpf_image(&theirs, 7)) << code << " " << k;
      ASSERT_EQ(listing_line(ours, 1234), bpf_image(&theirs, 1234)) << code << " " << k;
    }
  }
}

TEST(ListingLine, IsLibpcapsForEveryExtension) {
  for (const Code code : std::initializer_list<Code>{0x20, 0x28, 0x30, 0x40, 0xb1}) {
    for (std::uint32_t k = 0xffffeff0; k < 0xfffff050; ++k) {
      const bpf_insn theirs{code, 0, 0, k};
      ASSERT_EQ(listing_line({code, 0, 0, k}, 0), bpf_image(&theirs, 0)) << k;
    }
  }
}

// golden/tcpdump.txt holds what tcpdump 4.99.3 with libpcap 1.10.3 printed: a line "$ COMMAND",
// then its output; for each program -d, -dd and -ddd.
TEST(Text, IsWhatTcpdumpPrintedForTheGoldens) {
  std::ifstream file(WEIR_GOLDEN_FOLDER "/tcpdump.txt");
  std::vector<std::string> outputs;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("$ ")) {
      outputs.emplace_back();
    } else {
      outputs.back() += line + "\n";
    }
  }
  ASSERT_EQ(outputs.size(), 5U * 3U);
  constexpr TextForm kForms[] = {TextForm::kListing, TextForm::kCArray, TextForm::kDecimal};
  for (std::size_t i = 0; i < outputs.size(); i += 3) {
    const Result<Program> program = read_program(outputs[i + 2]);
    ASSERT_TRUE(program) << to_string(program.error());
    for (std::size_t form = 0; form < 3; ++form) {
      EXPECT_EQ(to_text(*program, kForms[form]), outputs[i + form]);
      const Result<Program> read = from_text(outputs[i + form], kForms[form]);
      ASSERT_TRUE(read) << to_string(read.error());
      EXPECT_EQ(to_text(*read, TextForm::kListing), outputs[i]);
    }
  }
}

// What a command writes to its standard output.
std::string output_of(const std::string& command) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  std::string output;
  std::array<char, 4096> buffer{};
  std::size_t got = 0;
  while (pipe && (got = fread(buffer.data(), 1, buffer.size(), pipe.get())) > 0) {
    output.append(buffer.data(), got);
  }
  return output;
}

TEST(Text, IsWhatTheInstalledTcpdumpPrints) {
  if (output_of("tcpdump --version 2>&1").find("libpcap version") == std::string::npos) {
    GTEST_SKIP() << "tcpdump is not installed";
  }
  struct Option {
    TextForm form;
    const char* letter;
  };
  constexpr Option kOptions[] = {
      {TextForm::kListing, "-d"}, {TextForm::kCArray, "-dd"}, {TextForm::kDecimal, "-ddd"}};
  for (const std::string& expression : short_expressions()) {
    const Program optimized = libpcap_program(expression, true);
    const Program plain = libpcap_program(expression, false);
    for (const Option& option : kOptions) {
      const std::string command =
          std::string("tcpdump -y EN10MB ") + option.letter + " '" + expression + "' 2>/dev/null";
      ASSERT_EQ(to_text(optimized, option.form), output_of(command)) << command;
      ASSERT_EQ(to_text(plain, option.form), output_of(command + " -O")) << command;
    }
  }
}

// ---- reading ----

// libpcap's optimiser leaves a number in the k of some instructions that have no use for it, where
// it made a `ldx M[5]` a `tax`. The listing does not show that.
Program without_ignored_k(Program program) {
  for (Instruction& i : program.instructions) {
    const bool from_x = (class_of(i.code) == kAlu || class_of(i.code) == kJmp) &&
                        (source_of(i.code) == kX || op_of(i.code) == kNeg);
    if (class_of(i.code) == kMisc || from_x || i.code == (kRet | kA)) {
      i.k = 0;
    }
  }
  return program;
}

TEST(Text, ReadsBackWhatItWrites) {
  for (const bool optimize : {false, true}) {
    for (const std::string& expression : short_expressions()) {
      const Program program = libpcap_program(expression, optimize);
      ASSERT_FALSE(program.instructions.empty()) << expression;
      for (const TextForm form : kEveryForm) {
        const std::string text = to_text(program, form);
        EXPECT_EQ(detect_text_form(text), form) << text;
        const Result<Program> read = read_program(text);
        ASSERT_TRUE(read) << to_string(read.error()) << "\n" << text;
        EXPECT_EQ(*read, form == TextForm::kListing ? without_ignored_k(program) : program) << text;
      }
    }
  }
}

TEST(Text, ReadsBackTheCorpus) {
  std::ifstream file(WEIR_CORPUS);
  if (!file) {
    GTEST_SKIP() << "no corpus at " << WEIR_CORPUS;
  }
  std::size_t programs = 0;
  for (std::string line; std::getline(file, line);) {
    std::istringstream fields(line);
    std::string name;
    std::string link_type;
    std::string expression;
    std::getline(fields, name, '\t');
    std::getline(fields, link_type, '\t');
    std::getline(fields, expression);
    // For longer ones libpcap needs seconds.
    constexpr std::size_t kLongest = 20000;
    constexpr std::size_t kLongestToOptimize = 2000;
    for (const bool optimize : {false, true}) {
      const int number = pcap_datalink_name_to_val(link_type.c_str());
      if (line.starts_with('#') || expression.size() > (optimize ? kLongestToOptimize : kLongest)) {
        continue;
      }
      const Program program = libpcap_program(expression, optimize, number);
      if (program.instructions.empty()) {
        continue;  // libpcap 1.10.3 takes every division by a variable for one by 0.
      }
      ++programs;
      for (const TextForm form : kEveryForm) {
        const Result<Program> read = read_program(to_text(program, form));
        ASSERT_TRUE(read) << name << ": " << to_string(read.error());
        EXPECT_TRUE(*read == (form == TextForm::kListing ? without_ignored_k(program) : program))
            << name << " as " << text_form_name(form);
      }
      EXPECT_TRUE(assemble(disassemble(program)) == program) << name;
    }
  }
  EXPECT_GT(programs, 20U);
}

TEST(Text, ReadsBackEveryCodeThatTheListingKnows) {
  for (std::uint32_t code = 0; code <= 0xffff; ++code) {
    const bool jump =
        class_of(static_cast<Code>(code)) == kJmp && op_of(static_cast<Code>(code)) != kJa;
    const auto reach = static_cast<std::uint8_t>(jump ? 255 : 0);
    const Program program{{{static_cast<std::uint16_t>(code), reach, reach, 0}}};
    const std::string text = to_text(program, TextForm::kListing);
    const Result<Program> read = from_text(text, TextForm::kListing);
    EXPECT_EQ(read.has_value(), text.find("unimp") == std::string::npos) << text;
    if (read) {
      EXPECT_EQ(*read, program) << text;
    }
  }
}

TEST(Text, KeepsEveryFieldInAllFormsButTheListing) {
  const Program program{{{0xffff, 255, 254, 0xffffffff}, {0, 0, 0, 0}, {7, 1, 2, 3}}};
  for (const TextForm form :
       {TextForm::kCArray, TextForm::kDecimal, TextForm::kXtBpf, TextForm::kJson}) {
    EXPECT_EQ(from_text(to_text(program, form), form), program) << to_text(program, form);
  }
}

TEST(Text, ReadsWhatOtherToolsWrite) {
  for (const char* text : {
           // bpf_asm and its -c; a kernel source; a listing from Windows.
           "4,40 0 0 12,21 0 1 2048,6 0 0 262144,6 0 0 0,",
           "4,\n40 0 0 12,\n21 0 1 2048,\n6 0 0 262144,\n6 0 0 0\n",
           "{ 0x28,  0,  0, 0x0000000c },\n{ 0x15, 0, 1, 0x800 },\n{ 6,0,0,0x40000},{ 06, 0, 0, 0 "
           "}",
           "/* ip */ static struct sock_filter code[] = {\n\t{0x28,0,0,12}, // the type\n"
           "\t{0x15,0,1,0x800},\n\t{6,0,0,262144},\n\t{6,0,0,0},\n};\n",
           "{{40,0,0,12},{21,0,1,2048},{6,0,0,262144},{6,0,0,0}}",
           "\r\n(000) ldh [12]\r\n(001) jeq #0x800 jt 2 jf 3\r\n(002) ret #262144\r\n(003) ret #0",
           "  4\n40 0 0 12\n21 0 1 2048\n6 0 0 262144\n6 0 0 0",
           "{\"instructions\": [[40,0,0,12],[21,0,1,2048],[6,0,0,262144],[6,0,0,0]], \"count\": 4}",
           "{ \"expression\": \"ip\", \"classic\": {\"count\": 4, \"instructions\":\n"
           " [[40,0,0,12],[21,0,1,2048],[6,0,0,262144],[6,0,0,0]]}}",
       }) {
    const Result<Program> read = read_program(text);
    ASSERT_TRUE(read) << to_string(read.error()) << "\n" << text;
    EXPECT_EQ(*read, ip_program()) << text;
  }
}

// ---- errors ----

struct Wrong {
  const char* text;
  const char* error;  // As to_string() gives it.
};

void PrintTo(const Wrong& wrong, std::ostream* os) { *os << wrong.text; }

class WrongText : public testing::TestWithParam<Wrong> {};

TEST_P(WrongText, GetsOneSentenceAndItsPlace) {
  const Result<Program> read = read_program(GetParam().text);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::kSyntax);
  EXPECT_EQ(to_string(read.error()), GetParam().error);
}

INSTANTIATE_TEST_SUITE_P(
    Detection, WrongText,
    testing::Values(
        Wrong{"", "1:1: there is no program in the text"},
        Wrong{" \n\n", "3:1: there is no program in the text"},
        Wrong{
            "\n  ldh [12]",
            "2:3: 'ldh' begins none of the bytecode forms: tcpdump -d, -dd, -ddd, xt_bpf or JSON"},
        Wrong{"\x7f"
              "ELF",
              "1:1: the byte 0x7f begins none of the bytecode forms: tcpdump -d, -dd, -ddd, xt_bpf "
              "or JSON"}));

INSTANTIATE_TEST_SUITE_P(
    Numbers, WrongText,
    testing::Values(
        Wrong{"0", "1:1: the program has no instructions"},
        Wrong{"2\n6 0 0 0\n", "3:1: the count is 2, but the text ends after instruction 1"},
        Wrong{"1\n6 0 0 0\n6 0 0 0\n", "3:1: the count is 1, but '6' follows"},
        Wrong{"1\n6 0 0\n", "3:1: expected a number, found the end of the text"},
        Wrong{"1\n6 0 0 x\n", "2:7: expected a number, found 'x'"},
        Wrong{"1\n6 0 0 -1\n", "2:7: expected a plain decimal number, found '-'"},
        Wrong{"1\n6 0 0 010\n", "2:7: expected a plain decimal number, found '010'"},
        Wrong{"1\n6 0 0 1z\n", "2:7: '1z' is not a number"},
        Wrong{"1\n6 0 0 4294967296\n", "2:7: the number 4294967296 does not fit in 32 bits"},
        Wrong{"1\n65536 0 0 0\n", "2:1: the code is at most 65535"},
        Wrong{"1\n6 256 0 0\n", "2:3: jt is at most 255"},
        Wrong{"1\n6 0 256 0\n", "2:5: jf is at most 255"},
        Wrong{"2,6 0 0 0", "1:10: the count is 2, but the text ends after instruction 1"},
        Wrong{"2,6 0 0 0 6 0 0 0", "1:11: expected ',', found '6'"},
        Wrong{"1,6 0 0 0,,", "1:11: the count is 1, but ',' follows"}));

INSTANTIATE_TEST_SUITE_P(
    CArray, WrongText,
    testing::Values(
        Wrong{"{ 6, 0, 0 }", "1:11: expected ',', found '}'"},
        Wrong{"{ 6, 0, 0, 0, 0 }", "1:13: expected '}', found ','"},
        Wrong{"{ 6, 0, 0, 0 }\n{ 6, 0, 0, 0 }", "2:1: unexpected '{' after the array"},
        Wrong{"{ 6, 0, 0, -1 },\n{ -6, 0, 0, 0 }", "2:3: the code is at most 65535"},
        Wrong{"int a[] = { };", "1:13: expected '{', found '}'"},
        Wrong{"int a[] = 5;", "1:11: expected '{', found '5'"},
        Wrong{"/* a */ b", "1:10: expected '=', found the end of the text"},
        Wrong{"int a[] = { {6,0,0,0},\n", "2:1: expected '}', found the end of the text"},
        Wrong{"int a[] = { {6,0,0,0} }; int b", "1:26: unexpected 'int' after the array"},
        Wrong{"{ 6, 0, 0, 0 }, /* and so on", "1:17: the comment is not closed"}));

INSTANTIATE_TEST_SUITE_P(
    Listing, WrongText,
    testing::Values(
        Wrong{"(001) ret #0", "1:1: expected instruction (000)"},
        Wrong{"(000) ret #0\nret #0", "2:1: expected instruction (001)"},
        Wrong{"(000) unimp 0xff", "1:7: an unknown instruction cannot be read back from a listing"},
        Wrong{"(000) rte #0", "1:7: unknown mnemonic 'rte' (did you mean 'ret'?)"},
        Wrong{"(000) jne #0 jt 1 jf 2", "1:7: the listing has no 'jne' with this operand"},
        Wrong{"(000) ja over", "1:7: the listing has no 'ja' with this operand"},
        Wrong{"(000) tax #1", "1:7: the listing has no 'tax' with this operand"},
        Wrong{"(000) jeq #0 jf 1", "1:14: expected 'jt' and the number of an instruction"},
        Wrong{"(000) jeq #0 jt 1", "1:18: expected 'jf' and the number of an instruction"},
        Wrong{"(000) jeq #0 jt 257 jf 1", "1:17: jt reaches from 1 to 256, not to 257"},
        Wrong{"(000) jeq #0 jt 1 jf 0", "1:22: jf reaches from 1 to 256, not to 0"},
        Wrong{"(000) ret #0 #0", "1:14: unexpected '#' after the instruction"},
        Wrong{"(000) ld [vlan_tcj]",
              "1:11: there is no extension 'vlan_tcj' (did you mean 'vlan_tci'?)"}));

INSTANTIATE_TEST_SUITE_P(
    Json, WrongText,
    testing::Values(
        Wrong{"[[6,0,0,0],\n[6,0,0", "2:7: the text is not JSON from here on"},
        Wrong{"[[6,0,0,0]] x", "1:13: the text is not JSON from here on"},
        Wrong{"[]", "1:1: the program has no instructions"},
        Wrong{
            "{\"a\": 1}",
            "1:1: the JSON is neither an array of instructions nor an object with such an array as "
            "\"instructions\""},
        Wrong{"[1e999]", "1:1: the JSON has a value that cannot be read"},
        Wrong{"[[6,0,0,0],[6,0,256,0]]",
              "instruction 1: an instruction is [code, jt, jf, k], whole numbers of at most 65535, "
              "255, 255 and 4294967295"},
        Wrong{"[[6,0,0,0,0]]",
              "instruction 0: an instruction is [code, jt, jf, k], whole numbers of at most 65535, "
              "255, 255 and 4294967295"},
        Wrong{"[[6,0,0,1.5]]",
              "instruction 0: an instruction is [code, jt, jf, k], whole numbers of at most 65535, "
              "255, 255 and 4294967295"}));

}  // namespace
}  // namespace weir::cbpf
