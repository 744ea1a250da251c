// Every form in which tests of a packet are fused, tried whole: two tests of every width and kind,
// at the packet's start and behind a header, with every way to go on; against the program as it
// stands, every access checked.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <set>
#include <vector>

#include "tests/random/choices.h"
#include "tests/translator/vm/checked_run.h"
#include "translator/ebpf/assembler.h"
#include "translator/ebpf/disassemble.h"
#include "translator/ebpf/user_context.h"
#include "translator/vm/load.h"
#include "translator/vm/superinstructions.h"

namespace weir::vm {
namespace {

using ebpf::JumpOp;
using ebpf::Reg;
using ebpf::Width;

constexpr std::array kWidths = {Width::kB, Width::kH, Width::kW};
constexpr std::array kKinds = {JumpOp::kEq, JumpOp::kNe, JumpOp::kSet, JumpOp::kGt};

constexpr std::array kLengths = {0U, 1U, 2U, 13U, 14U, 15U, 0x7fffffffU, 0xfffffffeU, 0xffffffffU};

// What follows two tests, and where their jumps lead.
enum class Shape : std::uint8_t { kBothReject, kAcceptThenReject, kRejectThenGoOn, kBothGoOn };
constexpr std::array kShapes = {Shape::kBothReject, Shape::kAcceptThenReject,
                                Shape::kRejectThenGoOn, Shape::kBothGoOn};

struct Test {
  Width width;
  JumpOp kind;
};

class Maker {
 public:
  ebpf::Program make(Test first, Test second, Shape shape, bool behind_header, bool masked) {
    masked_ = masked;
    code_.emit(ebpf::Alu{.op = ebpf::AluOp::kMov, .dst = Reg::kR0, .src = 0});
    code_.emit(ebpf::Load{.width = Width::kDw, .dst = Reg::kR2, .src = Reg::kR1, .offset = 0});
    code_.emit(ebpf::Load{.width = Width::kDw, .dst = Reg::kR3, .src = Reg::kR1, .offset = 8});
    need(12);
    if (behind_header) {
      code_.emit(ebpf::Load{.width = Width::kB, .dst = Reg::kR5, .src = Reg::kR4, .offset = -12});
      code_.emit(alu32(ebpf::AluOp::kAnd, Reg::kR5, 1));
      code_.emit(alu32(ebpf::AluOp::kLsh, Reg::kR5, 2));
      code_.emit(ebpf::Alu{.op = ebpf::AluOp::kAdd, .dst = Reg::kR4, .src = Reg::kR5});
      code_.emit(ebpf::Alu{.op = ebpf::AluOp::kAdd, .dst = Reg::kR4, .src = 1});
      if (shape == Shape::kBothReject) {
        code_.jump_if(JumpOp::kGt, Reg::kR4, Reg::kR3, reject_, true);
      } else {
        const ebpf::Label enough = code_.new_label();
        code_.jump_if(JumpOp::kLe, Reg::kR4, Reg::kR3, enough, true);
        end(7);
        code_.bind(enough);
      }
    }
    test(first, -8,
         shape == Shape::kAcceptThenReject ? accept_
         : shape == Shape::kBothGoOn       ? further_
                                           : reject_);
    test(second, -4,
         shape == Shape::kRejectThenGoOn || shape == Shape::kBothGoOn ? further_ : reject_);
    if (shape == Shape::kRejectThenGoOn || shape == Shape::kBothGoOn) {
      test({Width::kB, JumpOp::kNe}, -1, reject_);
    }
    code_.bind(accept_);
    end(5);
    code_.bind(further_);
    test({Width::kB, JumpOp::kEq}, -2, reject_);
    end(6);
    code_.bind(reject_);
    code_.emit(ebpf::Exit{});
    return std::move(code_).finish();
  }

  // One test, and a verdict of its own for packets that are too short.
  ebpf::Program make_single(Test only, bool masked) {
    masked_ = masked;
    code_.emit(ebpf::Alu{.op = ebpf::AluOp::kMov, .dst = Reg::kR0, .src = 8});
    code_.emit(ebpf::Load{.width = Width::kDw, .dst = Reg::kR2, .src = Reg::kR1, .offset = 0});
    code_.emit(ebpf::Load{.width = Width::kDw, .dst = Reg::kR3, .src = Reg::kR1, .offset = 8});
    need(12);
    test(only, -8, further_);
    end(5);
    code_.bind(further_);
    end(6);
    code_.bind(reject_);
    code_.emit(ebpf::Exit{});
    return std::move(code_).finish();
  }

