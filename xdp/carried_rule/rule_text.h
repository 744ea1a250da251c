// What a standing rule says of itself, kept in the program's own read-only map (ebpf::kRuleMap).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "cbpf/base/bytes.h"
#include "cbpf/base/result.h"
#include "translator/ebpf/rule_maps.h"

namespace weir::xdp {

enum class Hook : std::uint8_t { kXdp, kTcIngress, kTcEgress };

// "xdp", "tc-ingress", "tc-egress".
std::string_view hook_name(Hook hook);
// Those, and "tc" for ingress. kUsage for any other.
Result<Hook> hook_by_name(std::string_view name);

// "drop", "pass", "count".
std::string_view action_name(ebpf::Action action);

// The last second of the year 9999: a later time is in no rule.
inline constexpr std::uint64_t kLatestTime = 253402300799;

struct RuleText {
  ebpf::Action action = ebpf::Action::kCount;
  Hook hook = Hook::kXdp;
  int link_type = 1;              // The DLT_* number the expression was compiled for.
  std::uint64_t attached_at = 0;  // Seconds since 1970.
  // The network namespace it was attached in, as xdp/kernel/interface.h numbers them; 0 is unknown.
  std::uint64_t network = 0;
  // Whether the program asks the driver for VLAN tags (VlanTags::kFromDriver,
  // xdp/rules/vlan_tags.h).
  bool vlan_tags_from_driver = false;
  std::string expression;  // As the user wrote it; any bytes.
  friend bool operator==(const RuleText&, const RuleText&) = default;
};

// Lines of "KEY VALUE", each with its newline, the version first and the expression last; that runs
// to the end and is not ended by a newline:
//
//   weir-rule 1
//   action drop
//   hook xdp
//   link-type 1
//   attached-at 1790000000
//   network 4026531840           (only where it is known)
//   vlan-tags from-driver        (only where it is so)
//   expression tcp port 80
//
// Each of these keys but those two is there once. A reader skips keys it does not know. Another
// number in the first line is another format.
std::string encode_rule(const RuleText& rule);

// kInvalidFile when the bytes are no rule, of another version, a key is missing or there twice, or
// a value cannot be read (a negative link type, a time after kLatestTime). The message holds none
// of the bytes but keys.
Result<RuleText> decode_rule(Bytes bytes);

}  // namespace weir::xdp
