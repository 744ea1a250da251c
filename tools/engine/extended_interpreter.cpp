// The engine extended-interpreter: the translated program in weir's machine of 2014.
#include "tools/engine/programs.h"
#include "tools/engine/user_machine.h"
#include "translator/vm/machine.h"

namespace weir::engine {

Result<ebpf::Program> translate_for_user(const Filter& filter) {
  if (auto answered = require_known_extensions(filter); !answered) {
    return tl::make_unexpected(answered.error());
  }
  return translate(filter.program, translate_options(filter, lower::TargetId::kUser));
}

PreparedResult prepare_extended_interpreter(const Filter& filter) {
  const auto program = translate_for_user(filter);
  if (!program) {
    return tl::make_unexpected(program.error());
  }
  auto machine = vm::Machine::load(*program);
  if (!machine) {
    return tl::make_unexpected(machine.error());
  }
  const Footprint footprint{.instructions = ebpf::slot_count(program->instructions)};
  return std::make_unique<UserMachine<vm::Machine>>(std::move(*machine), footprint,
                                                    filter.program.extensions() != 0);
}

}  // namespace weir::engine
