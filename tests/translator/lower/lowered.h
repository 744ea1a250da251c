// The way from an expression or a classic program to one in the kernel, without optimisation.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "cbpf/compile.h"
#include "cbpf/validate.h"
#include "translator/ir/build/build.h"
#include "translator/ir/build/restore_vlan_tag.h"
#include "translator/lower/target/packet_direction.h"
#include "translator/lower/to_extended.h"
#include "xdp/kernel/load.h"

namespace weir::lower {

inline constexpr int kEthernet = 1;
inline constexpr TargetId kHooks[] = {TargetId::kSocket, TargetId::kTc, TargetId::kXdp};

inline xdp::ProgramType type_of(TargetId id) {
  return id == TargetId::kSocket ? xdp::ProgramType::kSocketFilter
         : id == TargetId::kXdp  ? xdp::ProgramType::kXdp
                                 : xdp::ProgramType::kTc;
}

inline Result<ebpf::Program> lowered(const cbpf::ValidatedProgram& program, TargetId id,
                                     const std::optional<Rule>& rule = std::nullopt,
                                     int link_type = kEthernet,
                                     const std::optional<ebpf::SkbLayout>& layout = std::nullopt) {
  auto function = ir::build(program, link_type, {}, {.most = lower::target(id).max_backward_jumps});
  if (!function) {
    return tl::make_unexpected(function.error());
  }
  if (lower::target(id).vlan_stripped) {
    *function = restore_vlan_tag(*function);
  }
  fold_packet_direction(*function, lower::target(id).direction);
  Target target = lower::target(id);
  target.skb_layout = layout;
  return to_extended(*function, target, rule);
}

inline cbpf::ValidatedProgram compiled(const std::string& expression, int link_type = kEthernet) {
  const auto program = cbpf::compile(expression, {.link_type = link_type});
  EXPECT_TRUE(program) << expression << ": " << to_string(program.error());
  auto validated = cbpf::validate(*program);
  EXPECT_TRUE(validated) << expression << ": " << to_string(validated.error());
  return *validated;
}

inline Result<xdp::LoadedProgram> loaded(const cbpf::ValidatedProgram& program, TargetId id,
                                         const std::optional<Rule>& rule = std::nullopt) {
  auto extended = lowered(program, id, rule);
  if (!extended) {
    return tl::make_unexpected(extended.error());
  }
  return xdp::load(*extended, type_of(id));
}

}  // namespace weir::lower
