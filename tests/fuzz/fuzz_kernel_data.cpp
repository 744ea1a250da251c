// What weir reads back from the kernel, any bytes of it: the text of a rule, the counters of all
// CPUs, datagrams of rtnetlink with interfaces, qdiscs and filters in them. The first byte chooses.
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "cbpf/base/bytes.h"
#include "tests/fuzz/guarded_bytes.h"
#include "tests/fuzz/require.h"
#include "xdp/carried_rule/rule_text.h"
#include "xdp/hooks/tc_listing.h"
#include "xdp/kernel/interface.h"
#include "xdp/kernel/netlink.h"
#include "xdp/rules/counters.h"

namespace weir::xdp {
namespace {

void read_rule(Bytes bytes) {
  const auto rule = decode_rule(bytes);
  if (!rule) {
    require(!rule.error().message.empty(), "an error says why");
    for (const char c : rule.error().message) {
      require(c >= ' ' && c <= '~', "an error holds none of the bytes", rule.error().message);
    }
    return;
  }
  require(rule->attached_at <= kLatestTime && rule->link_type >= 0, "a rule's values are possible");
  require(rule->expression.size() < bytes.size(), "an expression is part of its rule");
  const std::string text = encode_rule(*rule);
  const auto again = decode_rule({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
  require(again && *again == *rule, "written and read, a rule is the same", text);
}

void read_values(Bytes bytes) {
  const ebpf::Counter sum = sum_counters(bytes);
  std::uint64_t packets = 0;
  for (std::size_t i = 0; i < bytes.size() / 16; ++i) {
    std::uint64_t one = 0;
    std::memcpy(&one, bytes.data() + i * 16, sizeof one);
    packets += one;
  }
  require(sum.packets == packets, "every whole counter is summed");
}

void read_message(const NetlinkMessage& message) {
  if (const auto interface = parse_interface(message)) {
    require(interface->name.size() < message.payload.size(), "a name is part of its message");
  }
  if (const auto qdisc = parse_ingress_qdisc(message)) {
    require(qdisc->kind.size() < message.payload.size(), "a kind is part of its message");
  }
  if (const auto filter = parse_filter(message)) {
    require(filter->name.size() + filter->kind.size() < message.payload.size(),
            "names are parts of their message");
    require(filter->priority <= 0xffff, "a priority has 16 bits");
  }
}

void read_netlink(Bytes bytes) {
  constexpr std::uint32_t kSequence = 1;
  NetlinkAnswer answer;
  const DatagramEnd end = read_datagram(bytes, kSequence, answer);
  require(end.ended || answer.error == 0, "an error ends the conversation");
  require(answer.error >= 0 && answer.error < 4096, "an error is an errno");
  std::size_t total = answer.words.size();
  for (const NetlinkMessage& message : answer.messages) {
    total += message.payload.size();
    read_message(message);
  }
  require(total <= bytes.size(), "no message is longer than the datagram");
}

}  // namespace
}  // namespace weir::xdp

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) {
    return 0;
  }
  static weir::GuardedBytes memory;
  const weir::Bytes bytes = memory.hold({data + 1, size - 1});
  switch (data[0] % 3) {
    case 0:
      weir::xdp::read_rule(bytes);
      break;
    case 1:
      weir::xdp::read_values(bytes);
      break;
    default:
      weir::xdp::read_netlink(bytes);
      break;
  }
  return 0;
}
