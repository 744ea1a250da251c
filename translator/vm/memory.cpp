#include "translator/vm/memory.h"

#include <algorithm>
#include <atomic>

namespace weir::vm {
namespace {

// RFC 9669 section 5.3. The old value is what a fetching operation gives.
template <typename T>
T run_atomic_at(T* place, ebpf::AtomicOp op, T operand, T expected) {
  std::atomic_ref<T> value(*place);
  switch (op) {
    case ebpf::AtomicOp::kAdd:
      return value.fetch_add(operand);
    case ebpf::AtomicOp::kOr:
      return value.fetch_or(operand);
    case ebpf::AtomicOp::kAnd:
      return value.fetch_and(operand);
    case ebpf::AtomicOp::kXor:
      return value.fetch_xor(operand);
    case ebpf::AtomicOp::kExchange:
      return value.exchange(operand);
    case ebpf::AtomicOp::kCompareExchange:
      value.compare_exchange_strong(expected, operand);
      return expected;
  }
  return 0;
}

}  // namespace

bool Memory::elsewhere(std::uint64_t address, std::uint64_t bytes, bool write) const {
  const Region stack{.address = stack_bottom, .size = stack_top - stack_bottom, .writable = true};
  const auto holds = [&](const Region& region) {
    return (region.writable || !write) && covers(region, address, bytes);
  };
  return holds(stack) || std::any_of(given.begin(), given.end(), holds) ||
         std::any_of(data.begin(), data.end(), holds);
}

FaultKind run_atomic(const Memory& memory, const Op& op, std::uint64_t address, std::uint64_t* r) {
  const std::uint64_t bytes = op.atomic.bytes;
  if (!memory.writable(address, bytes)) {
    return memory.readable(address, bytes) ? FaultKind::kReadOnly : FaultKind::kOutside;
  }
  if (address % bytes != 0) {
    return FaultKind::kUnaligned;
  }
  std::uint64_t old = 0;
  if (bytes == 8) {
    old = run_atomic_at(reinterpret_cast<std::uint64_t*>(address), op.atomic.op, r[op.src], r[0]);
  } else {
    old = run_atomic_at(reinterpret_cast<std::uint32_t*>(address), op.atomic.op,
                        static_cast<std::uint32_t>(r[op.src]), static_cast<std::uint32_t>(r[0]));
  }
  if (op.atomic.op == ebpf::AtomicOp::kCompareExchange) {
    r[0] = old;
  } else if (op.atomic.fetch) {
    r[op.src] = old;
  }
  return FaultKind::kNone;
}

bool load_packet(Bytes packet, const Op& op, std::uint64_t* r) {
  // Offsets are of 32 bits and wrap, as in kernel/bpf/core.c; negative ones (the kernel's ways to
  // its link and network headers) are outside here.
  const std::uint32_t index = op.packet.indirect ? static_cast<std::uint32_t>(r[op.src]) : 0;
  const std::uint32_t offset = index + op.packet.offset;
  const std::uint32_t bytes = op.packet.bytes;
  if (offset > packet.size() || packet.size() - offset < bytes || offset > 0x7fffffffU) {
    return false;
  }
  const std::uint8_t* p = packet.data() + offset;
  r[0] = bytes == 1 ? *p : bytes == 2 ? load_be16(p) : load_be32(p);
  return true;
}

}  // namespace weir::vm
