// Every form of the assembler against Capstone's reading of its bytes, for all registers, and for
// the displacements and immediates at which an encoding changes.
#include <capstone/capstone.h>
#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <string>

#include "translator/jit/x86/assembler.h"

namespace weir::jit::x86 {
namespace {

constexpr std::array<Gp, 16> kAll = {Gp::kRax, Gp::kRcx, Gp::kRdx, Gp::kRbx, Gp::kRsp, Gp::kRbp,
                                     Gp::kRsi, Gp::kRdi, Gp::kR8,  Gp::kR9,  Gp::kR10, Gp::kR11,
                                     Gp::kR12, Gp::kR13, Gp::kR14, Gp::kR15};
constexpr std::array<std::int32_t, 9> kDisps = {0,    1,    -1,         127,        128,
                                                -128, -129, 0x7fffffff, -0x7fffffff};
constexpr std::array<std::int32_t, 8> kImms = {1, -1, 127, 128, -128, -129, 0x7fffffff, -65536};

std::string name(Gp reg, int bits) {
  constexpr std::array<const char*, 8> kLow = {"ax", "cx", "dx", "bx", "sp", "bp", "si", "di"};
  const auto number = static_cast<std::size_t>(reg);
  if (number >= 8) {
    return "r" + std::to_string(number) +
           (bits == 64   ? ""
            : bits == 32 ? "d"
            : bits == 16 ? "w"
                         : "b");
  }
  const std::string low = kLow[number];
  if (bits == 8) {
    return number < 4 ? std::string(1, low[0]) + "l" : low + "l";
  }
  return (bits == 64 ? "r" : bits == 32 ? "e" : "") + low;
}

std::string hex(std::uint64_t value) {
  if (value <= 9) {
    return std::to_string(value);
  }
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "0x%llx", static_cast<unsigned long long>(value));
  return text.data();
}

// As Capstone prints an immediate of an operation of `bits` bits.
std::string imm_text(std::int32_t imm, int bits) {
  const auto value = static_cast<std::uint64_t>(std::int64_t{imm});
  const std::uint64_t cut = bits == 64 ? value : value & ((std::uint64_t{1} << bits) - 1);
  // Capstone prints small negative numbers with a sign and others as they are.
  return hex(cut);
}

std::string mem_text(Mem mem, int bits) {
  const std::string size = bits == 64   ? "qword"
                           : bits == 32 ? "dword"
                           : bits == 16 ? "word"
                                        : "byte";
  std::string at = name(mem.base, 64);
  if (mem.disp > 0) {
    at += " + " + hex(static_cast<std::uint64_t>(mem.disp));
  } else if (mem.disp < 0) {
    at += " - " + hex(static_cast<std::uint64_t>(-std::int64_t{mem.disp}));
  }
  return size + " ptr [" + at + "]";
}

class AssemblerX86 : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(cs_open(CS_ARCH_X86, CS_MODE_64, &capstone_), CS_ERR_OK);
    cs_option(capstone_, CS_OPT_UNSIGNED, CS_OPT_ON);
  }
  void TearDown() override { cs_close(&capstone_); }

  std::vector<std::string> listing(const std::vector<std::uint8_t>& bytes) const {
    cs_insn* instructions = nullptr;
    const std::size_t count =
        cs_disasm(capstone_, bytes.data(), bytes.size(), 0x1000, 0, &instructions);
    std::vector<std::string> lines;
    std::size_t size = 0;
    for (std::size_t i = 0; i < count; ++i) {
      lines.push_back(std::string(instructions[i].mnemonic) +
                      (instructions[i].op_str[0] != 0 ? " " : "") + instructions[i].op_str);
      size += instructions[i].size;
    }
    cs_free(instructions, count);
    EXPECT_EQ(size, bytes.size()) << "what follows " << (lines.empty() ? "" : lines.back());
    return lines;
  }

  void expect(const std::function<void(Assembler&)>& emit, const std::string& want) const {
    Assembler assembler;
    emit(assembler);
    const std::vector<std::string> lines = listing(assembler.finish());
    ASSERT_EQ(lines.size(), 1U) << want;
    EXPECT_EQ(lines[0], want);
  }

  csh capstone_ = 0;
};

constexpr int bits_of(Size size) { return size == Size::k64 ? 64 : 32; }

