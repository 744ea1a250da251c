#include "translator/lower/target/target.h"

#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <cstddef>

#include "cbpf/packet.h"

namespace weir::lower {
namespace {

using cbpf::Extension;

const ContextField& answer(TargetId id, Extension extension) {
  return target(id).ancillary[cbpf::Ancillary::index(extension)];
}

TEST(Target, KnowsTheKernelsStructures) {
  for (const TargetId id : {TargetId::kSocket, TargetId::kTc}) {
    EXPECT_EQ(target(id).length.offset, offsetof(__sk_buff, len));
    EXPECT_EQ(answer(id, Extension::kPktType).offset, offsetof(__sk_buff, pkt_type));
    EXPECT_EQ(answer(id, Extension::kMark).offset, offsetof(__sk_buff, mark));
    EXPECT_EQ(answer(id, Extension::kQueue).offset, offsetof(__sk_buff, queue_mapping));
    EXPECT_EQ(answer(id, Extension::kProtocol).offset, offsetof(__sk_buff, protocol));
    EXPECT_EQ(answer(id, Extension::kIfIndex).offset, offsetof(__sk_buff, ifindex));
    EXPECT_EQ(answer(id, Extension::kRxHash).offset, offsetof(__sk_buff, hash));
    EXPECT_EQ(target(id).vlan_present.offset, offsetof(__sk_buff, vlan_present));
    EXPECT_EQ(target(id).vlan_tci.offset, offsetof(__sk_buff, vlan_tci));
    EXPECT_EQ(target(id).vlan_proto.offset, offsetof(__sk_buff, vlan_proto));
  }
  EXPECT_EQ(target(TargetId::kTc).data.offset, offsetof(__sk_buff, data));
  EXPECT_EQ(target(TargetId::kTc).data_end.offset, offsetof(__sk_buff, data_end));
  EXPECT_EQ(target(TargetId::kXdp).data.offset, offsetof(xdp_md, data));
  EXPECT_EQ(target(TargetId::kXdp).data_end.offset, offsetof(xdp_md, data_end));
  EXPECT_EQ(answer(TargetId::kXdp, Extension::kIfIndex).offset, offsetof(xdp_md, ingress_ifindex));
  EXPECT_EQ(target(TargetId::kUser).length.offset, offsetof(UserContext, length));
  EXPECT_EQ(answer(TargetId::kUser, Extension::kProtocol).offset, offsetof(UserContext, ancillary));
}

TEST(Target, KnowsTheKernelsNumbers) {
  EXPECT_EQ(target(TargetId::kXdp).pass, XDP_PASS);
  EXPECT_EQ(target(TargetId::kXdp).drop, XDP_DROP);
  EXPECT_EQ(target(TargetId::kTc).pass, TC_ACT_OK);
  EXPECT_EQ(target(TargetId::kTc).drop, TC_ACT_SHOT);
  EXPECT_EQ(target(TargetId::kTc).rule_pass, TC_ACT_UNSPEC);
  EXPECT_EQ(target(TargetId::kTc).pull_data_helper, BPF_FUNC_skb_pull_data);
  EXPECT_EQ(target(TargetId::kXdp).map_lookup_helper, BPF_FUNC_map_lookup_elem);
  EXPECT_EQ(target(TargetId::kTc).ancillary_helpers[cbpf::Ancillary::index(Extension::kCpu)],
            BPF_FUNC_get_smp_processor_id);
  EXPECT_EQ(target(TargetId::kTc).ancillary_helpers[cbpf::Ancillary::index(Extension::kRandom)],
            BPF_FUNC_get_prandom_u32);
}

TEST(Target, IsFoundByName) {
  EXPECT_EQ(target_by_name("tc"), TargetId::kTc);
  EXPECT_EQ(target_by_name("tc-egress"), TargetId::kTcEgress);
  const auto none = target_by_name("tcp");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::kUsage);
  EXPECT_EQ(none.error().message,
            "no target is called 'tcp'; there are user, socket, tc, xdp, tc-egress");
}

TEST(Target, SaysWhichExtensionsItAnswers) {
  const auto answers = [](TargetId id, Extension extension) {
    return (answered_extensions(target(id)) & cbpf::Ancillary::bit(extension)) != 0;
  };
  EXPECT_TRUE(answers(TargetId::kUser, Extension::kHaType));
  EXPECT_FALSE(answers(TargetId::kUser, Extension::kAluXorX));
  EXPECT_TRUE(answers(TargetId::kSocket, Extension::kVlanTci));
  EXPECT_TRUE(answers(TargetId::kXdp, Extension::kCpu));
  EXPECT_FALSE(answers(TargetId::kXdp, Extension::kVlanTci));
  EXPECT_FALSE(answers(TargetId::kTc, Extension::kNla));
}

}  // namespace
}  // namespace weir::lower
