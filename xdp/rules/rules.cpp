#include "xdp/rules/rules.h"

#include <fmt/format.h>

#include <algorithm>

#include "xdp/hooks/dispatcher_pins.h"
#include "xdp/hooks/hook_lock.h"
#include "xdp/kernel/capabilities.h"
#include "xdp/kernel/inspect.h"
#include "xdp/kernel/interface.h"

namespace weir::xdp {
namespace {

constexpr char kProgramName[] = "weir_rule";

TcDirection direction_of(Hook hook) {
  return hook == Hook::kTcEgress ? TcDirection::kEgress : TcDirection::kIngress;
}

LockedHook locked_hook(Hook hook) {
  return hook == Hook::kXdp ? LockedHook::kXdp : LockedHook::kTc;
}

Status detach(const HookLock& lock, const StandingRule& rule) {
  if (rule.hook == Hook::kXdp) {
    return detach_xdp(rule.interface_index, rule.xdp);
  }
  return detach_tc(lock, rule.interface_index, direction_of(rule.hook), rule.tc);
}

// A step that was refused for want of a privilege, in terms of the whole, which reads what is
// attached and changes it.
Error of_the_whole(const std::string& what, const Error& step) {
  const std::vector<Capability> needs = {Capability::kSysAdmin, Capability::kNetAdmin};
  const bool lacking = !std::all_of(needs.begin(), needs.end(), has_capability);
  return lacking && step.code == ErrorCode::kPermission ? missing_privilege(what, needs) : step;
}

// Weir's rules at the hook. An error when the kernel does not tell of a program there: it may be
// one of weir's.
Result<std::vector<StandingRule>> rules_at(const RulePlace& place) {
  auto rows = list_rules(place.interface);
  if (!rows) {
    return rows;
  }
  std::erase_if(*rows, [&](const StandingRule& row) {
    return row.hook != place.hook || (!row.rule && !row.error);
  });
  for (const StandingRule& row : *rows) {
    if (row.error) {
      return tl::make_unexpected(*row.error);
    }
  }
  return rows;
}

tl::unexpected<Error> already_attached(const RulePlace& place, const RuleText& rule) {
  return fail(ErrorCode::kBusy,
              fmt::format("a rule is already attached at {} of '{}': {} {}; --replace replaces it",
                          hook_name(place.hook), place.interface, action_name(rule.action),
                          rule.expression.empty() ? "(everything)" : rule.expression));
}

Status attach_at_xdp(const LoadedProgram& program, const RuleText& rule, const RulePlace& place,
                     const RuleOptions& options, std::vector<StandingRule> old,
                     AttachedRule& attached) {
  // One that is alone at the hook is replaced in its place; those in a dispatcher leave later.
  const bool alone = old.size() == 1 && !old.front().xdp.in_dispatcher;
  auto attachment = attach_xdp(place.interface, program,
                               {.mode = place.mode,
                                .force = options.force,
                                .replaced = alone ? old.front().xdp.program_id : 0,
                                .with_gap = options.with_gap,
                                .alone = rule.vlan_tags_from_driver});
  if (!attachment) {
    return tl::make_unexpected(attachment.error());
  }
  attached.link = std::move(attachment->link);
  attached.program_id = attachment->program_id;
  attached.dispatcher = attachment->dispatcher;
  attached.fallback = std::move(attachment->fallback);
  if (!alone) {
    attached.leaving = std::move(old);
  }
  return {};
}

Status attach_at_tc(const HookLock& lock, const LoadedProgram& program, const RulePlace& place,
                    std::uint32_t index, std::vector<StandingRule> old, AttachedRule& attached) {
  std::optional<TcFilter> replaced;
  if (!old.empty()) {
    replaced = old.front().tc;
    old.erase(old.begin());
  }
  auto link =
      attach_tc_rule(lock, {place.interface, index, direction_of(place.hook)}, program, replaced);
  if (!link) {
    return tl::make_unexpected(link.error());
  }
  attached.link = std::move(*link);
  attached.program_id = program.info().id;
  attached.leaving = std::move(old);
  return {};
}

// What the new rule finds in front of it and will find there. Not an error of attaching when it
// cannot be told.
std::vector<InFront> in_front_of(const RulePlace& place, const AttachedRule& attached) {
  const auto rows = list_rules(place.interface);
  if (!rows) {
    return {};
  }
  const auto own = std::find_if(rows->begin(), rows->end(), [&](const StandingRule& row) {
    return row.hook == place.hook && row.program.id == attached.program_id;
  });
  if (own == rows->end()) {
    return {};
  }
  std::vector<InFront> in_front = own->in_front;
  std::erase_if(in_front, [&](const InFront& one) {
    return std::any_of(attached.leaving.begin(), attached.leaving.end(),
                       [&](const StandingRule& old) { return old.program.id == one.program_id; });
  });
  return in_front;
}

// A program whose rule could not be read back would be foreign from then on.
Result<RuleText> rule_carried_by(const ebpf::Program& program) {
  const auto map = std::find_if(program.maps.begin(), program.maps.end(), [](const ebpf::Map& one) {
    return one.name == ebpf::kRuleMap && one.metadata;
  });
  if (map == program.maps.end()) {
    return fail(ErrorCode::kInvalidProgram, "the program carries no rule");
  }
  if (map->data.size() > kLargestArrayValue) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("the rule has {} bytes of text, and the kernel is given {} at most; "
                            "keep long lists in a file (@FILE)",
                            map->data.size(), kLargestArrayValue));
  }
  return decode_rule(map->data);
}

