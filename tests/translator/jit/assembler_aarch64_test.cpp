// Every form of the assembler against Capstone's reading of its bytes, for all registers, and for
// the numbers at which an encoding ends; what does not fit is refused.
#include <capstone/capstone.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <functional>
#include <set>
#include <string>

#include "tests/random/choices.h"
#include "translator/jit/aarch64/assembler.h"

namespace weir::jit::aarch64 {
namespace {

constexpr std::array kSizes = {Size::k32, Size::k64};
constexpr unsigned bits_of(Size size) { return size == Size::k64 ? 64 : 32; }

// The 31 registers; with_zero: and zero.
std::vector<Gp> registers(bool with_zero = false) {
  std::vector<Gp> all;
  for (unsigned n = 0; n < (with_zero ? 32U : 31U); ++n) {
    all.push_back(static_cast<Gp>(n));
  }
  return all;
}

std::string name(Gp reg, Size size = Size::k64) {
  const bool wide = size == Size::k64;
  if (reg == Gp::kZero || reg == Gp::kSp) {
    return reg == Gp::kZero ? (wide ? "xzr" : "wzr") : (wide ? "sp" : "wsp");
  }
  const auto number = static_cast<unsigned>(reg);
  // The disassembler's names of two; those of the others are numbers.
  return wide && number == 29 ? "x29" : fmt::format("{}{}", wide ? 'x' : 'w', number);
}

// As Capstone prints a number: plain up to 9, then hexadecimal.
std::string number(std::int64_t value) {
  const std::int64_t size = value < 0 ? -value : value;
  const char* sign = value < 0 ? "-" : "";
  return size <= 9 ? fmt::format("#{}{}", sign, size) : fmt::format("#{}{:#x}", sign, size);
}

std::string place(Mem mem) {
  return mem.disp == 0 ? fmt::format("[{}]", name(mem.base))
                       : fmt::format("[{}, {}]", name(mem.base), number(mem.disp));
}

class AssemblerAArch64 : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(cs_open(CS_ARCH_ARM64, CS_MODE_LITTLE_ENDIAN, &capstone_), CS_ERR_OK);
  }
  void TearDown() override { cs_close(&capstone_); }

  std::vector<std::string> listing(const std::vector<std::uint8_t>& bytes,
                                   std::uint64_t address = 0x1000) const {
    cs_insn* instructions = nullptr;
    const std::size_t count =
        cs_disasm(capstone_, bytes.data(), bytes.size(), address, 0, &instructions);
    std::vector<std::string> lines;
    for (std::size_t i = 0; i < count; ++i) {
      lines.push_back(std::string(instructions[i].mnemonic) +
                      (instructions[i].op_str[0] != 0 ? " " : "") + instructions[i].op_str);
    }
    cs_free(instructions, count);
    EXPECT_EQ(4 * count, bytes.size()) << "what follows " << (lines.empty() ? "" : lines.back());
    return lines;
  }

  std::vector<std::string> listing(const std::function<void(Assembler&)>& emit) const {
    Assembler assembler;
    emit(assembler);
    const auto bytes = assembler.finish();
    EXPECT_TRUE(bytes.has_value());
    return bytes ? listing(*bytes) : std::vector<std::string>{};
  }

  void expect(const std::function<void(Assembler&)>& emit, const std::string& want) const {
    const std::vector<std::string> lines = listing(emit);
    ASSERT_EQ(lines.size(), 1U) << want;
    EXPECT_EQ(lines[0], want);
  }

  // Of long code: how many instructions it has, and the first or last two of them.
  std::vector<std::string> listing_of_ends(const std::function<void(Assembler&)>& emit, bool last,
                                           std::size_t& count) const {
    Assembler assembler;
    emit(assembler);
    const std::vector<std::uint8_t> bytes = assembler.finish().value();
    count = bytes.size() / 4;
    const std::size_t kept = std::min<std::size_t>(bytes.size(), 8);
    const std::size_t skipped = last ? bytes.size() - kept : 0;
    const auto from = bytes.begin() + static_cast<std::ptrdiff_t>(skipped);
    return listing({from, from + static_cast<std::ptrdiff_t>(kept)}, 0x1000 + skipped);
  }

  static void expect_refused(const std::function<void(Assembler&)>& emit) {
    Assembler assembler;
    emit(assembler);
    const auto bytes = assembler.finish();
    ASSERT_FALSE(bytes.has_value());
    EXPECT_EQ(bytes.error().code, ErrorCode::kUnsupported);
  }

