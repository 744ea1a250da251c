#include "cbpf/interpret.h"

#include <array>
#include <cstddef>
#include <optional>

namespace weir::cbpf {
namespace {

template <std::uint32_t kWidth>
std::uint32_t load(const std::uint8_t* p) {
  if constexpr (kWidth == 4) {
    return load_be32(p);
  } else if constexpr (kWidth == 2) {
    return load_be16(p);
  } else {
    return *p;
  }
}

// A load that does not simply lie within the captured bytes; nothing ends the filter. By value, as
// these are all, or A and X would have to live in memory for their sake.
//
// The Linux dialect counts an offset of 2^31 or more from the network or the link header
// (bpf_internal_load_pointer_neg_helper of kernel/bpf/core.c).
template <Dialect kDialect, std::uint32_t kWidth>
[[gnu::noinline, gnu::cold]] std::optional<std::uint32_t> load_elsewhere(const Packet& packet,
                                                                         std::uint64_t offset) {
  if constexpr (kDialect == Dialect::kLinux) {
    std::uint64_t place = 0;
    if (offset >= kNetworkOffset) {
      place = std::uint64_t{packet.network_offset} + (offset - kNetworkOffset);
    } else if (offset >= kLinkOffset) {
      place = offset - kLinkOffset;
    } else {
      return std::nullopt;
    }
    if (place + kWidth <= packet.captured.size()) {
      return load<kWidth>(packet.captured.data() + place);
    }
  }
  return std::nullopt;
}

// An absolute load that the fast path found out of bounds: an extension, or a load elsewhere. Gives
// the new A.
template <Dialect kDialect, std::uint32_t kWidth>
[[gnu::noinline, gnu::cold]] std::optional<std::uint32_t> load_special(const Packet& packet,
                                                                       std::uint32_t offset,
                                                                       std::uint32_t a,
                                                                       std::uint32_t x) {
  const std::optional<Extension> extension = extension_at(offset);
  if (!extension) {
    return load_elsewhere<kDialect, kWidth>(packet, offset);
  }
  if (*extension == Extension::kAluXorX) {
    return a ^ x;
  }
  return packet.ancillary != nullptr ? packet.ancillary->get(*extension) : std::nullopt;
}

// The offset of an indirect load: it wraps in the Linux dialect, in the other one it may be past
// 2^32 and so out of any packet's bounds.
template <Dialect kDialect>
std::uint64_t indirect(std::uint32_t x, std::uint32_t k) {
  return kDialect == Dialect::kLinux ? std::uint64_t{x + k} : std::uint64_t{x} + k;
}

// Counts the backward jumps of the loop a program is in.
struct LoopCounter {
  std::uint64_t most = 0;
  const Instruction* head = nullptr;
  std::uint64_t taken = 0;

