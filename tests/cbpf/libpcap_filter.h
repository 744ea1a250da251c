// libpcap's own interpreter, as one more opinion.
#pragma once

#include <pcap/pcap.h>

#include <cstdint>
#include <vector>

#include "cbpf/packet.h"
#include "cbpf/program.h"

namespace weir::cbpf {

class LibpcapFilter {
 public:
  explicit LibpcapFilter(const Program& program) {
    code_.reserve(program.instructions.size());
    for (const Instruction& i : program.instructions) {
      code_.push_back({i.code, i.jt, i.jf, i.k});
    }
  }
  std::uint32_t run(const Packet& packet) const {
    static constexpr std::uint8_t kNothing = 0;
    const std::uint8_t* data = packet.captured.empty() ? &kNothing : packet.captured.data();
    return bpf_filter(code_.data(), data, packet.wire_length,
                      static_cast<u_int>(packet.captured.size()));
  }

 private:
  std::vector<bpf_insn> code_;
};

}  // namespace weir::cbpf