TEST_F(AssemblerX86, RegisterForms) {
  for (const Gp a : kAll) {
    for (const Gp b : kAll) {
      for (const Size size : {Size::k32, Size::k64}) {
        const int bits = bits_of(size);
        const std::string both = " " + name(a, bits) + ", " + name(b, bits);
        expect([&](Assembler& as) { as.mov(size, a, b); }, "mov" + both);
        expect([&](Assembler& as) { as.test(size, a, b); }, "test" + both);
        expect([&](Assembler& as) { as.imul(size, a, b); }, "imul" + both);
        expect([&](Assembler& as) { as.cmov(Condition::kEqual, size, a, b); }, "cmove" + both);
        constexpr std::pair<Arith, const char*> kArith[] = {
            {Arith::kAdd, "add"}, {Arith::kOr, "or"},   {Arith::kAnd, "and"},
            {Arith::kSub, "sub"}, {Arith::kXor, "xor"}, {Arith::kCmp, "cmp"}};
        for (const auto& [op, mnemonic] : kArith) {
          expect([&, op = op](Assembler& as) { as.arith(op, size, a, b); }, mnemonic + both);
        }
      }
    }
  }
}

TEST_F(AssemblerX86, OneRegister) {
  for (const Gp a : kAll) {
    const std::string wide = " " + name(a, 64);
    const std::string narrow = " " + name(a, 32);
    expect([&](Assembler& as) { as.push(a); }, "push" + wide);
    expect([&](Assembler& as) { as.pop(a); }, "pop" + wide);
    expect([&](Assembler& as) { as.call(a); }, "call" + wide);
    expect([&](Assembler& as) { as.zero(a); }, "xor" + narrow + "," + narrow);
    expect([&](Assembler& as) { as.rotate16(a, 8); }, "rol " + name(a, 16) + ", 8");
    for (const Size size : {Size::k32, Size::k64}) {
      const std::string one = size == Size::k64 ? wide : narrow;
      expect([&](Assembler& as) { as.bswap(size, a); }, "bswap" + one);
      expect([&](Assembler& as) { as.unary(Unary::kNeg, size, a); }, "neg" + one);
      expect([&](Assembler& as) { as.unary(Unary::kDiv, size, a); }, "div" + one);
      expect([&](Assembler& as) { as.unary(Unary::kIdiv, size, a); }, "idiv" + one);
      constexpr std::pair<Shift, const char*> kShifts[] = {{Shift::kRol, "rol"},
                                                           {Shift::kRor, "ror"},
                                                           {Shift::kShl, "shl"},
                                                           {Shift::kShr, "shr"},
                                                           {Shift::kSar, "sar"}};
      for (const auto& [op, mnemonic] : kShifts) {
        expect([&, op = op](Assembler& as) { as.shift(op, size, a, 13); },
               mnemonic + one + ", 0xd");
        expect([&, op = op](Assembler& as) { as.shift_cl(op, size, a); }, mnemonic + one + ", cl");
      }
    }
  }
  expect([](Assembler& as) { as.sign_into_rdx(Size::k32); }, "cdq");
  expect([](Assembler& as) { as.sign_into_rdx(Size::k64); }, "cqo");
  expect([](Assembler& as) { as.ret(); }, "ret");
}

TEST_F(AssemblerX86, Immediates) {
  for (const Gp a : kAll) {
    for (const std::int32_t imm : kImms) {
      for (const Size size : {Size::k32, Size::k64}) {
        const int bits = bits_of(size);
        const std::string with = " " + name(a, bits) + ", " + imm_text(imm, bits);
        expect([&](Assembler& as) { as.arith(Arith::kAdd, size, a, imm); }, "add" + with);
        expect([&](Assembler& as) { as.arith(Arith::kCmp, size, a, imm); }, "cmp" + with);
        expect([&](Assembler& as) { as.test(size, a, imm); }, "test" + with);
        expect([&](Assembler& as) { as.imul(size, a, Gp::kR9, imm); },
               "imul " + name(a, bits) + ", " + name(Gp::kR9, bits) + ", " + imm_text(imm, bits));
      }
      expect([&](Assembler& as) { as.mov_imm32(a, static_cast<std::uint32_t>(imm)); },
             "mov " + name(a, 32) + ", " + imm_text(imm, 32));
      expect([&](Assembler& as) { as.mov_imm(a, static_cast<std::uint64_t>(std::int64_t{imm})); },
             imm < 0 ? "mov " + name(a, 64) + ", " + imm_text(imm, 64)
                     : "mov " + name(a, 32) + ", " + imm_text(imm, 32));
    }
    expect([&](Assembler& as) { as.mov_imm(a, 0x123456789abcdef0); },
           "movabs " + name(a, 64) + ", 0x123456789abcdef0");
    expect([&](Assembler& as) { as.mov_imm(a, 0xffffffff); },
           "mov " + name(a, 32) + ", 0xffffffff");
  }
}

