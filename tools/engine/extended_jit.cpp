// The engine extended-jit: the translated program as machine code.
#include "tools/engine/user_machine.h"
#include "translator/jit/jit.h"

namespace weir::engine {

namespace {

PreparedResult prepared(const Result<ebpf::Program>& program, bool ancillary) {
  if (!program) {
    return tl::make_unexpected(program.error());
  }
  auto native = jit::NativeProgram::compile(*program, {}, {.runs_on = jit::RunsOn::kPackets});
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
  return prepared(translate_for_user(filter), filter.program.extensions() != 0);
}

PreparedResult prepare_joined_jit(std::span<const Filter> filters, ir::JoinedResult result) {
  return prepared(translate_joined_for_user(filters, result), false);
}

}  // namespace weir::engine