  csh capstone_ = 0;
};

TEST_F(AssemblerAArch64, ThreeRegisters) {
  using Form = void (Assembler::*)(Size, Gp, Gp, Gp);
  constexpr std::pair<Form, const char*> kForms[] = {
      {&Assembler::mul, "mul"}, {&Assembler::udiv, "udiv"}, {&Assembler::sdiv, "sdiv"}};
  constexpr std::pair<Arith, const char*> kArith[] = {
      {Arith::kAdd, "add"}, {Arith::kAdds, "adds"}, {Arith::kSub, "sub"}, {Arith::kSubs, "subs"}};
  constexpr std::pair<Logic, const char*> kLogic[] = {
      {Logic::kAnd, "and"}, {Logic::kOrr, "orr"}, {Logic::kEor, "eor"}, {Logic::kAnds, "ands"}};
  constexpr std::pair<Shift, const char*> kShifts[] = {
      {Shift::kLsl, "lsl"}, {Shift::kLsr, "lsr"}, {Shift::kAsr, "asr"}, {Shift::kRor, "ror"}};
  for (const Size size : kSizes) {
    for (const Gp a : registers()) {
      for (const Gp b : registers()) {
        const Gp c = static_cast<Gp>((static_cast<unsigned>(b) + 7) % 31);
        const std::string all =
            fmt::format(" {}, {}, {}", name(a, size), name(b, size), name(c, size));
        for (const auto& [form, mnemonic] : kForms) {
          expect([&, form = form](Assembler& as) { (as.*form)(size, a, b, c); }, mnemonic + all);
        }
        for (const auto& [op, mnemonic] : kArith) {
          expect([&, op = op](Assembler& as) { as.arith(op, size, a, b, c); }, mnemonic + all);
          expect([&, op = op](Assembler& as) { as.arith(op, size, a, b, c, 12); },
                 mnemonic + all + ", lsl #12");
        }
        for (const auto& [op, mnemonic] : kLogic) {
          expect([&, op = op](Assembler& as) { as.logic(op, size, a, b, c); }, mnemonic + all);
        }
        for (const auto& [op, mnemonic] : kShifts) {
          expect([&, op = op](Assembler& as) { as.shift(op, size, a, b, c); }, mnemonic + all);
        }
        expect([&](Assembler& as) { as.csel(Condition::kLess, size, a, b, c); },
               "csel" + all + ", lt");
        expect([&](Assembler& as) { as.msub(size, a, b, c, Gp::kX30); },
               "msub" + all + ", " + name(Gp::kX30, size));
      }
    }
  }
  expect([](Assembler& as) { as.add_uxtw(Gp::kX1, Gp::kSp, Gp::kX3, 0); }, "add x1, sp, w3, uxtw");
  expect([](Assembler& as) { as.add_uxtw(Gp::kX30, Gp::kX17, Gp::kX19, 4); },
         "add x30, x17, w19, uxtw #4");
  // With nothing to subtract from.
  expect([](Assembler& as) { as.arith(Arith::kSub, Size::k32, Gp::kX5, Gp::kZero, Gp::kX6); },
         "neg w5, w6");
}

