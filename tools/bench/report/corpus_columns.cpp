#include "tools/bench/report/corpus_columns.h"

#include "tools/bench/report/claim_2014.h"

namespace weir::tool {
namespace {

using bench::FilterFigures;
using lower::TargetId;

constexpr double kMicro = 1e3;  // ns.

const bench::TargetCost* target_of(const FilterFigures& figures, TargetId target) {
  for (const bench::TargetCost& cost : figures.setup.targets) {
    if (cost.target == target && cost.instructions != 0) {
      return &cost;
    }
  }
  return nullptr;
}

Column instructions(std::string_view name, TargetId target) {
  return {name, 0, [target](const FilterFigures& figures) -> Number {
            const auto* cost = target_of(figures, target);
            return cost == nullptr ? Number() : Number(cost->instructions);
          }};
}

Column executed(std::string_view name, std::string_view program, bool matching) {
  return {name, 0, [program, matching](const FilterFigures& figures) -> Number {
            for (const bench::Executed& one : figures.executed) {
              if (one.program == program) {
                return matching ? one.matching : one.rejected;
              }
            }
            return std::nullopt;
          }};
}

// A field of the load into the kernel.
template <typename Get>
Column load(std::string_view name, TargetId target, const Get& get) {
  return {name, 0, [target, get](const FilterFigures& figures) -> Number {
            const auto* cost = target_of(figures, target);
            return cost == nullptr || !cost->load ? Number() : Number(get(*cost->load));
          }};
}

// A row with a time to believe.
const bench::Row* row_of(const FilterFigures& figures, bool hot, std::string_view name) {
  for (const bench::Section& section : figures.sections) {
    const bench::Row* row = section.hot == hot ? section.comparison.row(name) : nullptr;
    if (row != nullptr && row->skipped.empty() && section.comparison.credible(*row)) {
      return row;
    }
  }
  return nullptr;
}

Column ns(std::string_view name, bool hot, std::string_view engine) {
  return {name, 1, [hot, engine](const FilterFigures& figures) -> Number {
            const bench::Row* row = row_of(figures, hot, engine);
            return row == nullptr ? Number() : Number(row->ns_per_packet.median);
          }};
}

// Against the row that the method's others are held against.
Column ratio(std::string_view name, bool hot, std::string_view engine) {
  return {name, 2, [hot, engine](const FilterFigures& figures) {
            const bench::Row* row = row_of(figures, hot, engine);
            return row == nullptr ? Number() : row->ratio_to_base;
          }};
}

// The length of libpcap's program, and the time it took.
Column peer_size(std::string_view name, Result<bench::PeerProgram> FilterFigures::*peer) {
  return {name, 0, [peer](const FilterFigures& figures) -> Number {
            const auto& made = figures.*peer;
            return made ? Number(made->program.instructions.size()) : Number();
          }};
}

Column peer_time(std::string_view name, Result<bench::PeerProgram> FilterFigures::*peer) {
  return {name, 0, [peer](const FilterFigures& figures) -> Number {
            const auto& made = figures.*peer;
            return made ? Number(made->ns / kMicro) : Number();
          }};
}

// A stage of the way to XDP.
Column stage(std::string_view name, double bench::TargetCost::*field) {
  return {name, 0, [field](const FilterFigures& figures) -> Number {
            const auto* cost = target_of(figures, TargetId::kXdp);
            return cost == nullptr ? Number() : Number(cost->*field / kMicro);
          }};
}

Column micro(std::string_view name, const std::function<Number(const FilterFigures&)>& ns) {
  return {name, 0, [ns](const FilterFigures& figures) -> Number {
            const Number number = ns(figures);
            return number ? Number(*number / kMicro) : Number();
          }};
}

// The time of one row over that of another.
Column against(std::string_view name, bool hot, std::string_view base, std::string_view engine) {
  return {name, 2, [=](const FilterFigures& figures) -> Number {
            const bench::Row* row = row_of(figures, hot, engine);
            const bench::Row* other = row_of(figures, hot, base);
            return row == nullptr || other == nullptr
                       ? Number()
                       : Number(other->ns_per_packet.median / row->ns_per_packet.median);
          }};
}

Column designs_ratio(std::string_view name, bool hot, std::string_view engine) {
  return {name, 2, [=](const FilterFigures& figures) -> Number {
            return bench::design_ratio(figures, hot, engine);
          }};
}

ColumnTable sizes() {
  return {"instructions",
          "instructions: libpcap plain, its optimiser, weir's classic; extended by target",
          {peer_size("plain", &FilterFigures::plain),
           peer_size("-O", &FilterFigures::optimised),
           {"weir", 0,
            [](const FilterFigures& figures) {
              const std::uint32_t count = figures.setup.classic_instructions;
              return count == 0 ? Number() : Number(count);
            }},
           instructions("user", TargetId::kUser),
           instructions("socket", TargetId::kSocket),
           instructions("tc", TargetId::kTc),
           instructions("xdp", TargetId::kXdp)}};
}

ColumnTable verifier() {
  const auto processed = [](const bench::KernelLoad& load) { return load.processed_instructions; };
  return {"verifier",
          "verifier: instructions it went through, of at most 1,000,000",
          {load("socket", TargetId::kSocket, processed), load("tc", TargetId::kTc, processed),
           load("xdp", TargetId::kXdp, processed)},
          true};
}

ColumnTable executed_counts() {
  return {"executed",
          "executed on a packet that matches (+) and on one that does not (-), medians",
          {executed("-O +", "libpcap-O", true), executed("weir +", "libpcap-weir", true),
           executed("user +", "user", true), executed("xdp +", "xdp", true),
           executed("-O -", "libpcap-O", false), executed("weir -", "libpcap-weir", false),
           executed("user -", "user", false), executed("xdp -", "xdp", false)}};
}

ColumnTable set_up() {
  return {
      "set_up",
      "set-up, CPU us: libpcap plain, -O; weir: whole way to XDP, stages; JIT; load",
      {peer_time("plain", &FilterFigures::plain), peer_time("-O", &FilterFigures::optimised),
       micro("weir",
             [](const FilterFigures& figures) { return figures.setup.total_ns(TargetId::kXdp); }),
       micro("front",
             [](const FilterFigures& figures) { return Number(figures.setup.front_end_ns); }),
       stage("passes", &bench::TargetCost::optimise_ns),
       stage("lower", &bench::TargetCost::lower_ns),
       micro("jit", [](const FilterFigures& figures) { return figures.setup.jit_ns; }),
       load("load", TargetId::kXdp,
            [](const bench::KernelLoad& load) { return load.ns / kMicro; })}};
}

ColumnTable user(bool hot) {
  return {
      hot ? "hot" : "unseen",
      hot ? "user space, hot traffic: ns a packet; ratios to libpcap, to it with -O"
          : "user space, unseen traffic: ns a packet; ratios to libpcap, to it with -O",
      {ns("libpcap", hot, "libpcap"), ns("pcap -O", hot, "libpcap-O"),
       ns("classic", hot, "classic-interpreter"), ns("ext", hot, "extended-interpreter"),
       ns("jit", hot, "extended-jit"), ratio("ext x", hot, "extended-interpreter"),
       ratio("jit x", hot, "extended-jit"), against("jit/-O", hot, "libpcap-O", "extended-jit")}};
}

// Another's machine of 2014, made from libpcap's optimised program.
ColumnTable dpdk() {
  constexpr std::string_view kInterpreter = "dpdk-interpreter-O";
  constexpr std::string_view kJit = "dpdk-jit-O";
  return {"dpdk",
          "DPDK's librte_bpf: ns a packet, hot and unseen (new); its time over weir's",
          {ns("hot int", true, kInterpreter), ns("hot jit", true, kJit),
           ns("new int", false, kInterpreter), ns("new jit", false, kJit),
           against("hot i x", true, kInterpreter, "extended-interpreter"),
           against("hot j x", true, kJit, "extended-jit"),
           against("new i x", false, kInterpreter, "extended-interpreter"),
           against("new j x", false, kJit, "extended-jit")}};
}

// The two designs, each at its best: the interpreter of 1993 on the shortest classic program there
// is, against the machine of 2014.
ColumnTable designs() {
  return {"designs",
          "1993 against 2014: the classic interpreter's time over the extended engine's",
          {designs_ratio("hot ext", true, "extended-interpreter"),
           designs_ratio("hot jit", true, "extended-jit"),
           designs_ratio("new ext", false, "extended-interpreter"),
           designs_ratio("new jit", false, "extended-jit")}};
}

ColumnTable kernel() {
  return {"kernel",
          "kernel, ns a packet: socket, tc (each against libpcap -O's program there), XDP",
          {ns("sock -O", false, "kernel-classic-O"), ns("socket", false, "kernel-socket"),
           ratio("sock x", false, "kernel-socket"), ns("tc -O", false, "kernel-tc-classic-O"),
           ns("tc", false, "kernel-tc"), ratio("tc x", false, "kernel-tc"),
           ns("xdp", false, "kernel-xdp")}};
}

}  // namespace

std::vector<ColumnTable> corpus_tables() {
  return {sizes(),     verifier(), executed_counts(), set_up(), user(true),
          user(false), dpdk(),     designs(),         kernel()};
}

const FilterFigures* greatest_of(const Column& column, std::span<const FilterFigures> filters) {
  const FilterFigures* greatest = nullptr;
  double most = 0;
  for (const FilterFigures& figures : filters) {
    const Number number = column.number(figures);
    if (number && (greatest == nullptr || *number > most)) {
      greatest = &figures;
      most = *number;
    }
  }
  return greatest;
}

Number median_of(const Column& column, std::span<const FilterFigures> filters, bool ordinary_only) {
  std::vector<double> numbers;
  for (const FilterFigures& figures : filters) {
    if (ordinary_only && !is_ordinary(figures)) {
      continue;
    }
    if (const Number number = column.number(figures)) {
      numbers.push_back(*number);
    }
  }
  return numbers.empty() ? Number() : Number(bench::spread_of(std::move(numbers)).median);
}

}  // namespace weir::tool
