// weir attach and weir detach: rules that stay on an interface after the process has ended.
#include <fmt/format.h>

#include <ctime>
#include <nlohmann/json.hpp>

#include "cbpf/base/printable.h"
#include "cbpf/compile.h"
#include "tools/engine/programs.h"
#include "tools/weir/filter_input.h"
#include "tools/weir/named_interface.h"
#include "tools/weir/rule_report.h"
#include "xdp/kernel/capabilities.h"
#include "xdp/kernel/interface.h"
#include "xdp/kernel/link_type.h"
#include "xdp/rules/rules.h"

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

lower::TargetId target_of(xdp::Hook hook) {
  return hook == xdp::Hook::kXdp        ? lower::TargetId::kXdp
         : hook == xdp::Hook::kTcEgress ? lower::TargetId::kTcEgress
                                        : lower::TargetId::kTc;
}

Result<ebpf::Program> make_program(const FilterInput& input, const xdp::RuleText& rule,
                                   const xdp::VlanTagAccess& vlan_tags) {
  const engine::Filter filter = input.filter();
  TranslateOptions options = engine::translate_options(filter, target_of(rule.hook));
  options.vlan_tag_kfunc = vlan_tags.kfunc;
  options.without_perfmon = !xdp::has_capability(xdp::Capability::kPerfmon);
  options.rule = lower::Rule{.action = rule.action, .text = xdp::encode_rule(rule)};
  return translate(filter.program, options);
}

// Of other hooks and link types there is nothing to find out.
xdp::VlanTagAccess vlan_tag_access(const xdp::RulePlace& place, const xdp::Interface& interface,
                                   int link_type) {
  if (place.hook != xdp::Hook::kXdp || link_type != cbpf::kLinkTypeEthernet) {
    return {};
  }
  return xdp::find_vlan_tag_access(interface, place.mode);
}

void warn_of_those_in_front(const std::vector<xdp::InFront>& all) {
  std::vector<std::string> texts;
  texts.reserve(all.size());
  for (const xdp::InFront& one : all) {
    texts.push_back(printable(xdp::in_front_text(one)));
  }
  if (!texts.empty()) {
    fmt::print(stderr,
               "weir: packets meet {} first; those dropped or accepted there do not reach this "
               "rule\n",
               fmt::join(texts, ", then "));
  }
}

// The rule as `weir show` will list it.
xdp::StandingRule attached_row(const xdp::RulePlace& place, const xdp::RuleText& text,
                               const xdp::AttachedRule& rule) {
  xdp::StandingRule row;
  row.interface = place.interface;
  row.hook = place.hook;
  row.program = rule.program;
  row.program.id = rule.program_id;
  row.rule = text;
  row.xdp = {rule.program_id, place.mode, rule.dispatcher};
  row.in_front = rule.in_front;
  row.vlan_tags = xdp::vlan_tags_of(row);
  return row;
}

