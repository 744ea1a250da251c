#include "tools/engine/socket_program.h"

#include "tools/engine/programs.h"
#include "xdp/kernel/skb_layout.h"

namespace weir::engine {
namespace {

std::optional<ebpf::SkbLayout> ask_kernel() {
  const auto found = xdp::find_skb_layout();
  return found ? std::optional(*found) : std::nullopt;
}

}  // namespace

const std::optional<ebpf::SkbLayout>& socket_layout() {
  static const std::optional<ebpf::SkbLayout> kLayout = ask_kernel();
  return kLayout;
}

Result<ebpf::Program> socket_program(const Filter& filter) {
  TranslateOptions options = translate_options(filter, lower::TargetId::kSocket);
  options.skb_layout = socket_layout();
  return translate(filter.program, options);
}

}  // namespace weir::engine
