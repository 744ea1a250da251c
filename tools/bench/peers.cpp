#include "tools/bench/peers.h"

#include "tools/engine/programs.h"

namespace weir::bench {
namespace {

using engine::EngineId;

// The rows of one program.
void add_rows(const std::string& suffix, const Result<cbpf::Program>& program,
              std::vector<Peer>& rows) {
  std::vector<Peer> all = {
      {.name = "classic-interpreter", .runs = EngineId::kClassicInterpreter},
      {.name = "libpcap", .runs = EngineId::kLibpcap},
      {.name = "kernel-classic", .runs = EngineId::kKernelClassic, .method = Method::kSocketSlope},
      {.name = "kernel-tc-classic", .runs = EngineId::kKernelClassic, .method = Method::kTcSlope},
  };
  for (Peer& peer : all) {
    peer.name += suffix;
    if (program) {
      peer.program = *program;
    } else {
      peer.skipped = to_string(program.error());
    }
    rows.push_back(std::move(peer));
  }
}

Result<cbpf::Program> unwrapped(const Result<cbpf::ValidatedProgram>& program) {
  return program ? Result<cbpf::Program>(program->program()) : tl::make_unexpected(program.error());
}

}  // namespace

Result<cbpf::ValidatedProgram> weir_classic(const engine::Filter& filter) {
  return filter.set_tests.empty()
             ? translate_classic(filter.program, {.link_type = filter.link_type})
             : engine::classic_program(filter);
}

std::vector<Peer> peers(const engine::Filter& filter, const Result<cbpf::Program>& optimised) {
  std::vector<Peer> rows;
  add_rows("-O", optimised, rows);
  add_rows("-weir", unwrapped(weir_classic(filter)), rows);
  const auto plain = unwrapped(engine::classic_program(filter));
  rows.push_back({.name = "kernel-tc-classic",
                  .runs = EngineId::kKernelClassic,
                  .method = Method::kTcSlope,
                  .program = plain ? std::optional(*plain) : std::nullopt,
                  .skipped = plain ? "" : to_string(plain.error())});
  return rows;
}

}  // namespace weir::bench