TEST_F(AssemblerX86, ExtendingMoves) {
  struct Form {
    Extend how;
    const char* mnemonic;
    int to;
    int from;
  };
  constexpr Form kForms[] = {{Extend::kZero8, "movzx", 32, 8},   {Extend::kZero16, "movzx", 32, 16},
                             {Extend::kZero32, "mov", 32, 32},   {Extend::kNone64, "mov", 64, 64},
                             {Extend::kSign8, "movsx", 64, 8},   {Extend::kSign16, "movsx", 64, 16},
                             {Extend::kSign32, "movsxd", 64, 32}};
  for (const Form& form : kForms) {
    for (const Gp a : kAll) {
      for (const Gp b : kAll) {
        const std::string start = std::string(form.mnemonic) + " " + name(a, form.to) + ", ";
        expect([&](Assembler& as) { as.extend(form.how, a, b); }, start + name(b, form.from));
        for (const std::int32_t disp : kDisps) {
          const Mem mem{b, disp};
          expect([&](Assembler& as) { as.load(form.how, a, mem); },
                 start + mem_text(mem, form.from));
        }
      }
    }
  }
}

TEST_F(AssemblerX86, StoresAndAddresses) {
  for (const Gp a : kAll) {
    for (const Gp b : kAll) {
      for (const std::int32_t disp : kDisps) {
        const Mem mem{b, disp};
        for (const int bytes : {1, 2, 4, 8}) {
          expect([&](Assembler& as) { as.store(static_cast<std::uint8_t>(bytes), mem, a); },
                 "mov " + mem_text(mem, 8 * bytes) + ", " + name(a, 8 * bytes));
        }
        expect([&](Assembler& as) { as.lea(a, mem); },
               "lea " + name(a, 64) + ", " + mem_text(mem, 64).substr(10));
        expect([&](Assembler& as) { as.arith_mem(Arith::kAdd, Size::k64, a, mem); },
               "add " + name(a, 64) + ", " + mem_text(mem, 64));
        for (const Size size : {Size::k32, Size::k64}) {
          const int bits = bits_of(size);
          const std::string ends = mem_text(mem, bits) + ", " + name(a, bits);
          expect([&](Assembler& as) { as.lock_arith(Arith::kOr, size, mem, a); },
                 "lock or " + ends);
          expect([&](Assembler& as) { as.lock_xadd(size, mem, a); }, "lock xadd " + ends);
          expect([&](Assembler& as) { as.lock_xchg(size, mem, a); }, "xchg " + ends);
          expect([&](Assembler& as) { as.lock_cmpxchg(size, mem, a); }, "lock cmpxchg " + ends);
        }
      }
    }
    for (const std::int32_t disp : kDisps) {
      const Mem mem{a, disp};
      for (const int bytes : {1, 2, 4, 8}) {
        expect([&](Assembler& as) { as.store_imm(static_cast<std::uint8_t>(bytes), mem, 0x12); },
               "mov " + mem_text(mem, 8 * bytes) + ", 0x12");
        expect([&](Assembler& as) { as.store_imm(static_cast<std::uint8_t>(bytes), mem, -2); },
               "mov " + mem_text(mem, 8 * bytes) + ", " + imm_text(-2, 8 * bytes));
      }
      for (const std::int32_t imm : kImms) {
        expect([&](Assembler& as) { as.arith_mem_imm(Arith::kSub, Size::k64, mem, imm); },
               "sub " + mem_text(mem, 64) + ", " + imm_text(imm, 64));
        expect([&](Assembler& as) { as.arith_mem_imm(Arith::kSub, Size::k32, mem, imm); },
               "sub " + mem_text(mem, 32) + ", " + imm_text(imm, 32));
      }
      expect([&](Assembler& as) { as.prefetch(mem); }, "prefetcht0 " + mem_text(mem, 8));
    }
  }
}

