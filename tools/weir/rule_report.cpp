#include "tools/weir/rule_report.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cbpf/compile.h"

namespace weir::tool {
namespace {

nlohmann::json counter_json(const ebpf::Counter& counter) {
  return {{"packets", counter.packets}, {"bytes", counter.bytes}};
}

}  // namespace

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
                           {"attached_at", nullptr}};
  if (rule.hook == xdp::Hook::kXdp) {
    object["mode"] = xdp::xdp_mode_name(rule.xdp.mode);
  }
  if (rule.rule) {
    object["action"] = xdp::action_name(rule.rule->action);
    object["expression"] = rule.rule->expression;
    object["link_type"] = cbpf::link_type_name(rule.rule->link_type);
    object["attached_at"] = rule.rule->attached_at;
  }
  if (counters != nullptr) {
    object["match"] = counter_json(counters->match);
    object["no_match"] = counter_json(counters->no_match);
  }
  return object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string rule_line(const xdp::StandingRule& rule) {
  std::string place = fmt::format("{} {}", rule.interface, xdp::hook_name(rule.hook));
  if (rule.hook == xdp::Hook::kXdp) {
    place += fmt::format(" {}", xdp::xdp_mode_name(rule.xdp.mode));
  }
  if (!rule.rule) {
    return fmt::format("{}: not weir's: {} (program {})", place, rule.program.name,
                       rule.program.id);
  }
  return fmt::format("{}: {} {} (program {}, since {:%Y-%m-%d %H:%M:%S})", place,
                     xdp::action_name(rule.rule->action),
                     rule.rule->expression.empty() ? "(everything)" : rule.rule->expression,
                     rule.program.id,
                     fmt::localtime(static_cast<std::time_t>(rule.rule->attached_at)));
}

}  // namespace weir::tool