TEST_F(AssemblerAArch64, TwoRegisters) {
  for (const Gp a : registers()) {
    for (const Gp b : registers()) {
      for (const Size size : kSizes) {
        const std::string both = fmt::format(" {}, {}", name(a, size), name(b, size));
        expect([&](Assembler& as) { as.mov(size, a, b); }, "mov" + both);
        expect([&](Assembler& as) { as.mvn(size, a, b); }, "mvn" + both);
        expect([&](Assembler& as) { as.cmp(size, a, b); }, "cmp" + both);
        expect([&](Assembler& as) { as.tst(size, a, b); }, "tst" + both);
        expect([&](Assembler& as) { as.rev(size, a, b); }, "rev" + both);
        expect([&](Assembler& as) { as.rev16(size, a, b); }, "rev16" + both);
        const std::string from_half = fmt::format(" {}, {}", name(a, size), name(b, Size::k32));
        expect([&](Assembler& as) { as.extend(Extend::kSign8, size, a, b); }, "sxtb" + from_half);
        expect([&](Assembler& as) { as.extend(Extend::kSign16, size, a, b); }, "sxth" + from_half);
        if (b != Gp::kX17) {
          expect([&](Assembler& as) { as.store_exclusive(size, Gp::kX17, Gp::kX30, b); },
                 fmt::format("stlxr w17, {}, [{}]", name(Gp::kX30, size), name(b)));
        }
        expect([&](Assembler& as) { as.load_exclusive(size, a, b); },
               fmt::format("ldaxr {}, [{}]", name(a, size), name(b)));
      }
      const std::string halves = fmt::format(" {}, {}", name(a, Size::k32), name(b, Size::k32));
      expect([&](Assembler& as) { as.extend(Extend::kZero8, Size::k64, a, b); }, "uxtb" + halves);
      expect([&](Assembler& as) { as.extend(Extend::kZero16, Size::k64, a, b); }, "uxth" + halves);
      expect([&](Assembler& as) { as.extend(Extend::kZero32, Size::k64, a, b); }, "mov" + halves);
      expect([&](Assembler& as) { as.extend(Extend::kNone64, Size::k64, a, b); },
             fmt::format("mov {}, {}", name(a), name(b)));
      expect([&](Assembler& as) { as.extend(Extend::kSign32, Size::k64, a, b); },
             fmt::format("sxtw {}, {}", name(a), name(b, Size::k32)));
    }
    expect([&](Assembler& as) { as.call(a); }, "blr " + name(a));
    expect([&](Assembler& as) { as.push(a); }, fmt::format("str {}, [sp, #-0x10]!", name(a)));
    expect([&](Assembler& as) { as.pop(a); }, fmt::format("ldr {}, [sp], #0x10", name(a)));
  }
  expect([](Assembler& as) { as.ret(); }, "ret");
}

TEST_F(AssemblerAArch64, ShiftsByNumbers) {
  for (const Gp a : registers()) {
    const Gp b = static_cast<Gp>((static_cast<unsigned>(a) + 11) % 31);
    for (const Size size : kSizes) {
      for (unsigned count = 1; count < bits_of(size); ++count) {
        const auto by = static_cast<std::uint8_t>(count);
        const std::string rest =
            fmt::format(" {}, {}, {}", name(a, size), name(b, size), number(count));
        expect([&](Assembler& as) { as.shift_imm(Shift::kLsl, size, a, b, by); }, "lsl" + rest);
        expect([&](Assembler& as) { as.shift_imm(Shift::kLsr, size, a, b, by); }, "lsr" + rest);
        expect([&](Assembler& as) { as.shift_imm(Shift::kAsr, size, a, b, by); }, "asr" + rest);
      }
      expect_refused([&](Assembler& as) {
        as.shift_imm(Shift::kLsl, size, a, b, static_cast<std::uint8_t>(bits_of(size)));
      });
    }
  }
}

TEST_F(AssemblerAArch64, NumbersInArithmetic) {
  for (const std::uint32_t imm : {0U, 1U, 9U, 10U, 0xfffU, 0x1000U, 0xfff000U}) {
    EXPECT_TRUE(fits_arith(imm));
    const std::string text =
        imm > 0xfff ? number(imm >> 12) + ", lsl #12" : number(static_cast<std::int64_t>(imm));
    for (const Gp a : registers()) {
      const Gp b = static_cast<Gp>((static_cast<unsigned>(a) + 1) % 31);
      for (const Size size : kSizes) {
        const std::string both = fmt::format(" {}, {}, {}", name(a, size), name(b, size), text);
        constexpr std::pair<Arith, const char*> kArith[] = {{Arith::kAdd, "add"},
                                                            {Arith::kAdds, "adds"},
                                                            {Arith::kSub, "sub"},
                                                            {Arith::kSubs, "subs"}};
        for (const auto& [op, mnemonic] : kArith) {
          expect([&, op = op](Assembler& as) { as.arith_imm(op, size, a, b, imm); },
                 mnemonic + both);
        }
        const std::string one = fmt::format(" {}, {}", name(a, size), text);
        expect([&](Assembler& as) { as.cmp_imm(size, a, imm); }, "cmp" + one);
        expect([&](Assembler& as) { as.cmn_imm(size, a, imm); }, "cmn" + one);
      }
    }
  }
  expect([](Assembler& as) { as.arith_imm(Arith::kSub, Size::k64, Gp::kSp, Gp::kSp, 32); },
         "sub sp, sp, #0x20");
  for (const std::uint32_t imm : {0x1001U, 0xfff001U, 0x1000000U, 0xffffffffU}) {
    EXPECT_FALSE(fits_arith(imm));
    expect_refused([&](Assembler& as) { as.cmp_imm(Size::k32, Gp::kX1, imm); });
  }
}

