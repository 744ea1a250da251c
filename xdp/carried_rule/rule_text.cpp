#include "xdp/carried_rule/rule_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace weir::xdp {
namespace {

constexpr std::string_view kFirstLine = "weir-rule 1\n";
// The keys that every rule has, once each.
constexpr std::array<std::string_view, 4> kKeys = {"action", "hook", "link-type", "attached-at"};
constexpr std::string_view kFromDriver = "from-driver";
constexpr std::array kHooks = {Hook::kXdp, Hook::kTcIngress, Hook::kTcEgress};
constexpr std::array kActions = {ebpf::Action::kDrop, ebpf::Action::kPass, ebpf::Action::kCount};

template <typename Number>
bool read_number(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

bool read_action(std::string_view text, ebpf::Action& action) {
  const auto* found = std::find_if(kActions.begin(), kActions.end(), [&](ebpf::Action candidate) {
    return action_name(candidate) == text;
  });
  if (found == kActions.end()) {
    return false;
  }
  action = *found;
  return true;
}

bool read_hook(std::string_view text, Hook& hook) {
  const auto found = hook_by_name(text);
  if (found) {
    hook = *found;
  }
  return found.has_value();
}

bool read_value(std::string_view key, std::string_view value, RuleText& rule) {
  if (key == "action") return read_action(value, rule.action);
  if (key == "hook") return read_hook(value, rule.hook);
  if (key == "link-type") return read_number(value, rule.link_type) && rule.link_type >= 0;
  if (key == "vlan-tags") {
    rule.vlan_tags_from_driver = value == kFromDriver;
    return true;
  }
  if (key == "network") return read_number(value, rule.network);
  if (key == "attached-at") {
    return read_number(value, rule.attached_at) && rule.attached_at <= kLatestTime;
  }
  return true;
}

tl::unexpected<Error> unreadable(std::string_view why) {
  return fail(ErrorCode::kInvalidFile, fmt::format("the text of a rule {}", why));
}

}  // namespace

std::string_view hook_name(Hook hook) {
  switch (hook) {
    case Hook::kXdp:
      return "xdp";
    case Hook::kTcIngress:
      return "tc-ingress";
    case Hook::kTcEgress:
      return "tc-egress";
  }
  return {};
}

Result<Hook> hook_by_name(std::string_view name) {
  if (name == "tc") {
    return Hook::kTcIngress;
  }
  const auto* found = std::find_if(kHooks.begin(), kHooks.end(),
                                   [&](Hook hook) { return hook_name(hook) == name; });
  if (found == kHooks.end()) {
    return fail(
        ErrorCode::kUsage,
        fmt::format("no hook named '{}'; there are xdp, tc-ingress (or tc) and tc-egress", name));
  }
  return *found;
}

std::string_view action_name(ebpf::Action action) {
  switch (action) {
    case ebpf::Action::kDrop:
      return "drop";
    case ebpf::Action::kPass:
      return "pass";
    case ebpf::Action::kCount:
      return "count";
  }
  return {};
}

std::string encode_rule(const RuleText& rule) {
  const std::string network = rule.network == 0 ? "" : fmt::format("network {}\n", rule.network);
  const std::string vlan_tags =
      rule.vlan_tags_from_driver ? fmt::format("vlan-tags {}\n", kFromDriver) : "";
  return fmt::format("{}action {}\nhook {}\nlink-type {}\nattached-at {}\n{}{}expression {}",
                     kFirstLine, action_name(rule.action), hook_name(rule.hook), rule.link_type,
                     rule.attached_at, network, vlan_tags, rule.expression);
}

Result<RuleText> decode_rule(Bytes bytes) {
  constexpr std::string_view kLastKey = "expression ";
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (!text.starts_with(kFirstLine)) {
    return unreadable("does not begin as one of this version");
  }
  text.remove_prefix(kFirstLine.size());
  RuleText rule;
  std::array<int, kKeys.size()> seen{};
  while (!text.starts_with(kLastKey)) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    const std::size_t blank = line.find(' ');
    if (end == std::string_view::npos || blank == std::string_view::npos) {
      return unreadable("breaks off");
    }
    const std::string_view key = line.substr(0, blank);
    if (!read_value(key, line.substr(blank + 1), rule)) {
      return unreadable(fmt::format("has a line '{}' that cannot be read", key));
    }
    for (std::size_t i = 0; i < kKeys.size(); ++i) {
      seen[i] += kKeys[i] == key ? 1 : 0;
    }
    text.remove_prefix(end + 1);
  }
  for (std::size_t i = 0; i < kKeys.size(); ++i) {
    if (seen[i] != 1) {
      return unreadable(fmt::format("has {} lines '{}' instead of one", seen[i], kKeys[i]));
    }
  }
  rule.expression = text.substr(kLastKey.size());
  return rule;
}

}  // namespace weir::xdp
