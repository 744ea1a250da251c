// weir attach and weir detach: filters that stand on an interface when the process has gone.
#include <fmt/format.h>

#include <ctime>
#include <nlohmann/json.hpp>

#include "cbpf/compile.h"
#include "tools/engine/programs.h"
#include "tools/weir/filter_input.h"
#include "tools/weir/rule_report.h"
#include "xdp/interface.h"
#include "xdp/rules.h"

namespace weir::tool {
namespace {

Result<xdp::RulePlace> wanted_place(const Options& options) {
  xdp::RulePlace place;
  if (!options.has("interface")) {
    return fail(ErrorCode::kUsage, "no interface is given; -i IF names one");
  }
  place.interface = options.get("interface");
  const auto hook = xdp::hook_by_name(options.get("hook", "xdp"));
  if (!hook) {
    return tl::make_unexpected(hook.error());
  }
  place.hook = *hook;
  const std::string mode = options.get("mode", "native");
  if (mode != "native" && mode != "generic") {
    return fail(ErrorCode::kUsage, "--mode takes native or generic, not '" + mode + "'");
  }
  place.mode = mode == "native" ? xdp::XdpMode::kNative : xdp::XdpMode::kGeneric;
  if (options.has("mode") && place.hook != xdp::Hook::kXdp) {
    return fail(ErrorCode::kUsage, "--mode is for the hook xdp only");
  }
  return place;
}

Result<ebpf::Action> wanted_action(const Options& options) {
  const int actions =
      static_cast<int>(options.count("drop") + options.count("pass") + options.count("count"));
  if (actions != 1) {
    return fail(ErrorCode::kUsage, "one of --drop, --pass and --count says what a match means");
  }
  return options.has("drop")   ? ebpf::Action::kDrop
         : options.has("pass") ? ebpf::Action::kPass
                               : ebpf::Action::kCount;
}

Result<ebpf::Program> make_program(const FilterInput& input, const xdp::RulePlace& place,
                                   ebpf::Action action) {
  const xdp::RuleText rule{.action = action,
                           .hook = place.hook,
                           .link_type = input.link_type,
                           .attached_at = static_cast<std::uint64_t>(std::time(nullptr)),
                           .network = xdp::network_namespace(),
                           .expression = input.text};
  const engine::Filter filter = input.filter();
  TranslateOptions options = engine::translate_options(
      filter, place.hook == xdp::Hook::kXdp ? lower::TargetId::kXdp : lower::TargetId::kTc);
  options.rule = lower::Rule{.action = action, .text = xdp::encode_rule(rule)};
  return translate(filter.program, options);
}

nlohmann::json in_front_json(const std::vector<xdp::InFront>& all) {
  nlohmann::json objects = nlohmann::json::array();
  for (const xdp::InFront& one : all) {
    objects.push_back(
        {{"kind", one.kind},
         {"name", one.name},
         {"priority", one.priority == 0 ? nlohmann::json() : nlohmann::json(one.priority)},
         {"program_id", one.program_id == 0 ? nlohmann::json() : nlohmann::json(one.program_id)}});
  }
  return objects;
}

void warn_of_those_in_front(const std::vector<xdp::InFront>& all) {
  std::vector<std::string> texts;
  texts.reserve(all.size());
  for (const xdp::InFront& one : all) {
    texts.push_back(xdp::in_front_text(one));
  }
  if (!texts.empty()) {
    fmt::print(stderr,
               "weir: packets meet {} first; those dropped or accepted there do not reach this "
               "rule\n",
               fmt::join(texts, ", then "));
  }
}

void print_attached(const Options& options, const xdp::RulePlace& place, ebpf::Action action,
                    const FilterInput& input, const xdp::AttachedRule& rule) {
  if (options.has("json")) {
    const nlohmann::json object = {
        {"interface", place.interface},
        {"hook", xdp::hook_name(place.hook)},
        {"action", xdp::action_name(action)},
        {"expression", input.text},
        {"program_id", rule.program_id},
        {"native_bytes", rule.program.native_bytes},
        {"verifier_instructions", rule.statistics.processed_instructions},
        {"dispatcher", rule.dispatcher},
        {"fallback", rule.fallback.empty() ? nlohmann::json() : nlohmann::json(rule.fallback)},
        {"in_front", in_front_json(rule.in_front)}};
    fmt::print("{}\n", object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
    return;
  }
  fmt::print("{} at {} of {}: {} (program {}, {} bytes of machine code)\n",
             xdp::action_name(action), xdp::hook_name(place.hook), place.interface,
             input.text.empty() ? "(everything)" : input.text, rule.program_id,
             rule.program.native_bytes);
  if (!rule.fallback.empty()) {
    fmt::print(stderr, "weir: it stands alone on the interface: {}\n", rule.fallback);
  }
  warn_of_those_in_front(rule.in_front);
}

Status run_attach(const Options& options) {
  const auto place = wanted_place(options);
  if (!place) {
    return tl::make_unexpected(place.error());
  }
  const auto action = wanted_action(options);
  if (!action) {
    return tl::make_unexpected(action.error());
  }
  const auto input = read_filter_input(options);
  if (!input) {
    return tl::make_unexpected(input.error());
  }
  const auto program = make_program(*input, *place, *action);
  if (!program) {
    return tl::make_unexpected(program.error());
  }
  auto rule = xdp::attach_rule(*program, *place,
                               {.replace = options.has("replace"),
                                .force = options.has("force"),
                                .with_gap = options.has("with-gap")});
  if (!rule) {
    return tl::make_unexpected(rule.error());
  }
  print_attached(options, *place, *action, *input, *rule);
  // Only a rule that was announced stays. The end of `rule` undoes it, in one step of the kernel's.
  if (std::fflush(stdout) != 0) {
    return fail(ErrorCode::kSystem,
                "stdout cannot be written, so the rule is detached; a rule it replaced is back");
  }
  return rule->keep();
}

Status run_detach(const Options& options) {
  if (!options.has("interface")) {
    return fail(ErrorCode::kUsage, "no interface is given; -i IF names one");
  }
  if (!options.words().empty()) {
    return fail(ErrorCode::kUsage,
                fmt::format("detach takes no expression ('{}')", options.expression()));
  }
  std::optional<xdp::Hook> hook;
  if (options.has("hook")) {
    const auto named = xdp::hook_by_name(options.get("hook"));
    if (!named) {
      return tl::make_unexpected(named.error());
    }
    hook = *named;
  }
  const auto gone = xdp::detach_rules(options.get("interface"), hook);
  if (!gone) {
    return tl::make_unexpected(gone.error());
  }
  if (options.has("json")) {
    std::vector<std::string> objects;
    for (const xdp::StandingRule& rule : *gone) {
      objects.push_back(rule_json(rule));
    }
    fmt::print("{{\"detached\":[{}]}}\n", fmt::join(objects, ","));
    return {};
  }
  if (gone->empty()) {
    fmt::print("no filter of weir's stands on {}\n", options.get("interface"));
  }
  for (const xdp::StandingRule& rule : *gone) {
    fmt::print("detached: {}\n", rule_line(rule));
  }
  return {};
}

}  // namespace

Command attach_command() {
  return {
      "attach",
      "put a filter on an interface, to stay there",
      "-i IF --drop|--pass|--count [options] [--] EXPRESSION",
      "Loads the filter into the kernel and leaves it on the interface when the process has gone,\n"
      "with counters (`weir stats`). --drop drops what matches, --pass drops what does not, "
      "--count\n"
      "only counts. A rule that is there is an error without --replace, a foreign XDP program "
      "without\n"
      "--force. Replacing leaves no packet unfiltered, and if it fails the old rule stays. Needs\n"
      "CAP_BPF and CAP_NET_ADMIN.",
      "  weir attach -i eth0 --drop 'udp port 1900'\n"
      "  weir attach -i eth0 --hook tc --count tcp port 443",
      filter_input_options({
          {"interface", 'i', OptionKind::kValue, "IF", "the interface"},
          {"hook", 0, OptionKind::kValue, "HOOK", "xdp (default), tc (ingress) or tc-egress"},
          {"mode", 0, OptionKind::kValue, "MODE", "of xdp: native (default) or generic"},
          {"drop", 0, OptionKind::kFlag, "", "drop what matches"},
          {"pass", 0, OptionKind::kFlag, "", "drop what does not match"},
          {"count", 0, OptionKind::kFlag, "", "count only"},
          {"replace", 0, OptionKind::kFlag, "",
           "replace weir's rule, if there is one, without a gap"},
          {"force", 0, OptionKind::kFlag, "", "also replace a foreign program, override refusals"},
          {"with-gap", 0, OptionKind::kFlag, "",
           "allow a replacement in the other --mode: unfiltered in between"},
          {"json", 'j', OptionKind::kFlag, "", "print JSON"},
      }),
      run_attach,
      kExpressionNotes,
  };
}

Command detach_command() {
  return {
      "detach",
      "take weir's filters off an interface",
      "-i IF [--hook HOOK] [-j]",
      "Takes every filter of weir's off the interface, or only those at one hook. Nothing is left "
      "of\n"
      "them. Programs that are not weir's stay.",
      "  weir detach -i eth0",
      {
          {"interface", 'i', OptionKind::kValue, "IF", "the interface"},
          {"hook", 0, OptionKind::kValue, "HOOK", "only this hook: xdp, tc or tc-egress"},
          {"json", 'j', OptionKind::kFlag, "", "print JSON"},
      },
      run_detach,
  };
}

}  // namespace weir::tool