// All there are: in pieces of 2 to 64 bits, each run of ones in it, each rotation.
std::set<std::uint64_t> logic_immediates(Size size) {
  std::set<std::uint64_t> all;
  for (unsigned piece = 2; piece <= bits_of(size); piece *= 2) {
    const std::uint64_t mask = ~std::uint64_t{0} >> (64 - piece);
    for (unsigned ones = 1; ones < piece; ++ones) {
      for (unsigned rotation = 0; rotation < piece; ++rotation) {
        std::uint64_t value = (std::uint64_t{1} << ones) - 1;
        value = rotation == 0 ? value : (value >> rotation | value << (piece - rotation)) & mask;
        for (unsigned filled = piece; filled < bits_of(size); filled *= 2) {
          value |= value << filled;
        }
        all.insert(value);
      }
    }
  }
  return all;
}

TEST_F(AssemblerAArch64, NumbersInLogic) {
  for (const Size size : kSizes) {
    const std::set<std::uint64_t> all = logic_immediates(size);
    EXPECT_EQ(all.size(), size == Size::k64 ? 5334U : 1302U);
    unsigned turn = 0;
    for (const std::uint64_t imm : all) {
      const Gp a = static_cast<Gp>(turn++ % 31);
      const Gp b = static_cast<Gp>(turn % 31);
      const std::string text = imm <= 9 ? fmt::format("#{}", imm) : fmt::format("#{:#x}", imm);
      const std::string rest = fmt::format(" {}, {}, {}", name(a, size), name(b, size), text);
      constexpr std::pair<Logic, const char*> kLogic[] = {
          {Logic::kAnd, "and"}, {Logic::kOrr, "orr"}, {Logic::kEor, "eor"}, {Logic::kAnds, "ands"}};
      for (const auto& [op, mnemonic] : kLogic) {
        expect([&, op = op](Assembler& as) { as.logic_imm(op, size, a, b, imm); }, mnemonic + rest);
      }
      expect([&](Assembler& as) { as.tst_imm(size, b, imm); },
             fmt::format("tst {}, {}", name(b, size), text));
    }
    // And no others.
    random::Choices choices(1);
    for (int i = 0; i < 100'000; ++i) {
      std::uint64_t imm = std::uint64_t{choices.any()} << 32 | choices.any();
      imm = choices.chance(50) ? imm >> choices.below(64) : imm;
      imm = size == Size::k32 ? imm & 0xffffffff : imm;
      ASSERT_EQ(logic_immediate(size, imm).has_value(), all.contains(imm)) << imm;
    }
    for (const std::uint64_t imm : {std::uint64_t{0}, ~std::uint64_t{0}, std::uint64_t{5}}) {
      EXPECT_FALSE(logic_immediate(size, imm)) << imm;
      expect_refused([&](Assembler& as) { as.tst_imm(size, Gp::kX1, imm); });
    }
  }
  EXPECT_FALSE(logic_immediate(Size::k32, 0xffffffff));
  EXPECT_FALSE(logic_immediate(Size::k32, 0xff00000000));
}

TEST_F(AssemblerAArch64, MovesOfNumbers) {
  for (const Gp a : registers(true)) {
    for (const Size size : kSizes) {
      expect([&](Assembler& as) { as.mov_wide(MoveWide::kMovz, size, a, 0x1234, 16); },
             fmt::format("movz {}, #0x1234, lsl #16", name(a, size)));
      expect([&](Assembler& as) { as.mov_wide(MoveWide::kMovn, size, a, 5, 0); },
             fmt::format("movn {}, #0x5", name(a, size)));
      expect([&](Assembler& as) { as.mov_wide(MoveWide::kMovk, size, a, 0xffff, 0); },
             fmt::format("movk {}, #0xffff", name(a, size)));
    }
    expect([&](Assembler& as) { as.mov_wide(MoveWide::kMovk, Size::k64, a, 1, 48); },
           fmt::format("movk {}, #0x1, lsl #48", name(a)));
  }
  expect_refused([](Assembler& as) { as.mov_wide(MoveWide::kMovz, Size::k32, Gp::kX1, 1, 32); });
  expect_refused([](Assembler& as) { as.mov_wide(MoveWide::kMovz, Size::k64, Gp::kX1, 1, 8); });
}