TEST_F(AssemblerX86, SumsOfTwoRegisters) {
  for (const Gp a : kAll) {
    for (const Gp b : kAll) {
      for (const Gp c : kAll) {
        if (c == Gp::kRsp) {
          continue;  // It cannot be an index.
        }
        Assembler assembler;
        assembler.lea(a, {.base = b, .index = c});
        const std::vector<std::string> lines = listing(assembler.finish());
        ASSERT_EQ(lines.size(), 1U);
        const std::string start = "lea " + name(a, 64) + ", [";
        const std::string one = start + name(b, 64) + " + " + name(c, 64) + "]";
        const std::string other = start + name(c, 64) + " + " + name(b, 64) + "]";
        EXPECT_TRUE(lines[0] == one || lines[0] == other) << lines[0] << " for " << one;
      }
    }
  }
}

TEST_F(AssemblerX86, IndexedMemory) {
  for (const Gp base : kAll) {
    for (const Gp index : kAll) {
      for (const std::uint8_t scale : std::initializer_list<std::uint8_t>{2, 4, 8}) {
        if (index == Gp::kRsp) {
          continue;
        }
        for (const std::int32_t disp : {0, 12, 300}) {
          const Mem mem{.base = base, .disp = disp, .index = index, .scale = scale};
          const std::string text =
              "[" + name(base, 64) + " + " + name(index, 64) + "*" + std::to_string(scale) +
              (disp == 0 ? "" : " + " + hex(static_cast<std::uint64_t>(disp))) + "]";
          expect([&](Assembler& as) { as.load(Extend::kNone64, Gp::kR9, mem); },
                 "mov r9, qword ptr " + text);
          expect([&](Assembler& as) { as.load(Extend::kZero16, Gp::kRax, mem); },
                 "movzx eax, word ptr " + text);
          expect([&](Assembler& as) { as.store(4, mem, Gp::kRdx); },
                 "mov dword ptr " + text + ", edx");
          expect([&](Assembler& as) { as.store_imm(4, mem, 5); }, "mov dword ptr " + text + ", 5");
          expect([&](Assembler& as) { as.arith_mem(Arith::kAdd, Size::k64, Gp::kRcx, mem); },
                 "add rcx, qword ptr " + text);
          expect([&](Assembler& as) { as.lea(Gp::kR14, mem); }, "lea r14, " + text);
          expect([&](Assembler& as) { as.prefetch(mem); }, "prefetcht0 byte ptr " + text);
        }
      }
    }
  }
}

TEST_F(AssemblerX86, ComparesOfMemoryWithNumbers) {
  for (const Gp base : kAll) {
    for (const std::uint32_t imm :
         {0U, 1U, 0x7fU, 0x80U, 0xffU, 0xfffeU, 0x8000U, 0xfffffffeU, 0x12345678U}) {
      const Mem mem{base, 14};
      for (const std::uint8_t bytes : std::initializer_list<std::uint8_t>{1, 2, 4}) {
        const int bits = 8 * bytes;
        const std::uint64_t cut = imm & ((std::uint64_t{1} << bits) - 1);
        expect([&](Assembler& as) { as.cmp_mem_imm(bytes, mem, imm); },
               "cmp " + mem_text(mem, bits) + ", " + hex(cut));
        expect([&](Assembler& as) { as.test_mem_imm(bytes, mem, imm); },
               "test " + mem_text(mem, bits) + ", " + hex(cut));
      }
    }
  }
}

TEST_F(AssemblerX86, AlignsWithWhatDoesNothing) {
  for (std::size_t before = 0; before < 40; ++before) {
    Assembler assembler;
    for (std::size_t i = 0; i < before; ++i) {
      assembler.ret();
    }
    assembler.align(32);
    const std::vector<std::uint8_t> bytes = assembler.finish();
    EXPECT_EQ(bytes.size(), (before + 31) / 32 * 32);
    const std::vector<std::string> lines = listing(bytes);
    for (std::size_t i = before; i < lines.size(); ++i) {
      EXPECT_EQ(lines[i].substr(0, 3), "nop");
    }
  }
}

