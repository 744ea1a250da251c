#include "xdp/rules.h"

#include <fmt/format.h>

#include <algorithm>

#include "xdp/inspect.h"
#include "xdp/interface.h"

namespace weir::xdp {
namespace {

constexpr char kProgramName[] = "weir_rule";

TcDirection direction_of(Hook hook) {
  return hook == Hook::kTcEgress ? TcDirection::kEgress : TcDirection::kIngress;
}

// The rule a program carries; nothing when it carries none.
std::optional<RuleText> rule_of(std::uint32_t program_id) {
  const auto map = open_program_map(program_id, ebpf::kRuleMap);
  const auto text = map ? map_value(map->get(), 0) : tl::make_unexpected(map.error());
  const auto rule = text ? decode_rule(*text) : tl::make_unexpected(text.error());
  return rule ? std::optional(*rule) : std::nullopt;
}

// Fills in what the program itself tells. False when it went away meanwhile.
Result<bool> describe(StandingRule& standing, std::uint32_t program_id) {
  const auto fd = open_program(program_id);
  if (!fd) {
    if (fd.error().code == ErrorCode::kPermission) {
      return tl::make_unexpected(fd.error());
    }
    return false;
  }
  auto info = program_info(fd->get());
  if (!info) {
    return tl::make_unexpected(info.error());
  }
  standing.program = std::move(*info);
  standing.rule = rule_of(program_id);
  return true;
}

Status list_xdp(const Interface& interface, std::vector<StandingRule>& all) {
  if (interface.native_program == 0 && interface.generic_program == 0) {
    return {};
  }
  const auto programs = xdp_programs(interface.name);
  if (!programs) {
    return tl::make_unexpected(programs.error());
  }
  for (const XdpStanding& program : *programs) {
    StandingRule standing{.interface = interface.name, .interface_index = interface.index};
    standing.xdp = program;
    const auto there = describe(standing, program.program_id);
    if (!there) {
      return tl::make_unexpected(there.error());
    }
    if (*there) {
      all.push_back(std::move(standing));
    }
  }
  return {};
}

Status list_tc(const Interface& interface, Hook hook, std::vector<StandingRule>& all) {
  const auto filters = tc_filters(interface.index, direction_of(hook));
  if (!filters) {
    return tl::make_unexpected(filters.error());
  }
  for (const TcFilter& filter : *filters) {
    if (filter.program_id == 0) {
      continue;
    }
    StandingRule standing{
        .interface = interface.name, .interface_index = interface.index, .hook = hook};
    standing.tc = filter;
    const auto there = describe(standing, filter.program_id);
    if (!there) {
      return tl::make_unexpected(there.error());
    }
    if (*there) {
      all.push_back(std::move(standing));
    }
  }
  return {};
}

Status list_one(const Interface& interface, std::vector<StandingRule>& all) {
  if (auto listed = list_xdp(interface, all); !listed) {
    return listed;
  }
  for (const Hook hook : {Hook::kTcIngress, Hook::kTcEgress}) {
    if (auto listed = list_tc(interface, hook, all); !listed) {
      return listed;
    }
  }
  return {};
}

Status detach(const StandingRule& standing) {
  if (standing.hook == Hook::kXdp) {
    return detach_xdp(standing.interface_index, standing.xdp);
  }
  return detach_tc(standing.interface_index, direction_of(standing.hook), standing.tc);
}

// The rules of weir's at that place must go before another can come.
Status make_room(const RulePlace& place, bool force) {
  const auto all = list_rules(place.interface);
  if (!all) {
    return tl::make_unexpected(all.error());
  }
  for (const StandingRule& standing : *all) {
    if (!standing.rule || standing.hook != place.hook) {
      continue;
    }
    if (!force) {
      return fail(ErrorCode::kBusy,
                  fmt::format("a rule already stands at {} of '{}': {} {}", hook_name(place.hook),
                              place.interface, action_name(standing.rule->action),
                              standing.rule->expression));
    }
    if (auto detached = detach(standing); !detached) {
      return detached;
    }
  }
  return {};
}

Status attach_at_xdp(const LoadedProgram& program, const RulePlace& place, bool force,
                     AttachedRule& attached) {
  auto attachment = attach_xdp(place.interface, program, {.mode = place.mode, .force = force});
  if (!attachment) {
    return tl::make_unexpected(attachment.error());
  }
  attached.link = std::move(attachment->link);
  attached.program_id = attachment->program_id;
  attached.dispatcher = attachment->dispatcher;
  attached.fallback = std::move(attachment->fallback);
  return {};
}

Status attach_at_tc(const LoadedProgram& program, const RulePlace& place, AttachedRule& attached) {
  auto link = attach_tc(place.interface, direction_of(place.hook), program);
  if (!link) {
    return tl::make_unexpected(link.error());
  }
  attached.link = std::move(*link);
  attached.program_id = program.info().id;
  return {};
}

}  // namespace

Result<AttachedRule> attach_rule(const ebpf::Program& program, const RulePlace& place, bool force) {
  if (const auto index = interface_index(place.interface); !index) {
    return tl::make_unexpected(index.error());
  }
  const bool at_xdp = place.hook == Hook::kXdp;
  // Loaded first: what the verifier refuses must not cost the rule that stands there.
  auto loaded =
      load(program, at_xdp ? ProgramType::kXdp : ProgramType::kTc, {.name = kProgramName});
  if (!loaded) {
    return tl::make_unexpected(loaded.error());
  }
  if (auto room = make_room(place, force); !room) {
    return tl::make_unexpected(room.error());
  }
  AttachedRule attached;
  const Status done = at_xdp ? attach_at_xdp(*loaded, place, force, attached)
                             : attach_at_tc(*loaded, place, attached);
  if (!done) {
    return tl::make_unexpected(done.error());
  }
  attached.program = loaded->info();
  attached.statistics = loaded->statistics();
  return attached;
}

Result<std::vector<StandingRule>> list_rules(const std::optional<std::string>& interface) {
  const auto there = interfaces();
  if (!there) {
    return tl::make_unexpected(there.error());
  }
  std::vector<StandingRule> all;
  bool found = !interface;
  for (const Interface& one : *there) {
    if (interface && one.name != *interface) {
      continue;
    }
    found = true;
    if (auto listed = list_one(one, all); !listed) {
      return tl::make_unexpected(listed.error());
    }
  }
  if (!found) {
    return fail(ErrorCode::kNoInterface, fmt::format("no interface named '{}'", *interface));
  }
  return all;
}

Result<std::vector<StandingRule>> detach_rules(const std::string& interface,
                                               std::optional<Hook> hook) {
  auto all = list_rules(interface);
  if (!all) {
    return all;
  }
  std::erase_if(*all, [&](const StandingRule& standing) {
    return !standing.rule || (hook && standing.hook != *hook);
  });
  for (const StandingRule& standing : *all) {
    if (auto detached = detach(standing); !detached) {
      return tl::make_unexpected(detached.error());
    }
  }
  return all;
}

}  // namespace weir::xdp
