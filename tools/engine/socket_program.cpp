#include "tools/engine/socket_program.h"

#include <optional>

#include "tools/engine/programs.h"
#include "xdp/skb_layout.h"

namespace weir::engine {
namespace {

std::optional<ebpf::SkbLayout> ask_kernel() {
  const auto found = xdp::find_skb_layout();
  return found ? std::optional(*found) : std::nullopt;
}

}  // namespace

Result<ebpf::Program> socket_program(const Filter& filter) {
  static const std::optional<ebpf::SkbLayout> kLayout = ask_kernel();
  TranslateOptions options = translate_options(filter, lower::TargetId::kSocket);
  options.skb_layout = kLayout;
  return translate(filter.program, options);
}

}  // namespace weir::engine
