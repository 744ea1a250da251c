#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/cli/cli.h"

namespace weir::cli {
namespace {

using nlohmann::json;

TEST(Compile, PrintsTheListingOfTcpdump) {
  const Answer answer = weir({"compile", "-y", "RAW", "ip"});
  EXPECT_EQ(answer.status, 0) << answer.err;
  EXPECT_EQ(answer.out,
            "(000) ldb      [0]\n"
            "(001) and      #0xf0\n"
            "(002) jeq      #0x40            jt 3\tjf 4\n"
            "(003) ret      #262144\n"
            "(004) ret      #0\n");
}

TEST(Compile, ErrorsNameTheFileOfTheExpression) {
  const TemporaryFolder folder;
  const std::string file = folder.file("filter", std::string("tcp\0", 4));
  EXPECT_EQ(weir({"compile", "-F", file}).err,
            "weir: " + file + ":1:4: the expression holds a null byte\n");
  const std::string wrong = folder.file("wrong", "tcp port and");
  EXPECT_EQ(weir({"compile", "-F", wrong}).err.rfind("weir: " + wrong + ": can't parse", 0), 0U);
}

TEST(Compile, RemarksInAFileAreBlanked) {
  const TemporaryFolder folder;
  const std::string plain = weir({"compile", "-ddd", "tcp port 80 and host 10.0.0.1"}).out;
  const std::string file = folder.file("filter",
                                       "# what (it is) for\n"
                                       "tcp port 80   # http\n"
                                       "#and udp\n"
                                       "and host 10.0.0.1 # or 10.0.0.2");
  EXPECT_EQ(weir({"compile", "-ddd", "-F", file}).out, plain);
  const std::string wrong = folder.file("wrong", "tcp # no\nprt 80 # no\n");
  const Answer answer = weir({"compile", "-F", wrong});
  EXPECT_EQ(answer.status, 1);
  EXPECT_NE(answer.err.find("\nprt 80"), std::string::npos) << answer.err;
}

TEST(Compile, TheNetmaskOfBroadcastIsZeroOrGiven) {
  const auto program = [](const std::vector<std::string>& options) {
    std::vector<std::string> arguments = {"compile", "-ddd"};
    arguments.insert(arguments.end(), options.begin(), options.end());
    arguments.emplace_back("ip broadcast");
    const Answer answer = weir(arguments);
    EXPECT_EQ(answer.status, 0) << answer.err;
    return answer.out;
  };
  EXPECT_EQ(program({}), program({"--netmask", "/0"}));
  EXPECT_EQ(program({"--netmask", "255.255.240.0"}), program({"--netmask", "/20"}));
  EXPECT_NE(program({"--netmask", "/20"}), program({}));
  for (const char* const wrong : {"24", "/33", "/", "255.0.255.0", "255.255.255", "mask"}) {
    EXPECT_EQ(weir({"compile", "--netmask", wrong, "ip"}).status, 2) << wrong;
  }
}

TEST(Compile, FormsAgree) {
  const TemporaryFolder folder;
  const std::string decimal = weir({"compile", "-ddd", "tcp", "port", "80"}).out;
  for (const char* form : {"listing", "c", "decimal", "xt_bpf", "json"}) {
    const Answer text = weir({"compile", "--emit", form, "tcp port 80"});
    ASSERT_EQ(text.status, 0) << form << ": " << text.err;
    const std::string file = folder.file(form, text.out);
    EXPECT_EQ(weir({"compile", "-ddd", "--bytecode", file}).out, decimal) << form;
  }
  const Answer assembly = weir({"compile", "--emit", "asm", "tcp port 80"});
  EXPECT_EQ(weir({"compile", "-ddd", "--asm", "-"}, assembly.out).out, decimal);
}

TEST(Compile, TheOptimizerIsChosen) {
  const auto count = [](const std::vector<std::string>& options) {
    std::vector<std::string> arguments = {"compile", "-ddd"};
    arguments.insert(arguments.end(), options.begin(), options.end());
    arguments.emplace_back("tcp port 80");
    const Answer answer = weir(arguments);
    EXPECT_EQ(answer.status, 0) << answer.err;
    return std::stoi(answer.out);
  };
  const int none = count({"--optimizer", "none"});
  EXPECT_LT(count({}), none);
  EXPECT_EQ(count({}), count({"--optimizer", "weir"}));
  EXPECT_EQ(count({"-O"}), none);
  EXPECT_EQ(count({"--optimizer", "weir", "-O"}), none);
  EXPECT_LT(count({"--optimizer", "libpcap"}), none);
  EXPECT_LE(count({"--to", "classic", "--optimizer", "weir"}), count({"--optimizer", "libpcap"}));
  EXPECT_EQ(weir({"compile", "--optimizer", "moon", "ip"}).status, 2);
}

// What was written instruction by instruction is not changed unless that is asked for, and the
// extended program is the same whatever classic program is printed beside it.
TEST(Compile, OnlyTheClassicProgramOfAnExpressionIsOptimisedByDefault) {
  const std::string plain = weir({"compile", "-O", "--emit", "asm", "tcp port 80"}).out;
  EXPECT_EQ(weir({"compile", "--emit", "asm", "--asm", "-"}, plain).out, plain);
  EXPECT_EQ(weir({"compile", "--target", "xdp", "tcp port 80"}).out,
            weir({"compile", "--target", "xdp", "-O", "tcp port 80"}).out);
  const json both = json::parse(weir({"compile", "-j", "tcp port 80"}).out);
  const json as_given = json::parse(weir({"compile", "-j", "-O", "tcp port 80"}).out);
  EXPECT_LT(both["classic"]["count"], as_given["classic"]["count"]);
  EXPECT_EQ(both["extended"], as_given["extended"]);
  // What the optimiser cannot take is printed as it is.
  EXPECT_EQ(weir({"compile", "ip protochain 6"}).status, 0);
}

TEST(Compile, JsonKeepsItsContract) {
  const Answer answer = weir({"compile", "-j", "--target", "xdp", "ip"});
  ASSERT_EQ(answer.status, 0) << answer.err;
  const json object = json::parse(answer.out);
  EXPECT_EQ(object["expression"], "ip");
  EXPECT_EQ(object["link_type"], "EN10MB");
  EXPECT_EQ(object["classic"]["count"], object["classic"]["instructions"].size());
  EXPECT_EQ(object["classic"]["instructions"][0], json::array({40, 0, 0, 12}));
  EXPECT_EQ(object["extended"]["target"], "xdp");
  EXPECT_EQ(object["extended"]["count"], object["extended"]["instructions"].size());
  for (const json& slot : object["extended"]["instructions"]) {
    EXPECT_EQ(slot.get<std::string>().size(), 16U);
  }
  EXPECT_EQ(object["extended"]["maps"], json::array());
}

TEST(Compile, EveryTargetTakesTheFilter) {
  for (const char* target : {"user", "socket", "tc", "tc-egress", "xdp"}) {
    const Answer answer = weir({"compile", "--target", target, "tcp port 80"});
    EXPECT_EQ(answer.status, 0) << answer.err;
    EXPECT_NE(answer.out.find("exit"), std::string::npos) << answer.out;
  }
}

TEST(Compile, AClassicProgramForASocketAsksForTheTag) {
  const Answer answer = weir({"compile", "--to", "classic", "--target", "socket", "vlan 100"});
  EXPECT_EQ(answer.status, 0) << answer.err;
  EXPECT_NE(answer.out.find("[vlanp]"), std::string::npos) << answer.out;
  EXPECT_EQ(weir({"compile", "--to", "classic", "--target", "xdp", "ip"}).status, 2);
}

TEST(Compile, AWrongExpressionGetsLibpcapsSentenceAndACaret) {
  const Answer answer = weir({"compile", "tcp prot 80"});
  EXPECT_EQ(answer.status, 1);
  EXPECT_EQ(answer.out, "");
  EXPECT_EQ(answer.err,
            "weir: can't parse filter expression: syntax error\ntcp prot 80\n    ^~~~\n");
}

TEST(Compile, AnErrorIsJsonToWhoeverAskedForJson) {
  const Answer answer = weir({"compile", "-j", "tcp prot 80"});
  EXPECT_EQ(answer.status, 1);
  EXPECT_EQ(json::parse(answer.out)["error"], "can't parse filter expression: syntax error");
}

TEST(Compile, WrongCallsExitWithTwo) {
  EXPECT_EQ(weir({"compile", "--no-such-option", "ip"}).status, 2);
  EXPECT_EQ(weir({"compile", "--target", "moon", "ip"}).status, 2);
  EXPECT_EQ(weir({"compile", "-y", "NO_SUCH_LINK", "ip"}).status, 2);
  EXPECT_EQ(weir({"compile", "--emit", "moon", "ip"}).status, 2);
  EXPECT_EQ(weir({"compile", "-s", "-1", "ip"}).status, 2);
  EXPECT_EQ(weir({"no-such-command"}).status, 2);
  EXPECT_EQ(weir({}).status, 2);
}

TEST(Compile, AssemblyErrorsNameLineAndColumn) {
  const Answer answer = weir({"compile", "--asm", "-"}, "ldh [12]\njeq #0x800, yes, no\nret #0\n");
  EXPECT_EQ(answer.status, 1);
  EXPECT_NE(answer.err.find("-:2:13: "), std::string::npos) << answer.err;
  EXPECT_NE(answer.err.find("-:2:18: "), std::string::npos) << answer.err;
}

TEST(Compile, BytecodeThatBreaksARuleNamesTheInstruction) {
  const Answer answer = weir({"compile", "--bytecode", "-"}, "2,40 0 0 12,21 5 0 2048\n");
  EXPECT_EQ(answer.status, 1);
  EXPECT_NE(answer.err.find("instruction 1: "), std::string::npos) << answer.err;
}

// libpcap's programs for these read words of M[] that they have not written on every path.
TEST(Compile, TakesWhatTcpdumpTakesOnHeadersOfVariableLength) {
  for (const char* link_type :
       {"IEEE802_11_RADIO", "PPI", "PRISM_HEADER", "IEEE802_11_RADIO_AVS"}) {
    for (const char* expression : {"pppoes", "geneve", "pppoes and ip", "geneve or ip"}) {
      const Answer answer = weir({"compile", "-O", "-y", link_type, expression});
      EXPECT_EQ(answer.status, 0) << link_type << " " << expression << ": " << answer.err;
      EXPECT_EQ(weir({"compile", "--target", "user", "-y", link_type, expression}).status, 0);
    }
  }
  EXPECT_EQ(weir({"compile", "geneve or ip"}).status, 0);
}

TEST(Compile, AProgramTooLongForTheKernelIsPrintedAndSaidToBe) {
  const TemporaryFolder folder;
  const auto hosts = [&](std::uint32_t count) {
    std::string list;
    for (std::uint32_t i = 0; i < count; ++i) {
      list += "10." + std::to_string(i / 100) + "." + std::to_string(i % 100) + ".1\n";
    }
    return weir({"compile", "-ddd", "ip src host in @" + folder.file("hosts", list)});
  };
  const Answer fits = hosts(3000);
  EXPECT_EQ(fits.status, 0) << fits.err;
  EXPECT_EQ(fits.err, "");
  const Answer longer = hosts(5000);
  EXPECT_EQ(longer.status, 0) << longer.err;
  EXPECT_GT(std::stoi(longer.out), 4096);
  EXPECT_NE(longer.err.find("the kernel takes classic programs of 4096 instructions at most"),
            std::string::npos)
      << longer.err;
}

TEST(Compile, AMissingFileIsNamed) {
  const Answer answer = weir({"compile", "-F", "/no/such/file"});
  EXPECT_EQ(answer.status, 1);
  EXPECT_EQ(answer.err, "weir: /no/such/file: No such file or directory\n");
}

TEST(Compile, AFullDiskIsNoSuccess) {
  EXPECT_EQ(weir({"help"}).status, 0);
  const std::string command = std::string(kWeirInShell) + " compile ip > /dev/full 2> /dev/null";
  EXPECT_NE(std::system(command.c_str()), 0);
}

}  // namespace
}  // namespace weir::cli
