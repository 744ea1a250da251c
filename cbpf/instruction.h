// The instruction of the machine of 1993 and its codes.
//
// Source: McCanne & Jacobson, "The BSD Packet Filter", USENIX Winter 1993, and the Linux additions
// (mod, xor, extensions) of include/uapi/linux/filter.h. weir has its own copy so that no foreign
// header reaches its own.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace weir::cbpf {

// One instruction in its wire form: 8 bytes in host order, as struct sock_filter and bpf_insn.
struct Instruction {
  std::uint16_t code = 0;
  std::uint8_t jt = 0;  // Instructions to skip when a conditional jump is taken.
  std::uint8_t jf = 0;  // Instructions to skip when it is not.
  std::uint32_t k = 0;
  friend bool operator==(const Instruction&, const Instruction&) = default;
};

// The fields of `code`, to be or-ed: a class, and what the class takes beside it.
using Code = std::uint16_t;
inline constexpr Code kLd = 0, kLdx = 1, kSt = 2, kStx = 3, kAlu = 4, kJmp = 5, kRet = 6, kMisc = 7;
// Sizes of a load.
inline constexpr Code kW = 0x00, kH = 0x08, kB = 0x10;
// Modes of a load.
inline constexpr Code kImm = 0x00, kAbs = 0x20, kInd = 0x40, kMem = 0x60, kLen = 0x80, kMsh = 0xa0;
// Operations of kAlu.
inline constexpr Code kAdd = 0x00, kSub = 0x10, kMul = 0x20, kDiv = 0x30, kOr = 0x40, kAnd = 0x50,
                      kLsh = 0x60, kRsh = 0x70, kNeg = 0x80, kMod = 0x90, kXor = 0xa0;
// Operations of kJmp.
inline constexpr Code kJa = 0x00, kJeq = 0x10, kJgt = 0x20, kJge = 0x30, kJset = 0x40;
// Sources of kAlu, kJmp and kRet; kA is the value of `ret a`.
inline constexpr Code kK = 0x00, kX = 0x08, kA = 0x10;
// Operations of kMisc.
inline constexpr Code kTax = 0x00, kTxa = 0x80;

constexpr std::uint16_t class_of(std::uint16_t code) { return code & 0x07; }
constexpr std::uint16_t size_of(std::uint16_t code) { return code & 0x18; }
constexpr std::uint16_t mode_of(std::uint16_t code) { return code & 0xe0; }
constexpr std::uint16_t op_of(std::uint16_t code) { return code & 0xf0; }
constexpr std::uint16_t source_of(std::uint16_t code) { return code & 0x08; }

// How many bytes a load of this size reads: 4, 2 or 1.
constexpr std::uint32_t width_of(std::uint16_t code) {
  return size_of(code) == kW ? 4 : size_of(code) == kH ? 2 : 1;
}

inline constexpr std::uint32_t kScratchWords = 16;            // M[0] to M[15].
inline constexpr std::uint32_t kMaxLinuxInstructions = 4096;  // BPF_MAXINSNS.

// A loop is one target of backward `ja`s and everything up to the last of them: libpcap writes one
// loop a `protochain`, with one `ja` back to its head for IPv4 and two for IPv6. For one packet
// the backward `ja`s of a loop, counted together, are taken at most this often; a filter that would
// take one once more ends with 0. Loops do not overlap, so a loop that was left is never entered
// again, and one counter that starts again from 0 when the target changes is enough.
//
// libpcap has no such bound, and needs none where every iteration moves on by a header of 8 bytes
// or more, as those of `protochain` do but for IPv4's AH, whose offset libpcap computes from the AH
// alone: a packet can make that loop endless.
constexpr std::uint64_t max_backward_jumps(std::uint64_t captured_bytes) {
  return captured_bytes / 8 + 1;
}

// The bound of programs in the kernel, whatever the packet: as many as 1,500 bytes need.
inline constexpr std::uint32_t kMaxKernelBackwardJumps = 188;

// Regions of the offset of an absolute load in the Linux dialect (SKF_AD_OFF, SKF_NET_OFF and
// SKF_LL_OFF of linux/filter.h, as unsigned numbers).
inline constexpr std::uint32_t kAncillaryOffset = 0xfffff000;
inline constexpr std::uint32_t kNetworkOffset = 0xfff00000;
inline constexpr std::uint32_t kLinkOffset = 0xffe00000;

// The Linux extensions: an absolute load from kAncillaryOffset + the number gives the packet's
// metadata instead of its bytes (SKF_AD_* of linux/filter.h).
enum class Extension : std::uint8_t {
  kProtocol = 0,
  kPktType = 4,
  kIfIndex = 8,
  kNla = 12,
  kNlaNested = 16,
  kMark = 20,
  kQueue = 24,
  kHaType = 28,
  kRxHash = 32,
  kCpu = 36,
  kAluXorX = 40,  // Not data: A ^= X, older than the xor instruction.
  kVlanTci = 44,
  kVlanAvail = 48,
  kPayOffset = 52,
  kRandom = 56,
  kVlanTpid = 60,
};

// The word of the kernel's filter document for the extension: "proto", "type", "vlan_tci" …;
// "xor_x" for kAluXorX, which has no word there.
std::string_view extension_name(Extension extension);

// The extension that an absolute load of offset `k` reads, if it reads one.
std::optional<Extension> extension_at(std::uint32_t k);

}  // namespace weir::cbpf
