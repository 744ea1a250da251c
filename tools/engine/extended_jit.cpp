// The engine extended-jit: the translated program as machine code.
#include <algorithm>

#include "tools/engine/user_machine.h"
#include "translator/jit/jit.h"

namespace weir::engine {

namespace {

PreparedResult prepared(const Result<ebpf::Program>& program, bool ancillary,
                        bool for_many_packets) {
  if (!program) {
    return tl::make_unexpected(program.error());
  }
  auto native = jit::NativeProgram::compile(
      *program, {},
      {.runs_on = jit::RunsOn::kPackets,
       .lanes = for_many_packets ? jit::SimdUse::kAlways : jit::SimdUse::kMeasured});
  if (!native) {
    return tl::make_unexpected(native.error());
  }
  const Footprint footprint{.instructions = ebpf::slot_count(program->instructions),
                            .native_bytes = static_cast<std::uint32_t>(native->code().size())};
  return std::make_unique<UserMachine<jit::NativeProgram>>(std::move(*native), footprint,
                                                           ancillary);
}

}  // namespace

PreparedResult prepare_extended_jit(const Filter& filter) {
  return prepared(translate_for_user(filter), filter.program.extensions() != 0,
                  filter.for_many_packets);
}

PreparedResult prepare_joined_jit(std::span<const Filter> filters, ir::JoinedResult result) {
  const bool for_many_packets = std::any_of(filters.begin(), filters.end(),
                                            [](const Filter& one) { return one.for_many_packets; });
  return prepared(translate_joined_for_user(filters, result), false, for_many_packets);
}

}  // namespace weir::engine
