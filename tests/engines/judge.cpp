#include "tests/engines/judge.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <optional>

#include "cbpf/link_layer.h"
#include "cbpf/text/text.h"
#include "cbpf/validate.h"
#include "tests/engines/shrink.h"
#include "tests/reference/reference_interpreter.h"
#include "translator/ir/build/build.h"
#include "translator/ir/evaluate.h"
#include "translator/opt/pass.h"
#include "translator/translate.h"

namespace weir::judge {
namespace {

using engine::EngineId;

constexpr std::array kUserEngines = {EngineId::kClassicInterpreter, EngineId::kLibpcap,
                                     EngineId::kExtendedInterpreter, EngineId::kExtendedJit};
constexpr std::array kKernelEngines = {EngineId::kKernelClassic, EngineId::kKernelSocket,
                                       EngineId::kKernelTc, EngineId::kKernelXdp};

// Whether an engine runs the program as it is given, as weir optimises it for the machine of 1993,
// or as it is given and prepared for many packets.
enum class Form : std::uint8_t { kGiven, kOptimised, kForMany };

engine::Filter filter_for(const Case& subject, const cbpf::ValidatedProgram& program, Form form) {
  return {.program = program,
          .link_type = subject.link_type,
          .known_extensions = subject.known_extensions,
          .for_many_packets = form == Form::kForMany};
}

// The dialect in which the engine reads the case.
cbpf::Dialect dialect_in(EngineId id, const Case& subject) {
  const engine::EngineInfo& engine = engine::info(id);
  return engine.fixed_dialect ? engine.dialect : subject.dialect;
}

// A local socket has no network layer; the optimised program reads it at its place in the link
// layer's packet.
bool reads_network_layer(const cbpf::Program& program) {
  return std::any_of(program.instructions.begin(), program.instructions.end(), [](const auto& i) {
    return cbpf::class_of(i.code) <= cbpf::kLdx && i.k >= cbpf::kLinkOffset;
  });
}

Result<cbpf::ValidatedProgram> program_for(EngineId id, const Case& subject, Form form) {
  if (form != Form::kOptimised) {
    return cbpf::validate(subject.program, subject.dialect);
  }
  if (id == EngineId::kKernelClassic && reads_network_layer(subject.program)) {
    return fail(ErrorCode::kUnsupported, "a local socket has no network layer");
  }
  const auto program = cbpf::validate(subject.program, dialect_in(id, subject));
  if (!program) {
    return fail(ErrorCode::kUnsupported, to_string(program.error()));
  }
  ClassicOptions options;
  options.link_type = subject.link_type;
  options.passes.check = true;
  return translate_classic(*program, options);
}

// Runs a case on one packet in one engine: got and wanted if they differ.
using Difference = std::optional<std::pair<std::uint32_t, std::uint32_t>>;

Difference difference(EngineId id, Form form, const Case& subject, const cbpf::Packet& packet) {
  auto program = program_for(id, subject, form);
  if (!program) {
    return std::nullopt;
  }
  auto prepared = engine::prepare(id, filter_for(subject, *program, form));
  if (!prepared || !(*prepared)->can_run(packet)) {
    return std::nullopt;
  }
  // An engine may run as many as this at once.
  const std::vector<cbpf::Packet> packets(form == Form::kForMany ? 8 : 1, packet);
  std::vector<std::uint32_t> got(packets.size());
  const auto expected = expected_verdict(engine::info(id), subject, packet);
  if (!expected || !(*prepared)->run(packets, got) || got.front() == *expected) {
    return std::nullopt;
  }
  return std::pair{got.front(), *expected};
}

// Says what differs, made small first.
void report(EngineId id, Form form, const Case& subject, const cbpf::Packet& packet) {
  const Shrunk small =
      shrink(subject, packet, [id, form](const Case& candidate, const cbpf::Packet& p) {
        return difference(id, form, candidate, p).has_value();
      });
  const cbpf::Packet view = small.packet();
  const Difference values = difference(id, form, small.subject, view);
  ADD_FAILURE() << fmt::format("{}: {}{} disagrees\n{}# got {}, wanted {}\n", subject.name,
                               engine::info(id).name,
                               form == Form::kGiven       ? ""
                               : form == Form::kOptimised ? ", with the optimised program,"
                                                          : ", prepared for many packets,",
                               regression_text(small.subject, view), values ? values->first : 0,
                               values ? values->second : 0);
}

void judge_engine(EngineId id, Form form, const Case& subject,
                  const cbpf::ValidatedProgram& program, std::span<const cbpf::Packet> packets,
                  Tally& tally) {
  auto prepared = engine::prepare(id, filter_for(subject, program, form));
  if (!prepared) {
    // A privilege that is missing is for the caller to have asked about.
    EXPECT_EQ(prepared.error().code, ErrorCode::kUnsupported)
        << subject.name << ": " << engine::info(id).name << ": " << to_string(prepared.error())
        << "\n"
        << prepared.error().detail;
    tally.skipped += packets.size();
    return;
  }
  std::vector<cbpf::Packet> shown;
  std::vector<std::uint32_t> expected;
  for (const cbpf::Packet& packet : packets) {
    // Asked first: where nothing is expected, bpf_filter() might never come back.
    const auto verdict = expected_verdict(engine::info(id), subject, packet);
    if (verdict && (*prepared)->can_run(packet)) {
      shown.push_back(packet);
      expected.push_back(*verdict);
    }
  }
  tally.skipped += packets.size() - shown.size();
  std::vector<std::uint32_t> results(shown.size());
  const Status ran = (*prepared)->run(shown, results);
  ASSERT_TRUE(ran) << subject.name << ": " << engine::info(id).name << ": "
                   << to_string(ran.error());
  for (std::size_t i = 0; i < shown.size(); ++i) {
    ++tally.verdicts;
    tally.matches += expected[i] != 0 ? 1 : 0;
    if (results[i] != expected[i]) {
      report(id, form, subject, shown[i]);
      return;  // One a case and engine says enough.
    }
  }
}

void judge_engine(EngineId id, const Case& subject, const cbpf::ValidatedProgram& program,
                  std::span<const cbpf::Packet> packets, Tally& tally) {
  judge_engine(id, Form::kGiven, subject, program, packets, tally);
  if (id == EngineId::kExtendedJit) {
    judge_engine(id, Form::kForMany, subject, program, packets, tally);
  }
  if (engine::info(id).design != 1993) {
    return;
  }
  const auto optimised = program_for(id, subject, Form::kOptimised);
  if (!optimised) {
    EXPECT_EQ(optimised.error().code, ErrorCode::kUnsupported)
        << subject.name << ": " << to_string(optimised.error());
    return;
  }
  tally.shortened +=
      optimised->program().instructions.size() < subject.program.instructions.size() ? 1 : 0;
  judge_engine(id, Form::kOptimised, subject, *optimised, packets, tally);
}

// The IR is an engine too: as it was built, and after the passes.
void judge_ir(const Case& subject, const cbpf::ValidatedProgram& program,
              std::span<const cbpf::Packet> packets, Tally& tally) {
  auto function = ir::build(program, subject.link_type);
  if (!function) {
    EXPECT_EQ(function.error().code, ErrorCode::kUnsupported)
        << subject.name << ": " << to_string(function.error());
    return;
  }
  ir::Function optimised = *function;
  const auto passes = opt::run_passes(optimised, {.check = true});
  ASSERT_TRUE(passes) << subject.name << ": " << to_string(passes.error());
  for (const cbpf::Packet& packet : packets) {
    cbpf::Packet view = packet;
    view.network_offset = cbpf::network_offset(subject.link_type);
    const std::uint32_t expected = reference::interpret(subject.program, subject.dialect, view);
    ++tally.verdicts;
    ASSERT_EQ(ir::evaluate(*function, view), expected)
        << subject.name << ": the IR as built\n"
        << cbpf::to_text(subject.program, cbpf::TextForm::kXtBpf) << to_hex(packet.captured);
    ASSERT_EQ(ir::evaluate(optimised, view), expected)
        << subject.name << ": the IR after the passes\n"
        << cbpf::to_text(subject.program, cbpf::TextForm::kXtBpf) << to_hex(packet.captured);
  }
}

}  // namespace

std::optional<std::uint32_t> expected_verdict(const engine::EngineInfo& engine, const Case& subject,
                                              cbpf::Packet packet) {
  const cbpf::Dialect dialect = dialect_in(engine.id, subject);
  packet.network_offset = cbpf::network_offset(subject.link_type);
  if (engine.id == EngineId::kKernelClassic) {
    packet.network_offset = cbpf::kNoNetworkOffset;  // A local socket has no link layer.
  }
  const bool in_kernel =
      std::find(kKernelEngines.begin(), kKernelEngines.end(), engine.id) != kKernelEngines.end();
  const std::optional<std::uint64_t> most =
      in_kernel ? std::optional<std::uint64_t>(cbpf::kMaxKernelBackwardJumps) : std::nullopt;
  reference::Outcome outcome = reference::run(subject.program, dialect, packet, most);
  if (engine.id == EngineId::kKernelClassic && outcome.link_region) {
    outcome.accept_length = 0;
  }
  if (engine.id == EngineId::kLibpcap && outcome.loop_bound) {
    return std::nullopt;  // bpf_filter() has no bound.
  }
  return engine.shows_accept_length ? outcome.accept_length : outcome.accept_length != 0 ? 1 : 0;
}

std::string regression_text(const Case& subject, const cbpf::Packet& packet) {
  return fmt::format(
      "# keep this as a file in tests/regress:\ndialect {}\nlink_type {}\nprogram {}packet {} wire "
      "{}\n",
      subject.dialect == cbpf::Dialect::kLinux ? "linux" : "libpcap", subject.link_type,
      cbpf::to_text(subject.program, cbpf::TextForm::kXtBpf), to_hex(packet.captured),
      packet.wire_length);
}

std::span<const EngineId> user_engines() { return kUserEngines; }
std::span<const EngineId> kernel_engines() { return kKernelEngines; }

Tally judge(const Case& subject, std::span<const cbpf::Packet> packets,
            std::span<const EngineId> engines) {
  Tally tally;
  const auto program = cbpf::validate(subject.program, subject.dialect);
  if (!program) {
    ADD_FAILURE() << subject.name << ": " << to_string(program.error());
    return tally;
  }
  judge_ir(subject, *program, packets, tally);
  for (const EngineId id : engines) {
    judge_engine(id, subject, *program, packets, tally);
  }
  return tally;
}

}  // namespace weir::judge
