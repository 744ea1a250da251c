// The run of `weir filter`: savefiles through one filter, or through each rule of a split, in one
// thread or in several.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "cbpf/base/sigbus_guard.h"
#include "cbpf/savefile/reader.h"
#include "tools/engine/engine.h"
#include "tools/filter/filter_by_link_type.h"
#include "tools/filter/output.h"
#include "tools/filter/progress.h"
#include "tools/filter/rules.h"
#include "tools/filter/stop_signals.h"
#include "tools/filter/survey.h"
#include "tools/filter/written_files.h"

namespace weir::filter {

// What is run.
struct FilterPlan {
  MakeFilter make_filter;
  engine::EngineId engine;
  std::uint64_t most = UINT64_MAX;  // Matching packets, after which the run ends.
  Rotation rotation;
  std::optional<cbpf::SavefileFormat> format;  // Of --format.
  Survey survey;                               // Where several savefiles are written into one.
  ReadFiles read;                // Savefiles, rules, expressions and lists: none is written.
  std::string write;             // Where what matches is written; empty: nowhere.
  bool packet_buffered = false;  // Each packet is written as it comes.
  bool several = false;          // Savefiles.
  std::uint32_t threads = 1;
  // Of --split: its file, its rules (none: there is one filter), and whether a packet
  // goes to the first rule it matches only.
  std::string rules_file;
  std::vector<Rule> rules;
  bool first = false;
  bool strict = false;  // A filter that a link type does not take ends the run.
};

struct FilterTotals {
  std::uint64_t packets = 0;
  std::uint64_t matched = 0;
  std::uint64_t bytes_matched = 0;  // Wire lengths.

  FilterTotals& operator+=(const FilterTotals& more) {
    packets += more.packets;
    matched += more.matched;
    bytes_matched += more.bytes_matched;
    return *this;
  }
};

class FilterRun {
 public:
  FilterRun(FilterPlan plan, Progress& progress);

  // Reads the file and writes what matches. On an error what was read before it has been written.
  Status run(const std::string& file);

  // Whether what is left of the input is of no interest.
  bool finished() const { return stopped() || ended_; }
  bool stopped() const { return stop_ && stop_->requested(); }
  // The signal that came while a filter was compiled; 0 when none did.
  int broke_off() const { return stop_ ? stop_->broke_off() : 0; }

  // Whether a file that was written lacks nanoseconds that its packets had.
  bool cut_timestamps() const;

  // Whether the last run() failed because its file cannot be read or is damaged; others may still
  // be run.
  bool input_failed() const { return input_failed_; }

  // Packets that do not match because their link type does not take a filter; one is counted for
  // each such filter.
  std::uint64_t unfiltered() const { return unfiltered_; }

  // Closes the files that were written; the first error.
  Status close();

  // Of all packets; where there are rules a packet matches that matches one of them.
  const FilterTotals& totals() const { return totals_; }
  // Of each rule, in their order; one where there are none.
  FilterTotals totals_of(std::size_t rule) const;
  const FilterPlan& plan() const { return plan_; }

 private:
  // A filter and where its packets go.
  struct Branch {
    FilterByLinkType filters;
    std::unique_ptr<Output> output;
    FilterTotals totals;
  };
  // What each filter says of each packet of a batch, and whether one of several took it.
  struct Verdicts {
    std::vector<std::vector<std::uint32_t>> of;
    std::vector<std::uint32_t> any;
    std::vector<std::uint32_t> joined;  // The results of joined rules.
  };
  struct Job;
  struct Reading;

  // A filter that the packets of an interface, by its number and link type, are not shown.
  struct Refusal {
    std::size_t rule = 0;
    int link_type = 0;
    std::uint32_t interface = 0;
    auto operator<=>(const Refusal&) const = default;
  };

  Status run_file(const std::string& file);
  Status begin(const cbpf::SavefileReader& reader, const std::string& file);
  bool takes_another(FilterByLinkType& filters, const cbpf::SavefileReader& reader,
                     const std::string& file) const;
  Result<engine::Prepared*> filter_for(std::size_t rule, int link_type, bool swapped);
  void count_refused(const cbpf::Batch& batch);
  void say_refused(const std::string& file);
  Status open_outputs(const cbpf::SavefileReader& reader);
  void say_differing();
  cbpf::SavefileWriterOptions output_options(const cbpf::SavefileReader& reader,
                                             cbpf::SavefileFormat format) const;
  Status read(cbpf::SavefileReader& reader, const std::string& file, std::uint32_t threads);
  // The filters' part of the work, for any thread.
  Status judge(const cbpf::Batch& batch, const std::string& file, Verdicts& verdicts);
  Result<engine::Prepared*> joined_filter(std::size_t first, std::size_t count, int link_type,
                                          bool swapped);
  Status judge_alone(std::size_t rule, const cbpf::Batch& batch, const std::string& file,
                     std::vector<std::uint32_t>& verdicts);
  Status judge_joined(engine::Prepared& joined, std::size_t first, std::size_t count,
                      const cbpf::Batch& batch, Verdicts& verdicts) const;
  void decide_any(Verdicts& verdicts, std::size_t count) const;
  Status run_filter(engine::Prepared& filter, const cbpf::Batch& batch, const std::string& file,
                    std::vector<std::uint32_t>& verdicts);
  // The rest, batch by batch in the order of the file.
  Status commit(cbpf::Batch batch, const Verdicts& verdicts);
  Status write(const cbpf::Batch& batch, const Verdicts& verdicts);
  bool all_full() const;
  const std::vector<std::uint32_t>& deciding(const Verdicts& verdicts) const {
    return branches_.size() == 1 ? verdicts.of.front() : verdicts.any;
  }

  FilterPlan plan_;
  Progress& progress_;
  std::vector<std::unique_ptr<Branch>> branches_;
  std::optional<StopSignals> stop_;  // From the first filter on that is made.
  SigbusGuard guard_;
  // Rules as one, by the first of them, link type and byte order; null where they cannot be.
  std::map<std::tuple<std::size_t, int, bool>, std::unique_ptr<engine::Prepared>> joined_;
  std::mutex joined_mutex_;
  std::mutex kernel_;  // The kernel's engines take one batch at a time.
  std::atomic<bool> ended_ = false;
  bool opened_ = false;
  bool input_failed_ = false;
  std::atomic<bool> any_refused_ = false;
  std::map<Refusal, std::uint64_t> refused_;  // Packets of this file.
  std::uint64_t unfiltered_ = 0;
  std::uint64_t bytes_before_ = 0;  // Of the files that have been read.
  FilterTotals totals_;
};

}  // namespace weir::filter
