#include "translator/jit/compile.h"

#include <algorithm>
#include <utility>

#include "translator/userspace/check.h"

namespace weir::jit {
namespace {

Result<CompiledCode> checked(const CompileInput& input, const ebpf::AccessProof& proof,
                             Processor processor) {
  switch (processor) {
    case Processor::kX86:
      return x86::compile_checked(input, proof);
    case Processor::kAArch64:
      return aarch64::compile_checked(input, proof);
  }
  return fail(ErrorCode::kUnsupported, "there is no native code for this kind of processor");
}

Result<CompiledCode> packets(const CompileInput& input, const ebpf::PacketProgram& form,
                             Processor processor) {
  switch (processor) {
    case Processor::kX86:
      return x86::compile_packets(input, form);
    case Processor::kAArch64:
      return aarch64::compile_packets(input, form);
  }
  return fail(ErrorCode::kUnsupported, "there is no native code for this kind of processor");
}

}  // namespace

Result<CompiledCode> compile(const CompileInput& input, Processor processor) {
  if (Status status = ebpf::check_for_user_space(input.program, input.helpers,
                                                 input.options.legacy_packet_access);
      !status) {
    return tl::make_unexpected(std::move(status.error()));
  }
  if (input.options.runs_on == RunsOn::kMemory) {
    return checked(input, {}, processor);
  }
  const ebpf::AccessProof proof = ebpf::prove_packet_accesses(input.program);
  if (auto form = ebpf::packet_program(input.program, proof)) {
    auto code = packets(input, *form, processor);
    if (code) {
      code->form = std::move(form);
    }
    return code;
  }
  return checked(input, proof, processor);
}

std::vector<std::uint32_t> jump_targets(const ebpf::Program& program) {
  const std::vector<ebpf::Instruction>& all = program.instructions;
  std::vector<std::uint32_t> slot_of;
  std::vector<std::uint32_t> at_slot;
  slot_of.reserve(all.size());
  at_slot.reserve(all.size() + 8);
  for (std::uint32_t i = 0; i < all.size(); ++i) {
    slot_of.push_back(static_cast<std::uint32_t>(at_slot.size()));
    at_slot.insert(at_slot.end(), slots(all[i]), i);
  }
  std::vector<std::uint32_t> targets(all.size(), kNoTarget);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto* jump = std::get_if<ebpf::Jump>(&all[i]);
    const auto* call = std::get_if<ebpf::Call>(&all[i]);
    const bool is_local = call != nullptr && call->kind == ebpf::CallKind::kLocal;
    if (jump == nullptr && !is_local) {
      continue;
    }
    const std::int64_t distance = jump != nullptr ? jump->offset : call->imm;
    targets[i] = at_slot[static_cast<std::size_t>(std::int64_t{slot_of[i]} + 1 + distance)];
  }
  return targets;
}

std::uint64_t value_of(const ebpf::LoadImm64& load, std::span<const ebpf::Region> data) {
  if (load.kind == ebpf::Imm64Kind::kMapValueIndex) {
    return data[static_cast<std::uint32_t>(load.value)].address + (load.value >> 32);
  }
  return load.value;
}

const ebpf::Helper& helper_of(const ebpf::Call& call, std::span<const ebpf::Helper> helpers) {
  return *std::find_if(helpers.begin(), helpers.end(),
                       [&call](const ebpf::Helper& one) { return one.number == call.imm; });
}

}  // namespace weir::jit