  // Either of two values of six bytes, as the addresses of Ethernet.
  ebpf::Program make_either_address(bool masked) {
    masked_ = masked;
    const ebpf::Label other = code_.new_label();
    code_.emit(ebpf::Alu{.op = ebpf::AluOp::kMov, .dst = Reg::kR0, .src = 8});
    code_.emit(ebpf::Load{.width = Width::kDw, .dst = Reg::kR2, .src = Reg::kR1, .offset = 0});
    code_.emit(ebpf::Load{.width = Width::kDw, .dst = Reg::kR3, .src = Reg::kR1, .offset = 8});
    need(12);
    test({Width::kW, JumpOp::kNe}, -4, other);
    test({Width::kH, JumpOp::kEq}, -6, further_);
    code_.bind(other);
    test({Width::kW, JumpOp::kNe}, -10, reject_);
    test({Width::kH, JumpOp::kEq}, -12, further_);
    end(5);
    code_.bind(further_);
    end(6);
    code_.bind(reject_);
    code_.emit(ebpf::Exit{});
    return std::move(code_).finish();
  }

  // A compare of what was loaded right before it and is read on either way; another leads to the
  // compare alone.
  ebpf::Program make_compared_load(Width width, JumpOp op) {
    const ebpf::Label compare = code_.new_label();
    code_.emit(ebpf::Alu{.op = ebpf::AluOp::kMov, .dst = Reg::kR0, .src = 8});
    code_.emit(ebpf::Load{.width = Width::kDw, .dst = Reg::kR2, .src = Reg::kR1, .offset = 0});
    code_.emit(ebpf::Load{.width = Width::kDw, .dst = Reg::kR3, .src = Reg::kR1, .offset = 8});
    need(12);
    code_.emit(ebpf::Load{.width = Width::kB, .dst = Reg::kR5, .src = Reg::kR4, .offset = -1});
    code_.jump_if(JumpOp::kEq, Reg::kR5, 0, compare);
    code_.emit(ebpf::Load{.width = width, .dst = Reg::kR5, .src = Reg::kR4, .offset = -8});
    code_.bind(compare);
    code_.jump_if(op, Reg::kR5, 1, further_);
    code_.emit(ebpf::Alu{.op = ebpf::AluOp::kMov, .dst = Reg::kR0, .src = Reg::kR5});
    code_.emit(ebpf::Exit{});
    code_.bind(further_);
    code_.emit(alu32(ebpf::AluOp::kAdd, Reg::kR5, 100));
    code_.emit(ebpf::Alu{.op = ebpf::AluOp::kMov, .dst = Reg::kR0, .src = Reg::kR5});
    code_.bind(reject_);
    code_.emit(ebpf::Exit{});
    return std::move(code_).finish();
  }

 private:
  static ebpf::Alu alu32(ebpf::AluOp op, Reg dst, std::int32_t imm) {
    return {.op = op, .is64 = false, .dst = dst, .src = imm};
  }
  void need(std::int32_t bytes) {
    code_.emit(ebpf::Alu{.op = ebpf::AluOp::kMov, .dst = Reg::kR4, .src = Reg::kR2});
    code_.emit(ebpf::Alu{.op = ebpf::AluOp::kAdd, .dst = Reg::kR4, .src = bytes});
    code_.jump_if(JumpOp::kGt, Reg::kR4, Reg::kR3, reject_, true);
  }
  void test(Test one, std::int16_t offset, ebpf::Label target) {
    code_.emit(ebpf::Load{.width = one.width, .dst = Reg::kR5, .src = Reg::kR4, .offset = offset});
    if (masked_) {
      code_.emit(alu32(ebpf::AluOp::kAnd, Reg::kR5, 0x101));
    }
    code_.jump_if(one.kind, Reg::kR5, 1, target);
  }
  void end(std::int32_t verdict) {
    code_.emit(alu32(ebpf::AluOp::kMov, Reg::kR0, verdict));
    code_.emit(ebpf::Exit{});
  }

