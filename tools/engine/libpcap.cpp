// The engine libpcap: the peer's bpf_filter(), in its own dialect.
#include <pcap/pcap.h>

#include <algorithm>
#include <vector>

#include "tools/engine/engines.h"
#include "tools/engine/programs.h"

namespace weir::engine {
namespace {

class Libpcap : public Prepared {
 public:
  explicit Libpcap(const cbpf::Program& program) {
    instructions_.reserve(program.instructions.size());
    for (const cbpf::Instruction& instruction : program.instructions) {
      instructions_.push_back({instruction.code, instruction.jt, instruction.jf, instruction.k});
    }
  }

  Status run(std::span<const cbpf::Packet> packets, std::span<std::uint32_t> results) override {
    for (std::size_t i = 0; i < packets.size(); ++i) {
      const cbpf::Packet& packet = packets[i];
      results[i] = bpf_filter(instructions_.data(), packet.captured.data(), packet.wire_length,
                              static_cast<u_int>(packet.captured.size()));
    }
    return {};
  }

  Footprint footprint() const override {
    return {static_cast<std::uint32_t>(instructions_.size()), 0};
  }

 private:
  std::vector<bpf_insn> instructions_;
};

}  // namespace

PreparedResult prepare_libpcap(const Filter& filter) {
  // Not extensions(): the one that reads nothing is a load out of the packet there.
  const auto& all = filter.program.program().instructions;
  if (std::any_of(all.begin(), all.end(), [](const cbpf::Instruction& instruction) {
        return cbpf::class_of(instruction.code) == cbpf::kLd &&
               cbpf::mode_of(instruction.code) == cbpf::kAbs &&
               instruction.k >= cbpf::kAncillaryOffset;
      })) {
    return fail(ErrorCode::kUnsupported, "bpf_filter() knows no Linux extensions");
  }
  const auto program = classic_program(filter);
  if (!program) {
    return tl::make_unexpected(program.error());
  }
  return std::make_unique<Libpcap>(program->program());
}

}  // namespace weir::engine
