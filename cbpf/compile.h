// tcpdump expressions to classic programs, through libpcap's code generator.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cbpf/base/result.h"
#include "cbpf/program.h"

namespace weir::cbpf {

inline constexpr int kLinkTypeEthernet = 1;  // DLT_EN10MB.
// tcpdump's default snapshot length, and what `ret` gives for a match.
inline constexpr std::uint32_t kDefaultSnaplen = 262144;

struct CompileOptions {
  int link_type = kLinkTypeEthernet;  // A DLT_* number.
  std::uint32_t snaplen = kDefaultSnaplen;
  bool optimize = false;  // libpcap's own optimiser: slow on long lists, and not always right.
  // The packets come from a savefile. libpcap then reads a NULL header in the byte order of the
  // file and knows the address families of every BSD, and refuses `inbound` where it cannot be
  // told.
  bool savefile = false;
  bool swapped = false;  // The savefile has not this machine's byte order.
  // What `ip broadcast` compares with, as packets are loaded: 255.255.255.0 is 0xffffff00. All
  // ones: unknown, `ip broadcast` is refused.
  std::uint32_t netmask = 0xffffffff;
  // Look up names that neither weir nor `etc` knows as the system does, by the network (DNS) too.
  bool resolve = false;
  std::string_view etc = "/etc";  // Of protocols, services, hosts, networks and ethers; not owned.
};

// Compiles an expression ("" matches everything). kSyntax with libpcap's own sentence; the detail
// is a caret page under the offending word where the sentence lets it be found. kSystem where there
// is no memory for it.
//
// Names of protocols and services mean what IANA's lists say, on every machine; others are read
// from `etc`. Where a name cannot be looked up, the sentence names the file that is missing.
Result<Program> compile(const std::string& expression, const CompileOptions& options = {});

// The DLT_* number of a link type named as tcpdump's -y takes it ("EN10MB", "DLT_RAW",
// "LINUX_SLL", any case). kUsage when libpcap knows none of that name.
Result<int> link_type_by_name(const std::string& name);

// "EN10MB"; "DLT 300" for a number libpcap has no name for.
std::string link_type_name(int link_type);

struct LinkType {
  int number = 0;
  std::string name;
  std::string description;
};
// Every link type libpcap knows, in order of number.
std::vector<LinkType> link_types();

// libpcap's own line about its version.
std::string libpcap_version();

}  // namespace weir::cbpf
