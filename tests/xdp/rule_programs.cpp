#include "tests/xdp/rule_programs.h"

#include "cbpf/compile.h"
#include "cbpf/validate.h"
#include "translator/ir/build/build.h"
#include "translator/lower/to_extended.h"

namespace weir::testing {

Result<ebpf::Program> rule_program(const std::string& expression, ebpf::Action action,
                                   xdp::Hook hook, std::uint64_t network) {
  auto classic = cbpf::compile(expression);
  if (!classic) return tl::make_unexpected(classic.error());
  auto valid = cbpf::validate(std::move(*classic));
  if (!valid) return tl::make_unexpected(valid.error());
  auto function = ir::build(*valid, cbpf::kLinkTypeEthernet);
  if (!function) return tl::make_unexpected(function.error());
  const xdp::RuleText text{.action = action,
                           .hook = hook,
                           .attached_at = 1790000000,
                           .network = network,
                           .expression = expression};
  const auto target = hook == xdp::Hook::kXdp ? lower::TargetId::kXdp : lower::TargetId::kTc;
  return lower::to_extended(*function, lower::target(target),
                            lower::Rule{action, xdp::encode_rule(text)});
}

}  // namespace weir::testing
