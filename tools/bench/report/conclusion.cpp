#include "tools/bench/report/conclusion.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <set>

#include "tools/terminal/layout.h"

namespace weir::tool {
namespace {

using bench::Method;

constexpr std::size_t kIndent = 10;           // Of what follows "compared", "result" and "next".
constexpr double kSame = 1.05;                // Ratios below it are no difference.
constexpr std::size_t kLongestRepeated = 40;  // Characters of a filter that is printed again.

std::string_view place(Method method) {
  switch (method) {
    case Method::kLoop:
      return "in user space";
    case Method::kSocketSlope:
      return "at a socket";
    case Method::kTcSlope:
      return "at tc";
    case Method::kLiveFrames:
      return "at XDP";
  }
  return "";
}

// The fastest row of a design that was timed; null when there is none.
const bench::Row* fastest(const bench::Comparison& comparison, Method method, int design) {
  const bench::Row* best = nullptr;
  for (const bench::Row& row : comparison.rows) {
    if (row.method == method && row.design == design && row.skipped.empty() &&
        (best == nullptr || row.ns_per_packet.median < best->ns_per_packet.median)) {
      best = &row;
    }
  }
  return best;
}

// Whether the row that is said to be the fastest of its design is known to be: it is to be believed
// itself, and no noisy row could be faster.
bool is_known(const bench::Comparison& comparison, const bench::Row& best) {
  return std::all_of(comparison.rows.begin(), comparison.rows.end(), [&](const bench::Row& row) {
    return row.method != best.method || row.design != best.design || !row.skipped.empty() ||
           comparison.credible(row) ||
           (&row != &best && row.ns_per_packet.median - comparison.noise_ns(row) >
                                 best.ns_per_packet.median + comparison.noise_ns(best));
  });
}

// "eBPF 3.3x faster (extended-jit over libpcap-O)"; empty where the two designs are not both there.
std::string winner(const bench::Comparison& comparison, Method method) {
  const bench::Row* classic = fastest(comparison, method, 1993);
  const bench::Row* extended = fastest(comparison, method, 2014);
  if (classic == nullptr || extended == nullptr) {
    return "";
  }
  const double old_ns = classic->ns_per_packet.median;
  const double new_ns = extended->ns_per_packet.median;
  if (!is_known(comparison, *classic) || !is_known(comparison, *extended) || old_ns <= 0 ||
      new_ns <= 0) {
    return "too noisy to tell";
  }
  const bool new_wins = new_ns < old_ns;
  const double ratio = new_wins ? old_ns / new_ns : new_ns / old_ns;
  if (ratio < kSame) {
    return "no difference";
  }
  if (std::abs(old_ns - new_ns) <= difference_noise(comparison, *classic, *extended)) {
    return "no difference beyond the noise";
  }
  return fmt::format("{} {:.1f}x faster ({} over {})", new_wins ? "eBPF" : "classic BPF", ratio,
                     (new_wins ? extended : classic)->name, (new_wins ? classic : extended)->name);
}

std::string result(const Report& report) {
  std::string out;
  for (const Method method : bench::kMethods) {
    std::string said;
    for (const Section& section : report.sections) {
      const std::string one = winner(section.comparison, method);
      if (!one.empty()) {
        said += (said.empty() ? "" : ", ") + std::string(section.hot ? "hot: " : "unseen: ") + one;
      }
    }
    if (!said.empty()) {
      out += (out.empty() ? "" : "; ") + std::string(place(method)) + ", " + said;
    }
  }
  return out.empty() ? "only one of the two designs was measured" : out;
}

// The filter as an argument of a shell, or a placeholder for one that is long or strange.
std::string as_argument(const std::string& filter) {
  const bool plain = std::all_of(filter.begin(), filter.end(), [](char c) {
    return std::isprint(static_cast<unsigned char>(c)) != 0 && c != '\'';
  });
  return plain && filter.size() <= kLongestRepeated ? "'" + filter + "'" : "EXPRESSION";
}

std::string compared(const Report& report) {
  std::set<std::string> rows;
  std::string traffic;
  for (const Section& section : report.sections) {
    traffic += fmt::format("{}{} {}", traffic.empty() ? "" : " and ", section.comparison.packets,
                           section.hot ? "hot" : "unseen");
    for (const bench::Row& row : section.comparison.rows) {
      if (row.skipped.empty()) {
        rows.insert(row.name);
      }
    }
  }
  return fmt::format(
      "classic BPF (1993) and eBPF (2014), {} {} the same {} packets, all results equal",
      rows.size(), rows.size() == 1 ? "engine on" : "engines on", traffic);
}

}  // namespace

double difference_noise(const bench::Comparison& comparison, const bench::Row& one,
                        const bench::Row& other) {
  double ns = std::hypot(one.ns_per_packet.noise, other.ns_per_packet.noise);
  for (const bench::Noise& replicates : comparison.noise) {
    ns = replicates.method == one.method ? std::max(ns, replicates.ns) : ns;
  }
  return ns;
}

std::string conclusion(const Report& report) {
  const std::string filter = as_argument(report.filter);
  const std::string next = fmt::format(
      "`weir explain {0}` shows both programs; `weir attach -i INTERFACE --count {0}` counts at "
      "XDP",
      filter);
  std::string out;
  for (const auto& [name, text] :
       {std::pair<std::string_view, std::string>{"compared", compared(report)},
        {"result", result(report)},
        {"next", next}}) {
    out += fmt::format("{:<{}}{}", name, kIndent, wrap_words(text, kIndent, kTableColumns));
  }
  return out;
}

}  // namespace weir::tool
