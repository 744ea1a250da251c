#include "tools/bench/report/corpus_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cbpf/base/printable.h"
#include "cbpf/compile.h"
#include "tools/bench/report/claim_2014.h"
#include "tools/bench/report/comparison_report.h"
#include "tools/bench/report/corpus_columns.h"
#include "tools/bench/report/section_json.h"

namespace weir::tool {
namespace {

using nlohmann::json;

constexpr std::size_t kNameWidth = 12;
constexpr std::size_t kColumnWidth = 8;
constexpr std::size_t kWidth = 80;  // Of lines.
constexpr std::size_t kIndent = 4;  // Of what a long line goes on with.

json number_json(const Number& number) { return number ? json(*number) : json(); }

std::string cell(const Number& number, int decimals) {
  if (!number) {
    return fmt::format(" {:>{}}", "-", kColumnWidth - 1);
  }
  return fmt::format(" {:>{}.{}f}", *number, kColumnWidth - 1, decimals);
}

std::string line(std::string_view name, const ColumnTable& table,
                 const std::function<Number(const Column&)>& number) {
  std::string out = fmt::format("  {:<{}.{}}", printable(name), kNameWidth, kNameWidth);
  for (const Column& column : table.columns) {
    out += cell(number(column), column.decimals);
  }
  return out + "\n";
}

bool has_numbers(const ColumnTable& table, std::span<const bench::FilterFigures> filters) {
  return std::any_of(table.columns.begin(), table.columns.end(), [&](const Column& column) {
    return median_of(column, filters, false).has_value();
  });
}

std::string to_text(const ColumnTable& table, std::span<const bench::FilterFigures> filters) {
  std::string out = fmt::format("\n{}\n  {:<{}}", table.title, "", kNameWidth);
  for (const Column& column : table.columns) {
    out += fmt::format(" {:>{}}", column.name, kColumnWidth - 1);
  }
  out += "\n";
  for (const bench::FilterFigures& figures : filters) {
    out += line(figures.filter.name, table,
                [&](const Column& column) { return column.number(figures); });
  }
  out += line("median", table,
              [&](const Column& column) { return median_of(column, filters, false); });
  out += line("of ordinary", table,
              [&](const Column& column) { return median_of(column, filters, true); });
  if (table.greatest) {
    out += line("greatest", table, [&](const Column& column) -> Number {
      const bench::FilterFigures* figures = greatest_of(column, filters);
      return figures == nullptr ? Number() : column.number(*figures);
    });
  }
  return out;
}

// In lines of at most 80 columns, all but the first behind `indent` blanks.
std::string wrapped(std::string_view text, std::size_t indent) {
  std::string out;
  std::size_t width = kWidth;
  while (text.size() > width) {
    const std::size_t last = text.substr(0, width + 1).rfind(' ');
    // A longer word stays whole.
    const std::size_t end = last != text.npos && last > indent ? last : text.find(' ', width);
    if (end == text.npos) {
      break;
    }
    out += fmt::format("{}\n{:{}}", text.substr(0, end), "", indent);
    text.remove_prefix(end + 1);
    width = kWidth - indent;
  }
  return out + fmt::format("{}\n", text);
}

std::string_view verdict_name(bench::ClaimVerdict verdict) {
  switch (verdict) {
    case bench::ClaimVerdict::kReproduced:
      return "reproduced";
    case bench::ClaimVerdict::kInPart:
      return "in part";
    case bench::ClaimVerdict::kRefuted:
      break;
  }
  return "refuted";
}

json claim_json(std::span<const bench::FilterFigures> filters) {
  const auto ratios = bench::design_ratios(filters);
  const auto claim = bench::judge_claim(ratios);
  if (!claim) {
    return {};
  }
  json out = {{"verdict", verdict_name(claim->verdict)}, {"sentence", claim->sentence}};
  for (const bench::DesignRatios& one : ratios) {
    out["ratios"].push_back({{"engine", one.engine},
                             {"hot", one.hot},
                             {"filters", one.filters},
                             {"of", one.ordinary ? "ordinary" : "all"},
                             {"median", one.ratio.median},
                             {"min", one.ratio.min},
                             {"smallest", one.smallest},
                             {"max", one.ratio.max},
                             {"largest", one.largest}});
  }
  return out;
}

// The claim of 2014 and what became of it here.
std::string claim_text(std::span<const bench::FilterFigures> filters) {
  const auto ratios = bench::design_ratios(filters);
  const auto claim = bench::judge_claim(ratios);
  if (!claim) {
    return "";
  }
  std::string out = fmt::format(
      "\nclaimed in 2014 of the extended interpreter: up to {} times as fast as the\n"
      "classic one, mostly {}; here, the classic interpreter's time over the engine's:\n"
      "  {:<11} {:<6} {:<11} {:>7} {:>8} {:>18}\n",
      bench::kClaimedMost, bench::kClaimedMostly, "", "", "filters", "median", "smallest",
      "largest");
  for (const bench::DesignRatios& one : ratios) {
    out += fmt::format("  {:<11} {:<6} {:<11} {:>7.2f} {:>6.2f} {:<12.12} {:>6.2f} {:.12}\n",
                       one.engine.substr(one.engine.find('-') + 1), one.hot ? "hot" : "unseen",
                       fmt::format("{} {}", one.filters, one.ordinary ? "ordinary" : "in all"),
                       one.ratio.median, one.ratio.min, one.smallest, one.ratio.max, one.largest);
  }
  return out + wrapped(claim->sentence, 0);
}

// What is missing, and why: a line each reason of a filter.
std::string skipped_lines(std::span<const bench::FilterFigures> filters) {
  std::string out;
  const auto add = [&](const std::string& filter, std::string_view what, std::string_view why) {
    const std::string said =
        wrapped(fmt::format("  {}: {}: {}", printable(filter), what, printable(why)), kIndent);
    if (out.find(said) == out.npos) {
      out += said;
    }
  };
  for (const bench::FilterFigures& figures : filters) {
    const std::string& name = figures.filter.name;
    for (const bench::TargetCost& cost : figures.setup.targets) {
      if (!cost.skipped.empty()) {
        add(name, lower::target(cost.target).name, cost.skipped);
      }
    }
    for (const bench::Section& section : figures.sections) {
      for (const bench::Row& row : section.comparison.rows) {
        if (!row.skipped.empty()) {
          add(name, row.name, row.skipped);
        } else if (!row.credible()) {
          add(name, row.name,
              fmt::format("{:.1f} ns, which may be {:.1f} ns off: too noisy to believe",
                          row.ns_per_packet.median, row.ns_per_packet.noise));
        }
      }
      for (const bench::Noise& noise : section.comparison.noise) {
        if (!noise.credible()) {
          add(name, method_name(noise.method),
              fmt::format("replicates differ by {:.1f} ns: too noisy to believe", noise.ns));
        }
      }
      if (const auto advice = socket_advice(section.comparison)) {
        add(name, "socket", *advice);
      }
    }
  }
  return out.empty() ? out : "\nto be said of single filters\n" + out;
}

json target_json(const bench::TargetCost& cost) {
  const bool translated = cost.instructions != 0;
  json out = {{"build_ns", translated ? json(cost.build_ns) : json()},
              {"optimise_ns", translated ? json(cost.optimise_ns) : json()},
              {"lower_ns", translated ? json(cost.lower_ns) : json()},
              {"load_ns", nullptr},
              {"skipped", cost.skipped.empty() ? json() : json(cost.skipped)}};
  if (cost.load) {
    out["load_ns"] = cost.load->ns;
  }
  return out;
}

json peer_json(const Result<bench::PeerProgram>& made) {
  return {{"ns", made ? json(made->ns) : json()},
          {"skipped", made ? json() : json(to_string(made.error()))}};
}

json set_up_json(const bench::FilterFigures& figures) {
  json targets = json::object();
  for (const bench::TargetCost& cost : figures.setup.targets) {
    targets[std::string(lower::target(cost.target).name)] = target_json(cost);
  }
  return {{"libpcap", peer_json(figures.plain)},
          {"libpcap-O", peer_json(figures.optimised)},
          {"front_end_ns", figures.setup.front_end_ns},
          {"classic_ns", figures.setup.classic_ns},
          {"targets", std::move(targets)},
          {"jit_ns", number_json(figures.setup.jit_ns)}};
}

json size_json(const Result<bench::PeerProgram>& made) {
  return made ? json(made->program.instructions.size()) : json();
}

json instructions_json(const bench::FilterFigures& figures) {
  const std::uint32_t classic = figures.setup.classic_instructions;
  json out = {{"libpcap", size_json(figures.plain)},
              {"libpcap-O", size_json(figures.optimised)},
              {"classic", classic != 0 ? json(classic) : json()}};
  for (const bench::TargetCost& cost : figures.setup.targets) {
    out[std::string(lower::target(cost.target).name)] =
        cost.instructions != 0 ? json(cost.instructions) : json();
  }
  return out;
}

json filter_json(const bench::FilterFigures& figures) {
  json executed = json::object();
  for (const bench::Executed& one : figures.executed) {
    executed[one.program] = {{"matching", number_json(one.matching)},
                             {"rejected", number_json(one.rejected)}};
  }
  json verifier = json::object();
  for (const bench::TargetCost& cost : figures.setup.targets) {
    if (cost.load) {
      verifier[std::string(lower::target(cost.target).name)] = {
          {"processed_instructions", cost.load->processed_instructions},
          {"native_bytes", cost.load->native_bytes}};
    }
  }
  json sections = json::array();
  for (const bench::Section& section : figures.sections) {
    sections.push_back(section_json(section));
  }
  return {{"name", figures.filter.name},
          {"link_type", cbpf::link_type_name(figures.filter.link_type)},
          {"filter", figures.filter.expression},
          {"set_up", set_up_json(figures)},
          {"instructions", instructions_json(figures)},
          {"executed", std::move(executed)},
          {"verifier", std::move(verifier)},
          {"sections", std::move(sections)}};
}

json medians_json(std::span<const bench::FilterFigures> filters, bool ordinary_only) {
  json out = json::object();
  for (const ColumnTable& table : corpus_tables()) {
    for (const Column& column : table.columns) {
      out[fmt::format("{}/{}", table.name, column.name)] =
          number_json(median_of(column, filters, ordinary_only));
    }
  }
  return out;
}

// The greatest number of every column of the tables that show it, and whose it is.
json greatest_json(std::span<const bench::FilterFigures> filters) {
  json out = json::object();
  for (const ColumnTable& table : corpus_tables()) {
    for (const Column& column : table.columns) {
      if (table.greatest) {
        const bench::FilterFigures* figures = greatest_of(column, filters);
        out[fmt::format("{}/{}", table.name, column.name)] =
            figures == nullptr ? json()
                               : json{{"filter", figures->filter.name},
                                      {"number", number_json(column.number(*figures))}};
      }
    }
  }
  return out;
}

}  // namespace

std::string to_table(const CorpusReport& report) {
  std::string out = fmt::format("corpus   {}, {} filters\nmachine  {}\n", printable(report.corpus),
                                report.filters.size(), report.machine);
  for (const ColumnTable& table : corpus_tables()) {
    if (has_numbers(table, report.filters)) {
      out += to_text(table, report.filters);
    }
  }
  out += skipped_lines(report.filters);
  for (const RefusedFilter& filter : report.refused) {
    out += wrapped(
        fmt::format("  {}: not measured: {}", printable(filter.name), printable(filter.reason)),
        kIndent);
  }
  return out + claim_text(report.filters);
}

std::string to_json(const CorpusReport& report) {
  json filters = json::array();
  for (const bench::FilterFigures& figures : report.filters) {
    filters.push_back(filter_json(figures));
  }
  json refused = json::array();
  for (const RefusedFilter& filter : report.refused) {
    refused.push_back({{"name", filter.name}, {"reason", filter.reason}});
  }
  const json out = {{"corpus", report.corpus},
                    {"machine", report.machine},
                    {"filters", std::move(filters)},
                    {"refused", std::move(refused)},
                    {"medians",
                     {{"all", medians_json(report.filters, false)},
                      {"ordinary", medians_json(report.filters, true)}}},
                    {"greatest", greatest_json(report.filters)},
                    {"claim_2014", claim_json(report.filters)}};
  return out.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace weir::tool
