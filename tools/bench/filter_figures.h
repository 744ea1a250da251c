// All that is measured of one filter of a corpus.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tools/bench/compare.h"
#include "tools/bench/corpus.h"
#include "tools/bench/measure/executed_instructions.h"
#include "tools/bench/setup_cost.h"
#include "tools/bench/traffic/traffic.h"

namespace weir::bench {

// A comparison, and whether its traffic was short enough to be learnt by the branch predictor.
struct Section {
  bool hot = false;
  Comparison comparison;
};

struct FilterFigures {
  CorpusFilter filter;
  SetupCost setup;
  Result<PeerProgram> plain;       // By libpcap, or why not.
  Result<PeerProgram> optimised;   // By libpcap with its optimiser, or why not.
  std::vector<Executed> executed;  // On the last traffic.
  std::vector<Section> sections;   // One a traffic.
};

// Whether libpcap's unoptimised code for it is of at most 100 instructions: no long list.
bool is_ordinary(const FilterFigures& figures);

struct FigureOptions {
  CompareOptions
      compare;  // Its programs are found here; the kernel is measured on the last traffic.
  std::uint32_t peer_seconds = 20;    // That libpcap has to compile a filter.
  std::uint32_t hot_packets = 4096;   // Traffic of at most so many is hot:
  std::uint32_t hot_round = 200'000;  // it is walked until a round has so many.
  // Told what is done next: "set-up", "hot", "unseen", "kernel".
  std::function<void(std::string_view)> progress;
};

// Finds what the comparison of an expression needs beside the filter: libpcap's own programs.
void add_peers(const engine::Filter& filter, const Result<PeerProgram>& plain,
               const Result<PeerProgram>& optimised, CompareOptions& options);

// Walks as many times over hot traffic as a round takes, once over any other.
Result<Section> compare_section(const engine::Filter& filter, const Traffic& traffic,
                                const FigureOptions& options);

// `traffics` are Ethernet, and shown as the filter's link type wants them. kDisagreement as
// compare(); errors of compiling the expression, with the line of the corpus as the place.
Result<FilterFigures> measure_filter(const CorpusFilter& filter,
                                     const std::vector<Traffic>& traffics,
                                     const FigureOptions& options);

}  // namespace weir::bench
