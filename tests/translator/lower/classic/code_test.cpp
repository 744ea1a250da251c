// What shortens classic code, on small random code that has much to be shortened.
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "cbpf/interpret.h"
#include "cbpf/text/disassemble.h"
#include "cbpf/validate.h"
#include "tests/random/choices.h"
#include "translator/lower/classic/layout.h"
#include "translator/lower/classic/reorder_tests.h"
#include "translator/lower/classic/share_code_by_offset.h"
#include "translator/lower/classic/simplify_cfg.h"

namespace weir::lower::classic {
namespace {

using cbpf::Instruction;
using random::Choices;

// Blocks 1, 2 and 3 return 1, 2 and 0; block 0 is the entry.
constexpr BlockId kReturns = 1;

class RandomCode {
 public:
  explicit RandomCode(Choices& choices) : choices_(choices) {
    code_.blocks.resize(4);
    for (BlockId id = 1; id < 4; ++id) {
      code_.blocks[id].last = {cbpf::kRet | cbpf::kK, 0, 0, id % 3};
    }
  }

  // The same stretch two or three times, with other offsets.
  Code alike() {
    std::vector<BlockId> entries;
    const std::vector<Block> stretch = random_stretch();
    for (std::uint32_t n = 2 + choices_.below(2); n > 0; --n) {
      entries.push_back(add(stretch, choices_.pick<std::uint32_t>({0, 1, 2, 8})));
    }
    enter(entries);
    return std::move(code_);
  }

  // A value that is put aside, or loaded again, while another one is loaded.
  Code put_aside() {
    const BlockId hit = kReturns + choices_.below(3);
    const BlockId miss = choices_.chance(80) ? 3 : hit;
    const BlockId second = questions(hit, miss);
    const bool indirect = choices_.chance(20);
    const auto mode = static_cast<cbpf::Code>(indirect ? cbpf::kInd : cbpf::kAbs);
    const Instruction load = {static_cast<std::uint16_t>(cbpf::kLd | cbpf::kB | mode), 0, 0,
                              choices_.below(20)};
    const bool again = choices_.chance(50);
    if (choices_.chance(90)) {
      code_.blocks[second].body.insert(
          code_.blocks[second].body.begin(),
          again ? load : Instruction{cbpf::kLd | cbpf::kMem, 0, 0, choices_.below(8) == 0});
    }
    const BlockId first = questions(choices_.chance(90) ? hit : miss, second);
    std::vector<Instruction> before = {load};
    if (!again) {
      before.push_back({cbpf::kSt, 0, 0, 0});
    } else if (choices_.chance(20)) {
      before.push_back({cbpf::kMisc | cbpf::kTax, 0, 0, 0});
    }
    before.push_back({cbpf::kLd | cbpf::kB | cbpf::kAbs, 0, 0, choices_.below(20)});
    if (again && choices_.chance(40)) {
      code_.blocks[first].body.insert(code_.blocks[first].body.begin(), before.back());
      before.pop_back();
      const BlockId one = add_jump(before, first);
      before.back().k = choices_.pick<std::uint32_t>({before.back().k, choices_.below(20)});
      enter({one, add_jump(before, first)});
      return std::move(code_);
    }
    code_.blocks[first].body.insert(code_.blocks[first].body.begin(), before.begin(), before.end());
    enter({first, choices_.chance(20) ? second : first});
    return std::move(code_);
  }

