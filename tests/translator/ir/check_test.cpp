// Every rule of check(), broken once.
#include "translator/ir/check.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "translator/ir/rewrite.h"
#include "translator/ir/text/text.h"

namespace weir::ir {
namespace {

// Every kind of value, effect and terminator, as it should be.
constexpr char kGood[] = R"(function EN10MB {
b0:
  need 15
  v0 = load 1 [14]
  v1 = length
  v2 = ancillary mark
  need v0 + 20
  v3 = load 4 [v0 + 16]
  guard v1
  v4 = div v3, v1
  switch v4 { 1 => b1(v0), 5..9 => b2, else => b2 }
b1(v5):
  branch gt v5, v2 ? b2 : b3
b2:
  return 0
b3:
  v6 = neg v5
  jump b4
b4:
  return v6
}
)";

Function good() { return parse(kGood).value(); }

// What check() says of the good function after a change to it.
std::string broken(const std::function<void(Function&)>& change) {
  Function function = good();
  change(function);
  const Status checked = check(function);
  return checked ? "right" : to_string(checked.error());
}

// What check() says of a text.
std::string checked(const std::string& blocks) {
  const auto function = parse("function EN10MB {\n" + blocks + "}\n");
  if (!function) {
    return to_string(function.error());
  }
  const Status status = check(*function);
  if (!status) {
    EXPECT_EQ(status.error().code, ErrorCode::kInvalidProgram);
  }
  return status ? "right" : to_string(status.error());
}

// The value of the good function that the text calls vN, the body's effects left out.
Value& value(Function& function, BlockId block, std::size_t place) {
  return function.values[function.blocks[block].body[place]];
}

TEST(CheckGraph, TheGoodFunctionIsRight) {
  EXPECT_EQ(broken([](Function&) {}), "right");
}

TEST(CheckGraph, Blocks) {
  EXPECT_EQ(broken([](Function& f) { f.blocks.clear(); }), "the function has no blocks");
  EXPECT_EQ(checked("b0(v0): return 1"), "b0: the entry has parameters");
  EXPECT_EQ(checked("b0: return 1 b1: return 2"), "b1: no way from the entry leads here");
}

TEST(CheckGraph, Edges) {
  EXPECT_EQ(broken([](Function& f) { f.blocks[3].terminator.edges[0].to = 9; }),
            "b3: an edge leads to a block that does not exist");
  EXPECT_EQ(checked("b0: jump b1 b1: jump b1"), "b1: the edge to b1 does not go forward");
  EXPECT_EQ(checked("b0: jump b1 b1(v0): return v0"),
            "b0: the edge to b1 has 0 arguments for 1 parameters");
}

TEST(CheckGraph, Terminators) {
  EXPECT_EQ(broken([](Function& f) { f.blocks[3].terminator.edges.clear(); }),
            "b3: the terminator has a wrong number of edges");
  EXPECT_EQ(broken([](Function& f) { f.blocks[2].terminator.a = kNoValue; }),
            "b2: the terminator has wrong operands");
  EXPECT_EQ(broken([](Function& f) { f.blocks[3].terminator.b = 0; }),
            "b3: the terminator has wrong operands");
  EXPECT_EQ(broken([](Function& f) { f.blocks[3].terminator.cases.push_back({}); }),
            "b3: a terminator that is no switch has cases");
}

TEST(CheckGraph, Cases) {
  constexpr char kUnsorted[] = "b0: the cases are not sorted and disjoint";
  EXPECT_EQ(checked("b0: v0 = length switch v0 { 4 => b1, 3 => b1, else => b1 } b1: return 0"),
            kUnsorted);
  EXPECT_EQ(checked("b0: v0 = length switch v0 { 1..4 => b1, 4 => b1, else => b1 } b1: return 0"),
            kUnsorted);
  EXPECT_EQ(checked("b0: v0 = length switch v0 { 4..3 => b1, else => b1 } b1: return 0"),
            kUnsorted);
  EXPECT_EQ(checked("b0: v0 = length switch v0 { 0..0xffffffff => b1, 1 => b1, else => b1 } "
                    "b1: return 0"),
            kUnsorted);
  EXPECT_EQ(broken([](Function& f) { f.blocks[0].terminator.cases[1].edge = 3; }),
            "b0: a case names an edge that does not exist");
}

