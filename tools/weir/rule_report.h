// What the commands print about attached rules.
#pragma once

#include <string>

#include "xdp/rules/counters.h"
#include "xdp/rules/rules.h"

namespace weir::tool {

// {"interface","hook","mode","program_id","program_name","weir","action","expression","link_type",
//  "attached_at","vlan_tags","remark","in_front","error"}; action to vlan_tags are null where the
//  program is
// not weir's, vlan_tags ("in-packet", "from-driver", "lost") also where it is not Ethernet's at
// XDP, mode where the hook is not XDP, remark and error where there is none. With counters also
// "match" and "no_match". The text is exact: nothing but JSON's own escapes.
std::string rule_json(const xdp::StandingRule& rule, const xdp::Counters* counters = nullptr);

// One line, printable: "eth0 xdp native: drop udp port 1900 (program 12, EN10MB, since 2026-11-22
// 10:00:00)".
std::string rule_line(const xdp::StandingRule& rule);

// That a rule at XDP of this interface judges packets without their VLAN tags, and the ways out.
std::string vlan_tags_lost(const std::string& interface, const std::string& way_out = {});

// The remark, lost VLAN tags and what is in front of the rule, printable, an indented line each
// with its newline. Empty when there is nothing to say.
std::string rule_notes(const xdp::StandingRule& rule);

}  // namespace weir::tool
