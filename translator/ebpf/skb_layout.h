// Where the running kernel keeps a packet, for socket filters that read it there: the contract
// between xdp/, which asks the kernel, and the lowering, which makes such programs.
#pragma once

#include <cstdint>

namespace weir::ebpf {

// A program made with this runs on the kernel it was asked of, and no other: the numbers are those
// of that kernel's type information (BTF).
struct SkbLayout {
  // Kernel functions (kernel/bpf/helpers.c): __sk_buff to struct sk_buff, and any address to memory
  // that may be read; a load through it that faults gives 0.
  std::int32_t cast_to_kern_ctx = 0;
  std::int32_t rdonly_cast = 0;
  // Offsets in struct sk_buff: the address of the linear part's first byte; the length of the
  // packet; how much of it lies outside the linear part.
  std::int16_t data = 0;
  std::int16_t length = 0;
  std::int16_t data_length = 0;
};

}  // namespace weir::ebpf
