#include "tools/weir/rule_report.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cbpf/base/printable.h"
#include "cbpf/compile.h"

namespace weir::tool {
namespace {

nlohmann::json counter_json(const ebpf::Counter& counter) {
  return {{"packets", counter.packets}, {"bytes", counter.bytes}};
}

// "eth0 xdp native", "eth0 tc-egress (tcx)".
std::string place_text(const xdp::StandingRule& rule) {
  std::string place = fmt::format("{} {}", printable(rule.interface), xdp::hook_name(rule.hook));
  if (rule.hook == xdp::Hook::kXdp && rule.program.id != 0) {
    place += fmt::format(" {}", xdp::xdp_mode_name(rule.xdp.mode));
  }
  return rule.tcx ? place + " (tcx)" : place;
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

}  // namespace

std::string vlan_tags_lost(const std::string& interface, const std::string& way_out) {
  return fmt::format(
      "packets of {} come to XDP without their VLAN tag, and this rule judges them as if they had "
      "none; what helps: {}, --hook tc{}",
      printable(interface), printable(xdp::keep_vlan_tags_command(interface)),
      way_out.empty() ? "" : ", or " + way_out);
}

std::string rule_json(const xdp::StandingRule& rule, const xdp::Counters* counters) {
  nlohmann::json object = {{"interface", rule.interface},
                           {"hook", xdp::hook_name(rule.hook)},
                           {"mode", nullptr},
                           {"program_id", rule.program.id},
                           {"program_name", rule.program.name},
                           {"weir", rule.rule.has_value()},
                           {"action", nullptr},
                           {"expression", nullptr},
                           {"link_type", nullptr},
                           {"attached_at", nullptr},
                           {"vlan_tags", nullptr},
                           {"remark", nullptr},
                           {"in_front", in_front_json(rule.in_front)},
                           {"error", nullptr}};
  if (rule.hook == xdp::Hook::kXdp) {
    object["mode"] = xdp::xdp_mode_name(rule.xdp.mode);
  }
  if (rule.rule) {
    object["action"] = xdp::action_name(rule.rule->action);
    object["expression"] = rule.rule->expression;
    object["link_type"] = cbpf::link_type_name(rule.rule->link_type);
    object["attached_at"] = rule.rule->attached_at;
  }
  if (rule.vlan_tags) {
    object["vlan_tags"] = xdp::vlan_tags_name(*rule.vlan_tags);
  }
  if (!rule.remark.empty()) {
    object["remark"] = rule.remark;
  }
  if (rule.error) {
    object["error"] = to_string(*rule.error);
  }
  if (counters != nullptr) {
    object["match"] = counter_json(counters->match);
    object["no_match"] = counter_json(counters->no_match);
  }
  return object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string rule_line(const xdp::StandingRule& rule) {
  const std::string place = place_text(rule);
  if (rule.error) {
    const std::string program =
        rule.program.id == 0 ? "" : fmt::format(" (program {})", rule.program.id);
    return fmt::format("{}: cannot be read: {}{}", place, printable(to_string(*rule.error)),
                       program);
  }
  if (!rule.rule) {
    return fmt::format("{}: not weir's: {} (program {})", place, printable(rule.program.name),
                       rule.program.id);
  }
  return fmt::format(
      "{}: {} {} (program {}, {}, {}since {:%Y-%m-%d %H:%M:%S})", place,
      xdp::action_name(rule.rule->action),
      rule.rule->expression.empty() ? "(everything)" : printable(rule.rule->expression),
      rule.program.id, cbpf::link_type_name(rule.rule->link_type),
      rule.vlan_tags == xdp::VlanTags::kLost ? "VLAN tags lost, " : "",
      fmt::localtime(static_cast<std::time_t>(rule.rule->attached_at)));
}

std::string rule_notes(const xdp::StandingRule& rule) {
  std::string notes;
  if (!rule.remark.empty()) {
    notes += fmt::format("  note: {}\n", printable(rule.remark));
  }
  if (rule.vlan_tags == xdp::VlanTags::kLost) {
    notes += fmt::format("  {}\n", vlan_tags_lost(rule.interface));
  }
  for (const xdp::InFront& one : rule.in_front) {
    notes += fmt::format("  after {}\n", printable(xdp::in_front_text(one)));
  }
  return notes;
}

}  // namespace weir::tool
