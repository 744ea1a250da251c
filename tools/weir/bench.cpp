// weir bench: the comparison of every engine on one filter and one traffic.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

#include "cbpf/base/printable.h"
#include "tools/bench/compare.h"
#include "tools/bench/measure/clock.h"
#include "tools/bench/report/comparison_report.h"
#include "tools/bench/report/corpus_report.h"
#include "tools/bench/report/growth_report.h"
#include "tools/bench/traffic/bundled_captures.h"
#include "tools/terminal/layout.h"
#include "tools/weir/filter_input.h"

namespace weir::tool {
namespace {

constexpr std::uint64_t kSeed = 1993;
constexpr std::size_t kUnseenPackets = 100'000;
constexpr std::size_t kHotPackets = 4096;
constexpr std::size_t kMostPackets = 1'000'000;

// The engines of a hook.
Result<std::vector<engine::EngineId>> engines_at(const std::string& hook) {
  using engine::EngineId;
  if (hook == "user") {
    return std::vector{EngineId::kClassicInterpreter, EngineId::kLibpcap,
                       EngineId::kExtendedInterpreter, EngineId::kExtendedJit};
  }
  if (hook == "socket") {
    return std::vector{EngineId::kKernelClassic, EngineId::kKernelSocket};
  }
  if (hook == "tc") {
    return std::vector{EngineId::kKernelTc};
  }
  if (hook == "xdp") {
    return std::vector{EngineId::kKernelXdp};
  }
  return fail(ErrorCode::kUsage, "--hook takes user, socket, tc or xdp, not '" + hook + "'");
}

Result<std::vector<engine::EngineId>> wanted_engines(const Options& options) {
  std::vector<engine::EngineId> engines;
  for (const std::string& name : options.all("engine")) {
    const auto id = engine::engine_by_name(name);
    if (!id) {
      return tl::make_unexpected(id.error());
    }
    engines.push_back(*id);
  }
  for (const std::string& hook : options.all("hook")) {
    const auto more = engines_at(hook);
    if (!more) {
      return tl::make_unexpected(more.error());
    }
    engines.insert(engines.end(), more->begin(), more->end());
  }
  return engines;
}

// What the options say of the measuring itself.
Result<bench::FigureOptions> read_measuring(const Options& options) {
  bench::FigureOptions measuring;
  bench::CompareOptions& compare = measuring.compare;
  const auto engines = wanted_engines(options);
  const auto rounds = options.number("rounds", compare.rounds, 7, 1000);
  const auto slope = options.number("slope-rounds", compare.slope_rounds, 7, 10000);
  const auto frames = options.number("live-frames", compare.live.frames, 1000, 100'000'000);
  const auto limit = options.number("peer-limit", measuring.peer_seconds, 1, 86400);
  if (!engines) {
    return tl::make_unexpected(engines.error());
  }
  for (const auto* number : {&rounds, &slope, &frames, &limit}) {
    if (!*number) {
      return tl::make_unexpected(number->error());
    }
  }
  compare.engines = *engines;
  compare.rounds = static_cast<std::uint32_t>(*rounds);
  compare.slope_rounds = static_cast<std::uint32_t>(*slope);
  compare.live.frames = static_cast<std::uint32_t>(*frames);
  measuring.peer_seconds = static_cast<std::uint32_t>(*limit);
  compare.trial_seconds = measuring.peer_seconds;
  return measuring;
}

// The traffic to measure with: the files of -r, or the bundled captures and the generated mix.
Result<std::vector<bench::Traffic>> wanted_traffic(const Options& options) {
  std::vector<bench::Traffic> all;
  if (options.has("read")) {
    auto traffic = bench::read_traffic(options.all("read"), kMostPackets);
    if (!traffic) {
      return tl::make_unexpected(traffic.error());
    }
    all.push_back(std::move(*traffic));
    return all;
  }
  if (const BundledCaptures captures = bundled_ethernet_captures(); captures.files.empty()) {
    fmt::print(stderr,
               "weir: warning: the bundled captures, which are the hot traffic, are not in {}; "
               "unseen traffic alone is measured: name a savefile with -r FILE, or their folder in "
               "WEIR_PCAPS\n",
               printable(fmt::format("{}", fmt::join(captures.folders, " or "))));
  } else {
    auto traffic = bench::read_traffic(captures.files, kHotPackets);
    if (!traffic) {
      return tl::make_unexpected(traffic.error());
    }
    traffic->source = "bundled captures";
    all.push_back(std::move(*traffic));
  }
  all.push_back(bench::generate_mix(kSeed, kUnseenPackets));
  return all;
}

// What is done now, on one line of a terminal that is written over and over.
class StatusLine {
 public:
  StatusLine() : terminal_(draws_on(STDERR_FILENO)) {}
  StatusLine(const StatusLine&) = delete;
  StatusLine& operator=(const StatusLine&) = delete;
  ~StatusLine() { say(""); }
  void say(std::string_view text) const {
    if (terminal_) {
      fmt::print(stderr, "\r{}\x1b[K", printable(text));
      std::fflush(stderr);
    }
  }