 private:
  Instruction random_instruction() {
    const std::uint32_t at = choices_.below(20);
    switch (choices_.below(12)) {
      case 0:
        return {cbpf::kLdx | cbpf::kImm, 0, 0, choices_.below(4)};
      case 1:
        return {cbpf::kMisc | cbpf::kTax, 0, 0, 0};
      case 2:
        return {cbpf::kMisc | cbpf::kTxa, 0, 0, 0};
      case 3:
        return {cbpf::kAlu | cbpf::kAdd | cbpf::kX, 0, 0, 0};
      case 4:
        return {cbpf::kLdx | cbpf::kB | cbpf::kMsh, 0, 0, at};
      case 5:
        return {cbpf::kAlu | cbpf::kAnd | cbpf::kK, 0, 0, choices_.below(4)};
      case 6:
        return {cbpf::kStx, 0, 0, 1};
      case 7:
        return {cbpf::kLd | cbpf::kMem, 0, 0, choices_.below(2)};
      case 8:
        return {cbpf::kLd | cbpf::kB | cbpf::kInd, 0, 0, at};
      default:
        return {cbpf::kLd | cbpf::kB | cbpf::kAbs, 0, 0, at};
    }
  }

  Instruction random_question() {
    const cbpf::Code operation =
        choices_.pick<cbpf::Code>({cbpf::kJeq, cbpf::kJeq, cbpf::kJgt, cbpf::kJset});
    const bool with_x = choices_.chance(5);
    return {static_cast<cbpf::Code>(cbpf::kJmp | operation | (with_x ? cbpf::kX : cbpf::kK)), 0, 0,
            with_x ? 0 : choices_.below(3)};
  }

  // Blocks numbered from 0; targets are later ones, or returns: those from 1000 on.
  std::vector<Block> random_stretch() {
    std::vector<Block> stretch(1 + choices_.below(4));
    for (std::uint32_t i = 0; i < stretch.size(); ++i) {
      for (std::uint32_t n = 1 + choices_.below(4); n > 0; --n) {
        stretch[i].body.push_back(random_instruction());
      }
      const auto target = [&] {
        const auto later = static_cast<std::uint32_t>(stretch.size()) - i - 1;
        return later == 0 || choices_.chance(40) ? 1000 + kReturns + choices_.below(3)
                                                 : i + 1 + choices_.below(later);
      };
      stretch[i].end = End::kBranch;
      stretch[i].last = random_question();
      stretch[i].yes = target();
      stretch[i].no = target();
    }
    return stretch;
  }

  BlockId add(const std::vector<Block>& stretch, std::uint32_t further) {
    const auto first = static_cast<BlockId>(code_.blocks.size());
    for (Block block : stretch) {
      for (Instruction& i : block.body) {
        const bool moves = cbpf::class_of(i.code) == cbpf::kLd &&
                           cbpf::mode_of(i.code) == cbpf::kAbs && !choices_.chance(2);
        i.k += moves ? further : 0;
      }
      block.yes = block.yes >= 1000 ? block.yes - 1000 : block.yes + first;
      block.no = block.no >= 1000 ? block.no - 1000 : block.no + first;
      code_.blocks.push_back(std::move(block));
    }
    return first;
  }

  BlockId add_jump(const std::vector<Instruction>& body, BlockId to) {
    Block block;
    block.body = body;
    block.end = End::kJump;
    block.yes = to;
    code_.blocks.push_back(std::move(block));
    return static_cast<BlockId>(code_.blocks.size() - 1);
  }

  // A few compares of A.
  BlockId questions(BlockId hit, BlockId rest) {
    BlockId next = rest;
    for (std::uint32_t n = 1 + choices_.below(3); n > 0; --n) {
      Block block;
      if (choices_.chance(20)) {
        block.body.push_back({cbpf::kAlu | cbpf::kAdd | cbpf::kK, 0, 0, 1});
      }
      block.end = End::kBranch;
      block.last = random_question();
      const bool turned = choices_.chance(20);
      block.yes = turned ? next : hit;
      block.no = turned ? hit : next;
      code_.blocks.push_back(std::move(block));
      next = static_cast<BlockId>(code_.blocks.size() - 1);
    }
    return next;
  }

