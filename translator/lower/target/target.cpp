#include "translator/lower/target/target.h"

#include <string>

#include "cbpf/packet.h"

namespace weir::lower {
namespace {

using cbpf::Extension;
using ebpf::Width;

constexpr std::size_t index(Extension extension) { return static_cast<std::size_t>(extension) / 4; }

// Helpers of enum bpf_func_id, linux/bpf.h.
constexpr std::int32_t kMapLookupElem = 1;
constexpr std::int32_t kGetPrandomU32 = 7;
constexpr std::int32_t kGetSmpProcessorId = 8;
constexpr std::int32_t kSkbPullData = 39;

// MAX_PACKET_OFF of kernel/bpf/verifier.c.
constexpr std::uint32_t kMaxPacketOffset = 0xffff;

constexpr ContextField word(std::int16_t offset) { return {.offset = offset, .width = Width::kW}; }
// A word whose low half is kept in network order.
constexpr ContextField network_half(std::int16_t offset) {
  return {.offset = offset, .width = Width::kH, .big_endian = true};
}

constexpr Target user() {
  Target target{.id = TargetId::kUser,
                .name = "user",
                .access = PacketAccess::kDirect,
                .data = {.offset = 0, .width = Width::kDw},
                .data_end = {.offset = 8, .width = Width::kDw},
                .length = word(16),
                .returns_accept_length = true};
  for (std::size_t i = 0; i < target.ancillary.size(); ++i) {
    target.ancillary[i] = word(static_cast<std::int16_t>(24 + 4 * i));
  }
  target.ancillary[index(Extension::kAluXorX)] = {};  // An instruction, not data.
  return target;
}

// struct __sk_buff, linux/bpf.h: what a socket filter and a tc classifier see of it.
constexpr Target sk_buff(TargetId id, std::string_view name) {
  Target target{.id = id, .name = name, .length = word(0)};
  target.max_backward_jumps = cbpf::kMaxKernelBackwardJumps;
  const auto answer = [&](Extension extension, ContextField field) {
    target.ancillary[index(extension)] = field;
  };
  answer(Extension::kPktType, word(4));
  answer(Extension::kMark, word(8));
  answer(Extension::kQueue, word(12));
  answer(Extension::kProtocol, network_half(16));
  answer(Extension::kVlanAvail, word(20));
  answer(Extension::kVlanTci, word(24));
  answer(Extension::kVlanTpid, network_half(28));
  answer(Extension::kIfIndex, word(40));
  answer(Extension::kRxHash, word(68));
  target.ancillary_helpers[index(Extension::kCpu)] = kGetSmpProcessorId;
  target.ancillary_helpers[index(Extension::kRandom)] = kGetPrandomU32;
  target.allows_backward_jumps = true;
  target.vlan_stripped = true;
  target.vlan_present = word(20);
  target.vlan_tci = word(24);
  target.vlan_proto = network_half(28);
  return target;
}

constexpr Target socket() {
  Target target = sk_buff(TargetId::kSocket, "socket");
  target.access = PacketAccess::kLoadAbsolute;
  target.returns_accept_length = true;
  return target;
}

constexpr Target tc() {
  Target target = sk_buff(TargetId::kTc, "tc");
  target.access = PacketAccess::kDirect;
  target.data = word(76);
  target.data_end = word(80);
  target.pull_data_helper = kSkbPullData;
  target.reorder_tests_by_selectivity = true;
  target.max_packet_offset = kMaxPacketOffset;
  target.pass = 0;  // TC_ACT_OK, linux/pkt_cls.h: the packet goes on, no later filter is asked.
  target.drop = 2;  // TC_ACT_SHOT.
  target.rule_pass = -1;  // TC_ACT_UNSPEC, and TCX_NEXT: the next filter or program decides.
  target.map_lookup_helper = kMapLookupElem;
  return target;
}

// skb->pkt_type is not set yet at tc-egress: a packet that this machine makes still has PACKET_HOST
// there, and only the copy for packet sockets gets PACKET_OUTGOING (net/core/dev.c,
// dev_queue_xmit_nit).
constexpr Target tc_egress() {
  Target target = tc();
  target.id = TargetId::kTcEgress;
  target.name = "tc-egress";
  target.direction = PacketDirection::kOutbound;
  return target;
}

// struct xdp_md, linux/bpf.h. rx_queue_index counts from 0 where skb->queue_mapping counts from 1,
// and not every driver records the latter: it is not the answer to the extension "queue".
constexpr Target xdp() {
  Target target{.id = TargetId::kXdp,
                .name = "xdp",
                .access = PacketAccess::kDirect,
                .data = word(0),
                .data_end = word(4)};
  target.allows_backward_jumps = true;
  target.max_backward_jumps = cbpf::kMaxKernelBackwardJumps;
  target.direction = PacketDirection::kInbound;
  target.ancillary[index(Extension::kIfIndex)] = word(12);
  target.ancillary_helpers[index(Extension::kCpu)] = kGetSmpProcessorId;
  target.ancillary_helpers[index(Extension::kRandom)] = kGetPrandomU32;
  target.max_packet_offset = kMaxPacketOffset;
  target.pass = 2;  // XDP_PASS.
  target.drop = 1;  // XDP_DROP.
  target.rule_pass = 2;
  target.map_lookup_helper = kMapLookupElem;
  return target;
}

constexpr std::array kTargets = {user(), socket(), tc(), xdp(), tc_egress()};

}  // namespace

const Target& target(TargetId id) { return kTargets[static_cast<std::size_t>(id)]; }

Result<TargetId> target_by_name(std::string_view name) {
  std::string known;
  for (const Target& each : kTargets) {
    if (each.name == name) {
      return each.id;
    }
    known += known.empty() ? "" : ", ";
    known += each.name;
  }
  return fail(ErrorCode::kUsage,
              "no target is called '" + std::string(name) + "'; there are " + known);
}

std::string hooks_with(Extension extension) {
  std::string hooks;
  for (const Target& each : kTargets) {
    if (each.id != TargetId::kUser &&
        (answered_extensions(each) & cbpf::Ancillary::bit(extension)) != 0) {
      hooks += (hooks.empty() ? "" : ", ") + std::string(each.name);
    }
  }
  return hooks;
}

std::uint32_t answered_extensions(const Target& target) {
  std::uint32_t mask = 0;
  for (std::size_t i = 0; i < target.ancillary.size(); ++i) {
    if (target.ancillary[i].exists() || target.ancillary_helpers[i] != 0) {
      mask |= 1U << i;
    }
  }
  return mask;
}

}  // namespace weir::lower
