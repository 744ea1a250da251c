#include "translator/jit/runtime.h"

#include <algorithm>

namespace weir::jit {
namespace {

bool inside(const RunState& state, std::uint64_t address, std::uint64_t bytes, bool write,
            std::uint64_t frame) {
  const auto holds = [&](const ebpf::Region& region) {
    return (region.writable || !write) && ebpf::covers(region, address, bytes);
  };
  const std::uint64_t bottom = frame - state.frame_bytes;
  return holds(state.main) ||
         holds({.address = bottom, .size = state.stack_top - bottom, .writable = true}) ||
         std::any_of(state.given.begin(), state.given.end(), holds) ||
         std::any_of(state.data.begin(), state.data.end(), holds);
}

}  // namespace

extern "C" std::uint64_t weir_jit_check_access(RunState* state, std::uint64_t address,
                                               std::uint32_t what, std::uint64_t frame,
                                               std::uint32_t instruction) {
  const std::uint32_t bytes = what & 0xff;
  const bool write = (what & kWrites) != 0;
  auto kind = ebpf::FaultKind::kNone;
  if (!inside(*state, address, bytes, write, frame)) {
    kind = write && inside(*state, address, bytes, false, frame) ? ebpf::FaultKind::kReadOnly
                                                                 : ebpf::FaultKind::kOutside;
  } else if ((what & kAtomic) != 0 && address % bytes != 0) {
    kind = ebpf::FaultKind::kUnaligned;
  } else {
    return 0;
  }
  state->fault_kind = static_cast<std::uint32_t>(kind);
  state->fault_instruction = instruction;
  state->fault_address = address;
  return 1;
}

extern "C" std::uint64_t weir_jit_load_packet(RunState* state, std::uint32_t offset,
                                              std::uint32_t bytes) {
  const Bytes packet = state->packet;
  if (offset > packet.size() || packet.size() - offset < bytes || offset > 0x7fffffffU) {
    return ~std::uint64_t{0};
  }
  const std::uint8_t* p = packet.data() + offset;
  return bytes == 1 ? *p : bytes == 2 ? load_be16(p) : load_be32(p);
}

}  // namespace weir::jit
