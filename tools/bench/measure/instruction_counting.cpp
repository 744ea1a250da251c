#include "tools/bench/measure/instruction_counting.h"

#include <algorithm>
#include <array>
#include <vector>

#include "translator/ebpf/assembler.h"

namespace weir::bench {
namespace {

// ---- classic ----

bool touches_scratch(const cbpf::Instruction& i) {
  const cbpf::Code of_class = cbpf::class_of(i.code);
  return of_class == cbpf::kSt || of_class == cbpf::kStx ||
         ((of_class == cbpf::kLd || of_class == cbpf::kLdx) && cbpf::mode_of(i.code) == cbpf::kMem);
}

std::vector<std::uint32_t> unused_words(const cbpf::Program& program) {
  std::array<bool, cbpf::kScratchWords> used{};
  for (const cbpf::Instruction& i : program.instructions) {
    if (touches_scratch(i) && i.k < cbpf::kScratchWords) {
      used[i.k] = true;
    }
  }
  std::vector<std::uint32_t> words;
  for (std::uint32_t word = 0; word < cbpf::kScratchWords; ++word) {
    if (!used[word]) {
      words.push_back(word);
    }
  }
  return words;
}

bool is_ja(const cbpf::Instruction& i) { return i.code == (cbpf::kJmp | cbpf::kJa); }

// The heads of the basic blocks. A target outside the program is no head: the validator has a word
// on it.
std::vector<bool> block_heads(const cbpf::Program& program) {
  const std::size_t size = program.instructions.size();
  std::vector<bool> heads(size, false);
  const auto mark = [&](std::size_t at) {
    if (at < size) {
      heads[at] = true;
    }
  };
  mark(0);
  for (std::size_t at = 0; at < size; ++at) {
    const cbpf::Instruction& i = program.instructions[at];
    if (cbpf::class_of(i.code) != cbpf::kJmp) {
      continue;
    }
    mark(at + 1);
    if (is_ja(i)) {
      mark(at + 1 + static_cast<std::size_t>(static_cast<std::int32_t>(i.k)));
    } else {
      mark(at + 1 + i.jt);
      mark(at + 1 + i.jf);
    }
  }
  return heads;
}

// How long the block that begins here is.
template <typename IsEnd>
std::uint32_t block_length(std::size_t begin, const std::vector<bool>& heads, const IsEnd& is_end) {
  std::size_t at = begin;
  while (!is_end(at) && at + 1 < heads.size() && !heads[at + 1]) {
    ++at;
  }
  return static_cast<std::uint32_t>(at - begin + 1);
}

// Writes the counting copy. Every jump of it is a `ja`, which reaches however far the code moves.
class ClassicCounter {
 public:
  ClassicCounter(const cbpf::Program& program, std::uint32_t count, std::uint32_t kept)
      : program_(program), heads_(block_heads(program)), count_(count), kept_(kept) {}

  cbpf::Program make() {
    emit(cbpf::kLd | cbpf::kImm, 0);  // As A is when a program begins.
    emit(cbpf::kSt, count_);
    for (std::size_t at = 0; at < program_.instructions.size(); ++at) {
      position_.push_back(out_.instructions.size());
      if (heads_[at]) {
        count_block(at);
      }
      copy(at);
    }
    for (const Jump& jump : jumps_) {
      if (jump.target < position_.size()) {
        out_.instructions[jump.at].k =
            static_cast<std::uint32_t>(position_[jump.target] - jump.at - 1);
      }
    }
    return std::move(out_);
  }

 private:
  struct Jump {
    std::size_t at;
    std::size_t target;  // In the program.
  };

  void emit(int code, std::uint32_t k) {
    out_.instructions.push_back({static_cast<std::uint16_t>(code), 0, 0, k});
  }

  void count_block(std::size_t at) {
    const std::uint32_t length = block_length(at, heads_, [this](std::size_t i) {
      return cbpf::class_of(program_.instructions[i].code) == cbpf::kRet;
    });
    emit(cbpf::kSt, kept_);
    emit(cbpf::kLd | cbpf::kMem, count_);
    emit(cbpf::kAlu | cbpf::kAdd | cbpf::kK, length);
    emit(cbpf::kSt, count_);
    emit(cbpf::kLd | cbpf::kMem, kept_);
  }

  void jump_to(std::size_t target) {
    jumps_.push_back({out_.instructions.size(), target});
    emit(cbpf::kJmp | cbpf::kJa, 0);
  }

  void copy(std::size_t at) {
    const cbpf::Instruction& i = program_.instructions[at];
    if (cbpf::class_of(i.code) == cbpf::kRet) {
      emit(cbpf::kLd | cbpf::kMem, count_);
      emit(cbpf::kRet | cbpf::kA, 0);
    } else if (is_ja(i)) {
      jump_to(at + 1 + static_cast<std::size_t>(static_cast<std::int32_t>(i.k)));
    } else if (cbpf::class_of(i.code) == cbpf::kJmp) {
      out_.instructions.push_back({i.code, 0, 1, i.k});
      jump_to(at + 1 + i.jt);
      jump_to(at + 1 + i.jf);
    } else {
      out_.instructions.push_back(i);
    }
  }

