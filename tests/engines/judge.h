// The judge: one filter, one verdict. Every engine's answer is held against the plain reference
// interpreter's, the whole 32 bits where the engine shows them.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cbpf/packet.h"
#include "cbpf/program.h"
#include "tools/engine/engine.h"

namespace weir::judge {

// One filter under judgement.
struct Case {
  std::string name;  // An expression, or the seed it was made from.
  cbpf::Program program;
  cbpf::Dialect dialect = cbpf::Dialect::kLibpcap;
  int link_type = 1;
  std::uint32_t known_extensions = 0;  // That every packet brings.
};

struct Tally {
  std::uint64_t verdicts = 0;   // Compared.
  std::uint64_t matches = 0;    // Of those, not 0.
  std::uint64_t skipped = 0;    // Packets an engine cannot be shown, and engines that cannot run.
  std::uint64_t shortened = 0;  // Classic programs that weir made shorter, an engine each.
};

// Engines that run in this process, and those of the kernel.
std::span<const engine::EngineId> user_engines();
std::span<const engine::EngineId> kernel_engines();

// What the engine should answer, by the reference; nothing where it is free to answer anything or
// nothing at all: bpf_filter() has no bound on loops, and does not end where we do.
std::optional<std::uint32_t> expected_verdict(const engine::EngineInfo& engine, const Case& subject,
                                              cbpf::Packet packet);

// The case and the packet in the form of the files of tests/regress.
std::string regression_text(const Case& subject, const cbpf::Packet& packet);

// Runs the case in every engine on every packet, through the IR as built and as optimised, and in
// the engines of 1993 once more as the program that weir makes of it for their machine. Each
// disagreement adds a test failure that prints engine, program, packet, got and wanted in the form
// of the files of tests/regress, the program and packet shrunk as far as the disagreement lasts. An
// engine may refuse a program (kUnsupported) or a packet, never answer wrongly.
Tally judge(const Case& subject, std::span<const cbpf::Packet> packets,
            std::span<const engine::EngineId> engines);

}  // namespace weir::judge
