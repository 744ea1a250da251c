// ValueClasses that between them make libpcap emit most of what it can, and their programs.
#pragma once

#include <pcap/pcap.h>

#include <cstdint>
#include <string>
#include <vector>

#include "cbpf/program.h"

namespace weir::cbpf {

inline const std::vector<std::string>& short_expressions() {
  static const std::vector<std::string> kExpressions = {
      "",
      "ip",
      "ip6",
      "arp",
      "tcp",
      "udp",
      "icmp",
      "icmp6",
      "host 192.168.1.1",
      "src host 10.1.2.3",
      "net 10.0.0.0/8",
      "src and dst net 10.0.0.0/8",
      "port 53",
      "tcp port 80",
      "tcp dst port 443",
      "udp port 53",
      "tcp portrange 8000-8100",
      "portrange 1-1023",
      "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0",
      "tcp[tcpflags] == tcp-syn",
      "icmp[icmptype] == icmp-echo",
      "ip protochain 6",
      "ip6 protochain 6",
      "ip6 host 2001:db8::1",
      "ip6 net 2001:db8::/32",
      "vlan",
      "vlan 100 and tcp port 80",
      "mpls 100000 and mpls 1024 and host 192.9.200.1",
      "pppoes 7 and ip",
      "geneve and udp",
      "ether host 00:11:22:33:44:55",
      "ether multicast",
      "ether proto 0x88cc",
      "tcp port 80 and tcp[((tcp[12:1] & 0xf0) >> 2):4] = 0x47455420",
      "ip[6:2] & 0x1fff != 0",
      "greater 1000",
      "less 60 or len = 77",
      "udp port 53 and udp[10] & 0x80 = 0",
      "arp and arp[6:2] == 1",
      "not (tcp port 22 and host 10.0.0.1)",
      "ip[2:2] / 20 > ip[0] & 0xf",
      "ip[2:2] % 7 = -ip[8] + 3 - ip[9] * 2",
      "ip[1] ^ ip[2] | ip[3] << 2 = ip[4] >> ip[5]",
      "ip[len - 20] = ip[ip[0]:4] ^ 0x80000000",
      "ether[4294967280:4] > 4294967295",
  };
  return kExpressions;
}

// What libpcap makes of an expression; empty when it refuses.
inline Program libpcap_program(const std::string& expression, bool optimize,
                               int link_type = DLT_EN10MB) {
  Program program;
  pcap_t* handle = pcap_open_dead(link_type, 262144);
  bpf_program compiled{};
  if (pcap_compile(handle, &compiled, expression.c_str(), optimize ? 1 : 0, PCAP_NETMASK_UNKNOWN) ==
      0) {
    for (std::uint32_t i = 0; i < compiled.bf_len; ++i) {
      const bpf_insn& insn = compiled.bf_insns[i];
      program.instructions.push_back({insn.code, insn.jt, insn.jf, insn.k});
    }
    pcap_freecode(&compiled);
  }
  pcap_close(handle);
  return program;
}

}  // namespace weir::cbpf