// What instructions that move numbers into one register leave there.
std::uint64_t moved(const std::vector<std::string>& lines) {
  std::uint64_t value = 0;
  for (const std::string& line : lines) {
    const bool wide = line[line.find(' ') + 1] == 'x';
    const std::uint64_t imm = std::stoull(line.substr(line.find('#') + 1), nullptr, 0);
    const std::size_t lsl = line.find("lsl #");
    const unsigned shift =
        lsl == std::string::npos
            ? 0
            : static_cast<unsigned>(std::stoul(line.substr(lsl + 5), nullptr, 0));
    if (line.starts_with("movk")) {
      value = (value & ~(std::uint64_t{0xffff} << shift)) | imm << shift;
    } else {
      EXPECT_EQ(&line, &lines.front());
      EXPECT_TRUE(line.starts_with("movz") || line.starts_with("movn") || line.starts_with("orr"));
      value = line.starts_with("movn") ? ~(imm << shift) : imm << shift;
    }
    value = wide ? value : value & 0xffffffff;
  }
  return value;
}

TEST_F(AssemblerAArch64, AnyNumberInAsFewInstructionsAsThereCanBe) {
  struct Case {
    std::uint64_t value;
    std::size_t instructions;
  };
  constexpr Case kCases[] = {{0, 1},
                             {1, 1},
                             {0xffff, 1},
                             {0x10000, 1},
                             {0xffffffff, 1},
                             {0xfffffffe, 1},
                             {0xffff0000, 1},
                             {0x12340000, 1},
                             {0x12345678, 2},
                             {0xffff1234, 1},
                             {~std::uint64_t{0}, 1},
                             {0xffffffffffff1234, 1},
                             {0xffff1234ffffffff, 1},
                             {0x0000123400000000, 1},
                             {0xffffffff12345678, 2},
                             {0x00ff00ff00ff00ff, 1},
                             {0x5555555555555555, 1},
                             {0x123456789abcdef0, 4},
                             {0x0001000000000001, 2},
                             {0x8000000000000000, 1}};
  for (const Case& one : kCases) {
    const std::vector<std::string> lines =
        listing([&](Assembler& as) { as.mov_imm(Gp::kX9, one.value); });
    EXPECT_EQ(lines.size(), one.instructions) << one.value;
    EXPECT_EQ(moved(lines), one.value);
  }
  random::Choices choices(7);
  for (int i = 0; i < 20'000; ++i) {
    std::uint64_t value = 0;
    for (int part = 0; part < 4; ++part) {
      value = value << 16 | choices.pick<std::uint32_t>({0, 0xffff, choices.below(0x10000)});
    }
    value >>= choices.pick({0, 0, 32, 7});
    ASSERT_EQ(moved(listing([&](Assembler& as) { as.mov_imm(Gp::kX30, value); })), value);
  }
}

struct LoadForm {
  Extend how;
  const char* ending;  // Behind ldr and ldur.
  std::uint8_t bytes;
  Size to;
};
constexpr LoadForm kLoads[] = {
    {Extend::kZero8, "b", 1, Size::k32},  {Extend::kZero16, "h", 2, Size::k32},
    {Extend::kZero32, "", 4, Size::k32},  {Extend::kNone64, "", 8, Size::k64},
    {Extend::kSign8, "sb", 1, Size::k64}, {Extend::kSign16, "sh", 2, Size::k64},
    {Extend::kSign32, "sw", 4, Size::k64}};