  // Whether one more jump to `target` is still allowed.
  bool take(const Instruction* target) {
    taken = target == head ? taken + 1 : 1;
    head = target;
    return taken <= most;
  }
};

// A handler ends by jumping to the next one through a table of label addresses, so that every
// instruction has an indirect jump of its own for the processor to predict. GCC and Clang both have
// labels as values; this function is the only place that uses them.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"

template <Dialect kDialect>
std::uint32_t run(const Instruction* pc, const Packet& packet) {
  // By code: a row for each high digit (operation, mode), a column for each low one (class and
  // size or source). Validated programs have no others.
  static const void* const kHandlers[] = {
      // 0: ld ldx st stx alu jmp ret misc, with w or k; 8: the same with h or x.
      &&ld_imm,  &&ldx_imm, &&st, &&stx, &&add_k, &&ja,     &&ret_k, &&tax,  // 0x00
      &&no,      &&no,      &&no, &&no,  &&add_x, &&no,     &&no,    &&no,   //
      &&no,      &&no,      &&no, &&no,  &&sub_k, &&jeq_k,  &&ret_a, &&no,   // 0x10
      &&no,      &&no,      &&no, &&no,  &&sub_x, &&jeq_x,  &&no,    &&no,   //
      &&ld_abs,  &&no,      &&no, &&no,  &&mul_k, &&jgt_k,  &&no,    &&no,   // 0x20
      &&ldh_abs, &&no,      &&no, &&no,  &&mul_x, &&jgt_x,  &&no,    &&no,   //
      &&ldb_abs, &&no,      &&no, &&no,  &&div_k, &&jge_k,  &&no,    &&no,   // 0x30
      &&no,      &&no,      &&no, &&no,  &&div_x, &&jge_x,  &&no,    &&no,   //
      &&ld_ind,  &&no,      &&no, &&no,  &&or_k,  &&jset_k, &&no,    &&no,   // 0x40
      &&ldh_ind, &&no,      &&no, &&no,  &&or_x,  &&jset_x, &&no,    &&no,   //
      &&ldb_ind, &&no,      &&no, &&no,  &&and_k, &&no,     &&no,    &&no,   // 0x50
      &&no,      &&no,      &&no, &&no,  &&and_x, &&no,     &&no,    &&no,   //
      &&ld_mem,  &&ldx_mem, &&no, &&no,  &&lsh_k, &&no,     &&no,    &&no,   // 0x60
      &&no,      &&no,      &&no, &&no,  &&lsh_x, &&no,     &&no,    &&no,   //
      &&no,      &&no,      &&no, &&no,  &&rsh_k, &&no,     &&no,    &&no,   // 0x70
      &&no,      &&no,      &&no, &&no,  &&rsh_x, &&no,     &&no,    &&no,   //
      &&ld_len,  &&ldx_len, &&no, &&no,  &&neg,   &&no,     &&no,    &&txa,  // 0x80
      &&no,      &&no,      &&no, &&no,  &&no,    &&no,     &&no,    &&no,   //
      &&no,      &&no,      &&no, &&no,  &&mod_k, &&no,     &&no,    &&no,   // 0x90
      &&no,      &&no,      &&no, &&no,  &&mod_x, &&no,     &&no,    &&no,   //
      &&no,      &&no,      &&no, &&no,  &&xor_k, &&no,     &&no,    &&no,   // 0xa0
      &&no,      &&no,      &&no, &&no,  &&xor_x, &&no,     &&no,    &&no,   //
      &&no,      &&ldx_msh,                                                  // 0xb0
  };

  const std::uint8_t* const data = packet.captured.data();
  const std::uint64_t size = packet.captured.size();
  std::uint32_t a = 0;
  std::uint32_t x = 0;
  std::uint64_t offset = 0;
  std::optional<std::uint32_t> special;
  LoopCounter loop{.most = max_backward_jumps(size)};
  std::array<std::uint32_t, kScratchWords> m;  // Validated: written before it is read.

  goto* kHandlers[pc->code];

ld_imm:
  a = pc->k;
  goto* kHandlers[(++pc)->code];
ldx_imm:
  x = pc->k;
  goto* kHandlers[(++pc)->code];
ld_len:
  a = packet.wire_length;
  goto* kHandlers[(++pc)->code];
ldx_len:
  x = packet.wire_length;
  goto* kHandlers[(++pc)->code];
ld_mem:
  a = m[pc->k];
  goto* kHandlers[(++pc)->code];
ldx_mem:
  x = m[pc->k];
  goto* kHandlers[(++pc)->code];
st:
  m[pc->k] = a;
  goto* kHandlers[(++pc)->code];
stx:
  m[pc->k] = x;
  goto* kHandlers[(++pc)->code];
tax:
  x = a;
  goto* kHandlers[(++pc)->code];
txa:
  a = x;
  goto* kHandlers[(++pc)->code];
ld_abs:
  if (std::uint64_t{pc->k} + 4 <= size) {
    a = load<4>(data + pc->k);
  } else {
    special = load_special<kDialect, 4>(packet, pc->k, a, x);
    if (!special) return 0;
    a = *special;
  }
  goto* kHandlers[(++pc)->code];
ldh_abs:
  if (std::uint64_t{pc->k} + 2 <= size) {
    a = load<2>(data + pc->k);
  } else {
    special = load_special<kDialect, 2>(packet, pc->k, a, x);
    if (!special) return 0;
    a = *special;
  }
  goto* kHandlers[(++pc)->code];
ldb_abs:
  if (std::uint64_t{pc->k} + 1 <= size) {
    a = load<1>(data + pc->k);
  } else {
    special = load_special<kDialect, 1>(packet, pc->k, a, x);
    if (!special) return 0;
    a = *special;
  }
  goto* kHandlers[(++pc)->code];
ld_ind:
  offset = indirect<kDialect>(x, pc->k);
  if (offset + 4 <= size) {
    a = load<4>(data + offset);
  } else {
    special = load_elsewhere<kDialect, 4>(packet, offset);
    if (!special) return 0;
    a = *special;
  }
  goto* kHandlers[(++pc)->code];
ldh_ind:
  offset = indirect<kDialect>(x, pc->k);
  if (offset + 2 <= size) {
    a = load<2>(data + offset);
  } else {
    special = load_elsewhere<kDialect, 2>(packet, offset);
    if (!special) return 0;
    a = *special;
  }
  goto* kHandlers[(++pc)->code];
ldb_ind:
  offset = indirect<kDialect>(x, pc->k);
  if (offset + 1 <= size) {
    a = load<1>(data + offset);
  } else {
    special = load_elsewhere<kDialect, 1>(packet, offset);
    if (!special) return 0;
    a = *special;
  }
  goto* kHandlers[(++pc)->code];
ldx_msh:
  if (pc->k < size) {
    x = (data[pc->k] & 0xfU) << 2;
  } else {
    special = load_elsewhere<kDialect, 1>(packet, pc->k);
    if (!special) return 0;
    x = (*special & 0xfU) << 2;
  }
  goto* kHandlers[(++pc)->code];
add_k:
  a += pc->k;
  goto* kHandlers[(++pc)->code];
add_x:
  a += x;
  goto* kHandlers[(++pc)->code];
sub_k:
  a -= pc->k;
  goto* kHandlers[(++pc)->code];
sub_x:
  a -= x;
  goto* kHandlers[(++pc)->code];
mul_k:
  a *= pc->k;
  goto* kHandlers[(++pc)->code];
mul_x:
  a *= x;
  goto* kHandlers[(++pc)->code];
or_k:
  a |= pc->k;
  goto* kHandlers[(++pc)->code];
or_x:
  a |= x;
  goto* kHandlers[(++pc)->code];
and_k:
  a &= pc->k;
  goto* kHandlers[(++pc)->code];
and_x:
  a &= x;
  goto* kHandlers[(++pc)->code];
xor_k:
  a ^= pc->k;
  goto* kHandlers[(++pc)->code];
xor_x:
  a ^= x;
  goto* kHandlers[(++pc)->code];
div_k:
  a /= pc->k;
  goto* kHandlers[(++pc)->code];
div_x:
  if (x == 0) return 0;
  a /= x;
  goto* kHandlers[(++pc)->code];
mod_k:
  a %= pc->k;
  goto* kHandlers[(++pc)->code];
mod_x:
  if (x == 0) return 0;
  a %= x;
  goto* kHandlers[(++pc)->code];
lsh_k:
  a <<= pc->k;
  goto* kHandlers[(++pc)->code];
lsh_x:
  a = kDialect == Dialect::kLinux ? a << (x & 31) : x < 32 ? a << x : 0;
  goto* kHandlers[(++pc)->code];
rsh_k:
  a >>= pc->k;
  goto* kHandlers[(++pc)->code];
rsh_x:
  a = kDialect == Dialect::kLinux ? a >> (x & 31) : x < 32 ? a >> x : 0;
  goto* kHandlers[(++pc)->code];
neg:
  a = 0 - a;
  goto* kHandlers[(++pc)->code];
ja:
  if (static_cast<std::int32_t>(pc->k) < 0) {
    pc -= 0xffffffff - pc->k;
    if (!loop.take(pc)) return 0;
  } else {
    pc += 1 + std::size_t{pc->k};
  }
  goto* kHandlers[pc->code];
jeq_k:
  pc += 1 + (a == pc->k ? pc->jt : pc->jf);
  goto* kHandlers[pc->code];
jeq_x:
  pc += 1 + (a == x ? pc->jt : pc->jf);
  goto* kHandlers[pc->code];
jgt_k:
  pc += 1 + (a > pc->k ? pc->jt : pc->jf);
  goto* kHandlers[pc->code];
jgt_x:
  pc += 1 + (a > x ? pc->jt : pc->jf);
  goto* kHandlers[pc->code];
jge_k:
  pc += 1 + (a >= pc->k ? pc->jt : pc->jf);
  goto* kHandlers[pc->code];
jge_x:
  pc += 1 + (a >= x ? pc->jt : pc->jf);
  goto* kHandlers[pc->code];
jset_k:
  pc += 1 + ((a & pc->k) != 0 ? pc->jt : pc->jf);
  goto* kHandlers[pc->code];
jset_x:
  pc += 1 + ((a & x) != 0 ? pc->jt : pc->jf);
  goto* kHandlers[pc->code];
ret_k:
  return pc->k;
ret_a:
  return a;
no:
  return 0;
}

#pragma GCC diagnostic pop

}  // namespace

std::uint32_t interpret(const ValidatedProgram& program, const Packet& packet) {
  const Instruction* const first = program.program().instructions.data();
  return program.dialect() == Dialect::kLinux ? run<Dialect::kLinux>(first, packet)
                                              : run<Dialect::kLibpcap>(first, packet);
}

}  // namespace weir::cbpf