  // Leads to each of them, with both words written, and now and then something in X.
  void enter(const std::vector<BlockId>& entries) {
    code_.blocks[0].body = {
        {cbpf::kSt, 0, 0, 0}, {cbpf::kSt, 0, 0, 1}, {cbpf::kLd | cbpf::kB | cbpf::kAbs, 0, 0, 0}};
    if (choices_.chance(30)) {
      code_.blocks[0].body.push_back({cbpf::kLdx | cbpf::kImm, 0, 0, choices_.below(3)});
    }
    BlockId next = entries[0];
    for (std::uint32_t i = 1; i < entries.size(); ++i) {
      Block block;
      block.end = End::kBranch;
      block.last = {cbpf::kJmp | cbpf::kJeq | cbpf::kK, 0, 0, i - 1};
      block.yes = entries[i];
      block.no = next;
      code_.blocks.push_back(std::move(block));
      next = static_cast<BlockId>(code_.blocks.size() - 1);
    }
    code_.blocks[0].end = End::kJump;
    code_.blocks[0].yes = next;
  }

  Choices& choices_;
  Code code_;
};

std::size_t judge(const Code& before, const Code& after, Choices& choices) {
  const cbpf::Program was = lay_out(before);
  const cbpf::Program is = lay_out(after);
  const auto old_program = cbpf::validate(was, cbpf::Dialect::kLinux);
  const auto new_program = cbpf::validate(is, cbpf::Dialect::kLinux);
  EXPECT_TRUE(old_program && new_program);
  if (!old_program || !new_program) {
    return 0;
  }
  EXPECT_LE(is.instructions.size(), was.instructions.size());
  for (int i = 0; i < 60; ++i) {
    std::vector<std::uint8_t> bytes(choices.below(40));
    for (std::uint8_t& byte : bytes) {
      byte = static_cast<std::uint8_t>(choices.below(4));
    }
    const cbpf::Packet packet{.captured = bytes, .wire_length = 40};
    EXPECT_EQ(cbpf::interpret(*new_program, packet), cbpf::interpret(*old_program, packet))
        << to_hex(bytes) << "\n"
        << cbpf::disassemble(was) << "\n"
        << cbpf::disassemble(is);
    if (testing::Test::HasFailure()) {
      return 0;
    }
  }
  return was.instructions.size() - is.instructions.size();
}

// How many of `count` pieces of code came out shorter.
std::uint32_t judge_many(std::uint32_t count, Code (RandomCode::*make)(),
                         const std::function<void(Code&)>& shorten) {
  const std::uint64_t seed = random::seed_or(1971);
  SCOPED_TRACE("WEIR_SEED=" + std::to_string(seed));
  std::uint32_t shorter = 0;
  for (std::uint32_t i = 0; i < count && !testing::Test::HasFailure(); ++i) {
    Choices choices(seed + i);
    Code code = (RandomCode(choices).*make)();
    simplify_cfg(code);
    Code changed = code;
    shorten(changed);
    shorter += judge(code, changed, choices) > 0 ? 1 : 0;
  }
  return shorter;
}

TEST(ClassicCode, SharedOffsetsLoadTheSameBytes) {
  const std::uint32_t count = random::share_of(4000);
  EXPECT_GT(
      judge_many(count, &RandomCode::alike, [](Code& code) { share_code_by_offset(code, 1); }),
      count / 20);
}

TEST(ClassicCode, AskingAtOnceGivesTheSameAnswer) {
  const std::uint32_t count = random::share_of(4000);
  EXPECT_GT(judge_many(count, &RandomCode::put_aside, [](Code& code) { reorder_tests(code); }),
            count / 20);
}

TEST(ClassicCode, RepeatedComparesAnswerAsBefore) {
  const std::uint32_t count = random::share_of(4000);
  EXPECT_GT(judge_many(count, &RandomCode::put_aside,
                       [](Code& code) {
                         drop_repeated_compares(code);
                         simplify_cfg(code);
                       }),
            count / 50);
}

}  // namespace
}  // namespace weir::lower::classic
