// weir show and weir stats: what stands where, and what it has counted. Everything is asked of the
// kernel; there is no state file.
#include <fmt/format.h>

#include "tools/weir/command.h"
#include "tools/weir/rule_report.h"
#include "xdp/counters.h"

namespace weir::tool {
namespace {

// The rules of the interface named by -i or the first word, or of all.
Result<std::vector<xdp::StandingRule>> wanted_rules(const Options& options) {
  if (options.words().size() + options.count("interface") > 1) {
    return fail(ErrorCode::kUsage, "one interface at most can be named");
  }
  if (options.has("interface")) {
    return xdp::list_rules(options.get("interface"));
  }
  if (!options.words().empty()) {
    return xdp::list_rules(options.words().front());
  }
  return xdp::list_rules();
}

// {"programs":[…]} of objects that are JSON already.
void print_programs(const std::vector<std::string>& objects) {
  fmt::print("{{\"programs\":[{}]}}\n", fmt::join(objects, ","));
}

Status run_show(const Options& options) {
  const auto rules = wanted_rules(options);
  if (!rules) {
    return tl::make_unexpected(rules.error());
  }
  if (options.has("json")) {
    std::vector<std::string> objects;
    for (const xdp::StandingRule& rule : *rules) {
      objects.push_back(rule_json(rule));
    }
    print_programs(objects);
    return {};
  }
  for (const xdp::StandingRule& rule : *rules) {
    fmt::print("{}\n", rule_line(rule));
  }
  if (rules->empty()) {
    fmt::print("no program stands at XDP or tc here\n");
  }
  return {};
}

Status run_stats(const Options& options) {
  const auto rules = wanted_rules(options);
  if (!rules) {
    return tl::make_unexpected(rules.error());
  }
  std::vector<std::string> objects;
  bool any = false;
  for (const xdp::StandingRule& rule : *rules) {
    if (!rule.rule) {
      continue;
    }
    const auto counters = xdp::program_counters(rule.program.id);
    if (!counters) {
      return tl::make_unexpected(counters.error());
    }
    any = true;
    if (options.has("json")) {
      objects.push_back(rule_json(rule, &*counters));
      continue;
    }
    fmt::print(
        "{}\n  match    {:>12} packets {:>16} bytes\n  no match {:>12} packets {:>16} bytes\n",
        rule_line(rule), counters->match.packets, counters->match.bytes, counters->no_match.packets,
        counters->no_match.bytes);
  }
  if (options.has("json")) {
    print_programs(objects);
  } else if (!any) {
    fmt::print("no filter of weir's stands here\n");
  }
  return {};
}

std::vector<OptionSpec> show_options() {
  return {
      {"interface", 'i', OptionKind::kValue, "IF", "only this interface"},
      {"json", 'j', OptionKind::kFlag, "", "print JSON"},
  };
}

}  // namespace

Command show_command() {
  return {
      "show",
      "what stands on which interface",
      "[-j] [IF]",
      "Lists every program at XDP and tc, weir's with their expressions, others by name.",
      "  weir show\n  weir show -j eth0",
      show_options(),
      run_show,
  };
}

Command stats_command() {
  return {
      "stats",
      "packets and bytes a verdict of weir's standing filters",
      "[-j] [IF]",
      "Prints what every filter of weir's has counted since it was attached, summed over all CPUs.",
      "  weir stats eth0",
      show_options(),
      run_stats,
  };
}

}  // namespace weir::tool
