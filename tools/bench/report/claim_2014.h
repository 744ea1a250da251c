// What was claimed of the extended machine in 2014, held against the figures of a corpus: that its
// interpreter is up to four times as fast as the classic one on x86-64, and one and a half times
// mostly.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tools/bench/filter_figures.h"

namespace weir::bench {

inline constexpr double kClaimedMostly = 1.5;
inline constexpr double kClaimedMost = 4;

// The classic interpreter's time over that of an extended engine, on the classic program that is
// fastest there: weir's, or libpcap's with its optimiser or without. Nothing where one of them was
// not measured on that traffic.
std::optional<double> design_ratio(const FilterFigures& figures, bool hot, std::string_view engine);

// The ratios of many filters, and whose the ends are.
struct DesignRatios {
  std::string_view engine;  // "extended-interpreter" or "extended-jit".
  bool hot = false;
  bool ordinary = false;  // Of ordinary filters alone (filter_figures.h).
  std::size_t filters = 0;
  Spread ratio;
  std::string smallest;  // The names of filters.
  std::string largest;
};

// Those that are there, for each engine and traffic, of ordinary filters and then of all.
std::vector<DesignRatios> design_ratios(std::span<const FilterFigures> filters);

enum class ClaimVerdict : std::uint8_t { kReproduced, kInPart, kRefuted };

struct Claim {
  ClaimVerdict verdict = ClaimVerdict::kRefuted;
  std::string sentence;
};

// Of the interpreter over all filters, as the claim says: whether the median comes to
// kClaimedMostly and the largest ratio to kClaimedMost, on each traffic that there is. Reproduced
// is all of that, refuted none. Nothing without ratios of the interpreter.
std::optional<Claim> judge_claim(std::span<const DesignRatios> ratios);

}  // namespace weir::bench