  const cbpf::Program& program_;
  std::vector<bool> heads_;
  std::uint32_t count_;  // The word of M[] that counts.
  std::uint32_t kept_;   // The one that keeps A meanwhile.
  cbpf::Program out_;
  std::vector<std::size_t> position_;  // Of each instruction in the copy.
  std::vector<Jump> jumps_;
};

// ---- extended ----

struct RegisterUse {
  std::array<bool, 11> used{};
  bool calls = false;  // Something clobbers r1 to r5.

  void add(ebpf::Reg reg) { used[static_cast<std::size_t>(reg)] = true; }
  void add(const ebpf::Operand& operand) {
    if (const auto* reg = std::get_if<ebpf::Reg>(&operand)) {
      add(*reg);
    }
  }
  void operator()(const ebpf::Alu& i) { add(i.dst), add(i.src); }
  void operator()(const ebpf::Endian& i) { add(i.dst); }
  void operator()(const ebpf::Load& i) { add(i.dst), add(i.src); }
  void operator()(const ebpf::Store& i) { add(i.dst), add(i.src); }
  void operator()(const ebpf::Atomic& i) { add(i.dst), add(i.src); }
  void operator()(const ebpf::LoadImm64& i) { add(i.dst); }
  void operator()(const ebpf::LoadPacket& i) {
    calls = true;
    add(ebpf::Reg::kR6);
    if (i.indirect) {
      add(i.index);
    }
  }
  void operator()(const ebpf::Jump& i) { add(i.dst), add(i.src); }
  void operator()(const ebpf::Call&) { calls = true; }
  void operator()(const ebpf::Exit&) {}
};

std::optional<ebpf::Reg> unused_register(const ebpf::Program& program) {
  RegisterUse use;
  for (const ebpf::Instruction& instruction : program.instructions) {
    std::visit(use, instruction);
  }
  // r1 holds the context when the program begins.
  for (std::size_t reg = 9; reg >= (use.calls ? 6U : 2U); --reg) {
    if (!use.used[reg]) {
      return static_cast<ebpf::Reg>(reg);
    }
  }
  return std::nullopt;
}

// For each slot the instruction that begins there.
std::vector<std::size_t> instructions_by_slot(const ebpf::Program& program) {
  std::vector<std::size_t> by_slot;
  for (std::size_t at = 0; at < program.instructions.size(); ++at) {
    by_slot.insert(by_slot.end(), ebpf::slots(program.instructions[at]), at);
  }
  return by_slot;
}

// The targets of the jumps, by instruction; its own place for what is no jump.
std::vector<std::size_t> jump_targets(const ebpf::Program& program) {
  const std::vector<std::size_t> by_slot = instructions_by_slot(program);
  std::vector<std::size_t> targets;
  std::int64_t slot = 0;
  for (std::size_t at = 0; at < program.instructions.size(); ++at) {
    slot += ebpf::slots(program.instructions[at]);
    const auto* jump = std::get_if<ebpf::Jump>(&program.instructions[at]);
    targets.push_back(jump == nullptr ? at
                                      : by_slot[static_cast<std::size_t>(slot + jump->offset)]);
  }
  return targets;
}

}  // namespace

std::optional<cbpf::Program> counting(const cbpf::Program& program) {
  const std::vector<std::uint32_t> words = unused_words(program);
  if (words.size() < 2) {
    return std::nullopt;
  }
  return ClassicCounter(program, words[0], words[1]).make();
}

std::optional<ebpf::Program> counting(const ebpf::Program& program) {
  const auto counter = unused_register(program);
  if (!counter) {
    return std::nullopt;
  }
  const std::size_t size = program.instructions.size();
  const std::vector<std::size_t> targets = jump_targets(program);
  std::vector<bool> heads(size, false);
  heads[0] = true;
  for (std::size_t at = 0; at < size; ++at) {
    if (std::holds_alternative<ebpf::Jump>(program.instructions[at])) {
      heads[targets[at]] = true;
      if (at + 1 < size) {
        heads[at + 1] = true;
      }
    }
  }
  ebpf::Assembler assembler;
  std::vector<ebpf::Label> labels;
  for (std::size_t at = 0; at < size; ++at) {
    labels.push_back(assembler.new_label());
  }
  assembler.emit(ebpf::Alu{.dst = *counter, .src = 0});
  for (std::size_t at = 0; at < size; ++at) {
    const ebpf::Instruction& instruction = program.instructions[at];
    assembler.set_origin(at < program.origins.size() ? program.origins[at] : ebpf::kNoOrigin);
    assembler.bind(labels[at]);
    if (heads[at]) {
      const std::uint32_t length = block_length(at, heads, [&](std::size_t i) {
        return std::holds_alternative<ebpf::Exit>(program.instructions[i]);
      });
      assembler.emit(ebpf::Alu{
          .op = ebpf::AluOp::kAdd, .dst = *counter, .src = static_cast<std::int32_t>(length)});
    }
    if (const auto* jump = std::get_if<ebpf::Jump>(&instruction)) {
      if (jump->op == ebpf::JumpOp::kJa) {
        assembler.jump(labels[targets[at]]);
      } else {
        assembler.jump_if(jump->op, jump->dst, jump->src, labels[targets[at]], jump->is64);
      }
      continue;
    }
    if (std::holds_alternative<ebpf::Exit>(instruction)) {
      assembler.emit(ebpf::Alu{.dst = ebpf::Reg::kR0, .src = *counter});
    }
    assembler.emit(instruction);
  }
  ebpf::Program made = std::move(assembler).finish();
  made.maps = program.maps;
  return made;
}

}  // namespace weir::bench