  ebpf::Assembler code_;
  ebpf::Label accept_ = code_.new_label();
  ebpf::Label further_ = code_.new_label();
  ebpf::Label reject_ = code_.new_label();
  bool masked_ = false;
};

// A compare of the packet's length, whatever it is, with a number.
ebpf::Program length_against(JumpOp op, std::int32_t number) {
  ebpf::Assembler code;
  const ebpf::Label accept = code.new_label();
  code.emit(ebpf::Alu{.op = ebpf::AluOp::kMov, .dst = Reg::kR0, .src = 3});
  code.emit(ebpf::Load{.width = Width::kW,
                       .dst = Reg::kR2,
                       .src = Reg::kR1,
                       .offset = offsetof(ebpf::UserContext, length)});
  code.jump_if(op, Reg::kR2, number, accept);
  code.emit(ebpf::Exit{});
  code.bind(accept);
  code.emit(ebpf::Alu{.op = ebpf::AluOp::kMov, .dst = Reg::kR0, .src = 4});
  code.emit(ebpf::Exit{});
  return std::move(code).finish();
}

std::size_t number_of(const void* label) {
  const auto labels = handlers();
  return static_cast<std::size_t>(std::find(labels.begin(), labels.end(), label) - labels.begin());
}

class FusedTest : public testing::Test {
 protected:
  // Packets of 0 to 20 bytes that are 0 or 1, so that tests of any width hold now and then.
  FusedTest() {
    random::Choices choices(random::seed_or(1973));
    for (std::size_t i = 0; i < 300; ++i) {
      bytes_.emplace_back(i % 10 == 0 ? choices.below(21) : 20);
      for (std::uint8_t& byte : bytes_.back()) {
        byte = choices.chance(40) ? 1 : 0;
      }
    }
    for (const std::vector<std::uint8_t>& one : bytes_) {
      packets_.push_back({.data = one.data(),
                          .captured = static_cast<std::uint32_t>(one.size()),
                          .length = kLengths[packets_.size() % kLengths.size()]});
    }
  }

  void compare(const ebpf::Program& program) {
    const auto code = make_code(program, {}, {});
    const auto machine = Machine::load(program);
    ASSERT_TRUE(code.has_value() && machine.has_value());
    for (const Op& op : (*code)->packet_ops) {
      used_.insert(number_of(op.handler));
    }
    loops_.insert((*code)->loop);
    std::vector<std::uint32_t> verdicts(packets_.size());
    ASSERT_TRUE(machine->run_packets(packets_, verdicts).has_value());
    for (std::size_t i = 0; i < packets_.size(); ++i) {
      const auto checked = run_checked(*machine, packets_[i], {});
      ASSERT_TRUE(checked.has_value());
      ASSERT_EQ(verdicts[i], *checked) << "packet " << i << '\n'
                                       << ebpf::disassemble(program.instructions);
    }
  }

  std::vector<std::vector<std::uint8_t>> bytes_;
  std::vector<UserPacket> packets_;
  std::set<std::size_t> used_;  // Handlers.
  std::set<BatchLoop> loops_;
};

TEST_F(FusedTest, EveryFormAnswersAsTheCheckedProgram) {
  for (const Width width : kWidths) {
    for (const JumpOp kind : kKinds) {
      for (const bool masked : {false, true}) {
        compare(Maker().make_single({width, kind}, masked));
      }
      compare(Maker().make_compared_load(width, kind));
    }
  }
  compare(Maker().make_either_address(false));
  compare(Maker().make_either_address(true));
  for (const Width first_width : kWidths) {
    for (const Width second_width : kWidths) {
      for (const JumpOp first : kKinds) {
        for (const JumpOp second : kKinds) {
          for (const Shape shape : kShapes) {
            for (const int choice : {0, 1, 2, 3}) {
              compare(Maker().make({first_width, first}, {second_width, second}, shape,
                                   (choice & 1) != 0, (choice & 2) != 0));
              if (HasFatalFailure()) {
                return;
              }
            }
          }
        }
      }
    }
  }
  for (const std::int32_t number : {0, 1, 14, -1, -2}) {
    for (const JumpOp op : {JumpOp::kEq, JumpOp::kNe, JumpOp::kGt, JumpOp::kGe, JumpOp::kLt,
                            JumpOp::kLe, JumpOp::kSet, JumpOp::kSGt, JumpOp::kSLe}) {
      compare(length_against(op, number));
    }
  }
  for (std::size_t number = handler::kFinal; number < handler::kCount; ++number) {
    EXPECT_TRUE(used_.contains(number)) << "no program had form " << number - handler::kFinal;
  }
  // Those of single_test_loop.h: of one test, by width, of two, by both, and of addresses; of
  // others, none.
  EXPECT_EQ(loops_.size(), 3U + 3 * 3 + 1 + 1);
  EXPECT_TRUE(loops_.contains(nullptr));
}

}  // namespace
}  // namespace weir::vm
