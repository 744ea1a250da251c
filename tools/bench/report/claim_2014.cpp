#include "tools/bench/report/claim_2014.h"

#include <fmt/format.h>

#include <algorithm>

namespace weir::bench {
namespace {

constexpr std::string_view kInterpreter = "extended-interpreter";
constexpr std::string_view kJit = "extended-jit";

const Row* timed_row(const FilterFigures& figures, bool hot, std::string_view name) {
  for (const Section& section : figures.sections) {
    const Row* row = section.hot == hot ? section.comparison.row(name) : nullptr;
    if (row != nullptr && row->skipped.empty() && section.comparison.credible(*row)) {
      return row;
    }
  }
  return nullptr;
}

std::optional<DesignRatios> ratios_of(std::span<const FilterFigures> filters, DesignRatios of) {
  std::vector<double> ratios;
  for (const FilterFigures& figures : filters) {
    const auto ratio = of.ordinary && !is_ordinary(figures)
                           ? std::nullopt
                           : design_ratio(figures, of.hot, of.engine);
    if (!ratio) {
      continue;
    }
    if (ratios.empty() || *ratio < *std::min_element(ratios.begin(), ratios.end())) {
      of.smallest = figures.filter.name;
    }
    if (ratios.empty() || *ratio > *std::max_element(ratios.begin(), ratios.end())) {
      of.largest = figures.filter.name;
    }
    ratios.push_back(*ratio);
  }
  if (ratios.empty()) {
    return std::nullopt;
  }
  of.filters = ratios.size();
  of.ratio = spread_of(std::move(ratios));
  return of;
}

std::string_view verdict_words(ClaimVerdict verdict) {
  switch (verdict) {
    case ClaimVerdict::kReproduced:
      return "is reproduced";
    case ClaimVerdict::kInPart:
      return "is reproduced in part";
    case ClaimVerdict::kRefuted:
      break;
  }
  return "is refuted";
}

// What the same comes to without long lists, which are look-ups in the one machine alone.
std::string ordinary_words(std::span<const DesignRatios> ratios, bool hot) {
  for (const DesignRatios& one : ratios) {
    if (one.engine == kInterpreter && one.ordinary && one.hot == hot) {
      return fmt::format(" (of ordinary filters {:.2f} and {:.1f})", one.ratio.median,
                         one.ratio.max);
    }
  }
  return "";
}

}  // namespace

std::optional<double> design_ratio(const FilterFigures& figures, bool hot,
                                   std::string_view engine) {
  const Row* row = timed_row(figures, hot, engine);
  std::optional<double> best;
  for (const std::string_view classic :
       {"classic-interpreter", "classic-interpreter-O", "classic-interpreter-weir"}) {
    if (const Row* other = timed_row(figures, hot, classic)) {
      const double ns = other->ns_per_packet.median;
      best = std::min(best.value_or(ns), ns);
    }
  }
  return row == nullptr || !best ? std::nullopt : std::optional(*best / row->ns_per_packet.median);
}

std::vector<DesignRatios> design_ratios(std::span<const FilterFigures> filters) {
  std::vector<DesignRatios> all;
  for (const std::string_view engine : {kInterpreter, kJit}) {
    for (const bool hot : {true, false}) {
      for (const bool ordinary : {true, false}) {
        if (auto some = ratios_of(filters, {.engine = engine, .hot = hot, .ordinary = ordinary})) {
          all.push_back(std::move(*some));
        }
      }
    }
  }
  return all;
}

std::optional<Claim> judge_claim(std::span<const DesignRatios> ratios) {
  int asked = 0;
  int held = 0;
  std::string said;
  for (const DesignRatios& one : ratios) {
    if (one.engine != kInterpreter || one.ordinary) {
      continue;
    }
    const bool mostly = one.ratio.median >= kClaimedMostly;
    const bool most = one.ratio.max >= kClaimedMost;
    asked += 2;
    held += (mostly ? 1 : 0) + (most ? 1 : 0);
    said +=
        fmt::format("{} on {} traffic the median of {:.2f} {} {} and the largest of {:.1f} {} {}",
                    said.empty() ? ":" : ",", one.hot ? "hot" : "unseen", one.ratio.median,
                    mostly ? "comes to" : "is below", kClaimedMostly, one.ratio.max,
                    most ? "comes to" : "is below", kClaimedMost);
    said += ordinary_words(ratios, one.hot);
  }
  if (asked == 0) {
    return std::nullopt;
  }
  const ClaimVerdict verdict = held == asked ? ClaimVerdict::kReproduced
                               : held > 0    ? ClaimVerdict::kInPart
                                             : ClaimVerdict::kRefuted;
  return Claim{verdict, fmt::format("the claim {}{}", verdict_words(verdict), said)};
}

}  // namespace weir::bench