TEST_F(AssemblerAArch64, LoadsAndStores) {
  for (const LoadForm& form : kLoads) {
    const std::int32_t last = 0xfff * form.bytes;
    for (const std::int32_t disp : {0, 1, 8, 16, 255, -1, -256, last}) {
      EXPECT_TRUE(fits_displacement(form.bytes, disp));
      const bool scaled = disp >= 0 && disp % form.bytes == 0;
      for (const Gp reg : registers(true)) {
        for (const Gp base : {Gp::kX0, Gp::kX17, Gp::kX30, Gp::kSp}) {
          const std::string rest =
              fmt::format("{} {}, {}", form.ending, name(reg, form.to), place({base, disp}));
          expect(
              [&](Assembler& as) {
                as.load(form.how, reg, {base, disp});
              },
              (scaled ? "ldr" : "ldur") + rest);
          if (form.ending[0] != 's') {
            expect(
                [&](Assembler& as) {
                  as.store(form.bytes, {base, disp}, reg);
                },
                (scaled ? "str" : "stur") + rest);
          }
        }
      }
    }
    for (const std::int32_t disp : {-257, last + form.bytes, 0x7fffffff, -0x7fffffff}) {
      EXPECT_FALSE(fits_displacement(form.bytes, disp));
      expect_refused([&](Assembler& as) { as.load(form.how, Gp::kX1, {Gp::kX2, disp}); });
      expect_refused([&](Assembler& as) { as.store(form.bytes, {Gp::kX2, disp}, Gp::kX1); });
    }
    for (const Gp base : registers()) {
      for (const Gp index : registers()) {
        expect([&](Assembler& as) { as.load_indexed(form.how, Gp::kX5, base, index); },
               fmt::format("ldr{} {}, [{}, {}]", form.ending, name(Gp::kX5, form.to), name(base),
                           name(index)));
      }
      if (base != Gp::kX6) {
        expect(
            [&](Assembler& as) { as.load_and_step(form.how, Gp::kX6, base, 16); },
            fmt::format("ldr{} {}, [{}], #0x10", form.ending, name(Gp::kX6, form.to), name(base)));
      }
      if (form.ending[0] != 's') {
        expect(
            [&](Assembler& as) { as.store_and_step(form.bytes, base, 4, Gp::kZero); },
            fmt::format("str{} {}, [{}], #4", form.ending, name(Gp::kZero, form.to), name(base)));
      }
    }
  }
  expect_refused([](Assembler& as) { as.load_and_step(Extend::kZero8, Gp::kX1, Gp::kX1, 1); });
  expect_refused([](Assembler& as) { as.load_and_step(Extend::kZero8, Gp::kX2, Gp::kX1, 256); });
  // Capstone leaves out the sign.
  expect([](Assembler& as) { as.store_and_step(4, Gp::kX1, -256, Gp::kX2); },
         "str w2, [x1], #0xffffffffffffff00");
  expect_refused([](Assembler& as) { as.store_and_step(4, Gp::kX1, 256, Gp::kX2); });
  expect_refused([](Assembler& as) { as.store_and_step(4, Gp::kX1, -257, Gp::kX2); });
  EXPECT_FALSE(fits_displacement(2, 257));
  EXPECT_FALSE(fits_displacement(8, 1028));
}

TEST_F(AssemblerAArch64, PairsAndPrefetches) {
  for (const Gp a : registers()) {
    const Gp b = static_cast<Gp>((static_cast<unsigned>(a) + 5) % 31);
    const std::string both = name(a) + ", " + name(b);
    expect(
        [&](Assembler& as) {
          as.store_pair({Gp::kSp, 504}, a, b);
        },
        fmt::format("stp {}, [sp, #0x1f8]", both));
    expect(
        [&](Assembler& as) {
          as.load_pair(Size::k64, {b, -512}, a, b);
        },
        fmt::format("ldp {}, [{}, #-0x200]", both, name(b)));
    expect(
        [&](Assembler& as) {
          as.load_pair(Size::k32, {Gp::kX9, 8}, a, b);
        },
        fmt::format("ldp {}, {}, [x9, #8]", name(a, Size::k32), name(b, Size::k32)));
    expect([&](Assembler& as) { as.push_pair(a, b); }, fmt::format("stp {}, [sp, #-0x10]!", both));
    expect([&](Assembler& as) { as.pop_pair(a, b, 64); }, fmt::format("ldp {}, [sp], #0x40", both));
    expect(
        [&](Assembler& as) {
          as.prefetch({a, 64});
        },
        fmt::format("prfm pldl1keep, [{}, #0x40]", name(a)));
    expect(
        [&](Assembler& as) {
          as.prefetch({a, 13});
        },
        fmt::format("prfum pldl1keep, [{}, #0xd]", name(a)));
  }
  expect_refused([](Assembler& as) { as.store_pair({Gp::kSp, 512}, Gp::kX0, Gp::kX1); });
  expect_refused([](Assembler& as) { as.store_pair({Gp::kSp, 4}, Gp::kX0, Gp::kX1); });
  expect_refused([](Assembler& as) { as.push_pair(Gp::kX0, Gp::kX1, 8); });
  expect_refused([](Assembler& as) { as.load_pair(Size::k64, {Gp::kSp}, Gp::kX1, Gp::kX1); });
  expect_refused([](Assembler& as) { as.prefetch({Gp::kX1, 0x8000}); });
  expect_refused([](Assembler& as) { as.store_exclusive(Size::k64, Gp::kX1, Gp::kX2, Gp::kX1); });
  expect_refused([](Assembler& as) { as.store_exclusive(Size::k64, Gp::kX1, Gp::kX1, Gp::kX2); });
}

