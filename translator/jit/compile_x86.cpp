// Which of the two kinds of code a program gets.
#include <optional>
#include <utility>

#include "translator/ebpf/user_check.h"
#include "translator/jit/compile.h"

namespace weir::jit {

Result<CompiledCode> compile(const CompileInput& input) {
  if (Status status = ebpf::check_for_user_space(input.program, input.helpers,
                                                 input.options.legacy_packet_access);
      !status) {
    return tl::make_unexpected(std::move(status.error()));
  }
  if (input.options.runs_on == RunsOn::kMemory) {
    return compile_checked(input, {});
  }
  const ebpf::AccessProof proof = ebpf::prove_packet_accesses(input.program);
  if (const auto form = ebpf::packet_form(input.program, proof)) {
    return compile_packets(input, *form);
  }
  return compile_checked(input, proof);
}

}  // namespace weir::jit
