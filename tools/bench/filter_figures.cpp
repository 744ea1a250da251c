#include "tools/bench/filter_figures.h"

#include <algorithm>

#include "cbpf/compile.h"
#include "tools/bench/dpdk.h"
#include "tools/bench/peers.h"

namespace weir::bench {
namespace {

bool measures_kernel(const std::vector<engine::EngineId>& engines) {
  return engines.empty() || std::any_of(engines.begin(), engines.end(), [](engine::EngineId id) {
           return engine::info(id).in_kernel;
         });
}

// Whether any row runs classic programs; at tc they stand beside kernel-tc. Peers' machines are
// made from one, too.
bool runs_classic(const std::vector<engine::EngineId>& engines) {
  return engines.empty() || std::any_of(engines.begin(), engines.end(), [](engine::EngineId id) {
           return engine::info(id).design == 1993 || id == engine::EngineId::kKernelTc;
         });
}

// Those of the wanted engines that run in this process.
std::vector<engine::EngineId> user_engines(const std::vector<engine::EngineId>& wanted) {
  std::vector<engine::EngineId> engines;
  for (const engine::EngineInfo& engine : engine::all_engines()) {
    if (!engine.in_kernel &&
        (wanted.empty() || std::find(wanted.begin(), wanted.end(), engine.id) != wanted.end())) {
      engines.push_back(engine.id);
    }
  }
  return engines;
}

tl::unexpected<Error> at_line(Error error, const CorpusFilter& filter) {
  error.message = filter.name + ": " + error.message;
  error.place = {.line = filter.line};
  return tl::make_unexpected(std::move(error));
}

// The traffics as the filter's link type has them. A list finds some of its hosts in the last one:
// the mix has few that a list would name.
Result<std::vector<Traffic>> traffics_for(const CorpusFilter& filter,
                                          const std::vector<Traffic>& traffics) {
  constexpr std::size_t kShortestList = 8;
  constexpr std::uint32_t kPercent = 20;
  constexpr std::uint64_t kSeed = 2014;
  std::vector<Traffic> shown;
  const std::vector<std::uint32_t> hosts = ipv4_literals(filter.expression);
  for (const Traffic& traffic : traffics) {
    const bool list = &traffic == &traffics.back() && hosts.size() >= kShortestList;
    Traffic made = with_hosts(traffic, hosts, list ? kPercent : 0, kSeed);
    if (filter.link_type != cbpf::kLinkTypeEthernet) {
      auto other = as_link_type(made, filter.link_type);
      if (!other) {
        return tl::make_unexpected(other.error());
      }
      made = std::move(*other);
    }
    shown.push_back(std::move(made));
  }
  return shown;
}

// The classic programs that are there, by the names of their rows.
std::vector<NamedClassic> classics(const FilterFigures& figures,
                                   const Result<cbpf::ValidatedProgram>& weir) {
  std::vector<NamedClassic> all;
  if (figures.plain) {
    all.push_back({"libpcap", &figures.plain->program});
  }
  if (figures.optimised) {
    all.push_back({"libpcap-O", &figures.optimised->program});
  }
  if (weir) {
    all.push_back({"libpcap-weir", &weir->program()});
  }
  return all;
}

Status measure_sections(const engine::Filter& filter, const std::vector<Traffic>& traffics,
                        FigureOptions options, FilterFigures& figures) {
  add_peers(filter, figures.plain, figures.optimised, options.compare);
  const std::vector<engine::EngineId> all = options.compare.engines;
  for (const Traffic& traffic : traffics) {
    const bool last = &traffic == &traffics.back();
    options.compare.engines = last ? all : user_engines(all);
    if (options.compare.engines.empty() && !last) {
      continue;
    }
    auto section = compare_section(filter, traffic, options);
    if (!section) {
      return tl::make_unexpected(section.error());
    }
    figures.sections.push_back(std::move(*section));
  }
  const auto weir = weir_classic(filter);
  figures.executed = executed_means(filter, classics(figures, weir), traffics.back().packets,
                                    {.kernel = measures_kernel(all)});
  return {};
}

}  // namespace

bool is_ordinary(const FilterFigures& figures) {
  constexpr std::size_t kMost = 100;
  return figures.plain && figures.plain->program.instructions.size() <= kMost;
}

void add_peers(const engine::Filter& filter, const Result<PeerProgram>& plain,
               const Result<PeerProgram>& optimised, CompareOptions& options) {
  if (plain) {
    if (auto valid = cbpf::validate(plain->program, filter.program.dialect())) {
      options.plain = engine::Filter{.program = std::move(*valid),
                                     .link_type = filter.link_type,
                                     .known_extensions = filter.known_extensions};
    }
  }
  if (!runs_classic(options.engines)) {
    return;  // weir's own classic program of a very long list takes its time.
  }
  const Result<cbpf::Program> program = optimised ? Result<cbpf::Program>(optimised->program)
                                                  : tl::make_unexpected(optimised.error());
  options.peers = peers(filter, program);
  for (Peer& peer : dpdk_peers(program, options.trial_seconds)) {
    options.peers.push_back(std::move(peer));
  }
}

Result<Section> compare_section(const engine::Filter& filter, const Traffic& traffic,
                                const FigureOptions& options) {
  const std::size_t packets = std::max<std::size_t>(1, traffic.packets.size());
  const bool hot = packets <= options.hot_packets;
  CompareOptions measuring = options.compare;
  measuring.passes = hot ? static_cast<std::uint32_t>(options.hot_round / packets + 1) : 1;
  if (options.progress) {
    options.progress(hot ? "hot traffic" : "unseen traffic");
  }
  auto comparison = compare(filter, traffic, measuring);
  if (!comparison) {
    return tl::make_unexpected(comparison.error());
  }
  return Section{hot, std::move(*comparison)};
}

Result<FilterFigures> measure_filter(const CorpusFilter& filter,
                                     const std::vector<Traffic>& traffics,
                                     const FigureOptions& options) {
  if (options.progress) {
    options.progress("set-up");
  }
  FilterFigures figures{.filter = filter,
                        .setup = {},
                        .plain = fail(ErrorCode::kUnsupported, "not tried"),
                        .optimised = fail(ErrorCode::kUnsupported, "not tried"),
                        .executed = {},
                        .sections = {}};
  cbpf::CompileOptions compile{.link_type = filter.link_type};
  auto setup = setup_cost(filter.expression,
                          {.compile = compile, .load = measures_kernel(options.compare.engines)});
  if (!setup) {
    return at_line(setup.error(), filter);
  }
  figures.setup = std::move(*setup);
  const auto compiled = compile_filter(filter.expression, compile);
  if (!compiled) {
    return at_line(compiled.error(), filter);
  }
  figures.plain = compile_by_peer(filter.expression, compile, options.peer_seconds);
  compile.optimize = true;
  figures.optimised = compile_by_peer(filter.expression, compile, options.peer_seconds);
  const auto shown = traffics_for(filter, traffics);
  if (!shown) {
    return at_line(shown.error(), filter);
  }
  if (auto measured = measure_sections(*compiled, *shown, options, figures); !measured) {
    return at_line(measured.error(), filter);
  }
  return figures;
}

}  // namespace weir::bench