// Detaches all, whatever becomes of the others, and gives the first error.
Status detach_all(const HookLock& lock, const std::vector<StandingRule>& rules) {
  Status first;
  for (const StandingRule& rule : rules) {
    if (auto detached = detach(lock, rule); !detached && first) {
      first = std::move(detached);
    }
  }
  return first;
}

// Weir's rules of one kind of hook, detached; joins them to `gone`.
Status detach_hook(const std::string& interface, std::uint32_t index, LockedHook locked,
                   std::optional<Hook> hook, std::vector<StandingRule>& gone) {
  const auto lock = HookLock::take(interface, index, locked);
  if (!lock) {
    return tl::make_unexpected(lock.error());
  }
  auto rows = list_rules(interface);
  if (!rows) {
    return tl::make_unexpected(rows.error());
  }
  std::erase_if(*rows, [&](const StandingRule& row) {
    return locked_hook(row.hook) != locked || (hook && row.hook != *hook);
  });
  const auto unknown =
      std::find_if(rows->begin(), rows->end(), [](const StandingRule& row) { return row.error; });
  const std::optional<Error> error = unknown == rows->end() ? std::nullopt : unknown->error;
  std::erase_if(*rows, [](const StandingRule& row) { return !row.rule; });
  Status done = detach_all(*lock, *rows);
  // Rules in a qdisc that a foreign tool made show that it is not weir's.
  if (done && !error && locked == LockedHook::kTc && rows->empty()) {
    done = remove_empty_clsact(*lock, index);
  }
  if (done && !error && locked == LockedHook::kXdp) {
    done = remove_stale_pins(index);
  }
  std::move(rows->begin(), rows->end(), std::back_inserter(gone));
  return done && error ? tl::make_unexpected(*error) : done;
}

}  // namespace

Status AttachedRule::keep() {
  if (!leaving.empty()) {
    const StandingRule& first = leaving.front();
    const auto lock =
        HookLock::take(first.interface, first.interface_index, locked_hook(first.hook));
    if (!lock) {
      return tl::make_unexpected(lock.error());
    }
    if (auto detached = detach_all(*lock, leaving); !detached) {
      return detached;
    }
    leaving.clear();
  }
  link.release();
  return {};
}

Result<AttachedRule> attach_rule(const ebpf::Program& program, const RulePlace& place,
                                 const RuleOptions& options) {
  const auto index = interface_index(place.interface);
  if (!index) {
    return tl::make_unexpected(index.error());
  }
  const bool at_xdp = place.hook == Hook::kXdp;
  const auto carried = rule_carried_by(program);
  // Loaded first: a program that the verifier refuses must not cost the old rule.
  auto loaded = load(
      program, at_xdp ? ProgramType::kXdp : ProgramType::kTc,
      {.name = kProgramName, .interface = carried && carried->vlan_tags_from_driver ? *index : 0});
  if (!loaded) {
    return tl::make_unexpected(loaded.error());
  }
  if (!carried) {
    return tl::make_unexpected(carried.error());
  }
  const auto lock = HookLock::take(place.interface, *index, locked_hook(place.hook));
  if (!lock) {
    return tl::make_unexpected(lock.error());
  }
  auto old = rules_at(place);
  if (!old) {
    return tl::make_unexpected(of_the_whole(
        fmt::format("attaching to '{}', where programs are attached already,", place.interface),
        old.error()));
  }
  if (!old->empty() && !options.replace && !options.force) {
    return already_attached(place, *old->front().rule);
  }
  AttachedRule attached;
  const Status done =
      at_xdp ? attach_at_xdp(*loaded, *carried, place, options, std::move(*old), attached)
             : attach_at_tc(*lock, *loaded, place, *index, std::move(*old), attached);
  if (!done) {
    return tl::make_unexpected(done.error());
  }
  attached.program = loaded->info();
  attached.statistics = loaded->statistics();
  attached.in_front = in_front_of(place, attached);
  return attached;
}

Result<std::vector<StandingRule>> detach_rules(const std::string& interface,
                                               std::optional<Hook> hook) {
  const auto index = interface_index(interface);
  if (!index) {
    return tl::make_unexpected(index.error());
  }
  std::vector<StandingRule> gone;
  Status first;
  for (const LockedHook locked : {LockedHook::kXdp, LockedHook::kTc}) {
    if (hook && locked_hook(*hook) != locked) {
      continue;
    }
    if (auto detached = detach_hook(interface, *index, locked, hook, gone); !detached && first) {
      first = std::move(detached);
    }
  }
  if (!first) {
    return tl::make_unexpected(
        of_the_whole(fmt::format("detaching from '{}'", interface), first.error()));
  }
  return gone;
}

}  // namespace weir::xdp