TEST_F(AssemblerAArch64, ZeroAndTheStackPointerAreRefusedWhereTheOtherIsMeant) {
  expect_refused([](Assembler& as) { as.mov(Size::k64, Gp::kX29, Gp::kSp); });
  expect_refused([](Assembler& as) { as.cmp(Size::k64, Gp::kSp, Gp::kX1); });
  expect_refused([](Assembler& as) { as.cmp_imm(Size::k64, Gp::kZero, 1); });
  expect_refused([](Assembler& as) { as.load(Extend::kNone64, Gp::kSp, {Gp::kX1, 0}); });
  expect_refused([](Assembler& as) { as.load(Extend::kNone64, Gp::kX1, {Gp::kZero, 0}); });
  expect_refused(
      [](Assembler& as) { as.logic_imm(Logic::kAnd, Size::k64, Gp::kZero, Gp::kX1, 1); });
}

constexpr std::pair<Condition, const char*> kConditions[] = {
    {Condition::kEqual, "eq"},          {Condition::kNotEqual, "ne"},
    {Condition::kAboveOrEqual, "hs"},   {Condition::kBelow, "lo"},
    {Condition::kMinus, "mi"},          {Condition::kAbove, "hi"},
    {Condition::kBelowOrEqual, "ls"},   {Condition::kLess, "lt"},
    {Condition::kGreaterOrEqual, "ge"}, {Condition::kGreater, "gt"},
    {Condition::kLessOrEqual, "le"}};

TEST_F(AssemblerAArch64, Conditions) {
  for (const auto& [condition, suffix] : kConditions) {
    expect(
        [condition = condition](Assembler& as) {
          const Label here = as.new_label();
          as.bind(here);
          as.jump_if(condition, here);
        },
        fmt::format("b.{} #0x1000", suffix));
    expect([condition = condition](Assembler& as) { as.cset(condition, Size::k32, Gp::kX3); },
           fmt::format("cset w3, {}", suffix));
  }
  EXPECT_EQ(opposite(Condition::kBelow), Condition::kAboveOrEqual);
  EXPECT_EQ(opposite(Condition::kGreater), Condition::kLessOrEqual);
}

// A jump, and how the one that goes over a far one's second word is written.
struct JumpForm {
  std::function<void(Assembler&, Label)> emit;
  const char* text;
  const char* over;
  std::int64_t words;  // How far it reaches back.
};

TEST_F(AssemblerAArch64, JumpsReachAsFarAsTheirFormAndGoOverAnotherFromThere) {
  const JumpForm forms[] = {
      {[](Assembler& as, Label to) { as.jump_if(Condition::kAbove, to); }, "b.hi ", "b.ls ",
       1 << 18},
      {[](Assembler& as, Label to) { as.jump_if_zero(Size::k32, Gp::kX7, to); }, "cbz w7, ",
       "cbnz w7, ", 1 << 18},
      {[](Assembler& as, Label to) { as.jump_if_not_zero(Size::k64, Gp::kX30, to); }, "cbnz x30, ",
       "cbz x30, ", 1 << 18},
      {[](Assembler& as, Label to) { as.jump_if_bit_clear(Gp::kX9, 33, to); }, "tbz x9, #0x21, ",
       "tbnz x9, #0x21, ", 1 << 13},
      {[](Assembler& as, Label to) { as.jump_if_bit_set(Gp::kX9, 31, to); }, "tbnz w9, #0x1f, ",
       "tbz w9, #0x1f, ", 1 << 13},
  };
  const auto address = [](std::int64_t words) { return fmt::format("#{:#x}", 0x1000 + 4 * words); };
  for (const JumpForm& form : forms) {
    // Ahead: from word 0 over `gap` words.
    for (const std::int64_t gap :
         {std::int64_t{0}, std::int64_t{1}, form.words - 2, form.words - 1, form.words}) {
      std::size_t count = 0;
      const std::vector<std::string> lines = listing_of_ends(
          [&](Assembler& as) {
            const Label ahead = as.new_label();
            form.emit(as, ahead);
            for (std::int64_t i = 0; i < gap; ++i) {
              as.ret();
            }
            as.bind(ahead);
          },
          false, count);
      const bool near = gap + 1 < form.words;
      ASSERT_EQ(count, static_cast<std::size_t>(gap + (near ? 1 : 2)));
      EXPECT_EQ(lines[0], near ? form.text + address(gap + 1) : form.over + address(2));
      if (!near) {
        EXPECT_EQ(lines[1], "b " + address(gap + 2));
      }
    }
    // Back: from behind `gap` words to the first.
    for (const std::int64_t gap : {std::int64_t{0}, form.words, form.words + 1}) {
      std::size_t count = 0;
      const std::vector<std::string> lines = listing_of_ends(
          [&](Assembler& as) {
            const Label behind = as.new_label();
            as.bind(behind);
            for (std::int64_t i = 0; i < gap; ++i) {
              as.ret();
            }
            form.emit(as, behind);
          },
          true, count);
      const bool near = gap <= form.words;
      ASSERT_EQ(count, static_cast<std::size_t>(gap + (near ? 1 : 2)));
      EXPECT_EQ(lines.back(), (near ? form.text : std::string("b ")) + address(0));
      if (!near) {
        EXPECT_EQ(lines[lines.size() - 2], form.over + address(gap + 2));
      }
    }
  }
  expect_refused([](Assembler& as) {
    const Label here = as.new_label();
    as.bind(here);
    as.jump_if_bit_set(Gp::kX1, 64, here);
  });
}

