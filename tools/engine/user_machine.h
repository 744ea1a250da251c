// The engines that run the translated program of the `user` target in this process: what the
// interpreter and the native code have in common. Not for others.
#pragma once

#include <algorithm>
#include <array>
#include <utility>

#include "tools/engine/engines.h"
#include "translator/ebpf/user_context.h"
#include "translator/translate.h"
#include "translator/userspace/run.h"

namespace weir::engine {

inline ebpf::UserContext user_context_of(const cbpf::Packet& packet) {
  ebpf::UserContext context;
  context.data = reinterpret_cast<std::uintptr_t>(packet.captured.data());
  context.data_end = context.data + packet.captured.size();
  context.length = packet.wire_length;
  for (std::uint32_t i = 0; packet.ancillary != nullptr && i < context.ancillary.size(); ++i) {
    context.ancillary[i] = packet.ancillary->get(static_cast<cbpf::Extension>(i * 4)).value_or(0);
  }
  return context;
}

// Packets go to the machine in chunks that stay in the nearest cache; where the program reads
// metadata, which differs from packet to packet, one by one with a context each.
template <typename Machine>
class UserMachine : public Prepared {
 public:
  UserMachine(Machine machine, Footprint footprint, bool ancillary)
      : machine_(std::move(machine)), footprint_(footprint), ancillary_(ancillary) {}

  Status run(std::span<const cbpf::Packet> packets, std::span<std::uint32_t> results) override {
    if (ancillary_) {
      return run_with_ancillary(packets, results);
    }
    std::array<ebpf::UserPacket, kChunk> chunk;
    for (std::size_t at = 0; at < packets.size(); at += kChunk) {
      const std::size_t count = std::min(kChunk, packets.size() - at);
      for (std::size_t i = 0; i < count; ++i) {
        const cbpf::Packet& packet = packets[at + i];
        chunk[i] = {packet.captured.data(), static_cast<std::uint32_t>(packet.captured.size()),
                    packet.wire_length};
      }
      if (auto ran =
              machine_.run_packets(std::span(chunk).first(count), results.subspan(at, count));
          !ran) {
        return ran;
      }
    }
    return {};
  }

  Status run_bytes(std::span<const PacketBytes> packets,
                   std::span<std::uint32_t> results) override {
    return machine_.run_packets(packets, results);
  }

  Footprint footprint() const override { return footprint_; }

 private:
  static constexpr std::size_t kChunk = 256;

  Status run_with_ancillary(std::span<const cbpf::Packet> packets,
                            std::span<std::uint32_t> results) {
    for (std::size_t i = 0; i < packets.size(); ++i) {
      const auto verdict = machine_.run_packet(user_context_of(packets[i]));
      if (!verdict) {
        return tl::make_unexpected(verdict.error());
      }
      results[i] = *verdict;
    }
    return {};
  }

  Machine machine_;
  Footprint footprint_;
  bool ancillary_;
};

// The filter as a program of the `user` target, if the packets bring all it reads.
Result<ebpf::Program> translate_for_user(const Filter& filter);

// The same for several filters as one (engine.h, prepare_joined).
Result<ebpf::Program> translate_joined_for_user(std::span<const Filter> filters,
                                                ir::JoinedResult result);

}  // namespace weir::engine
