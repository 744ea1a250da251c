#include "tools/bench/report/growth_report.h"

#include <fmt/format.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <string_view>

namespace weir::tool {
namespace {

using bench::GrowthPoint;
using lower::TargetId;
using nlohmann::json;
using Number = std::optional<double>;

struct Series {
  std::string_view name;  // Of the column.
  std::string_view key;   // In JSON, with "_ns" behind it.
  std::function<Number(const GrowthPoint&)> ns;
};

const bench::TargetCost* to_xdp(const GrowthPoint& point) {
  for (const bench::TargetCost& cost : point.setup.targets) {
    if (cost.target == TargetId::kXdp && cost.instructions != 0) {
      return &cost;
    }
  }
  return nullptr;
}

Series stage(std::string_view name, std::string_view key, double bench::TargetCost::*field) {
  return {name, key, [field](const GrowthPoint& point) -> Number {
            const auto* cost = to_xdp(point);
            return cost == nullptr ? Number() : Number(cost->*field);
          }};
}

Series peer(std::string_view name, std::string_view key,
            std::optional<bench::PeerProgram> GrowthPoint::*field) {
  return {name, key, [field](const GrowthPoint& point) -> Number {
            const auto& made = point.*field;
            return made ? Number(made->ns) : Number();
          }};
}

std::vector<Series> all_series() {
  return {
      peer("libpcap", "libpcap", &GrowthPoint::plain),
      peer("with -O", "libpcap-O", &GrowthPoint::optimised),
      {"weir", "weir",
       [](const GrowthPoint& point) { return point.setup.total_ns(TargetId::kXdp); }},
      {"front", "front_end",
       [](const GrowthPoint& point) { return Number(point.setup.front_end_ns); }},
      stage("passes", "optimise", &bench::TargetCost::optimise_ns),
      stage("lower", "lower", &bench::TargetCost::lower_ns),
      {"jit", "jit", [](const GrowthPoint& point) { return point.setup.jit_ns; }},
      {"load", "load",
       [](const GrowthPoint& point) -> Number {
         const auto* cost = to_xdp(point);
         return cost == nullptr || !cost->load ? Number() : Number(cost->load->ns);
       }},
      {"classic", "classic",
       [](const GrowthPoint& point) { return Number(point.setup.classic_ns); }},
  };
}

std::string cell(const Number& number, double unit) {
  return number ? fmt::format(" {:>7.2f}", *number / unit) : fmt::format(" {:>7}", "-");
}

}  // namespace

std::string to_table(const GrowthReport& report) {
  constexpr double kMilli = 1e6;
  const std::vector<Series> series = all_series();
  std::string out = fmt::format(
      "machine  {}\n\nset-up of an `or` of hosts, CPU ms: libpcap, its optimiser; weir to XDP "
      "(all,\n"
      "stages), native code, load into the kernel; weir's classic program\n  {:>6}",
      report.machine, "hosts");
  for (const Series& one : series) {
    out += fmt::format(" {:>7}", one.name);
  }
  for (const GrowthPoint& point : report.points) {
    out += fmt::format("\n  {:>6}", point.hosts);
    for (const Series& one : series) {
      out += cell(one.ns(point), kMilli);
    }
  }
  out += "\n  growth";
  for (const Series& one : series) {
    out += cell(bench::growth_exponent(report.points, one.ns), 1);
  }
  return out + "\n  (growth: the p of time = c * hosts^p that fits best)\n";
}

std::string to_json(const GrowthReport& report) {
  const auto number_json = [](const Number& number) { return number ? json(*number) : json(); };
  json points = json::array();
  json exponents = json::object();
  for (const GrowthPoint& point : report.points) {
    json row = {{"hosts", point.hosts}};
    for (const Series& one : all_series()) {
      row[std::string(one.key) + "_ns"] = number_json(one.ns(point));
    }
    points.push_back(std::move(row));
  }
  for (const Series& one : all_series()) {
    exponents[std::string(one.key)] = number_json(bench::growth_exponent(report.points, one.ns));
  }
  const json out = {{"machine", report.machine},
                    {"points", std::move(points)},
                    {"exponents", std::move(exponents)}};
  return out.dump() + "\n";
}

}  // namespace weir::tool
