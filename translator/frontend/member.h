// Members of lists: one address, net, port, range of ports or protocol, and what it is asked of.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "translator/ir/set.h"

namespace weir::frontend {

enum class MemberKind : std::uint8_t { kIpv4, kIpv6, kMac, kPort, kProtocol };

// The words before a literal. libpcap's defaults are "".
struct Qualifiers {
  std::string_view protocol;   // "", "ip", "ip6", "arp", "rarp", "ether", "tcp", "udp", "sctp".
  std::string_view direction;  // "", "src", "dst"; "src or dst" is "".
  std::string_view type;       // "", "host", "net", "port", "portrange", "proto".
  friend auto operator<=>(const Qualifiers&, const Qualifiers&) = default;
};

// Nothing when a word is none of those, or stands out of order.
std::optional<Qualifiers> parse_qualifiers(const std::vector<std::string_view>& words);

// "src host ", with a blank behind each word.
std::string text_of(const Qualifiers& qualifiers);

// Terms of one shape load the same bytes, whatever their literals: so once one of them has been
// false, the others cannot end the filter for a short packet (IPv6 addresses excepted, of whose
// words the later ones are loaded only where the earlier ones fit).
struct Shape {
  MemberKind kind = MemberKind::kIpv4;
  std::string_view protocol;
  std::string_view direction;
  friend auto operator<=>(const Shape&, const Shape&) = default;
};

struct Member {
  Shape shape;
  // The words in the order in which libpcap's code loads them: for a MAC address its last four
  // bytes, then its first two.
  ir::Range range;
};

// How many words a key of this kind has.
std::uint8_t words_of(MemberKind kind);

// The member that "QUALIFIERS LITERAL" stands for in libpcap's language. Nothing where it takes
// names to be looked up, is an error, or is not known here to be a comparison of one value: libpcap
// has the word then. `link_type` (DLT_*) decides whether MAC addresses are.
std::optional<Member> parse_member(const Qualifiers& qualifiers, std::string_view literal,
                                   int link_type);

// The same for a line of a file: nets are welcome among hosts, and so are LOW-HIGH of addresses.
std::optional<Member> parse_file_member(const Qualifiers& qualifiers, std::string_view literal,
                                        int link_type);

}  // namespace weir::frontend
