// Any bytes as slots of an extended program: decoded, checked, loaded and run on memory and on
// packets without harm to the machine. The first bytes choose; of the rest one part is the program,
// the other the memory.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "tests/fuzz/require.h"
#include "translator/ebpf/check.h"
#include "translator/ebpf/disassemble.h"
#include "translator/ebpf/encode.h"
#include "translator/vm/machine.h"

namespace weir::vm {
namespace {

std::uint64_t first_argument(void*, std::uint64_t r1, std::uint64_t, std::uint64_t, std::uint64_t,
                             std::uint64_t) {
  return r1;
}

std::vector<ebpf::Slot> slots_of(Bytes bytes) {
  std::vector<ebpf::Slot> slots(bytes.size() / sizeof(ebpf::Slot));
  if (!slots.empty()) {
    std::memcpy(slots.data(), bytes.data(), slots.size() * sizeof(ebpf::Slot));
  }
  return slots;
}

void check_fault(const Error& error, std::size_t instructions) {
  require(error.place.instruction.has_value(), "a fault names its instruction", to_string(error));
  require(*error.place.instruction < instructions, "and it exists", to_string(error));
}

void run(const Machine& machine, const ebpf::Program& program, Bytes input) {
  // The copy is of the exact size, so that the sanitizer sees a byte too far.
  std::vector<std::uint8_t> memory(input.begin(), input.end());
  if (const auto r0 = machine.run_memory(memory); !r0) {
    check_fault(r0.error(), program.instructions.size());
  }
  const std::vector<std::uint8_t> packet(input.begin(), input.end());
  const Region region = readable(packet);
  const auto one = machine.run_packet({.data = region.address,
                                       .data_end = region.address + region.size,
                                       .length = static_cast<std::uint32_t>(packet.size())});
  const UserPacket user{.data = packet.data(),
                        .captured = static_cast<std::uint32_t>(packet.size()),
                        .length = static_cast<std::uint32_t>(packet.size())};
  std::uint32_t verdict = 0;
  const Status batch = machine.run_packets(std::span(&user, 1), std::span(&verdict, 1));
  // The two may differ, for a program may branch on the addresses it is given.
  if (!one) {
    check_fault(one.error(), program.instructions.size());
  }
  if (!batch) {
    check_fault(batch.error(), program.instructions.size());
  }
}

}  // namespace
}  // namespace weir::vm

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace weir;
  if (size < 2) {
    return 0;
  }
  const Bytes all = Bytes(data, size).subspan(2);
  const std::size_t memory = std::min<std::size_t>(data[0], all.size());
  const std::vector<ebpf::Slot> slots = vm::slots_of(all.subspan(memory));
  const auto decoded = ebpf::decode(slots);
  if (!decoded) {
    require(decoded.error().place.instruction < slots.size(), "a refusal names a slot");
    return 0;
  }
  require(ebpf::encode(*decoded) == slots, "what decodes encodes to the same slots");
  ebpf::Program program{.instructions = *decoded};
  program.maps = {{.name = "data", .value_size = 16, .data = std::vector<std::uint8_t>(16, 7)}};
  require(!ebpf::disassemble(program.instructions).empty() || slots.empty(), "it has a text");
  (void)ebpf::check(program);
  const vm::Helper helpers[] = {{.number = 5, .function = vm::first_argument}};
  const vm::LoadOptions options{.budget = 100000, .legacy_packet_access = (data[1] & 1) != 0};
  const auto machine = vm::Machine::load(program, helpers, options);
  if (machine) {
    vm::run(*machine, program, all.first(memory));
  }
  return 0;
}
