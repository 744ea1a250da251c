#include "tools/bench/measure/neutralized_programs.h"

#include <map>
#include <utility>
#include <variant>
#include <vector>

#include "translator/ebpf/assembler.h"

namespace weir::bench {
namespace {

// Whether the instruction only gives the next one, an exit, a constant to return.
bool sets_result_for_exit(const std::vector<ebpf::Instruction>& all, std::size_t at) {
  const auto* alu = std::get_if<ebpf::Alu>(&all[at]);
  return alu != nullptr && alu->op == ebpf::AluOp::kMov && alu->dst == ebpf::Reg::kR0 &&
         std::holds_alternative<std::int32_t>(alu->src) && at + 1 < all.size() &&
         std::holds_alternative<ebpf::Exit>(all[at + 1]);
}

}  // namespace

cbpf::Program returning_nothing(cbpf::Program program) {
  for (cbpf::Instruction& instruction : program.instructions) {
    if (cbpf::class_of(instruction.code) == cbpf::kRet) {
      instruction = {cbpf::kRet | cbpf::kK, 0, 0, 0};
    }
  }
  return program;
}

ebpf::Program returning_always(ebpf::Program program, std::int32_t value) {
  const std::vector<ebpf::Instruction>& all = program.instructions;
  std::map<std::int64_t, ebpf::Label> labels;  // By slot.
  ebpf::Assembler assembler;
  const auto label_at = [&](std::int64_t slot) {
    const auto [found, is_new] = labels.try_emplace(slot);
    if (is_new) {
      found->second = assembler.new_label();
    }
    return found->second;
  };
  std::vector<std::int64_t> slots;
  std::int64_t slot = 0;
  for (const ebpf::Instruction& instruction : all) {
    slots.push_back(slot);
    slot += ebpf::slots(instruction);
    if (const auto* jump = std::get_if<ebpf::Jump>(&instruction)) {
      label_at(slot + jump->offset);
    }
  }
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (const auto label = labels.find(slots[i]); label != labels.end()) {
      assembler.bind(label->second);
    }
    assembler.set_origin(i < program.origins.size() ? program.origins[i] : ebpf::kNoOrigin);
    if (const auto* jump = std::get_if<ebpf::Jump>(&all[i])) {
      const ebpf::Label target = label_at(slots[i] + 1 + jump->offset);
      if (jump->op == ebpf::JumpOp::kJa) {
        assembler.jump(target);
      } else {
        assembler.jump_if(jump->op, jump->dst, jump->src, target, jump->is64);
      }
    } else if (std::holds_alternative<ebpf::Exit>(all[i])) {
      assembler.emit(ebpf::Alu{.is64 = false, .dst = ebpf::Reg::kR0, .src = value});
      assembler.emit(all[i]);
    } else if (!sets_result_for_exit(all, i) || labels.contains(slots[i] + 1)) {
      assembler.emit(all[i]);
    }
  }
  ebpf::Program changed = std::move(assembler).finish();
  changed.maps = std::move(program.maps);
  return changed;
}

ebpf::Program empty_program(std::int32_t value) {
  ebpf::Assembler assembler;
  assembler.emit(ebpf::Alu{.is64 = false, .dst = ebpf::Reg::kR0, .src = value});
  assembler.emit(ebpf::Exit{});
  return std::move(assembler).finish();
}

}  // namespace weir::bench
