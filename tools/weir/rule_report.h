// What the commands say of standing rules.
#pragma once

#include <string>

#include "xdp/counters.h"
#include "xdp/rules.h"

namespace weir::tool {

// {"interface","hook","mode","program_id","program_name","weir","action","expression","link_type",
//  "attached_at"}; the last four are null where the program is not weir's, mode where it is not
//  XDP.
std::string rule_json(const xdp::StandingRule& rule, const xdp::Counters* counters = nullptr);

// "eth0 xdp native: drop udp port 1900 (program 12, since 2026-11-22 10:00:00)"
std::string rule_line(const xdp::StandingRule& rule);

}  // namespace weir::tool
