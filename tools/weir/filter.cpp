// weir filter: a savefile through a filter.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cbpf/base/printable.h"
#include "tools/filter/inputs.h"
#include "tools/filter/rules.h"
#include "tools/filter/run.h"
#include "tools/terminal/layout.h"
#include "tools/weir/filter_input.h"

namespace weir::tool {
namespace {

constexpr std::uint64_t kMostThreads = 256;

using filter::FilterPlan;
using filter::FilterRun;
using filter::FilterTotals;

nlohmann::json json_of(const FilterTotals& totals) {
  return {{"packets", totals.packets},
          {"matched", totals.matched},
          {"bytes_matched", totals.bytes_matched}};
}

std::string packets_of(std::uint64_t count) {
  return fmt::format("{} packet{}", count, count == 1 ? "" : "s");
}

std::string line_of(const FilterTotals& totals, bool only_count) {
  return only_count ? packets_of(totals.matched)
                    : fmt::format("{} of {} match{}, {} byte{}", totals.matched,
                                  packets_of(totals.packets), totals.matched == 1 ? "es" : "",
                                  totals.bytes_matched, totals.bytes_matched == 1 ? "" : "s");
}

void print_totals(const FilterRun& run, const Options& options) {
  const FilterPlan& plan = run.plan();
  std::FILE* out = plan.write == "-" ? stderr : stdout;
  const bool only_count = options.has("count");
  if (!options.has("json")) {
    for (std::size_t i = 0; i < plan.rules.size(); ++i) {
      fmt::print(out, "{}: {}\n", printable(plan.rules[i].name),
                 line_of(run.totals_of(i), only_count));
    }
    if (plan.rules.empty()) {
      fmt::print(out, "{}\n", line_of(run.totals(), only_count));
    }
    return;
  }
  nlohmann::json object = json_of(run.totals());
  if (run.unfiltered() != 0) {
    object["unfiltered"] = run.unfiltered();
  }
  object["engine"] = engine::info(plan.engine).name;
  for (std::size_t i = 0; i < plan.rules.size(); ++i) {
    nlohmann::json rule = json_of(run.totals_of(i));
    rule["name"] = plan.rules[i].name;
    rule.erase("packets");
    object["rules"].push_back(std::move(rule));
  }
  fmt::print(out, "{}\n", object.dump());
}

// -C, -G and -W as tcpdump takes them: -C counts millions of bytes.
Result<filter::Rotation> read_rotation(const Options& options) {
  const auto millions = options.number("file-size", 0, 1, 1'000'000'000);
  const auto seconds = options.number("rotate-seconds", 0, 1, 0x7fffffff);
  const auto files = options.number("file-count", 0, 1, 0x7fffffff);
  for (const auto* number : {&millions, &seconds, &files}) {
    if (!*number) {
      return tl::make_unexpected(number->error());
    }
  }
  const filter::Rotation rotation = {.max_bytes = *millions * 1'000'000,
                                     .seconds = static_cast<std::uint32_t>(*seconds),
                                     .max_files = static_cast<std::uint32_t>(*files)};
  if (rotation.any() && (!options.has("write") || options.get("write") == "-")) {
    return fail(ErrorCode::kUsage, "-C and -G need a file that -w names");
  }
  return rotation;
}

Result<std::optional<cbpf::SavefileFormat>> read_format(const Options& options) {
  const std::string name = options.get("format");
  if (!options.has("format")) {
    return std::nullopt;
  }
  if (!options.has("write")) {
    return fail(ErrorCode::kUsage, "--format goes with -w");
  }
  if (name != "pcap" && name != "pcapng") {
    return fail(ErrorCode::kUsage, "--format takes pcap or pcapng, not '" + name + "'");
  }
  return name == "pcap" ? cbpf::SavefileFormat::kPcap : cbpf::SavefileFormat::kPcapng;
}

// What there is to read; 0 where one of the inputs does not tell.
std::uint64_t total_size(const std::vector<std::string>& files) {
  std::uint64_t total = 0;
  for (const std::string& file : files) {
    std::error_code error;
    if (!std::filesystem::is_regular_file(file, error)) {
      return 0;
    }
    const std::uintmax_t size = std::filesystem::file_size(file, error);
    total += error ? 0 : size;
  }
  return total;
}

// The rules of --split, if it is given.
Status read_split(const Options& options, FilterPlan& plan) {
  if (!options.has("split")) {
    return options.has("first") ? fail(ErrorCode::kUsage, "--first goes with --split") : Status{};
  }
  for (const char* other : {"expression-file", "asm", "bytecode"}) {
    if (options.has(other) || !options.words().empty()) {
      return fail(ErrorCode::kUsage, "with --split the filters are those of its file");
    }
  }
  if (plan.write == "-") {
    return fail(ErrorCode::kUsage, "--split writes files, not standard output");
  }
  const auto text = read_text_file(options.get("split"));
  if (!text) {
    return tl::make_unexpected(text.error());
  }
  auto rules = filter::read_rules(*text, options.get("split"));
  if (!rules) {
    return tl::make_unexpected(rules.error());
  }
  plan.rules_file = options.get("split");
  plan.rules = std::move(*rules);
  plan.first = options.has("first");
  return {};
}

// The filter for packets of a savefile, as the options say.
filter::MakeFilter filter_maker(const FilterText& given, const Options& options) {
  return [given, options](const std::string* expression, int link_type,
                          bool swapped) -> Result<engine::Filter> {
    const auto input =
        make_filter_input(expression == nullptr ? given : FilterText{.text = *expression}, options,
                          {.link_type = link_type, .savefile = true, .swapped = swapped});
    return input ? Result<engine::Filter>(input->filter()) : tl::make_unexpected(input.error());
  };
}

Result<FilterPlan> read_plan(const FilterText& filter, const Options& options) {
  const auto engine = options.has("engine") ? engine::engine_by_name(options.get("engine"))
                                            : engine::fastest_engine();
  if (!engine) {
    return tl::make_unexpected(engine.error());
  }
  const auto most = options.number("packets", UINT64_MAX, 1, UINT64_MAX);
  const auto threads = options.number("threads", 1, 1, kMostThreads);
  for (const auto* number : {&most, &threads}) {
    if (!*number) {
      return tl::make_unexpected(number->error());
    }
  }
  if (!options.has("read")) {
    return fail(ErrorCode::kUsage, "no savefile is given; -r FILE names one, -r - is stdin");
  }
  const auto rotation = read_rotation(options);
  if (!rotation) {
    return tl::make_unexpected(rotation.error());
  }
  const auto format = read_format(options);
  if (!format) {
    return tl::make_unexpected(format.error());
  }
  const auto files = options.all("read");
  const bool from_stdin = filter.from_stdin || options.get("split") == "-";
  if (from_stdin && std::find(files.begin(), files.end(), "-") != files.end()) {
    return fail(ErrorCode::kUsage, "stdin cannot be both the filter and a savefile");
  }
  FilterPlan plan{.make_filter = filter_maker(filter, options),
                  .engine = *engine,
                  .most = *most,
                  .rotation = *rotation,
                  .format = *format,
                  .write = options.get("write"),
                  .packet_buffered = options.has("packet-buffered"),
                  .threads = static_cast<std::uint32_t>(*threads),
                  .strict = options.has("strict")};
  if (auto split = read_split(options, plan); !split) {
    return tl::make_unexpected(split.error());
  }
  return plan;
}

// All that is read: savefiles, what holds the filters, and the lists that expressions name.
filter::ReadFiles read_files(const FilterPlan& plan, const FilterText& filter,
                             const Options& options, const std::vector<std::string>& savefiles) {
  filter::ReadFiles read;
  for (const std::string& file : savefiles) {
    read.add(file);
  }
  for (const char* option : {"split", "expression-file", "asm", "bytecode"}) {
    if (options.has(option)) {
      read.add(options.get(option));
    }
  }
  std::vector<std::string> expressions;
  if (filter.form == FilterText::Form::kExpression) {
    expressions.push_back(filter.text);
  }
  for (const filter::Rule& rule : plan.rules) {
    expressions.push_back(rule.expression);
  }
  for (const std::string& expression : expressions) {
    for (const std::string& file : list_files(expression)) {
      read.add(file);
    }
  }
  return read;
}

struct Ending {
  Status status;
  bool counted = true;  // The totals are right: nothing failed but the reading of inputs.
};

// One after the other. A file that cannot be read to its end is said and does not end the run, as
// with tcpdump's -V; the error at the end names all of them.
Ending run_files(FilterRun& run, filter::Progress& progress,
                 const std::vector<std::string>& files) {
  Ending ending;
  std::vector<std::string> failed;
  for (const std::string& file : files) {
    ending.status = run.run(file);
    if (!ending.status && run.input_failed() && files.size() > 1) {
      progress.clear();
      fmt::print(stderr, "weir: {}\n", printable(to_string(ending.status.error())));
      failed.push_back(file);
      ending.status = {};
    }
    if (!ending.status || run.finished()) {
      break;
    }
  }
  ending.counted = ending.status || run.input_failed();
  if (Status closed = run.close(); !closed) {
    ending.counted = false;
    if (ending.status) {
      ending.status = std::move(closed);
    }
  }
  if (ending.status && !failed.empty()) {
    ending.status = fail(
        ErrorCode::kInvalidFile,
        fmt::format("{} of {} savefiles could not be read to {} end: {}", failed.size(),
                    files.size(), failed.size() == 1 ? "its" : "their", fmt::join(failed, ", ")));
  }
  return ending;
}

Status run(const Options& options) {
  const auto filter = read_filter_text(options);
  if (!filter) {
    return tl::make_unexpected(filter.error());
  }
  auto plan = read_plan(*filter, options);
  if (!plan) {
    return tl::make_unexpected(plan.error());
  }
  const auto files = filter::expand_inputs(options.all("read"));
  if (!files) {
    return tl::make_unexpected(files.error());
  }
  plan->several = files->size() > 1;
  if (plan->several && !plan->write.empty()) {
    plan->survey = filter::survey_inputs(*files);
  }
  plan->read = read_files(*plan, *filter, options, *files);
  if (auto checked = plan->read.check_output("-"); !checked) {
    return checked;
  }
  filter::Progress progress(draws_on(STDERR_FILENO) ? stderr : nullptr, total_size(*files), [] {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration<double>(now).count();
  });
  FilterRun filter_run(std::move(*plan), progress);
  const Ending ending = run_files(filter_run, progress, *files);
  if (const int number = filter_run.broke_off(); number != 0) {
    // The outputs are closed and whole; the rest is as if the signal had not been caught.
    std::signal(number, SIG_DFL);
    std::raise(number);
  }
  if (filter_run.cut_timestamps()) {
    fmt::print(stderr,
               "weir: timestamps in nanoseconds were cut to microseconds, the precision of the "
               "first interface; --format pcapng keeps them\n");
  }
  const FilterTotals& totals = filter_run.totals();
  if (totals.packets != 0 && (filter_run.stopped() || !ending.counted)) {
    fmt::print(stderr, "weir: stopped after {}, {} of which match{}\n", packets_of(totals.packets),
               totals.matched, totals.matched == 1 ? "es" : "");
  }
  // What was whole of a damaged file counts.
  if (ending.status || (ending.counted && totals.packets != 0)) {
    print_totals(filter_run, options);
  }
  return ending.status;
}

}  // namespace

Command filter_command() {
  return {
      "filter",
      "a savefile through a filter",
      "-r FILE [-w FILE] [options] [--] EXPRESSION",
      "Reads savefiles (pcap or pcapng, plain or packed by gzip, zstd or lz4), runs the filter on\n"
      "every packet, and writes the matching ones to another, as\n"
      "`tcpdump -r FILE -w FILE EXPRESSION` does, byte for byte. A name that ends in .gz, .zst or\n"
      ".lz4 is written packed. What is written keeps the format, unless the name ends in .pcap or\n"
      ".pcapng or --format says otherwise, and timestamps in nanoseconds (as tcpdump's option\n"
      "--nano). A pcapng file keeps its other blocks. Without -w it says how many packets match.\n"
      "Several threads write what one would write; packed files are read by one.\n"
      "\n"
      "--split takes the filters from a file of rules and writes what matches each of them to a\n"
      "file of its own: -w names a folder for files NAME.pcap (or .pcapng), or has {} where the\n"
      "rule's name belongs. A rule is a line `NAME EXPRESSION`; a name is made of letters, "
      "digits,\n"
      "'.', '_' and '-', and alone it takes every packet. Lines that begin with '#' are remarks.",
      "  weir filter -r in.pcap -w out.pcap tcp port 80\n"
      "  weir filter -r in.pcapng --count udp port 53\n"
      "  tcpdump -w - | weir filter -r - -w - icmp > out.pcap\n"
      "  weir filter -r in.pcap --split rules.txt -w parts-{}.pcap.zst",
      filter_input_options({
          {"read", 'r', OptionKind::kList, "FILE",
           "a savefile, a folder or a pattern to read, '-' is stdin"},
          {"write", 'w', OptionKind::kValue, "FILE", "write what matches there, '-' is stdout"},
          {"format", 0, OptionKind::kValue, "FORMAT",
           "write pcap or pcapng (as FILE ends, else as it was read)"},
          {"packets", 'c', OptionKind::kValue, "N", "stop after N matching packets"},
          {"file-size", 'C', OptionKind::kValue, "N", "begin a file after N million bytes"},
          {"rotate-seconds", 'G', OptionKind::kValue, "SECONDS",
           "begin a file every so often; -w goes through strftime"},
          {"file-count", 'W', OptionKind::kValue, "N",
           "with -C begin again after N files, with -G stop"},
          {"packet-buffered", 'U', OptionKind::kFlag, "", "write each packet as it comes"},
          {"count", 0, OptionKind::kFlag, "", "print only how many packets match"},
          {"threads", 0, OptionKind::kValue, "N", "read, filter and write in N threads (1)"},
          {"split", 0, OptionKind::kValue, "RULES",
           "each packet to the file of every rule it matches"},
          {"first", 0, OptionKind::kFlag, "", "with --split: only to that of the first"},
          {"strict", 0, OptionKind::kFlag, "",
           "end where a link type does not take the filter (else: no match)"},
          {"engine", 0, OptionKind::kValue, "NAME",
           "which engine runs the filter (extended-jit where it exists)"},
          {"json", 'j', OptionKind::kFlag, "", "print JSON"},
      }),
      run,
      kExpressionNotes,
  };
}

}  // namespace weir::tool
