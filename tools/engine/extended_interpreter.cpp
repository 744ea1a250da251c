// The engine extended-interpreter: the translated program in weir's machine of 2014.
#include <vector>

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

Result<ebpf::Program> translate_joined_for_user(std::span<const Filter> filters,
                                                ir::JoinedResult result) {
  std::vector<JoinedFilter> joined;
  for (const Filter& filter : filters) {
    if (filter.program.extensions() != 0) {
      return fail(ErrorCode::kUnsupported, "filters that read metadata are run one by one");
    }
    joined.push_back({.program = &filter.program, .set_tests = &filter.set_tests});
  }
  return translate_together(joined, filters.front().link_type, result);
}

namespace {

PreparedResult prepared(const Result<ebpf::Program>& program, bool ancillary) {
  if (!program) {
    return tl::make_unexpected(program.error());
  }
  auto machine = vm::Machine::load(*program);
  if (!machine) {
    return tl::make_unexpected(machine.error());
  }
  const Footprint footprint{.instructions = ebpf::slot_count(program->instructions)};
  return std::make_unique<UserMachine<vm::Machine>>(std::move(*machine), footprint, ancillary);
}

}  // namespace

PreparedResult prepare_extended_interpreter(const Filter& filter) {
  return prepared(translate_for_user(filter), filter.program.extensions() != 0);
}

PreparedResult prepare_joined_interpreter(std::span<const Filter> filters,
                                          ir::JoinedResult result) {
  return prepared(translate_joined_for_user(filters, result), false);
}

}  // namespace weir::engine