TEST(CheckDefinitions, StandWhereTheyBelong) {
  EXPECT_EQ(broken([](Function& f) { f.blocks[3].body.push_back(99); }),
            "b3: a value that does not exist: is defined");
  EXPECT_EQ(broken([](Function& f) { f.blocks[3].body.push_back(f.blocks[3].body[0]); }),
            "b3: v6: is defined twice");
  EXPECT_EQ(broken([](Function& f) { value(f, 3, 0).op = Op::kParameter; }),
            "b3: v6: stands in the body and is a parameter or a constant");
  EXPECT_EQ(broken([](Function& f) { value(f, 3, 0) = {.op = Op::kConstant, .k = 77}; }),
            "b3: v6: stands in the body and is a parameter or a constant");
  EXPECT_EQ(broken([](Function& f) { f.values[f.blocks[1].parameters[0]].op = Op::kLength; }),
            "b1: v5: stands among the parameters and is none");
}

TEST(CheckDefinitions, ConstantsAreInterned) {
  EXPECT_EQ(broken([](Function& f) { f.values.push_back({.op = Op::kConstant, .k = 0}); }),
            "the constant 0x0 is there twice");
}

TEST(CheckValues, HaveTheFieldsOfTheirOp) {
  const auto change = [](BlockId block, std::size_t place, auto how) {
    return broken([=](Function& f) { how(value(f, block, place)); });
  };
  EXPECT_EQ(change(3, 0, [](Value& v) { v.a = kNoValue; }), "b3: v6: has wrong operands");
  EXPECT_EQ(change(3, 0, [](Value& v) { v.b = 0; }), "b3: v6: has wrong operands");
  EXPECT_EQ(change(0, 7, [](Value& v) { v.b = kNoValue; }), "b0: v4: has wrong operands");
  EXPECT_EQ(change(0, 2, [](Value& v) { v.a = 0; }), "b0: v1: has wrong operands");
  EXPECT_EQ(change(0, 6, [](Value& v) { v.a = kNoValue; }), "b0: guard: has wrong operands");
  EXPECT_EQ(change(0, 2, [](Value& v) { v.k = 1; }), "b0: v1: has a k, which means nothing here");
  EXPECT_EQ(change(0, 1, [](Value& v) { v.width = 3; }), "b0: v0: is not 1, 2 or 4 bytes wide");
  EXPECT_EQ(change(0, 0, [](Value& v) { v.width = 1; }),
            "b0: need: has a width, which means nothing here");
  EXPECT_EQ(change(0, 3, [](Value& v) { v.k = 40; }),
            "b0: v2: is ancillary data that does not exist");
  EXPECT_EQ(change(0, 3, [](Value& v) { v.k = 64; }),
            "b0: v2: is ancillary data that does not exist");
}

TEST(CheckSets, AreRightAndFitWhatIsAskedOfThem) {
  const std::string sets = "s0 = set 1 { 5 } s1 = set 2 { 1:5 } ";
  EXPECT_EQ(checked(sets + "b0: v0 = length v1 = join v0, v0 v2 = in s1, v1 return v2"), "right");
  EXPECT_EQ(checked("s0 = set 1 { 5, 3 } b0: return 0"),
            "s0: the members are not sorted, disjoint and merged");
  EXPECT_EQ(checked(sets + "b0: v0 = length v1 = join v0, v0 v2 = in s0, v1 return v2"),
            "b0: v2: asks for a key of another width than the set's");
  EXPECT_EQ(checked(sets + "b0: v0 = length v1 = in s1, v0 return v1"),
            "b0: v1: asks for a key of another width than the set's");
  EXPECT_EQ(checked("b0: v0 = length v1 = join v0, v0 return v1"),
            "b0: v1: is a key and used as a word");
  EXPECT_EQ(checked("b0: v0 = length v1 = join v0, v0 v2 = join v0, v1 return 0"),
            "b0: v1: is a key and used as a word");
  EXPECT_EQ(checked("b0: v0 = length v1 = join v0, 1 v2 = join v1, 2 v3 = join v2, 3 "
                    "v4 = join v3, 4 return 0"),
            "b0: v4: is as wide as its operands are not");
  EXPECT_EQ(
      broken([](Function& f) { value(f, 3, 0) = {.op = Op::kIn, .a = f.blocks[1].parameters[0]}; }),
      "b3: v6: asks for a set that does not exist");
}

TEST(CheckOrder, DefinitionsComeBeforeUsesOnEveryWay) {
  EXPECT_EQ(checked("b0: v0 = neg v1 v1 = length return v0"),
            "b0: v1: is used where not every way has defined it");
  EXPECT_EQ(checked("b0: v0 = neg v0 return v0"),
            "b0: v0: is used where not every way has defined it");
  EXPECT_EQ(checked(R"(
    b0: v0 = length branch eq v0, 1 ? b1 : b2
    b1: v1 = neg v0 jump b2
    b2: return v1)"),
            "b2: v1: is used where not every way has defined it");
  EXPECT_EQ(checked(R"(
    b0: v0 = length branch eq v0, 1 ? b1(5) : b2(v1)
    b1(v1): jump b2(v1)
    b2(v2): return v2)"),
            "b0: v1: is used where not every way has defined it");
}