 private:
  bool terminal_;
};

Status run_corpus(const Options& options, bench::FigureOptions measuring) {
  for (const std::string_view other : {"expression-file", "asm", "bytecode", "linktype"}) {
    if (options.has(other) || !options.words().empty()) {
      return fail(ErrorCode::kUsage, "the filters of --corpus come from its file alone");
    }
  }
  const std::string file = options.get("corpus");
  const auto text = read_text_file(file);
  if (!text) {
    return tl::make_unexpected(text.error());
  }
  const auto corpus = bench::parse_corpus(*text, file);
  if (!corpus) {
    return tl::make_unexpected(corpus.error());
  }
  const auto traffics = wanted_traffic(options);
  if (!traffics) {
    return tl::make_unexpected(traffics.error());
  }
  bench::pin_to_current_cpu();
  const StatusLine status;
  std::vector<bench::FilterFigures> all;
  std::vector<RefusedFilter> refused;
  for (const bench::CorpusFilter& filter : *corpus) {
    measuring.progress = [&](std::string_view what) {
      status.say(fmt::format("{}/{} {}: {}", all.size() + refused.size() + 1, corpus->size(),
                             filter.name, what));
    };
    auto figures = bench::measure_filter(filter, *traffics, measuring);
    if (figures) {
      all.push_back(std::move(*figures));
      continue;
    }
    figures.error().place.file = file;
    if (figures.error().code != ErrorCode::kSyntax || (all.empty() && &filter == &corpus->back())) {
      return tl::make_unexpected(figures.error());
    }
    refused.push_back({filter.name, to_string(figures.error())});
  }
  status.say("");
  const CorpusReport report{file, this_machine(), all, refused};
  fmt::print("{}", options.has("json") ? to_json(report) : to_table(report));
  return {};
}

Status run_growth(const Options& options, const bench::FigureOptions& measuring) {
  if (options.has("corpus") || options.has("expression-file") || !options.words().empty()) {
    return fail(ErrorCode::kUsage, "--growth makes its own filters and takes none");
  }
  bench::pin_to_current_cpu();
  const StatusLine status;
  auto points = bench::measure_growth(
      {.peer_seconds = measuring.peer_seconds,
       .progress = [&](std::uint32_t hosts) { status.say(fmt::format("{} hosts", hosts)); }});
  if (!points) {
    return tl::make_unexpected(points.error());
  }
  status.say("");
  const GrowthReport report{this_machine(), std::move(*points)};
  fmt::print("{}", options.has("json") ? to_json(report) : to_table(report));
  return {};
}

// libpcap's own programs for the expression, where there is one.
void find_peers(const Options& options, const FilterInput& input, bench::FigureOptions& measuring) {
  Result<bench::PeerProgram> plain =
      fail(ErrorCode::kUnsupported, "the filter was not given as an expression");
  Result<bench::PeerProgram> optimised = plain;
  if (!options.has("asm") && !options.has("bytecode")) {
    cbpf::CompileOptions compile{.link_type = input.link_type, .snaplen = input.snaplen};
    plain = bench::compile_by_peer(input.text, compile, measuring.peer_seconds);
    compile.optimize = true;
    optimised = bench::compile_by_peer(input.text, compile, measuring.peer_seconds);
  }
  bench::add_peers(input.filter(), plain, optimised, measuring.compare);
}

Status run(const Options& options) {
  auto measuring = read_measuring(options);
  if (!measuring) {
    return tl::make_unexpected(measuring.error());
  }
  if (options.has("growth")) {
    return run_growth(options, *measuring);
  }
  if (options.has("corpus")) {
    return run_corpus(options, std::move(*measuring));
  }
  const auto traffics = wanted_traffic(options);
  if (!traffics) {
    return tl::make_unexpected(traffics.error());
  }
  const auto input = read_filter_input(
      options, TrafficSource{.link_type = traffics->front().link_type, .own_link_type = true});
  if (!input) {
    return tl::make_unexpected(input.error());
  }
  for (const engine::EngineInfo& engine : engine::all_engines()) {
    if (const auto warning = engine::dialect_warning(engine.id, input->filter())) {
      fmt::print(stderr, "weir: warning: {}; its results are not compared\n", printable(*warning));
    }
  }
  find_peers(options, *input, *measuring);
  bench::pin_to_current_cpu();
  const StatusLine status;
  measuring->progress = [&](std::string_view what) { status.say(fmt::format("{}", what)); };
  std::vector<Section> sections;
  for (const bench::Traffic& traffic : *traffics) {
    auto section = bench::compare_section(input->filter(), traffic, *measuring);
    if (!section) {
      return tl::make_unexpected(section.error());
    }
    sections.push_back(std::move(*section));
  }
  status.say("");
  const Report report{input->text, this_machine(), std::move(sections)};
  fmt::print("{}",
             options.has("json") ? to_json(report) : to_table(report, draws_on(STDOUT_FILENO)));
  return {};
}

}  // namespace

Command bench_command() {
  return {
      "bench",
      "the comparison: one filter, the same traffic, every engine",
      "[options] [--] EXPRESSION",
      "Runs the filter in every engine on the same packets, checks that all give the same "
      "results,\n"
      "and prints what a packet costs in each. Hot traffic fits the branch predictor's memory,\n"
      "unseen traffic does not. Without -r the bundled captures (hot) and a generated mix of\n"
      "100,000 packets (unseen) are used. The kernel's engines are measured on live packets\n"
      "in a network namespace of their own, which needs CAP_SYS_ADMIN, CAP_NET_ADMIN and "
      "CAP_NET_RAW.\n"
      "\n"
      "Beside the engines stand rows of classic programs that others make: -O is libpcap's\n"
      "optimiser, -weir weir's own; the ratio is to libpcap (user space), to kernel-classic-O (at "
      "a\n"
      "socket) or to kernel-tc-classic-O (at tc). Where weir was built with DPDK, "
      "dpdk-interpreter-O "
      "and\n"
      "dpdk-jit-O are its librte_bpf. A peer that gives a wrong result is not timed but named.",
      "  weir bench tcp port 80\n"
      "  weir bench -r trace.pcap udp port 53 and host 10.0.0.1\n"
      "  weir bench --hook socket tcp port 80        which program to give a socket\n"
      "  weir bench --corpus filters.tsv --hook user  every filter of a file\n"
      "  weir bench --corpus filters.tsv --slope-rounds 20 --live-frames 200000\n"
      "                                              the kernel's rows in a fifth of their time\n"
      "  weir bench --growth                         what a long list costs to set up\n"
      "  weir bench -j --engine libpcap --engine extended-interpreter ip",
      filter_input_options({
          {"read", 'r', OptionKind::kList, "FILE", "measure with the packets of a savefile"},
          {"corpus", 0, OptionKind::kValue, "FILE",
           "measure every filter of a file: name, link type, expression"},
          {"growth", 0, OptionKind::kFlag, "",
           "measure how set-up grows with a list, 10 to 10,000 hosts"},
          {"engine", 0, OptionKind::kList, "NAME", "only this engine (may be repeated)"},
          {"hook", 0, OptionKind::kList, "NAME",
           "only what runs there: user, socket, tc or xdp (may be repeated)"},
          {"rounds", 0, OptionKind::kValue, "N", "timed rounds (11)"},
          {"slope-rounds", 0, OptionKind::kValue, "N", "rounds at sockets and tc (60)"},
          {"live-frames", 0, OptionKind::kValue, "N",
           "frames a program and round at XDP (1000000)"},
          {"peer-limit", 0, OptionKind::kValue, "SECONDS", "CPU time a peer has for a filter (20)"},
          {"json", 'j', OptionKind::kFlag, "", "print JSON"},
      }),
      run,
      kExpressionNotes,
  };
}

}  // namespace weir::tool