// A jump over `gap` bytes, forward and back: where it lands and how long it is.
TEST_F(AssemblerX86, JumpsTakeTheShortestFormThatReaches) {
  for (const std::size_t gap : {0U, 1U, 126U, 127U, 128U, 129U, 300U, 70000U}) {
    for (const bool conditional : {false, true}) {
      Assembler forward;
      const Label ahead = forward.new_label();
      if (conditional) {
        forward.jcc(Condition::kAbove, ahead);
      } else {
        forward.jmp(ahead);
      }
      for (std::size_t i = 0; i < gap; ++i) {
        forward.ret();
      }
      forward.bind(ahead);
      const std::vector<std::uint8_t> bytes = forward.finish();
      const std::size_t size = gap <= 127 ? 2 : conditional ? 6 : 5;
      ASSERT_EQ(bytes.size(), size + gap);
      EXPECT_EQ(listing(bytes)[0], (conditional ? "ja " : "jmp ") + hex(0x1000 + size + gap));

      Assembler backward;
      const Label behind = backward.new_label();
      backward.bind(behind);
      for (std::size_t i = 0; i < gap; ++i) {
        backward.ret();
      }
      if (conditional) {
        backward.jcc(Condition::kNotEqual, behind);
      } else {
        backward.jmp(behind);
      }
      const std::vector<std::uint8_t> back = backward.finish();
      EXPECT_EQ(back.size(), gap + (gap + 2 <= 128 ? 2 : conditional ? 6 : 5));
      EXPECT_EQ(listing(back).back(), (conditional ? "jne " : "jmp ") + hex(0x1000));
    }
  }
}

// One jump's growth can put another's target out of reach.
TEST_F(AssemblerX86, JumpsGrowUntilAllReach) {
  Assembler assembler;
  const Label near = assembler.new_label();
  const Label far = assembler.new_label();
  assembler.jmp(near);
  for (int i = 0; i < 124; ++i) {
    assembler.ret();
  }
  assembler.jcc(Condition::kBelow, far);
  assembler.bind(near);
  for (int i = 0; i < 200; ++i) {
    assembler.ret();
  }
  assembler.call(near);
  assembler.bind(far);
  const std::vector<std::string> lines = listing(assembler.finish());
  EXPECT_EQ(lines.front(), "jmp " + hex(0x1000 + 5 + 124 + 6));
  EXPECT_EQ(lines[125], "jb " + hex(0x1000 + 5 + 124 + 6 + 200 + 5));
  EXPECT_EQ(lines.back(), "call " + hex(0x1000 + 5 + 124 + 6));
}

TEST_F(AssemblerX86, Conditions) {
  constexpr std::pair<Condition, const char*> kConditions[] = {
      {Condition::kBelow, "b"},       {Condition::kAboveOrEqual, "ae"},
      {Condition::kEqual, "e"},       {Condition::kNotEqual, "ne"},
      {Condition::kAbove, "a"},       {Condition::kBelowOrEqual, "be"},
      {Condition::kSign, "s"},        {Condition::kLess, "l"},
      {Condition::kGreater, "g"},     {Condition::kGreaterOrEqual, "ge"},
      {Condition::kLessOrEqual, "le"}};
  for (const auto& [condition, suffix] : kConditions) {
    expect(
        [condition = condition](Assembler& as) {
          const Label here = as.new_label();
          as.bind(here);
          as.jcc(condition, here);
        },
        std::string("j") + suffix + " 0x1000");
  }
  EXPECT_EQ(opposite(Condition::kBelow), Condition::kAboveOrEqual);
  EXPECT_EQ(opposite(Condition::kGreater), Condition::kLessOrEqual);
}

constexpr std::array<Ymm, 4> kSomeYmm = {Ymm::k0, Ymm::k7, Ymm::k8, Ymm::k15};

std::string name(Ymm reg, char kind = 'y') {
  return kind + ("mm" + std::to_string(static_cast<int>(reg)));
}

TEST_F(AssemblerX86, VectorsOfTwo) {
  constexpr std::pair<Vector, const char*> kOps[] = {{Vector::kAnd, "vpand"},
                                                     {Vector::kAndNot, "vpandn"},
                                                     {Vector::kOr, "vpor"},
                                                     {Vector::kXor, "vpxor"},
                                                     {Vector::kAddDwords, "vpaddd"},
                                                     {Vector::kAddQwords, "vpaddq"},
                                                     {Vector::kSubDwords, "vpsubd"},
                                                     {Vector::kMulDwords, "vpmulld"},
                                                     {Vector::kMinDwords, "vpminud"},
                                                     {Vector::kMaxDwords, "vpmaxud"},
                                                     {Vector::kEqualDwords, "vpcmpeqd"},
                                                     {Vector::kGreaterDwords, "vpcmpgtd"},
                                                     {Vector::kShuffleBytes, "vpshufb"},
                                                     {Vector::kUnpackLowDwords, "vpunpckldq"},
                                                     {Vector::kUnpackHighDwords, "vpunpckhdq"},
                                                     {Vector::kUnpackLowQwords, "vpunpcklqdq"},
                                                     {Vector::kUnpackHighQwords, "vpunpckhqdq"},
                                                     {Vector::kPermuteDwords, "vpermd"}};
  for (const auto& [op, mnemonic] : kOps) {
    for (const Ymm a : kSomeYmm) {
      for (const Ymm b : kSomeYmm) {
        const std::string start = mnemonic + (" " + name(b)) + ", " + name(a) + ", ";
        expect([&, op = op](Assembler& as) { as.vector(op, b, a, b); }, start + name(b));
        for (const Gp base : {Gp::kRax, Gp::kRsp, Gp::kR8, Gp::kR13}) {
          const Mem mem{base, 129};
          expect([&, op = op](Assembler& as) { as.vector(op, b, a, mem); },
                 start + "ymmword ptr [" + name(base, 64) + " + 0x81]");
        }
      }
    }
  }
}