TEST(CheckOrder, OperandsAreValues) {
  EXPECT_EQ(broken([](Function& f) { f.blocks[4].terminator.a = 99; }),
            "b4: a value that does not exist: is used");
  EXPECT_EQ(broken([](Function& f) { f.blocks[4].terminator.a = f.blocks[0].body[0]; }),
            "b4: need: is an effect and used as a value");
  EXPECT_EQ(broken([](Function& f) {
              f.values.push_back({.op = Op::kLength});
              f.blocks[4].terminator.a = static_cast<ValueId>(f.values.size() - 1);
            }),
            "b4: v7: is used and stands in no block");
}

constexpr char kNotCovered[] = "loads what no need on some way here has covered";

TEST(CheckCoverage, AbsoluteLoads) {
  EXPECT_EQ(checked("b0: need 15 v0 = load 2 [14] return v0"),
            std::string("b0: v0: ") + kNotCovered);
  EXPECT_EQ(checked("b0: v0 = load 2 [14] need 16 return v0"),
            std::string("b0: v0: ") + kNotCovered);
  // Each way may have its own need.
  const std::string two_ways = R"(
    b0: v0 = length branch eq v0, 1 ? b1 : b2
    b1: need 20 jump b3
    b2: need %s jump b3
    b3: v1 = load 4 [16] return v1)";
  const auto with = [&](const char* need) {
    std::string text = two_ways;
    return checked(text.replace(text.find("%s"), 2, need));
  };
  EXPECT_EQ(with("24"), "right");
  EXPECT_EQ(with("19"), std::string("b3: v1: ") + kNotCovered);
  EXPECT_EQ(with("4 + 16"), "right");
  EXPECT_EQ(with("4 + 15"), std::string("b3: v1: ") + kNotCovered);
  EXPECT_EQ(with("v0 + 20"), std::string("b3: v1: ") + kNotCovered);
}

TEST(CheckCoverage, LoadsFromABase) {
  const std::string three = R"(
    b0: need 1 v0 = load 1 [0] v1 = length %s branch eq v1, 1 ? b1 : b2
    b1: %s jump b3
    b2: %s jump b3
    b3: v2 = load 2 [v0 + 8] v3 = load 1 [v0 + 9] return v2)";
  const auto with = [&](const char* first, const char* left, const char* right) {
    std::string text = three;
    for (const char* need : {first, left, right}) {
      text.replace(text.find("%s"), 2, need);
    }
    return checked(text);
  };
  EXPECT_EQ(with("need v0 + 10", "", ""), "right");
  EXPECT_EQ(with("", "need v0 + 10", "need v0 + 11"), "right");
  EXPECT_EQ(with("", "need v0 + 10", "need v0 + 9"), std::string("b3: v2: ") + kNotCovered);
  EXPECT_EQ(with("", "need v0 + 10", ""), std::string("b3: v2: ") + kNotCovered);
  EXPECT_EQ(with("need v1 + 10", "", ""), std::string("b3: v2: ") + kNotCovered);
  // A byte is at most 255.
  EXPECT_EQ(with("need 265", "", ""), "right");
  EXPECT_EQ(with("need 264", "", ""), std::string("b3: v2: ") + kNotCovered);
}

TEST(CheckCoverage, DivisionsByAValue) {
  constexpr char kNoGuard[] = "divides by what no guard on some way here has covered";
  EXPECT_EQ(checked("b0: v0 = length v1 = div 5, v0 return v1"),
            std::string("b0: v1: ") + kNoGuard);
  EXPECT_EQ(checked("b0: v0 = length v1 = mod 5, v0 guard v0 return v1"),
            std::string("b0: v1: ") + kNoGuard);
  EXPECT_EQ(checked("b0: v0 = length guard v0 jump b1 b1: v1 = mod 5, v0 return v1"), "right");
  EXPECT_EQ(checked(R"(
    b0: v0 = length branch eq v0, 1 ? b1 : b2
    b1: guard v0 jump b2
    b2: v1 = div v0, v0 return v1)"),
            std::string("b2: v1: ") + kNoGuard);
  EXPECT_EQ(checked("b0: v0 = length v1 = div v0, 7 return v1"), "right");
  EXPECT_EQ(checked("b0: v0 = length v1 = div v0, 0 return v1"),
            "b0: v1: divides by the constant 0");
}

}  // namespace
}  // namespace weir::ir
