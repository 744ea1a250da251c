#include "tests/engines/corpus.h"

#include <fstream>
#include <sstream>

namespace weir::judge {
namespace {

// Every construct of pcap-filter(7) that compiles for a savefile, and the traps: short packets that
// end a filter, divisions, wrap-around, variable offsets, loops.
constexpr const char* kEthernet[] = {
    "",
    "ip",
    "ip6",
    "arp or rarp",
    "tcp",
    "udp or sctp",
    "icmp6",
    "host 10.0.0.1",
    "src host 192.168.1.1 or dst host 10.9.8.7",
    "net 10.0.0.0/8",
    "ip6 host fe80::1",
    "ip6 net fd00::/8",
    "port 53",
    "tcp port 80",
    "tcp src port 443",
    "portrange 1-1023",
    "udp portrange 4000-5000",
    "tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-syn",
    "tcp port 80 and (((ip[2:2] - ((ip[0]&0xf)<<2)) - ((tcp[12]&0xf0)>>2)) != 0)",
    "icmp[icmptype] != icmp-echo and icmp[icmptype] != icmp-echoreply",
    "ip[0] & 0xf != 5",
    "ip[6:2] & 0x1fff != 0",
    "ether[0] & 1 = 0 and ip[16] >= 224",
    "ether host 02:00:00:00:00:01",
    "ether multicast or broadcast",
    "ether proto 0x8847",
    "vlan",
    "vlan 100",
    "vlan 10 and vlan 20 and ip",
    "not vlan and tcp port 22",
    "mpls",
    "mpls 16 and host 10.0.0.1",
    "pppoes",
    "ip proto 47",
    "ip6 protochain 6",
    "ip protochain 17",
    "protochain 58",
    "ip6 protochain 6 or ip6 protochain 17",
    "less 100",
    "greater 500",
    "len > 60 and len <= 1000",
    "ether[1] > tcp[100] or ip",
    "ip[2:2] / 20 > ip[0] & 0xf",
    "ip[2:2] % 7 = 0",
    "1 << ip[1] > 5",
    "tcp[4:4] > 0x80000000",
    "ether[ip[3]] = 0x11",
    "udp[udp[4:2] - 1] = 0",
    "link[0:1] & 0xffffffff != 0",
    "ip[8] * ip[9] - 100 < 0x100",
    "iso or stp or ipx",
    "not (tcp port 22 and host 10.0.0.1)",
    "dst port 4789 and udp[8:4] & 0x08000000 = 0x08000000",
    "geneve",
    "ether[14:4] ^ 0x45000000 < 0x00ffffff",
};

constexpr const char* kOtherLinks[] = {"RAW",  "LINUX_SLL", "LINUX_SLL2",
                                       "NULL", "PPP",       "IEEE802_11"};
constexpr const char* kAnyLink[] = {
    "",        "ip", "ip6", "tcp port 80", "host 10.0.0.1", "icmp or icmp6", "tcp[13] & 2 != 0",
    "len > 70"};

void add_file(const std::string& path, std::vector<CorpusFilter>& filters) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line.front() == '#') {
      continue;
    }
    std::istringstream columns(line);
    CorpusFilter filter;
    std::getline(columns, filter.name, '\t');
    std::getline(columns, filter.link_type, '\t');
    std::getline(columns, filter.expression);
    filters.push_back(filter);
  }
}

}  // namespace

std::vector<CorpusFilter> corpus() {
  std::vector<CorpusFilter> filters;
  for (const char* expression : kEthernet) {
    filters.push_back({expression, "EN10MB", expression});
  }
  for (const char* link : kOtherLinks) {
    for (const char* expression : kAnyLink) {
      filters.push_back({std::string(link) + ": " + expression, link, expression});
    }
  }
  add_file(WEIR_CORPUS, filters);
  return filters;
}

}  // namespace weir::judge
