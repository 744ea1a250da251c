// weir show and weir stats: the programs at each interface, and what weir's have counted. The
// kernel is queried each time; there is no state file.
#include <fmt/format.h>

#include "tools/weir/command.h"
#include "tools/weir/named_interface.h"
#include "tools/weir/rule_report.h"
#include "xdp/rules/counters.h"

namespace weir::tool {
namespace {

struct Row {
  xdp::StandingRule rule;
  std::optional<xdp::Counters> counters;  // Of stats.
};

// The programs of the interface that is named, or of all.
Result<std::vector<Row>> wanted_rows(const std::optional<std::string>& interface) {
  auto rules = xdp::list_rules(interface);
  if (!rules) {
    return tl::make_unexpected(rules.error());
  }
  std::vector<Row> rows;
  for (xdp::StandingRule& rule : *rules) {
    rows.push_back({std::move(rule), std::nullopt});
  }
  return rows;
}

// A row that cannot be read says why beside the others; it is an error when none can.
Status any_readable(const std::vector<Row>& rows) {
  Error error;
  for (const Row& row : rows) {
    if (!row.rule.error) {
      return {};
    }
    if (error.message.empty()) {
      error = *row.rule.error;
    }
    error.detail += (error.detail.empty() ? "" : "\n") + rule_line(row.rule);
  }
  if (rows.empty()) {
    return {};
  }
  if (rows.size() == 1) {
    error.message = rule_line(rows.front().rule);
    error.detail.clear();
  }
  return tl::make_unexpected(std::move(error));
}

// {"programs":[…]}
void print_json(const std::vector<Row>& rows) {
  std::vector<std::string> objects;
  objects.reserve(rows.size());
  for (const Row& row : rows) {
    objects.push_back(rule_json(row.rule, row.counters ? &*row.counters : nullptr));
  }
  fmt::print("{{\"programs\":[{}]}}\n", fmt::join(objects, ","));
}

Status run_show(const Options& options) {
  const auto interface = named_interface(options);
  if (!interface) {
    return tl::make_unexpected(interface.error());
  }
  const auto rows = wanted_rows(*interface);
  if (!rows) {
    return tl::make_unexpected(rows.error());
  }
  if (auto readable = any_readable(*rows); !readable) {
    return readable;
  }
  if (options.has("json")) {
    print_json(*rows);
    return {};
  }
  const bool notes = *interface || options.has("verbose");
  for (const Row& row : *rows) {
    fmt::print("{}\n{}", rule_line(row.rule), notes ? rule_notes(row.rule) : "");
  }
  if (rows->empty()) {
    fmt::print("no program is attached at XDP or tc here\n");
  }
  return {};
}

void print_counters(const xdp::Counters& counters) {
  fmt::print("  match    {:>12} packets {:>16} bytes\n  no match {:>12} packets {:>16} bytes\n",
             counters.match.packets, counters.match.bytes, counters.no_match.packets,
             counters.no_match.bytes);
}

Status run_stats(const Options& options) {
  const auto interface = named_interface(options);
  if (!interface) {
    return tl::make_unexpected(interface.error());
  }
  auto rows = wanted_rows(*interface);
  if (!rows) {
    return tl::make_unexpected(rows.error());
  }
  std::erase_if(*rows, [](const Row& row) { return !row.rule.rule && !row.rule.error; });
  for (Row& row : *rows) {
    if (row.rule.error) {
      continue;
    }
    if (const auto counters = xdp::program_counters(row.rule.program.id)) {
      row.counters = *counters;
    } else {
      row.rule.error = counters.error();
    }
  }
  if (auto readable = any_readable(*rows); !readable) {
    return readable;
  }
  if (options.has("json")) {
    print_json(*rows);
    return {};
  }
  const bool notes = *interface || options.has("verbose");
  for (const Row& row : *rows) {
    fmt::print("{}\n", rule_line(row.rule));
    if (row.counters) {
      print_counters(*row.counters);
    }
    fmt::print("{}", notes ? rule_notes(row.rule) : "");
  }
  if (rows->empty()) {
    fmt::print("no rule of weir's is attached here\n");
  }
  return {};
}

std::vector<OptionSpec> show_options() {
  return {
      {"interface", 'i', OptionKind::kValue, "IF", "only this interface"},
      {"verbose", 'v', OptionKind::kFlag, "", "with remarks, and what is in front of each rule"},
      {"json", 'j', OptionKind::kFlag, "", "print JSON"},
  };
}

}  // namespace

Command show_command() {
  return {
      "show",
      "the programs attached to each interface",
      "[-v] [-j] [IF]",
      "Lists every program at XDP and tc, one a line: weir's with their expressions and the link\n"
      "type these were compiled for, others by name. With -v, or for one interface, also remarks\n"
      "and what sees packets before each rule. A program that cannot be read says why; the exit\n"
      "status is 1 only when none can. Reading programs needs CAP_SYS_ADMIN, and the list of\n"
      "tcx programs CAP_NET_ADMIN on older kernels.",
      "  weir show\n  weir show -j eth0",
      show_options(),
      run_show,
  };
}

Command stats_command() {
  return {
      "stats",
      "packets and bytes per verdict of weir's attached rules",
      "[-v] [-j] [IF]",
      "Prints what every rule of weir's has counted since it was attached, summed over all CPUs.\n"
      "Reading the counters needs CAP_SYS_ADMIN.",
      "  weir stats eth0",
      show_options(),
      run_stats,
  };
}

}  // namespace weir::tool
