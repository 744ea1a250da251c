// The engine extended-interpreter: the translated program in weir's machine of 2014.
#include <algorithm>
#include <array>

#include "tools/engine/engines.h"
#include "translator/translate.h"
#include "translator/vm/machine.h"

namespace weir::engine {
namespace {

constexpr std::size_t kChunk = 256;  // Packets handed to the machine at a time.

class ExtendedInterpreter : public Prepared {
 public:
  ExtendedInterpreter(vm::Machine machine, std::uint32_t slots, bool ancillary)
      : machine_(std::move(machine)), slots_(slots), ancillary_(ancillary) {}

  Status run(std::span<const cbpf::Packet> packets, std::span<std::uint32_t> results) override {
    if (ancillary_) {
      return run_with_ancillary(packets, results);
    }
    std::array<vm::UserPacket, kChunk> chunk;
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

  Footprint footprint() const override { return {slots_, 0}; }

 private:
  // Metadata differs from packet to packet, so each has a context of its own.
  Status run_with_ancillary(std::span<const cbpf::Packet> packets,
                            std::span<std::uint32_t> results) {
    for (std::size_t i = 0; i < packets.size(); ++i) {
      const auto verdict = machine_.run_packet(context_of(packets[i]));
      if (!verdict) {
        return tl::make_unexpected(verdict.error());
      }
      results[i] = *verdict;
    }
    return {};
  }

  static ebpf::UserContext context_of(const cbpf::Packet& packet) {
    ebpf::UserContext context;
    context.data = reinterpret_cast<std::uintptr_t>(packet.captured.data());
    context.data_end = context.data + packet.captured.size();
    context.length = packet.wire_length;
    for (std::uint32_t i = 0; packet.ancillary != nullptr && i < context.ancillary.size(); ++i) {
      context.ancillary[i] = packet.ancillary->get(static_cast<cbpf::Extension>(i * 4)).value_or(0);
    }
    return context;
  }

  vm::Machine machine_;
  std::uint32_t slots_;
  bool ancillary_;
};

}  // namespace

PreparedResult prepare_extended_interpreter(const Filter& filter) {
  if (auto answered = require_known_extensions(filter); !answered) {
    return tl::make_unexpected(answered.error());
  }
  TranslateOptions options;
  options.link_type = filter.link_type;
  const auto program = translate(filter.program, options);
  if (!program) {
    return tl::make_unexpected(program.error());
  }
  auto machine = vm::Machine::load(*program);
  if (!machine) {
    return tl::make_unexpected(machine.error());
  }
  return std::make_unique<ExtendedInterpreter>(std::move(*machine),
                                               ebpf::slot_count(program->instructions),
                                               filter.program.extensions() != 0);
}

}  // namespace weir::engine
