#include "tools/bench/report/comparison_report.h"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "cbpf/base/printable.h"
#include "tools/bench/report/conclusion.h"
#include "tools/bench/report/section_json.h"
#include "tools/terminal/layout.h"

namespace weir::tool {
namespace {

using bench::Method;
using nlohmann::json;

constexpr std::size_t kBar = 9;      // Characters of the longest bar.
constexpr std::size_t kReason = 27;  // Column of why a row was skipped.
constexpr double kMuchSlower = 2;    // ns; by which a classic filter has to win to be advised.

std::string method_title(Method method) {
  switch (method) {
    case Method::kLoop:
      return "user space: CPU time of the filter alone";
    case Method::kSocketSlope:
      return "at a socket of the kernel: 16 on a veth pair, less as many empty filters";
    case Method::kTcSlope:
      return "at tc: 16 classifiers on a veth pair, less as many empty ones";
    case Method::kLiveFrames:
      return "at XDP: live frames, less a program that only drops";
  }
  return "";
}

json spread_json(const bench::Spread& spread) {
  return {{"min", spread.min}, {"median", spread.median}, {"max", spread.max}};
}

json wrong_json(const bench::Wrong& wrong) {
  std::string bytes;
  for (const std::uint8_t byte : wrong.bytes) {
    bytes += fmt::format("{:02x}", byte);
  }
  return {{"packets", wrong.packets},     {"shown", wrong.shown},
          {"packet", wrong.packet},       {"got", wrong.crashed ? json() : json(wrong.got)},
          {"right", wrong.right},         {"crashed", wrong.crashed},
          {"inherited", wrong.inherited}, {"bytes", std::move(bytes)}};
}

json row_json(const bench::Row& row, const bench::Comparison& comparison) {
  const auto number_or_null = [](const std::optional<double>& number) {
    return number ? json(*number) : json();
  };
  const bool timed = row.skipped.empty();
  return {{"name", row.name},
          {"design", row.design},
          {"instructions", row.footprint.instructions},
          {"native_bytes", row.footprint.native_bytes},
          {"matched", row.matched},
          {"method", method_name(row.method)},
          {"ns_per_packet", timed ? spread_json(row.ns_per_packet) : json()},
          {"noise_ns", timed ? json(comparison.noise_ns(row)) : json()},
          {"noisy", timed ? json(!comparison.credible(row)) : json()},
          {"ratio", number_or_null(row.ratio)},
          {"ratio_to_base", number_or_null(row.ratio_to_base)},
          {"skipped", timed ? json() : json(row.skipped)},
          {"wrong", row.wrong ? wrong_json(*row.wrong) : json()}};
}

// The row that others of the method are held against; null when there is none to be believed.
const bench::Row* base_of(const bench::Comparison& comparison, Method method) {
  for (const std::string_view name : bench::base_rows(method)) {
    const bench::Row* row = comparison.row(name);
    if (row != nullptr && row->skipped.empty() && comparison.credible(*row)) {
      return row;
    }
  }
  return nullptr;
}

// In eighths of a character.
std::string bar(double ns, double slowest) {
  constexpr std::string_view kParts[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const double share = slowest > 0 ? std::clamp(ns / slowest, 0.0, 1.0) : 0;
  const auto eighths = std::max<std::size_t>(1, static_cast<std::size_t>(share * kBar * 8));
  std::string out;
  for (std::size_t i = 0; i < eighths / 8; ++i) {
    out += "█";
  }
  out += kParts[eighths % 8];
  return out;
}

// The base's median over the row's, so that the column follows from the one of times; "noisy" where
// the row is not to be believed, empty where there is no ratio.
std::string ratio_of_medians(const bench::Row& row, const bench::Row* base, bool credible) {
  if (!credible) {
    return "noisy";
  }
  if (base == nullptr || !row.ratio_to_base || row.ns_per_packet.median <= 0) {
    return "";
  }
  return fmt::format("{:.2f}x", base->ns_per_packet.median / row.ns_per_packet.median);
}

// `slowest` 0 draws no bar, nor has a noisy row one.
std::string to_line(const bench::Row& row, const bench::Row* base,
                    const bench::Comparison& comparison, double slowest) {
  const bool credible = comparison.credible(row);
  std::string line =
      fmt::format("  {:<24} {} {:>6} {:>8.1f} {:>7.1f} {:>14} {:>7}", row.name, row.design,
                  row.footprint.instructions, row.ns_per_packet.median, comparison.noise_ns(row),
                  fmt::format("{:.1f}..{:.1f}", row.ns_per_packet.min, row.ns_per_packet.max),
                  ratio_of_medians(row, base, credible));
  if (slowest > 0 && credible) {
    line += " " + bar(row.ns_per_packet.median, slowest);
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return line + "\n";
}

void print_method(std::string& out, const bench::Comparison& comparison, Method method, bool bars) {
  double slowest = 0;
  bool any = false;
  bool noisy = false;
  for (const bench::Row& row : comparison.rows) {
    if (row.method == method && row.skipped.empty()) {
      const bool credible = comparison.credible(row);
      slowest = credible ? std::max(slowest, row.ns_per_packet.median) : slowest;
      noisy = noisy || !credible;
      any = true;
    }
  }
  if (!any) {
    return;
  }
  const bench::Row* base = base_of(comparison, method);
  out += fmt::format("\n  {}\n", method_title(method));
  out += fmt::format("  {:<29} {:>6} {:>8} {:>7} {:>14} {:>7}\n", "", "instr", "ns/pkt", "noise",
                     "min..max", base != nullptr ? "ratio" : "");
  for (const int design : {1993, 2014}) {
    for (const bench::Row& row : comparison.rows) {
      if (row.method == method && row.design == design && row.skipped.empty()) {
        out += to_line(row, base, comparison, bars ? slowest : 0);
      }
    }
  }
  for (const bench::Noise& noise : comparison.noise) {
    if (noise.method == method) {
      out += fmt::format("  (replicates differ by {:.1f} ns{})\n", noise.ns,
                         noise.credible() ? "" : ": too noisy to believe these rows");
    }
  }
  if (noisy && comparison.credible(method)) {
    out += "  (noisy: the rounds of the row differ too much to believe it)\n";
  }
  if (base != nullptr && method != Method::kLoop) {
    out += fmt::format("  (ratio: time of {} over the row's)\n", base->name);
  }
}

void print_skipped(std::string& out, const bench::Comparison& comparison) {
  bool first = true;
  for (const bench::Row& row : comparison.rows) {
    if (!row.skipped.empty()) {
      out += first ? "\n" : "";
      const std::string reason = (row.wrong ? "" : "skipped: ") + row.skipped;
      out += fmt::format("  {:<24} {}", row.name, wrap_words(reason, kReason, kTableColumns));
      first = false;
    }
  }
}

std::uint64_t matched_packets(const bench::Comparison& comparison) {
  const auto timed = std::find_if(comparison.rows.begin(), comparison.rows.end(),
                                  [](const bench::Row& row) { return row.skipped.empty(); });
  return timed == comparison.rows.end() ? 0 : timed->matched;
}

bool any_wrong(const bench::Comparison& comparison) {
  return std::any_of(comparison.rows.begin(), comparison.rows.end(),
                     [](const bench::Row& row) { return row.wrong.has_value(); });
}

}  // namespace

std::string_view method_name(Method method) {
  switch (method) {
    case Method::kLoop:
      return "loop";
    case Method::kSocketSlope:
      return "socket slope";
    case Method::kTcSlope:
      return "tc slope";
    case Method::kLiveFrames:
      return "live frames";
  }
  return "";
}

json section_json(const Section& section) {
  const bench::Comparison& comparison = section.comparison;
  json engines = json::array();
  for (const bench::Row& row : comparison.rows) {
    engines.push_back(row_json(row, comparison));
  }
  json bases = json::object();
  for (const Method method : bench::kMethods) {
    if (const bench::Row* base = base_of(comparison, method)) {
      bases[std::string(method_name(method))] = base->name;
    }
  }
  json noise = json::object();
  for (const bench::Noise& one : comparison.noise) {
    noise[std::string(method_name(one.method))] = one.ns;
  }
  return {{"hot", section.hot},
          {"traffic",
           {{"source", comparison.source},
            {"packets", comparison.packets},
            {"bytes", comparison.bytes},
            {"left_out", comparison.left_out}}},
          {"engines", std::move(engines)},
          {"bases", std::move(bases)},
          {"noise_ns", std::move(noise)}};
}

std::optional<std::string> socket_advice(const bench::Comparison& comparison) {
  const bench::Row* extended = comparison.row("kernel-socket");
  const bench::Row* classic = base_of(comparison, Method::kSocketSlope);
  if (extended == nullptr || classic == nullptr || !extended->skipped.empty() ||
      !comparison.credible(*extended)) {
    return std::nullopt;
  }
  const double more = extended->ns_per_packet.median - classic->ns_per_packet.median;
  if (more <= std::max(kMuchSlower, difference_noise(comparison, *classic, *extended))) {
    return std::nullopt;
  }
  return fmt::format(
      "at a socket the classic program is the better choice: {} costs {:.1f} ns less",
      classic->name, more);
}

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

std::string to_table(const Report& report, bool bars) {
  std::string out = fmt::format("filter   {}\nmachine  {}\n",
                                report.filter.empty() ? "(everything)" : printable(report.filter),
                                report.machine);
  for (const Section& section : report.sections) {
    const bench::Comparison& comparison = section.comparison;
    out += fmt::format("\n{} traffic: {}, {} packets, {} bytes\n", section.hot ? "hot" : "unseen",
                       printable(comparison.source), comparison.packets, comparison.bytes);
    out += fmt::format("  {} match; every result agrees{}\n", matched_packets(comparison),
                       any_wrong(comparison) ? ", but for the peers named below" : "");
    if (comparison.left_out != 0) {
      out += fmt::format("  ({} packets left out that the kernel's engines cannot be shown)\n",
                         comparison.left_out);
    }
    for (const Method method : bench::kMethods) {
      print_method(out, comparison, method, bars);
    }
    if (const auto advice = socket_advice(comparison)) {
      out += "  " + wrap_words(*advice, 2, kTableColumns);
    }
    print_skipped(out, comparison);
  }
  return out + "\n" + conclusion(report);
}

std::string to_json(const Report& report) {
  json sections = json::array();
  for (const Section& section : report.sections) {
    sections.push_back(section_json(section));
  }
  json out = {
      {"filter", report.filter}, {"machine", report.machine}, {"sections", std::move(sections)}};
  return out.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace weir::tool
