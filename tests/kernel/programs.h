// Small extended programs made by hand, so that tests of the kernel's side need no translator.
#pragma once

#include <cstdint>

#include "translator/ebpf/program.h"

namespace weir::testing {

// Returns the value, whatever the packet.
ebpf::Program returning(std::int32_t value);

// XDP and tc: `then` when the frame's ether type is `type`, else (and for short ones) `otherwise`.
// `data` is the offset of the context's field `data`, `data_end` that of `data_end`.
struct ContextOffsets {
  std::int16_t data = 0;
  std::int16_t data_end = 0;
};
inline constexpr ContextOffsets kXdpContext{0, 4};   // struct xdp_md.
inline constexpr ContextOffsets kTcContext{76, 80};  // struct __sk_buff.
ebpf::Program on_ether_type(ContextOffsets context, std::uint16_t type, std::int32_t then,
                            std::int32_t otherwise);

// Socket filter: 0xffff when the ether type is `type`, else 0 (LD_ABS).
ebpf::Program accept_ether_type(std::uint16_t type);

// Reads the first byte of the packet without a guard: the verifier refuses it at instruction 1,
// which comes from classic instruction 7.
ebpf::Program unguarded(ContextOffsets context);

}  // namespace weir::testing
