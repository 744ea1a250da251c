#include "tools/weir/bench_report.h"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

namespace weir::tool {
namespace {

using bench::Method;
using nlohmann::json;

constexpr double kCredibleNoise = 3;  // ns.
constexpr std::size_t kBar = 24;      // Characters of the longest bar.

std::string_view method_name(Method method) {
  switch (method) {
    case Method::kLoop:
      return "loop";
    case Method::kSocketSlope:
      return "socket slope";
    case Method::kTestRun:
      return "test run";
  }
  return "";
}

std::string_view method_title(Method method) {
  switch (method) {
    case Method::kLoop:
      return "user space, CPU time of the filter alone";
    case Method::kSocketSlope:
      return "kernel, 16 sockets on a veth pair, less as many with an empty filter";
    case Method::kTestRun:
      return "kernel, test run of one packet repeated, less an empty program";
  }
  return "";
}

json spread_json(const bench::Spread& spread) {
  return {{"min", spread.min}, {"median", spread.median}, {"max", spread.max}};
}

json row_json(const bench::Row& row) {
  const engine::EngineInfo& engine = engine::info(row.id);
  const bool timed = row.skipped.empty();
  json out = {{"name", engine.name},
              {"design", engine.design},
              {"instructions", row.footprint.instructions},
              {"native_bytes", row.footprint.native_bytes},
              {"matched", row.matched},
              {"method", method_name(row.method)},
              {"ns_per_packet", nullptr},
              {"ratio", nullptr},
              {"skipped", nullptr}};
  if (!timed) {
    out["skipped"] = row.skipped;
    return out;
  }
  out["ns_per_packet"] = spread_json(row.ns_per_packet);
  if (row.ratio) {
    out["ratio"] = *row.ratio;
  }
  return out;
}

json section_json(const Section& section) {
  json engines = json::array();
  for (const bench::Row& row : section.comparison.rows) {
    engines.push_back(row_json(row));
  }
  return {{"hot", section.hot},
          {"traffic",
           {{"source", section.comparison.source},
            {"packets", section.comparison.packets},
            {"bytes", section.comparison.bytes},
            {"left_out", section.comparison.left_out}}},
          {"engines", std::move(engines)}};
}

std::string bar(double ns, double slowest) {
  const double share = slowest > 0 ? std::clamp(ns / slowest, 0.0, 1.0) : 0;
  std::string out;
  for (std::size_t i = 0; i < std::max<std::size_t>(1, static_cast<std::size_t>(share * kBar));
       ++i) {
    out += "█";
  }
  return out;
}

void print_row(std::string& out, const bench::Row& row, double slowest) {
  const engine::EngineInfo& engine = engine::info(row.id);
  out += fmt::format("  {:<21} {} {:>6} {:>8} {:>8.1f} {:>6.1f}-{:<6.1f} ", engine.name,
                     engine.design, row.footprint.instructions, row.matched,
                     row.ns_per_packet.median, row.ns_per_packet.min, row.ns_per_packet.max);
  out += row.ratio ? fmt::format("{:>6.2f}x ", *row.ratio) : fmt::format("{:>7} ", "");
  out += bar(row.ns_per_packet.median, slowest) + "\n";
}

void print_method(std::string& out, const std::vector<bench::Row>& rows, Method method) {
  double slowest = 0;
  for (const bench::Row& row : rows) {
    if (row.method == method && row.skipped.empty()) {
      slowest = std::max(slowest, row.ns_per_packet.median);
    }
  }
  bool first = true;
  for (const bench::Row& row : rows) {
    if (row.method != method || !row.skipped.empty()) {
      continue;
    }
    if (first) {
      out += fmt::format("\n  {}\n  {:<21} {:<4} {:>6} {:>8} {:>8} {:>13} {:>7}\n",
                         method_title(method), "engine", "", "instr", "matched", "ns/pkt",
                         "min-max   ", "ratio");
      first = false;
    }
    print_row(out, row, slowest);
  }
}

}  // namespace

std::string this_machine() {
  std::string model = "unknown processor";
  std::ifstream cpuinfo("/proc/cpuinfo");
  for (std::string line; std::getline(cpuinfo, line);) {
    if (line.starts_with("model name")) {
      model = line.substr(line.find(':') + 2);
      break;
    }
  }
  utsname system{};
  uname(&system);
  return fmt::format("{}, {} {}, weir {}", model, system.sysname, system.release, WEIR_VERSION);
}

std::string to_table(const Report& report) {
  std::string out =
      fmt::format("filter   {}\nmachine  {}\n",
                  report.filter.empty() ? "(everything)" : report.filter, report.machine);
  for (const Section& section : report.sections) {
    const bench::Comparison& comparison = section.comparison;
    out += fmt::format("\n{} traffic: {}, {} packets, {} bytes; every result agrees\n",
                       section.hot ? "hot" : "unseen", comparison.source, comparison.packets,
                       comparison.bytes);
    if (comparison.left_out != 0) {
      out += fmt::format("  ({} packets left out that the kernel's engines cannot be shown)\n",
                         comparison.left_out);
    }
    for (const Method method : {Method::kLoop, Method::kSocketSlope, Method::kTestRun}) {
      print_method(out, comparison.rows, method);
    }
    if (comparison.slope_noise_ns) {
      out +=
          fmt::format("  three empty filters differ by {:.1f} ns{}\n", *comparison.slope_noise_ns,
                      *comparison.slope_noise_ns > kCredibleNoise
                          ? ": the machine is too noisy for these two rows"
                          : "");
    }
    bool first = true;
    for (const bench::Row& row : comparison.rows) {
      if (!row.skipped.empty()) {
        out += first ? "\n" : "";
        out += fmt::format("  {:<21} skipped: {}\n", engine::info(row.id).name, row.skipped);
        first = false;
      }
    }
  }
  return out;
}

std::string to_json(const Report& report) {
  json sections = json::array();
  for (const Section& section : report.sections) {
    sections.push_back(section_json(section));
  }
  json out = {{"filter", report.filter},
              {"traffic", sections[0]["traffic"]},
              {"machine", report.machine},
              {"engines", sections[0]["engines"]},
              {"sections", std::move(sections)}};
  return out.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace weir::tool