TEST_F(AssemblerAArch64, JumpsAndCallsWithoutCondition) {
  const std::vector<std::string> lines = listing([](Assembler& as) {
    const Label first = as.new_label();
    const Label last = as.new_label();
    as.bind(first);
    as.jump(last);
    as.call(last);
    as.call(first);
    as.bind(last);
    as.jump(first);
  });
  EXPECT_EQ(lines,
            (std::vector<std::string>{"b #0x100c", "bl #0x100c", "bl #0x1000", "b #0x1000"}));
}

TEST_F(AssemblerAArch64, AnUnconditionalJumpOverMoreThanItReachesIsRefused) {
  constexpr std::size_t kReach = std::size_t{1} << 25;
  for (const std::size_t gap : {kReach - 2, kReach - 1}) {
    Assembler assembler(gap + 1);
    const Label ahead = assembler.new_label();
    assembler.jump(ahead);
    for (std::size_t i = 0; i < gap; ++i) {
      assembler.ret();
    }
    assembler.bind(ahead);
    EXPECT_EQ(assembler.finish().has_value(), gap + 1 < kReach);
  }
}

// One jump's growth puts another's target out of reach.
TEST_F(AssemblerAArch64, JumpsGrowUntilAllReach) {
  constexpr int kReach = 1 << 13;
  const std::vector<std::string> lines = listing([](Assembler& as) {
    const Label near = as.new_label();
    const Label far = as.new_label();
    as.jump_if_bit_set(Gp::kX1, 0, near);
    for (int i = 0; i < kReach - 3; ++i) {
      as.ret();
    }
    as.jump_if_bit_set(Gp::kX2, 0, far);
    as.bind(near);
    for (int i = 0; i < kReach; ++i) {
      as.ret();
    }
    as.bind(far);
  });
  ASSERT_EQ(lines.size(), 2U + (kReach - 3) + 2 + kReach);
  EXPECT_EQ(lines[0], "tbz w1, #0, #0x1008");
  EXPECT_EQ(lines[1], fmt::format("b #{:#x}", 0x1000 + 4 * (2 + kReach - 3 + 2)));
  EXPECT_EQ(lines[kReach - 1], fmt::format("tbz w2, #0, #{:#x}", 0x1000 + 4 * (kReach + 1)));
}

TEST_F(AssemblerAArch64, AlignsWithWhatDoesNothing) {
  for (std::size_t before = 0; before < 10; ++before) {
    const std::vector<std::string> lines = listing([&](Assembler& as) {
      for (std::size_t i = 0; i < before; ++i) {
        as.ret();
      }
      as.align(32);
    });
    EXPECT_EQ(lines.size(), (before + 7) / 8 * 8);
    for (std::size_t i = before; i < lines.size(); ++i) {
      EXPECT_EQ(lines[i], "nop");
    }
  }
}

}  // namespace
}  // namespace weir::jit::aarch64
