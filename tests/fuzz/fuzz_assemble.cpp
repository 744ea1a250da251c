// Any text through the assembler: a program that is written and read back the same, or errors with
// their places.
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <tuple>

#include "cbpf/text/assemble.h"
#include "cbpf/text/disassemble.h"
#include "tests/fuzz/require.h"

namespace weir::cbpf {
namespace {

void check_errors(const std::vector<Error>& errors) {
  require(!errors.empty() && errors.size() <= kMaxAssemblyErrors, "from one error to twenty");
  std::tuple<std::uint32_t, std::uint32_t> last{0, 0};
  for (const Error& error : errors) {
    const std::tuple<std::uint32_t, std::uint32_t> here{error.place.line, error.place.column};
    require(error.place.line > 0 && error.place.column > 0, "an error has a place");
    require(here >= last, "errors are in the order of the text", to_string(error));
    require(!error.message.empty(), "an error says something");
    last = here;
  }
}

}  // namespace
}  // namespace weir::cbpf

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace weir;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto program = cbpf::assemble(text);
  if (!program) {
    cbpf::check_errors(program.error());
    return 0;
  }
  const std::string written = cbpf::disassemble(*program);
  const auto again = cbpf::assemble(written);
  require(again.has_value(), "what the disassembler writes can be assembled", written);
  require(*again == *program, "disassembled and assembled, a program is the same", written);
  return 0;
}
