#include "cbpf/known_names.h"

#include <algorithm>
#include <iterator>

namespace weir::cbpf {
namespace {

struct Protocol {
  std::string_view name;
  std::uint16_t number;
};

enum Transports : std::uint8_t { kTcp = 1, kUdp = 2, kBoth = 3 };

struct Service {
  std::string_view name;
  std::uint16_t port;
  Transports transports;
};

// The tables keep several names a line: one for each of 400 would bury the code.
// clang-format off

// IANA's protocol numbers, sorted by name. Upper case is another spelling of the same name, as in
// /etc/protocols.
constexpr Protocol kProtocols[] = {
    {"AX.25", 93}, {"CPHB", 73}, {"DCCP", 33}, {"DDP", 37}, {"EGP", 8}, {"EIGRP", 88},
    {"ENCAP", 98}, {"ETHERIP", 97}, {"Ethernet", 143}, {"FC", 133}, {"GGP", 3}, {"GRE", 47},
    {"HIP", 139}, {"HMP", 20}, {"HOPOPT", 0}, {"ICMP", 1}, {"IDPR-CMTP", 38}, {"IDRP", 45},
    {"IGMP", 2}, {"IGP", 9}, {"IP", 0}, {"IP-ENCAP", 4}, {"IPCOMP", 108}, {"IPIP", 94},
    {"IPSEC-AH", 51}, {"IPSEC-ESP", 50}, {"IPv6", 41}, {"IPv6-Frag", 44}, {"IPv6-ICMP", 58},
    {"IPv6-NoNxt", 59}, {"IPv6-Opts", 60}, {"IPv6-Route", 43}, {"ISIS", 124}, {"ISO-TP4", 29},
    {"L2TP", 115}, {"MPLS-in-IP", 137}, {"MPTCP", 262}, {"Mobility-Header", 135}, {"OSPFIGP", 89},
    {"PIM", 103}, {"PUP", 12}, {"RDP", 27}, {"ROHC", 142}, {"RSPF", 73}, {"RSVP", 46},
    {"SCTP", 132}, {"SKIP", 57}, {"ST", 5}, {"Shim6", 140}, {"TCP", 6}, {"UDP", 17},
    {"UDPLite", 136}, {"VMTP", 81}, {"VRRP", 112}, {"WESP", 141}, {"XNS-IDP", 22}, {"XTP", 36},
    {"ah", 51}, {"ax.25", 93}, {"dccp", 33}, {"ddp", 37}, {"egp", 8}, {"eigrp", 88}, {"encap", 98},
    {"esp", 50}, {"etherip", 97}, {"ethernet", 143}, {"fc", 133}, {"ggp", 3}, {"gre", 47},
    {"hip", 139}, {"hmp", 20}, {"hopopt", 0}, {"icmp", 1}, {"idpr-cmtp", 38}, {"idrp", 45},
    {"igmp", 2}, {"igp", 9}, {"ip", 0}, {"ipcomp", 108}, {"ipencap", 4}, {"ipip", 94}, {"ipv6", 41},
    {"ipv6-frag", 44}, {"ipv6-icmp", 58}, {"ipv6-nonxt", 59}, {"ipv6-opts", 60}, {"ipv6-route", 43},
    {"isis", 124}, {"iso-tp4", 29}, {"l2tp", 115}, {"manet", 138}, {"mobility-header", 135},
    {"mpls-in-ip", 137}, {"mptcp", 262}, {"ospf", 89}, {"pim", 103}, {"pup", 12}, {"rdp", 27},
    {"rohc", 142}, {"rspf", 73}, {"rsvp", 46}, {"sctp", 132}, {"shim6", 140}, {"skip", 57},
    {"st", 5}, {"tcp", 6}, {"udp", 17}, {"udplite", 136}, {"vmtp", 81}, {"vrrp", 112},
    {"wesp", 141}, {"xns-idp", 22}, {"xtp", 36},
};

// IANA's service names as Debian's /etc/services (netbase 6.4) has them, sorted by name. A service
// has the transports that it really uses: `port http` is TCP.
constexpr Service kServices[] = {
    {"Clearcase", 371, kUdp}, {"acr-nema", 104, kTcp}, {"afpovertcp", 548, kTcp},
    {"afs3-bos", 7007, kUdp}, {"afs3-callback", 7001, kUdp}, {"afs3-fileserver", 7000, kUdp},
    {"afs3-kaserver", 7004, kUdp}, {"afs3-prserver", 7002, kUdp}, {"afs3-rmtsys", 7009, kUdp},
    {"afs3-update", 7008, kUdp}, {"afs3-vlserver", 7003, kUdp}, {"afs3-volser", 7005, kUdp},
    {"amanda", 10080, kTcp}, {"amandaidx", 10082, kTcp}, {"amidxtape", 10083, kTcp},
    {"amqp", 5672, kTcp}, {"amqps", 5671, kTcp}, {"asf-rmcp", 623, kUdp}, {"asp", 27374, kBoth},
    {"auth", 113, kTcp}, {"authentication", 113, kTcp}, {"babel", 6696, kUdp},
    {"bacula-dir", 9101, kTcp}, {"bacula-fd", 9102, kTcp}, {"bacula-sd", 9103, kTcp},
    {"bbs", 7000, kTcp}, {"bgp", 179, kTcp}, {"bgpd", 2605, kTcp}, {"biff", 512, kUdp},
    {"binkp", 24554, kTcp}, {"bootpc", 68, kUdp}, {"bootps", 67, kUdp}, {"canna", 5680, kTcp},
    {"cfengine", 5308, kTcp}, {"chargen", 19, kBoth}, {"cisco-sccp", 2000, kTcp},
    {"clc-build-daemon", 8990, kTcp}, {"clearcase", 371, kUdp}, {"cmd", 514, kTcp},
    {"cmip-agent", 164, kBoth}, {"cmip-man", 163, kBoth}, {"codaauth2", 370, kBoth},
    {"codasrv", 2432, kBoth}, {"codasrv-se", 2433, kBoth}, {"comsat", 512, kUdp},
    {"csync2", 30865, kTcp}, {"cvspserver", 2401, kTcp}, {"daap", 3689, kTcp},
    {"datametrics", 1645, kBoth}, {"daytime", 13, kBoth}, {"db-lsp", 17500, kTcp},
    {"dcap", 22125, kTcp}, {"dhcpv6-client", 546, kUdp}, {"dhcpv6-server", 547, kUdp},
    {"dicom", 104, kTcp}, {"dict", 2628, kTcp}, {"dircproxy", 57000, kTcp}, {"discard", 9, kBoth},
    {"distcc", 3632, kTcp}, {"domain", 53, kBoth}, {"domain-s", 853, kBoth}, {"echo", 7, kBoth},
    {"epmap", 135, kTcp}, {"epmd", 4369, kTcp}, {"exec", 512, kTcp}, {"f5-globalsite", 2792, kTcp},
    {"f5-iquery", 4353, kTcp}, {"fax", 4557, kTcp}, {"fido", 60179, kTcp}, {"finger", 79, kTcp},
    {"font-service", 7100, kTcp}, {"freeciv", 5556, kTcp}, {"fsp", 21, kUdp}, {"fspd", 21, kUdp},
    {"ftp", 21, kTcp}, {"ftp-data", 20, kTcp}, {"ftps", 990, kTcp}, {"ftps-data", 989, kTcp},
    {"gdomap", 538, kBoth}, {"gds-db", 3050, kTcp}, {"gds_db", 3050, kTcp}, {"git", 9418, kTcp},
    {"gnunet", 2086, kBoth}, {"gnutella-rtr", 6347, kBoth}, {"gnutella-svc", 6346, kBoth},
    {"gopher", 70, kTcp}, {"gpsd", 2947, kTcp}, {"gris", 2135, kTcp}, {"groupwise", 1677, kTcp},
    {"gsidcap", 22128, kTcp}, {"gsiftp", 2811, kTcp}, {"gsigatekeeper", 2119, kTcp},
    {"hkp", 11371, kTcp}, {"hprop", 754, kTcp}, {"http", 80, kTcp}, {"http-alt", 8080, kTcp},
    {"https", 443, kBoth}, {"hylafax", 4559, kTcp}, {"iax", 4569, kUdp}, {"icp", 3130, kUdp},
    {"icpv2", 3130, kUdp}, {"ident", 113, kTcp}, {"imap", 143, kTcp}, {"imap2", 143, kTcp},
    {"imaps", 993, kTcp}, {"ingreslock", 1524, kTcp}, {"ipp", 631, kTcp}, {"iprop", 2121, kTcp},
    {"ipsec-nat-t", 4500, kUdp}, {"ipx", 213, kUdp}, {"ircd", 6667, kTcp}, {"ircs-u", 6697, kTcp},
    {"isakmp", 500, kUdp}, {"iscsi-target", 3260, kTcp}, {"isisd", 2608, kTcp},
    {"isns", 3205, kBoth}, {"iso-tsap", 102, kTcp}, {"jabber-client", 5222, kTcp},
    {"jabber-server", 5269, kTcp}, {"kamanda", 10081, kTcp}, {"kdc", 750, kBoth},
    {"kerberos", 88, kBoth}, {"kerberos-adm", 749, kTcp}, {"kerberos-iv", 750, kBoth},
    {"kerberos-master", 751, kBoth}, {"kerberos-sec", 88, kBoth}, {"kerberos4", 750, kBoth},
    {"kerberos5", 88, kBoth}, {"kerberos_master", 751, kUdp}, {"kermit", 1649, kTcp},
    {"klogin", 543, kTcp}, {"kpasswd", 464, kBoth}, {"krb-prop", 754, kTcp}, {"krb5", 88, kBoth},
    {"krb5_prop", 754, kTcp}, {"krb_prop", 754, kTcp}, {"krcmd", 544, kTcp}, {"kshell", 544, kTcp},
    {"l2f", 1701, kUdp}, {"l2tp", 1701, kUdp}, {"ldap", 389, kBoth}, {"ldaps", 636, kBoth},
    {"ldp", 646, kBoth}, {"loc-srv", 135, kTcp}, {"login", 513, kTcp}, {"lotusnote", 1352, kTcp},
    {"lotusnotes", 1352, kTcp}, {"lrrd", 4949, kTcp}, {"mail", 25, kTcp}, {"mailq", 174, kTcp},
    {"mdns", 5353, kUdp}, {"microsoft-ds", 445, kTcp}, {"moira-db", 775, kTcp},
    {"moira-update", 777, kTcp}, {"moira-ureg", 779, kUdp}, {"moira_db", 775, kTcp},
    {"moira_update", 777, kTcp}, {"moira_ureg", 779, kUdp}, {"mon", 2583, kBoth},
    {"ms-sql-m", 1434, kUdp}, {"ms-sql-s", 1433, kTcp}, {"ms-wbt-server", 3389, kTcp},
    {"mtn", 4691, kTcp}, {"munin", 4949, kTcp}, {"mysql", 3306, kTcp}, {"mysql-proxy", 6446, kTcp},
    {"nbd", 10809, kTcp}, {"netbios-dgm", 138, kUdp}, {"netbios-ns", 137, kUdp},
    {"netbios-ssn", 139, kTcp}, {"netstat", 15, kTcp}, {"nfs", 2049, kBoth}, {"nicname", 43, kTcp},
    {"nntp", 119, kTcp}, {"nntps", 563, kTcp}, {"nqs", 607, kTcp}, {"nrpe", 5666, kTcp},
    {"nsca", 5667, kTcp}, {"ntalk", 518, kUdp}, {"ntp", 123, kUdp}, {"ntske", 4460, kTcp},
    {"null", 9, kBoth}, {"nut", 3493, kBoth}, {"old-radacct", 1646, kBoth},
    {"old-radius", 1645, kBoth}, {"omniorb", 8088, kTcp}, {"openvpn", 1194, kBoth},
    {"ospf6d", 2606, kTcp}, {"ospfapi", 2607, kTcp}, {"ospfd", 2604, kTcp},
    {"passwd-server", 752, kUdp}, {"passwd_server", 752, kUdp}, {"pawserv", 345, kTcp},
    {"pop-3", 110, kTcp}, {"pop3", 110, kTcp}, {"pop3s", 995, kTcp}, {"poppassd", 106, kTcp},
    {"portmapper", 111, kBoth}, {"postgres", 5432, kTcp}, {"postgresql", 5432, kTcp},
    {"predict", 1210, kUdp}, {"printer", 515, kTcp}, {"proofd", 1093, kTcp},
    {"ptp-event", 319, kUdp}, {"ptp-general", 320, kUdp}, {"puppet", 8140, kTcp},
    {"qmqp", 628, kTcp}, {"qmtp", 209, kTcp}, {"qotd", 17, kTcp}, {"quote", 17, kTcp},
    {"radacct", 1813, kBoth}, {"radius", 1812, kBoth}, {"radius-acct", 1813, kBoth},
    {"radmin-port", 4899, kTcp}, {"readnews", 119, kTcp}, {"redis", 6379, kTcp},
    {"remctl", 4373, kTcp}, {"ripd", 2602, kTcp}, {"ripngd", 2603, kTcp},
    {"rmiregistry", 1099, kTcp}, {"rmtcfg", 1236, kTcp}, {"rootd", 1094, kTcp},
    {"route", 520, kUdp}, {"routed", 520, kUdp}, {"router", 520, kUdp}, {"rpc2portmap", 369, kBoth},
    {"rplay", 5555, kUdp}, {"rptp", 5556, kTcp}, {"rsync", 873, kTcp}, {"rtcm-sc104", 2101, kBoth},
    {"rtsp", 554, kBoth}, {"sa-msg-port", 1646, kBoth}, {"saft", 487, kTcp}, {"sane", 6566, kTcp},
    {"sane-port", 6566, kTcp}, {"saned", 6566, kTcp}, {"sge-execd", 6445, kTcp},
    {"sge-qmaster", 6444, kTcp}, {"sge_execd", 6445, kTcp}, {"sge_qmaster", 6444, kTcp},
    {"sgi-cad", 17004, kTcp}, {"sgi-cmsd", 17001, kUdp}, {"sgi-crsd", 17002, kUdp},
    {"sgi-gcd", 17003, kUdp}, {"shell", 514, kTcp}, {"sieve", 4190, kTcp}, {"silc", 706, kTcp},
    {"sink", 9, kBoth}, {"sip", 5060, kBoth}, {"sip-tls", 5061, kBoth}, {"skkserv", 1178, kTcp},
    {"smtp", 25, kTcp}, {"smtps", 465, kTcp}, {"smux", 199, kTcp}, {"snmp", 161, kBoth},
    {"snmp-trap", 162, kBoth}, {"snmptrap", 162, kBoth}, {"snntp", 563, kTcp}, {"snpp", 444, kTcp},
    {"socks", 1080, kTcp}, {"source", 19, kBoth}, {"spamd", 783, kTcp}, {"spooler", 515, kTcp},
    {"ssh", 22, kTcp}, {"ssmtp", 465, kTcp}, {"submission", 587, kTcp}, {"submissions", 465, kTcp},
    {"subversion", 3690, kTcp}, {"sunrpc", 111, kBoth}, {"supfiledbg", 1127, kTcp},
    {"supfilesrv", 871, kTcp}, {"suucp", 4031, kTcp}, {"svn", 3690, kTcp}, {"svrloc", 427, kBoth},
    {"syslog", 514, kBoth}, {"syslog-tls", 6514, kTcp}, {"sysrqd", 4094, kTcp},
    {"systat", 11, kTcp}, {"tacacs", 49, kBoth}, {"talk", 517, kUdp}, {"tap", 113, kTcp},
    {"tcpmux", 1, kTcp}, {"telnet", 23, kTcp}, {"telnets", 992, kTcp}, {"tfido", 60177, kTcp},
    {"tftp", 69, kUdp}, {"time", 37, kBoth}, {"timserver", 37, kBoth}, {"tinc", 655, kBoth},
    {"tproxy", 8081, kTcp}, {"tsap", 102, kTcp}, {"ttytst", 19, kBoth}, {"untp", 119, kTcp},
    {"urd", 465, kTcp}, {"users", 11, kTcp}, {"uucp", 540, kTcp}, {"uucpd", 540, kTcp},
    {"venus", 2430, kBoth}, {"venus-se", 2431, kBoth}, {"wais", 210, kTcp},
    {"webcache", 8080, kTcp}, {"webmin", 10000, kTcp}, {"who", 513, kUdp}, {"whod", 513, kUdp},
    {"whois", 43, kTcp}, {"wnn6", 22273, kTcp}, {"www", 80, kTcp}, {"x11", 6000, kTcp},
    {"x11-0", 6000, kTcp}, {"x11-1", 6001, kTcp}, {"x11-2", 6002, kTcp}, {"x11-3", 6003, kTcp},
    {"x11-4", 6004, kTcp}, {"x11-5", 6005, kTcp}, {"x11-6", 6006, kTcp}, {"x11-7", 6007, kTcp},
    {"xdmcp", 177, kUdp}, {"xfs", 7100, kTcp}, {"xinetd", 9098, kTcp}, {"xmms2", 9667, kTcp},
    {"xmpp-client", 5222, kTcp}, {"xmpp-server", 5269, kTcp}, {"xtel", 1313, kTcp},
    {"xtelw", 1314, kTcp}, {"z3950", 210, kTcp}, {"zabbix-agent", 10050, kTcp},
    {"zabbix-trapper", 10051, kTcp}, {"zebra", 2601, kTcp}, {"zebrasrv", 2600, kTcp},
    {"zephyr-clt", 2103, kUdp}, {"zephyr-hm", 2104, kUdp}, {"zephyr-srv", 2102, kUdp},
    {"zope", 9673, kTcp}, {"zope-ftp", 8021, kTcp}, {"zserv", 346, kTcp},
};
// clang-format on

template <typename Entry, std::size_t n>
const Entry* find(const Entry (&table)[n], std::string_view name) {
  const auto* const found =
      std::lower_bound(std::begin(table), std::end(table), name,
                       [](const Entry& entry, std::string_view key) { return entry.name < key; });
  return found != std::end(table) && found->name == name ? found : nullptr;
}

template <typename Entry, std::size_t n>
constexpr bool is_sorted(const Entry (&table)[n]) {
  for (std::size_t i = 1; i < n; ++i) {
    if (table[i].name <= table[i - 1].name) {
      return false;
    }
  }
  return true;
}
static_assert(is_sorted(kProtocols) && is_sorted(kServices));

}  // namespace

std::optional<std::uint16_t> known_protocol(std::string_view name) {
  const Protocol* const found = find(kProtocols, name);
  return found != nullptr ? std::optional(found->number) : std::nullopt;
}

std::optional<std::uint16_t> known_port(std::string_view name, Transport transport) {
  const Service* const found = find(kServices, name);
  const int wanted = transport == Transport::kTcp ? kTcp : kUdp;
  if (found == nullptr || (found->transports & wanted) == 0) {
    return std::nullopt;
  }
  return found->port;
}

bool is_known_service(std::string_view name) { return find(kServices, name) != nullptr; }

}  // namespace weir::cbpf
