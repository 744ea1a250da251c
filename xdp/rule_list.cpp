// list_rules() of rules.h.
#include <fmt/format.h>

#include <algorithm>

#include "xdp/carried_rule.h"
#include "xdp/inspect.h"
#include "xdp/interface.h"
#include "xdp/rules.h"

namespace weir::xdp {
namespace {

constexpr int kTries = 4;

Error gone(std::uint32_t program_id) {
  return {ErrorCode::kSystem,
          fmt::format("the program with id {} went away while it was queried", program_id),
          {},
          {}};
}

// Fills in what the program itself tells. False when it went away meanwhile.
bool describe(StandingRule& row, std::uint32_t program_id) {
  row.program.id = program_id;
  const auto found = find_program(program_id);
  if (!found) {
    row.error = found.error();
    return true;
  }
  if (!*found) {
    row.error = gone(program_id);
    return false;
  }
  auto info = program_info((*found)->get());
  auto carried = info ? carried_rule(*info) : tl::make_unexpected(info.error());
  if (!carried) {
    row.error = carried.error();
    return true;
  }
  row.program = std::move(*info);
  row.rule = std::move(carried->rule);
  row.remark = std::move(carried->remark);
  if (row.rule && row.rule->hook != row.hook) {
    row.remark = fmt::format("its rule was made for {}", hook_name(row.rule->hook));
  }
  return true;
}

StandingRule row_of(const Interface& interface, Hook hook) {
  StandingRule row;
  row.interface = interface.name;
  row.interface_index = interface.index;
  row.hook = hook;
  return row;
}

// The rows of a hook of one interface; `complete` becomes false when a program went away meanwhile.
std::vector<StandingRule> list_xdp(const Interface& interface, bool& complete) {
  std::vector<StandingRule> rows;
  for (const XdpStanding& program : xdp_programs(interface)) {
    StandingRule row = row_of(interface, Hook::kXdp);
    row.xdp = program;
    complete &= describe(row, program.program_id);
    rows.push_back(std::move(row));
  }
  return rows;
}

std::vector<StandingRule> list_tc(const Interface& interface, Hook hook, bool& complete) {
  const auto filters = tc_filters(
      interface.index, hook == Hook::kTcEgress ? TcDirection::kEgress : TcDirection::kIngress);
  std::vector<StandingRule> rows;
  if (!filters) {
    rows.push_back(row_of(interface, hook));
    rows.back().error = filters.error();
    return rows;
  }
  for (const TcFilter& filter : *filters) {
    if (filter.program_id == 0) {
      continue;
    }
    StandingRule row = row_of(interface, hook);
    row.tc = filter;
    complete &= describe(row, filter.program_id);
    rows.push_back(std::move(row));
  }
  return rows;
}

void append(std::vector<StandingRule>& all, std::vector<StandingRule> rows) {
  std::move(rows.begin(), rows.end(), std::back_inserter(all));
}

std::vector<StandingRule> list_once(const Interface& interface, bool& complete) {
  std::vector<StandingRule> rows = list_xdp(interface, complete);
  append(rows, list_tc(interface, Hook::kTcIngress, complete));
  append(rows, list_tc(interface, Hook::kTcEgress, complete));
  return rows;
}

// A program that was replaced while it was listed has a successor: the interface is listed again.
std::vector<StandingRule> list_one(Interface interface) {
  bool complete = true;
  std::vector<StandingRule> rows = list_once(interface, complete);
  for (int tries = 1; !complete && tries < kTries; ++tries) {
    auto now = interface_named(interface.name);
    if (!now) {
      break;
    }
    interface = std::move(*now);
    complete = true;
    rows = list_once(interface, complete);
  }
  return rows;
}

bool lacks_permission(const StandingRule& row) {
  return row.error && row.error->code == ErrorCode::kPermission;
}

}  // namespace

Result<std::vector<StandingRule>> list_rules(const std::optional<std::string>& interface) {
  const auto there = interfaces();
  if (!there) {
    return tl::make_unexpected(there.error());
  }
  std::vector<StandingRule> all;
  bool found = !interface;
  for (const Interface& one : *there) {
    if (!interface || one.name == *interface) {
      found = true;
      append(all, list_one(one));
    }
  }
  if (!found) {
    return fail(ErrorCode::kNoInterface, fmt::format("no interface named '{}'", *interface));
  }
  if (!all.empty() && std::all_of(all.begin(), all.end(), lacks_permission)) {
    return tl::make_unexpected(*all.front().error);
  }
  return all;
}

}  // namespace weir::xdp
