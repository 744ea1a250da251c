// The engines kernel-socket, kernel-tc and kernel-xdp: the translated program in the running
// kernel, one test run a packet.
#include "tools/engine/engines.h"
#include "tools/engine/programs.h"
#include "tools/engine/socket_program.h"
#include "xdp/kernel/load.h"
#include "xdp/kernel/test_run.h"

namespace weir::engine {
namespace {

struct Hook {
  lower::TargetId target;
  xdp::ProgramType type;
};

Hook hook_of(EngineId id) {
  switch (id) {
    case EngineId::kKernelTc:
      return {lower::TargetId::kTc, xdp::ProgramType::kTc};
    case EngineId::kKernelXdp:
      return {lower::TargetId::kXdp, xdp::ProgramType::kXdp};
    case EngineId::kKernelSocket:
    case EngineId::kClassicInterpreter:
    case EngineId::kLibpcap:
    case EngineId::kExtendedInterpreter:
    case EngineId::kExtendedJit:
    case EngineId::kKernelClassic:
      break;
  }
  return {lower::TargetId::kSocket, xdp::ProgramType::kSocketFilter};
}

class KernelExtended : public Prepared {
 public:
  KernelExtended(xdp::LoadedProgram program, const lower::Target& target)
      : program_(std::move(program)), target_(target) {}

  bool can_run(const cbpf::Packet& packet) const override {
    return packet.captured.size() == packet.wire_length &&
           xdp::can_test_run(program_, packet.captured);
  }

  Status run(std::span<const cbpf::Packet> packets, std::span<std::uint32_t> results) override {
    for (std::size_t i = 0; i < packets.size(); ++i) {
      const auto run = xdp::test_run(program_, packets[i].captured);
      if (!run) {
        return tl::make_unexpected(run.error());
      }
      results[i] = target_.returns_accept_length
                       ? run->value
                       : run->value == static_cast<std::uint32_t>(target_.pass);
    }
    return {};
  }

  Footprint footprint() const override {
    return {ebpf::slot_count(program_.instructions()), program_.info().native_bytes};
  }

 private:
  xdp::LoadedProgram program_;
  const lower::Target& target_;
};

}  // namespace

PreparedResult prepare_kernel_extended(EngineId id, const Filter& filter) {
  const Hook hook = hook_of(id);
  const auto program = hook.target == lower::TargetId::kSocket
                           ? socket_program(filter)
                           : translate(filter.program, translate_options(filter, hook.target));
  if (!program) {
    return tl::make_unexpected(program.error());
  }
  auto loaded = xdp::load(*program, hook.type);
  if (!loaded) {
    return tl::make_unexpected(loaded.error());
  }
  return std::make_unique<KernelExtended>(std::move(*loaded), lower::target(hook.target));
}

}  // namespace weir::engine
