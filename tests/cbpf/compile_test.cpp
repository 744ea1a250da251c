#include "cbpf/compile.h"

#include <gtest/gtest.h>
#include <netdb.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <map>
#include <ostream>
#include <string>
#include <utility>

#include "cbpf/validate.h"

namespace weir::cbpf {
namespace {

TEST(Compile, GivesLibpcapsUnoptimisedProgram) {
  const Result<Program> program = compile("ip", {.snaplen = 100});
  ASSERT_TRUE(program.has_value());
  const Program wanted{{{0x28, 0, 0, 12}, {0x15, 0, 1, 0x800}, {0x06, 0, 0, 100}, {0x06, 0, 0, 0}}};
  EXPECT_EQ(*program, wanted);
}

TEST(Compile, TheEmptyExpressionTakesEverything) {
  const Result<Program> program = compile("");
  ASSERT_TRUE(program.has_value());
  EXPECT_EQ(*program, (Program{{{0x06, 0, 0, kDefaultSnaplen}}}));
}

TEST(Compile, TheOptimiserIsOffUnlessAskedFor) {
  const Result<Program> plain = compile("tcp port 80");
  const Result<Program> optimized = compile("tcp port 80", {.optimize = true});
  ASSERT_TRUE(plain && optimized);
  EXPECT_LT(optimized->instructions.size(), plain->instructions.size());
}

TEST(Compile, TheNetmaskIsUsed) {
  EXPECT_FALSE(compile("ip broadcast").has_value());
  const auto program = compile("ip broadcast", {.netmask = 0xffffff00});
  ASSERT_TRUE(program.has_value());
  EXPECT_EQ(program->instructions[3], (Instruction{kAlu | kAnd | kK, 0, 0, 0xff}));
}

// A folder in the place of /etc.
class EtcFolder {
 public:
  explicit EtcFolder(const std::map<std::string, std::string>& files) {
    std::string name = (std::filesystem::temp_directory_path() / "weir-etc-XXXXXX").string();
    folder_ = mkdtemp(name.data());
    for (const auto& [file, text] : files) {
      std::ofstream(folder_ / file) << text;
    }
  }
  ~EtcFolder() { std::filesystem::remove_all(folder_); }
  EtcFolder(const EtcFolder&) = delete;
  EtcFolder& operator=(const EtcFolder&) = delete;
  const std::string& path() const { return folder_.native(); }

