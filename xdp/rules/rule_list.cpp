// list_rules() of rules.h.
#include <fmt/format.h>

#include <algorithm>

#include "cbpf/compile.h"
#include "xdp/carried_rule/carried_rule.h"
#include "xdp/hooks/tc_listing.h"
#include "xdp/hooks/tcx.h"
#include "xdp/kernel/inspect.h"
#include "xdp/kernel/interface.h"
#include "xdp/kernel/netlink.h"
#include "xdp/rules/rules.h"

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
  std::vector<InFront> before;
  for (const XdpStanding& program : xdp_programs(interface)) {
    StandingRule row = row_of(interface, Hook::kXdp);
    row.xdp = program;
    row.in_front = before;
    complete &= describe(row, program.program_id);
    row.vlan_tags = vlan_tags_of(row);
    before.push_back({"xdp", 0, program.program_id, row.program.name});
    rows.push_back(std::move(row));
  }
  return rows;
}

TcDirection direction_of(Hook hook) {
  return hook == Hook::kTcEgress ? TcDirection::kEgress : TcDirection::kIngress;
}

StandingRule error_row(const Interface& interface, Hook hook, const Error& error) {
  StandingRule row = row_of(interface, hook);
  row.error = error;
  return row;
}

// The tcx programs of a direction.
std::vector<StandingRule> list_tcx(const Interface& interface, Hook hook, bool& complete) {
  std::vector<StandingRule> rows;
  const auto ids = tcx_programs(interface.index, direction_of(hook));
  if (!ids) {
    rows.push_back(error_row(interface, hook, ids.error()));
    return rows;
  }
  for (const std::uint32_t id : *ids) {
    StandingRule row = row_of(interface, hook);
    row.tcx = true;
    complete &= describe(row, id);
    rows.push_back(std::move(row));
  }
  return rows;
}

// The programs of a direction, the tcx programs first, as they run. Filters of other kinds are no
// rows, but in front of those that follow.
std::vector<StandingRule> list_tc(const Interface& interface, const IngressQdisc* qdisc, Hook hook,
                                  bool& complete) {
  std::vector<StandingRule> rows = list_tcx(interface, hook, complete);
  if (qdisc == nullptr) {
    return rows;
  }
  auto netlink = Netlink::open();
  const auto filters = netlink ? tc_filters(*netlink, *qdisc, direction_of(hook))
                               : tl::make_unexpected(netlink.error());
  if (!filters) {
    rows.push_back(error_row(interface, hook, filters.error()));
    return rows;
  }
  std::vector<InFront> before;
  before.reserve(rows.size());
  for (const StandingRule& row : rows) {
    before.push_back({"tcx", 0, row.program.id, row.program.name});
  }
  for (const TcFilter& filter : *filters) {
    InFront own{filter.kind, filter.priority, filter.program_id, filter.name};
    if (filter.program_id != 0) {
      StandingRule row = row_of(interface, hook);
      row.tc = filter;
      row.in_front = before;
      complete &= describe(row, filter.program_id);
      own.name = row.program.name;
      rows.push_back(std::move(row));
    }
    // Of u32 and flower one stands for all of its priority.
    if (filter.chain == 0 &&
        (filter.kind == "bpf" || before.empty() || before.back().priority != filter.priority)) {
      before.push_back(std::move(own));
    }
  }
  return rows;
}

void append(std::vector<StandingRule>& all, std::vector<StandingRule> rows) {
  std::move(rows.begin(), rows.end(), std::back_inserter(all));
}

std::vector<StandingRule> list_once(const Interface& interface, const IngressQdisc* qdisc,
                                    bool& complete) {
  std::vector<StandingRule> rows = list_xdp(interface, complete);
  append(rows, list_tc(interface, qdisc, Hook::kTcIngress, complete));
  append(rows, list_tc(interface, qdisc, Hook::kTcEgress, complete));
  return rows;
}

// A program that was replaced while it was listed has a successor: the interface is listed again.
std::vector<StandingRule> list_one(Interface interface, const IngressQdisc* qdisc) {
  bool complete = true;
  std::vector<StandingRule> rows = list_once(interface, qdisc, complete);
  for (int tries = 1; !complete && tries < kTries; ++tries) {
    auto now = interface_named(interface.name);
    if (!now) {
      break;
    }
    interface = std::move(*now);
    complete = true;
    rows = list_once(interface, qdisc, complete);
  }
  return rows;
}

bool lacks_permission(const StandingRule& row) {
  return row.error && row.error->code == ErrorCode::kPermission;
}

}  // namespace

std::optional<VlanTags> vlan_tags_of(const StandingRule& row) {
  if (!row.rule || row.hook != Hook::kXdp || row.rule->link_type != cbpf::kLinkTypeEthernet) {
    return std::nullopt;
  }
  if (row.rule->vlan_tags_from_driver) {
    return VlanTags::kFromDriver;
  }
  return strips_vlan_tags(row.interface) ? VlanTags::kLost : VlanTags::kInPacket;
}

std::string in_front_text(const InFront& in_front) {
  if (in_front.kind == "tcx" || in_front.kind == "xdp") {
    return fmt::format("the {} program '{}' (id {})", in_front.kind == "xdp" ? "XDP" : "tcx",
                       in_front.name, in_front.program_id);
  }
  if (in_front.program_id != 0) {
    return fmt::format("the filter '{}' (program {}) at priority {}", in_front.name,
                       in_front.program_id, in_front.priority);
  }
  return fmt::format("the {} filter at priority {}", in_front.kind, in_front.priority);
}

Result<std::vector<StandingRule>> list_rules(const std::optional<std::string>& interface) {
  const auto there = interfaces();
  if (!there) {
    return tl::make_unexpected(there.error());
  }
  auto netlink = Netlink::open();
  const auto qdiscs = netlink ? ingress_qdiscs(*netlink) : tl::make_unexpected(netlink.error());
  if (!qdiscs) {
    return tl::make_unexpected(qdiscs.error());
  }
  std::vector<StandingRule> all;
  bool found = !interface;
  for (const Interface& one : *there) {
    if (!interface || one.is_named(*interface)) {
      found = true;
      const auto qdisc = std::find_if(qdiscs->begin(), qdiscs->end(), [&](const IngressQdisc& of) {
        return of.interface == one.index;
      });
      append(all, list_one(one, qdisc == qdiscs->end() ? nullptr : &*qdisc));
    }
  }
  if (!found) {
    return fail(ErrorCode::kNoInterface, fmt::format("no interface named '{}'", *interface));
  }
  if (all.empty() || !std::all_of(all.begin(), all.end(), lacks_permission)) {
    return all;
  }
  // A program that cannot be opened needs more than a hook that cannot be queried.
  const auto program = std::find_if(all.begin(), all.end(),
                                    [](const StandingRule& row) { return row.program.id != 0; });
  return tl::make_unexpected(program == all.end() ? *all.front().error : *program->error);
}

}  // namespace weir::xdp
