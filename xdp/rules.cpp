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

// A program that the kernel does not describe may be one of weir's.
Status all_known(const std::vector<StandingRule>& rows) {
  const auto unknown =
      std::find_if(rows.begin(), rows.end(), [](const StandingRule& row) { return row.error; });
  return unknown == rows.end() ? Status{} : tl::make_unexpected(*unknown->error);
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
    if (standing.hook != place.hook) {
      continue;
    }
    if (standing.error) {
      return tl::make_unexpected(*standing.error);
    }
    if (!standing.rule) {
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

Result<std::vector<StandingRule>> detach_rules(const std::string& interface,
                                               std::optional<Hook> hook) {
  auto all = list_rules(interface);
  if (!all) {
    return all;
  }
  std::erase_if(*all, [&](const StandingRule& standing) { return hook && standing.hook != *hook; });
  if (auto known = all_known(*all); !known) {
    return tl::make_unexpected(known.error());
  }
  std::erase_if(*all, [](const StandingRule& standing) { return !standing.rule; });
  for (const StandingRule& standing : *all) {
    if (auto detached = detach(standing); !detached) {
      return tl::make_unexpected(detached.error());
    }
  }
  return all;
}

}  // namespace weir::xdp