// {"programs":[ROW], …}: what `weir show -j` prints of it, and beside that what only attaching
// tells. The row's members are there at the top, too.
void print_attached_json(const xdp::StandingRule& row, const xdp::AttachedRule& rule) {
  const nlohmann::json shown = nlohmann::json::parse(rule_json(row));
  nlohmann::json object = shown;
  object["programs"] = {shown};
  object["native_bytes"] = rule.program.native_bytes;
  object["verifier_instructions"] = rule.statistics.processed_instructions;
  object["dispatcher"] = rule.dispatcher;
  object["fallback"] = rule.fallback.empty() ? nlohmann::json() : nlohmann::json(rule.fallback);
  fmt::print("{}\n", object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

void print_attached(const Options& options, const xdp::StandingRule& row,
                    const xdp::AttachedRule& rule) {
  if (options.has("json")) {
    print_attached_json(row, rule);
    return;
  }
  fmt::print("{} at {} of {}: {} (program {}, {} bytes of machine code)\n",
             xdp::action_name(row.rule->action), xdp::hook_name(row.hook), printable(row.interface),
             row.rule->expression.empty() ? "(everything)" : printable(row.rule->expression),
             row.program.id, rule.program.native_bytes);
  if (!rule.fallback.empty() && options.has("verbose")) {
    fmt::print(stderr, "weir: the rule is alone at the hook, without libxdp's dispatcher: {}\n",
               printable(rule.fallback));
  }
  warn_of_those_in_front(rule.in_front);
}

// A filter that matches everything has to be meant: a forgotten expression would drop all traffic.
Status check_everything(const Options& options) {
  const bool words = options.words().size() > 1 || !options.expression().empty();
  const bool given =
      words || options.has("expression-file") || options.has("asm") || options.has("bytecode");
  if (options.has("all") && given) {
    return fail(ErrorCode::kUsage, "--all means every packet; it takes no expression beside it");
  }
  if (!options.has("all") && options.words().empty() && !given) {
    return fail(ErrorCode::kUsage,
                "no expression is given; --all (or an empty one, '') means every packet");
  }
  return {};
}

// The same for an expression of blanks, or a file with none in it.
Status check_not_blank(const FilterText& filter, const Options& options) {
  const bool blank = filter.form == FilterText::Form::kExpression &&
                     filter.text.find_first_not_of(" \t\r\n") == std::string::npos;
  if (!blank || options.has("all") || (options.words().size() == 1 && filter.text.empty())) {
    return {};
  }
  return fail(ErrorCode::kUsage, "the expression is blank; --all means every packet",
              {.file = filter.file});
}

Result<FilterText> wanted_filter(const Options& options) {
  if (auto meant = check_everything(options); !meant) {
    return tl::make_unexpected(meant.error());
  }
  auto filter = read_filter_text(options);
  if (!filter) {
    return filter;
  }
  if (auto meant = check_not_blank(*filter, options); !meant) {
    return tl::make_unexpected(meant.error());
  }
  return filter;
}

// The link type the filter is made for: the interface's, unless -y and --force say otherwise.
Result<int> wanted_link_type(const Options& options, const xdp::Interface& interface) {
  auto own = xdp::link_type(interface);
  if (!options.has("linktype")) {
    return own;
  }
  auto given = cbpf::link_type_by_name(options.get("linktype"));
  if (!given || options.has("force")) {
    return given;
  }
  if (own && *own != *given) {
    return fail(ErrorCode::kUsage,
                fmt::format("the packets of '{}' have the link type {}, not {}; leave out -y, or "
                            "give --force to read them as {}",
                            interface.name, cbpf::link_type_name(*own),
                            cbpf::link_type_name(*given), cbpf::link_type_name(*given)));
  }
  return own;
}

Status run_attach(const Options& options) {
  auto place = wanted_place(options);
  if (!place) {
    return tl::make_unexpected(place.error());
  }
  const auto action = wanted_action(options);
  if (!action) {
    return tl::make_unexpected(action.error());
  }
  const auto filter = wanted_filter(options);
  if (!filter) {
    return tl::make_unexpected(filter.error());
  }
  const auto interface = xdp::interface_named(place->interface);
  if (!interface) {
    return tl::make_unexpected(interface.error());
  }
  place->interface = interface->name;
  const auto link_type = wanted_link_type(options, *interface);
  if (!link_type) {
    return tl::make_unexpected(link_type.error());
  }
  const auto netmask = xdp::interface_netmask(place->interface);
  if (!netmask) {
    return tl::make_unexpected(netmask.error());
  }
  const auto input = make_filter_input(*filter, options,
                                       TrafficSource{.link_type = *link_type, .netmask = *netmask});
  if (!input) {
    return tl::make_unexpected(input.error());
  }
  const xdp::VlanTagAccess vlan_tags = vlan_tag_access(*place, *interface, input->link_type);
  const xdp::RuleText text{.action = *action,
                           .hook = place->hook,
                           .link_type = input->link_type,
                           .attached_at = static_cast<std::uint64_t>(std::time(nullptr)),
                           .network = xdp::network_namespace(),
                           .vlan_tags_from_driver = vlan_tags.kfunc != 0,
                           .expression = input->text};
  const auto program = make_program(*input, text, vlan_tags);
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
  print_attached(options, attached_row(*place, text, *rule), *rule);
  if (vlan_tags.tags == xdp::VlanTags::kLost) {
    fmt::print(stderr, "weir: {}\n", vlan_tags_lost(place->interface, vlan_tags.way_out));
  }
  if (input->program->has_loop()) {
    fmt::print(stderr,
               "weir: in the kernel a chain of headers is followed {} times at the most; a packet "
               "with more does not match\n",
               cbpf::kMaxKernelBackwardJumps);
  }
  // Only a rule that was announced stays. The end of `rule` undoes it, in one step of the kernel's.
  if (std::fflush(stdout) != 0) {
    return fail(ErrorCode::kSystem,
                "stdout cannot be written, so the rule is detached; a rule it replaced is back");
  }
  return rule->keep();
}

Status run_detach(const Options& options) {
  const auto interface = named_interface(options);
  if (!interface) {
    return tl::make_unexpected(interface.error());
  }
  if (!*interface) {
    return fail(ErrorCode::kUsage, "no interface is given; `weir detach IF` names one");
  }
  std::optional<xdp::Hook> hook;
  if (options.has("hook")) {
    const auto named = xdp::hook_by_name(options.get("hook"));
    if (!named) {
      return tl::make_unexpected(named.error());
    }
    hook = *named;
  }
  const auto gone = xdp::detach_rules(**interface, hook);
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
    fmt::print("no rule of weir's is attached to {}\n", printable(**interface));
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
      "-i IF --drop|--pass|--count [options] [--] EXPRESSION|--all",
      "Loads the filter into the kernel and leaves it on the interface when the process has gone,\n"
      "with counters (`weir stats`). --drop drops what matches, --pass drops what does not, "
      "--count\n"
      "only counts. A rule that is there is an error without --replace, a foreign XDP program "
      "without\n"
      "--force. Replacing leaves no packet unfiltered, and if it fails the old rule stays. The\n"
      "expression is compiled for the interface's own link type: EN10MB, or RAW where packets "
      "begin\n"
      "with the IP header (tun, WireGuard, PPP, IP in IP). -y can only confirm it, or with "
      "--force\n"
      "override it. Where the card takes VLAN tags out of packets before XDP, the program asks "
      "the\n"
      "driver for them, or attach says that it cannot and what helps.\n"
      "\n"
      "Needs CAP_BPF, CAP_NET_ADMIN and, unless all offsets are fixed (`host`, not `port`),\n"
      "CAP_PERFMON; where a program is attached already CAP_SYS_ADMIN and CAP_NET_ADMIN. All of\n"
      "them in the initial user namespace.",
      "  weir attach -i eth0 --drop 'udp port 1900'\n"
      "  weir attach -i eth0 --hook tc --count tcp port 443",
      filter_input_options({
          {"interface", 'i', OptionKind::kValue, "IF", "the interface"},
          {"hook", 0, OptionKind::kValue, "HOOK", "xdp (default), tc (ingress) or tc-egress"},
          {"mode", 0, OptionKind::kValue, "MODE", "of xdp: native (default) or generic"},
          {"drop", 0, OptionKind::kFlag, "", "drop what matches"},
          {"pass", 0, OptionKind::kFlag, "", "drop what does not match"},
          {"count", 0, OptionKind::kFlag, "", "count only"},
          {"all", 0, OptionKind::kFlag, "", "every packet matches; there is no expression"},
          {"replace", 0, OptionKind::kFlag, "",
           "replace weir's rule, if there is one, without a gap"},
          {"force", 0, OptionKind::kFlag, "", "also replace a foreign program, override refusals"},
          {"with-gap", 0, OptionKind::kFlag, "",
           "allow a replacement in the other --mode: unfiltered in between"},
          {"verbose", 'v', OptionKind::kFlag, "", "say how it is attached, too"},
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
      "[--hook HOOK] [-j] IF",
      "Takes every rule of weir's off the interface, or only those at one hook. Nothing is left "
      "of\n"
      "them. Programs that are not weir's stay. Needs CAP_SYS_ADMIN, to read what is attached, "
      "and\n"
      "CAP_NET_ADMIN.",
      "  weir detach eth0\n  weir detach -i eth0 --hook tc",
      {
          {"interface", 'i', OptionKind::kValue, "IF", "the interface"},
          {"hook", 0, OptionKind::kValue, "HOOK", "only this hook: xdp, tc or tc-egress"},
          {"json", 'j', OptionKind::kFlag, "", "print JSON"},
      },
      run_detach,
  };
}

}  // namespace weir::tool