TEST_F(AssemblerX86, OtherVectors) {
  for (const Ymm a : kSomeYmm) {
    for (const Ymm b : kSomeYmm) {
      const std::string both = name(a) + ", " + name(b);
      expect([&](Assembler& as) { as.vector(VectorImm::kShuffleDwords, a, b, a, 0x88); },
             "vshufps " + both + ", " + name(a) + ", 0x88");
      expect([&](Assembler& as) { as.vector(VectorImm::kPermuteHalves, a, b, a, 0x31); },
             "vperm2i128 " + both + ", " + name(a) + ", 0x31");
      expect([&](Assembler& as) { as.vector(VectorImm::kInsertHalf, a, b, a, 1); },
             "vinserti128 " + both + ", " + name(a, 'x') + ", 1");
      expect(
          [&](Assembler& as) {
            as.vector(VectorImm::kInsertHalf, a, b, {Gp::kR9, 1}, 1);
          },
          "vinserti128 " + both + ", xmmword ptr [r9 + 1], 1");
      expect([&](Assembler& as) { as.vector_shift(VectorShift::kShl, a, b, 3); },
             "vpslld " + both + ", 3");
      expect([&](Assembler& as) { as.vector_shift(VectorShift::kShr, a, b, 3); },
             "vpsrld " + both + ", 3");
      expect([&](Assembler& as) { as.vector_shift(VectorShift::kSar, a, b, 3); },
             "vpsrad " + both + ", 3");
      expect([&](Assembler& as) { as.vector_mov(Bits::k128, a, b); },
             "vmovdqa " + name(a, 'x') + ", " + name(b, 'x'));
      expect([&](Assembler& as) { as.vector_extend(a, b); },
             "vpmovzxdq " + name(a) + ", " + name(b, 'x'));
      expect([&](Assembler& as) { as.vector_upper(a, b); },
             "vextracti128 " + name(a, 'x') + ", " + name(b) + ", 1");
      expect([&](Assembler& as) { as.vector_choose(a, b, a, b); },
             "vpblendvb " + both + ", " + name(a) + ", " + name(b));
      if (a != b && a != Ymm::k8 && b != Ymm::k8) {
        // Destination, index and mask must be three.
        expect([&](Assembler& as) { as.vector_gather(a, b, 130, Ymm::k8); },
               "vpgatherqd " + name(a, 'x') + ", dword ptr [" + name(b) + " + 0x82], xmm8");
      }
    }
    expect([&](Assembler& as) { as.vector_load(Bits::k256, a, {Gp::kR10}); },
           "vmovdqu " + name(a) + ", ymmword ptr [r10]");
    expect([&](Assembler& as) { as.vector_load(Bits::k128, a, {Gp::kRbx}); },
           "vmovdqu " + name(a, 'x') + ", xmmword ptr [rbx]");
    expect([&](Assembler& as) { as.vector_store(a, {Gp::kRdx}); },
           "vmovdqu ymmword ptr [rdx], " + name(a));
    expect(
        [&](Assembler& as) {
          as.vector_broadcast(a, {Gp::kRcx, 4});
        },
        "vpbroadcastd " + name(a) + ", dword ptr [rcx + 4]");
    expect([&](Assembler& as) { as.vector_signs(Gp::kR15, a); }, "vmovmskps r15d, " + name(a));
  }
  expect([](Assembler& as) { as.vector_done(); }, "vzeroupper");
}

}  // namespace
}  // namespace weir::jit::x86