 private:
  std::filesystem::path folder_;
};

struct Wrong {
  const char* expression;
  const char* sentence;
  const char* caret;  // The second line of the caret page.
};
std::ostream& operator<<(std::ostream& out, const Wrong& wrong) { return out << wrong.expression; }

class WrongExpression : public testing::TestWithParam<Wrong> {};

TEST_P(WrongExpression, GetsLibpcapsSentenceAndACaret) {
  const EtcFolder etc({{"protocols", ""}, {"services", ""}});
  const Result<Program> program = compile(GetParam().expression, {.etc = etc.path()});
  ASSERT_FALSE(program.has_value());
  EXPECT_EQ(program.error().code, ErrorCode::kSyntax);
  EXPECT_EQ(program.error().message, GetParam().sentence);
  EXPECT_EQ(program.error().detail, std::string(GetParam().expression) + "\n" + GetParam().caret);
}

constexpr char kSyntaxError[] = "can't parse filter expression: syntax error";

INSTANTIATE_TEST_SUITE_P(
    ValueClasses, WrongExpression,
    testing::Values(
        Wrong{"tcp prot 80", kSyntaxError, "    ^~~~"},  //
        Wrong{"(tcp", kSyntaxError, "    ^"},            //
        Wrong{"tcp)", kSyntaxError, "   ^"},             //
        Wrong{"tcp and  ", kSyntaxError, "       ^"},    //
        Wrong{"and tcp", kSyntaxError, "^~~"},           //
        Wrong{"tcp or (udp port 5 3) or icmp", kSyntaxError, "                   ^"},
        Wrong{"tcp[13] & 2 ! 0", kSyntaxError, "            ^"},
        Wrong{"tcp port 80 and \"x", kSyntaxError, "                ^"},
        Wrong{"tcp port foo", "unknown port 'foo'", "         ^~~"},
        Wrong{"port foo or tcp port foo", "unknown port 'foo'", "     ^~~"},
        Wrong{"ip proto foo", "unknown ip proto 'foo'", "         ^~~"},
        Wrong{"tcp port 99999", "illegal port number 99999 > 65535", "         ^~~~~"},
        Wrong{"ether host 1.2.3.4 or tcp", "illegal link layer address", "           ^~~~~~~"},
        Wrong{"vlan 5000", "VLAN tag 5000 greater than maximum 4095", "     ^~~~"},
        Wrong{"tcp or ether[0]<<40=1", "shift by more than 31 bits", "                 ^~"},
        Wrong{"ip[0:3]=1", "data size must be 1, 2, or 4", "      ^"},
        Wrong{"host 1.2.3.4 or host 1.2.3.400", "invalid IPv4 address '1.2.3.400'",
              "                     ^~~~~~~~~"}));

struct Named {
  const char* names;
  const char* numbers;
};

TEST(Names, WellKnownOnesMeanTheSameWhateverEtcHolds) {
  const EtcFolder missing({});
  const EtcFolder other({{"protocols", "ospf 3\ntcp 7 TCP\n"},
                         {"services", "http 8080/tcp\nhttp 8080/udp\ndomain 1/udp\nssh 1/udp\n"}});
  for (const Named& named : std::initializer_list<Named>{
           {"ip proto ospf", "ip proto 89"},
           {"ip proto OSPFIGP", "ip proto 89"},
           {"ip6 proto \\tcp", "ip6 proto 6"},
           {"ip proto (\\tcp or \\udp or gre)", "ip proto (6 or 17 or 47)"},
           {"ip protochain \\tcp", "ip protochain 6"},
           {"port domain", "port 53"},
           {"port http", "tcp port 80"},
           {"port http or ldap", "tcp port 80 or port 389"},
           {"udp dst port (domain or snmp)", "udp dst port (53 or 161)"},
           {"portrange domain-kerberos", "portrange 53-88"},
           {"portrange ssh-smtp", "tcp portrange 22-25"},
           {"ether proto \\arp", "ether proto 0x806"}}) {
    const auto wanted = compile(named.numbers);
    ASSERT_TRUE(wanted.has_value()) << named.numbers;
    for (const EtcFolder* etc : {&missing, &other}) {
      const auto program = compile(named.names, {.etc = etc->path()});
      ASSERT_TRUE(program.has_value()) << named.names << ": " << program.error().message;
      EXPECT_EQ(*program, *wanted) << named.names;
    }
  }
}

TEST(Names, OthersAreReadFromEtc) {
  const EtcFolder etc({{"protocols", "# mine\nmine 200 MINE # new\n"},
                       {"services", "mine 9999/udp yours\nmine 9999/tcp"},
                       {"hosts", "10.0.0.1 box box.example\n10.0.0.2\tother box\n"},
                       {"networks", "lab 10.20\n"},
                       {"ethers", "2:0:0:0:0:1 box\n"}});
  for (const Named& named :
       std::initializer_list<Named>{{"ip proto MINE", "ip proto 200"},
                                    {"port mine", "port 9999"},
                                    {"port yours", "udp port 9999"},
                                    {"src host box.example", "src host 10.0.0.1"},
                                    {"net lab", "net 10.20.0.0"},
                                    {"ether host box", "ether host 02:00:00:00:00:01"}}) {
    const auto program = compile(named.names, {.etc = etc.path()});
    ASSERT_TRUE(program.has_value()) << named.names << ": " << program.error().message;
    EXPECT_EQ(*program, compile(named.numbers)) << named.names;
  }
  EXPECT_TRUE(compile("src host box", {.etc = etc.path()}).has_value());  // Both addresses.
  EXPECT_EQ(compile("port nothing", {.etc = etc.path()}).error().message, "unknown port 'nothing'");
}

// Some releases of libpcap read a name as protocol 0 where the file is missing.
TEST(Names, AMissingFileIsNamed) {
  const EtcFolder etc({});
  for (const auto& [expression, file] : std::initializer_list<std::pair<const char*, const char*>>{
           {"ip proto foo", "protocols"},
           {"tcp or ip6 proto foo", "protocols"},
           {"ip protochain foo", "protocols"},
           {"port foo", "services"},
           {"tcp port foo", "services"},
           {"ether host foo", "ethers"}}) {
    const auto program = compile(expression, {.etc = etc.path()});
    ASSERT_FALSE(program.has_value()) << expression;
    const std::string wanted = etc.path() + "/" + file + " cannot be read: No such file";
    EXPECT_NE(program.error().message.find(wanted), std::string::npos) << program.error().message;
    EXPECT_NE(program.error().detail.find("^~~"), std::string::npos) << program.error().detail;
  }
}

TEST(Names, TheNetworkIsNotUsedUnlessAllowed) {
  const EtcFolder etc({});
  for (const char* const expression : {"host example.invalid", "net example"}) {
    const auto program = compile(expression, {.etc = etc.path()});
    ASSERT_FALSE(program.has_value()) << expression;
    EXPECT_NE(program.error().message.find("only with --resolve"), std::string::npos)
        << program.error().message;
  }
  EXPECT_EQ(compile("host ::1 or 10.0.0.1", {.etc = etc.path()}).value(),
            compile("host ::1 or 10.0.0.1").value());
}

// Calls that are none of the compiler's are the C library's.
TEST(Names, OtherCallersOfTheCLibraryAreLeftAlone) {
  addrinfo* found = nullptr;
  ASSERT_EQ(getaddrinfo("127.0.0.1", "443", nullptr, &found), 0);
  freeaddrinfo(found);
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICSERV;
  EXPECT_EQ(getaddrinfo(nullptr, "http", &hints, &found), EAI_NONAME);
}

TEST(Compile, RefusesANullByte) {
  const Result<Program> program = compile(std::string("ip\0or tcp", 9));
  ASSERT_FALSE(program.has_value());
  EXPECT_EQ(program.error().message, "the expression holds a null byte");
  EXPECT_EQ(program.error().place.column, 3U);
}

TEST(Compile, DoesNotBlameTheExpressionForTheLinkType) {
  const Result<Program> program = compile("ip", {.link_type = 60000});
  ASSERT_FALSE(program.has_value());
  EXPECT_EQ(program.error().detail, "");
  EXPECT_FALSE(compile("ip", {.snaplen = 0x80000000}).has_value());
}

TEST(LinkTypes, GoByNumberAndName) {
  EXPECT_EQ(link_type_by_name("EN10MB"), kLinkTypeEthernet);
  EXPECT_EQ(link_type_by_name("linux_sll"), 113);
  EXPECT_EQ(link_type_by_name("DLT_RAW"), 12);
  EXPECT_EQ(link_type_by_name("nonsense").error().code, ErrorCode::kUsage);
  EXPECT_EQ(link_type_name(1), "EN10MB");
  EXPECT_EQ(link_type_name(999), "DLT 999");
}

// With geneve in it libpcap's code may read scratch words that no instruction wrote (the offsets of
// an encapsulation that was not there). The kernel refuses it, and so do we.
TEST(Compile, GeneveMayComeOutInvalid) {
  EXPECT_TRUE(validate(compile("geneve").value()).has_value());
  const Result<ValidatedProgram> program = validate(compile("geneve or ip").value());
  ASSERT_FALSE(program.has_value());
  EXPECT_EQ(program.error().message, rule_sentence(Rule::kScratchUninitialized));
}

TEST(LinkTypes, WhatLibpcapMakesIsValidOnEveryOne) {
  std::size_t compiled = 0;
  for (const LinkType& type : link_types()) {
    for (const char* expression :
         {"", "ip", "tcp port 80", "ip protochain 6 or ip6 protochain 17", "vlan and mpls and ip",
          "ether[0] / ether[1] << ether[2] = len", "wlan type mgt or tcp"}) {
      const Result<Program> program = compile(expression, {.link_type = type.number});
      if (!program) continue;
      ++compiled;
      const Result<ValidatedProgram> valid = validate(*program);
      EXPECT_TRUE(valid.has_value())
          << type.name << ": " << expression << ": " << to_string(valid.error());
    }
  }
  EXPECT_GT(compiled, 100U);
}

}  // namespace
}  // namespace weir::cbpf
