// Targets as descriptors: where an extended program runs, what its context looks like, how packet
// bytes are read there, what its verdicts are called. A difference between targets belongs in a
// field here, not in an `if` of the lowering.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cbpf/base/result.h"
#include "cbpf/instruction.h"
#include "translator/ebpf/instruction.h"
#include "translator/ebpf/skb_layout.h"
#include "translator/ebpf/user_context.h"

namespace weir::lower {

// kTc is tc's ingress.
enum class TargetId : std::uint8_t { kUser, kSocket, kTc, kXdp, kTcEgress };

// Which way the packets of a hook travel, as their type (the extension `type`, linux/if_packet.h)
// says it to a socket.
enum class PacketDirection : std::uint8_t {
  kInContext,  // The hook sees both, or its context has the type of each packet.
  kInbound,    // PACKET_HOST, _BROADCAST, _MULTICAST or _OTHERHOST; the context does not say which.
  kOutbound,   // PACKET_OUTGOING.
};

// A field of the context structure that r1 points to.
struct ContextField {
  std::int16_t offset = -1;  // -1: this context has no such field.
  ebpf::Width width = ebpf::Width::kW;
  bool big_endian = false;  // Kept in network order (__sk_buff.protocol, vlan_proto).
  constexpr bool exists() const { return offset >= 0; }
};

// How packet bytes are read.
enum class PacketAccess : std::uint8_t {
  kDirect,        // Through the pointers data and data_end of the context.
  kLoadAbsolute,  // LD_ABS and LD_IND with the context in r6 (socket filters).
};

struct Target {
  TargetId id = TargetId::kUser;
  std::string_view name;  // As --target takes it.
  PacketAccess access = PacketAccess::kDirect;
  // kLoadAbsolute: if there, packets are read in place on the kernel it describes, and by LD_ABS
  // only what does not lie in the linear part.
  std::optional<ebpf::SkbLayout> skb_layout;
  ContextField data;
  ContextField data_end;
  // The wire length; absent where it is data_end - data (XDP, linear packets).
  ContextField length;
  // Helper that tells it there, of packets in fragments too (bpf_xdp_get_buff_len, Linux 5.18): a
  // subtraction of pointers takes a loader with CAP_PERFMON. 0: pointers are subtracted.
  std::int32_t length_helper = 0;
  // Fields that answer the Linux extensions, by cbpf extension number / 4.
  std::array<ContextField, 16> ancillary;
  // Helpers without arguments that answer the others, the same way; 0: none.
  std::array<std::int32_t, 16> ancillary_helpers{};
  PacketDirection direction = PacketDirection::kInContext;
  // The kernel strips the outer VLAN tag before this hook and keeps it in these fields; the
  // lowering puts it back (see restore_vlan_tag.h).
  bool vlan_stripped = false;
  ContextField vlan_present;
  ContextField vlan_tci;
  ContextField vlan_proto;
  // At XDP, where the card has stripped it: the BTF id of the kernel function that tells the tag,
  // bpf_xdp_metadata_rx_vlan_tag (net/core/xdp.c, Linux 6.8). 0: nothing tells it.
  std::int32_t vlan_tag_kfunc = 0;
  // Part of a packet may lie outside data..data_end; bpf_skb_pull_data brings it in. 0: no helper.
  std::int32_t pull_data_helper = 0;
  // The largest offset a bounds check can prove, where a verifier has to be convinced: past it a
  // packet is taken to be not captured. 0: no verifier, any offset below 2^31 will do.
  std::uint32_t max_packet_offset = 0;
  // Whether a field that most packets fail at comes before their EtherType
  // (hoist_selective_test.h). Where packets are read in place it always does; at XDP what matches
  // would pay for what does not.
  bool reorder_tests_by_selectivity = false;
  // Whether code that is seldom run may stand at the program's end and lead back; a program for
  // user space goes forward only, which is how it is proved to be safe
  // (userspace/bounds_analysis.h).
  bool allows_backward_jumps = false;
  // How often the backward jumps of a classic loop are taken for a packet at the most, where a
  // verifier follows every iteration. Elsewhere it is cbpf::max_backward_jumps().
  std::optional<std::uint32_t> max_backward_jumps;
  // Whether the value the program returns is the accept length itself.
  bool returns_accept_length = false;
  // Else what it returns (XDP_PASS, XDP_DROP; TC_ACT_OK, TC_ACT_SHOT).
  std::int32_t pass = 0;
  std::int32_t drop = 0;
  // What a standing rule returns for a packet that it lets pass: later programs of the hook are to
  // see the packet too. Targets that return the accept length have no rules.
  std::int32_t rule_pass = 0;
  // Helper that finds an element of a map, for the counters of a rule.
  std::int32_t map_lookup_helper = 0;
};

// The context of the `user` target: what weir's own VM and JIT hand to a program.
using ebpf::UserContext;

// Of enum bpf_func_id, linux/bpf.h.
inline constexpr std::int32_t kXdpGetBuffLen = 188;

const Target& target(TargetId id);

// kUsage naming the known targets when there is none of that name.
Result<TargetId> target_by_name(std::string_view name);

// The names of the kernel's hooks that have the extension: "socket, tc"; empty if none has it.
std::string hooks_with(cbpf::Extension extension);

// The extensions the target answers, as a mask of cbpf::Ancillary::bit.
std::uint32_t answered_extensions(const Target& target);

}  // namespace weir::lower
