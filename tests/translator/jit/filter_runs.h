// Filters on random packets in both machines.
#pragma once

#include <vector>

#include "tests/random/random_packet.h"
#include "tests/translator/vm/both_machines.h"

namespace weir::jit {

inline ebpf::UserContext context_of(const random::RandomPacket& packet) {
  const ebpf::Region bytes = ebpf::readable(packet.bytes);
  ebpf::UserContext context{
      .data = bytes.address, .data_end = bytes.address + bytes.size, .length = packet.wire_length};
  for (std::uint32_t i = 0; i < context.ancillary.size(); ++i) {
    context.ancillary[i] = packet.ancillary.get(static_cast<cbpf::Extension>(4 * i)).value_or(0);
  }
  return context;
}

// Both machines one by one and in one batch.
inline void expect_the_same(const ebpf::Program& program,
                            const std::vector<random::RandomPacket>& packets) {
  const auto both = vm::BothMachines::load(program);
  ASSERT_TRUE(both.has_value()) << to_string(both.error());
  std::vector<ebpf::UserPacket> batch;
  for (const random::RandomPacket& packet : packets) {
    ASSERT_TRUE(both->run_packet(context_of(packet)).has_value());
    batch.push_back({.data = packet.bytes.data(),
                     .captured = static_cast<std::uint32_t>(packet.bytes.size()),
                     .length = packet.wire_length});
  }
  std::vector<std::uint32_t> verdicts(batch.size());
  ASSERT_TRUE(both->run_packets(batch, verdicts, context_of(packets.front())).has_value());
}

inline std::vector<random::RandomPacket> some_packets(random::Choices& choices, std::size_t count) {
  std::vector<random::RandomPacket> packets;
  while (packets.size() < count) {
    packets.push_back(random::random_packet(choices, {.ancillary = true}));
  }
  return packets;
}

}  // namespace weir::jit
