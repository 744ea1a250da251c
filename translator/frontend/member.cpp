#include "translator/frontend/member.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <system_error>
#include <utility>

#include "cbpf/base/bytes.h"
#include "cbpf/compile.h"

namespace weir::frontend {
namespace {

using ir::Key;

bool is_one_of(std::string_view word, std::initializer_list<std::string_view> list) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

// Decimal without leading zeros (which would be octal), at most `most`.
std::optional<std::uint32_t> parse_decimal(std::string_view text, std::uint32_t most) {
  std::uint32_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (text.empty() || error != std::errc() || stop != end || number > most ||
      (text[0] == '0' && text.size() > 1) || text[0] == '-') {
    return std::nullopt;
  }
  return number;
}

std::optional<std::uint32_t> parse_ipv4(std::string_view text) {
  std::uint32_t address = 0;
  for (int part = 0; part < 4; ++part) {
    const std::size_t dot = part < 3 ? text.find('.') : text.size();
    const auto number =
        dot == std::string_view::npos ? std::nullopt : parse_decimal(text.substr(0, dot), 255);
    if (!number) {
      return std::nullopt;
    }
    address = address << 8 | *number;
    text.remove_prefix(std::min(dot + 1, text.size()));
  }
  return address;
}

std::optional<Key> parse_ipv6(std::string_view text) {
  std::array<char, INET6_ADDRSTRLEN> buffer{};
  if (text.size() >= buffer.size() || text.find(':') == std::string_view::npos) {
    return std::nullopt;
  }
  std::copy(text.begin(), text.end(), buffer.begin());
  std::array<std::uint8_t, 16> bytes{};
  if (inet_pton(AF_INET6, buffer.data(), bytes.data()) != 1) {
    return std::nullopt;
  }
  Key key;
  for (std::size_t i = 0; i < bytes.size(); i += 4) {
    key = key.append(load_be32(&bytes[i]));
  }
  return key;
}

// The hexadecimal number of `low` to `high` digits.
std::optional<std::uint32_t> parse_hex(std::string_view text, std::size_t low, std::size_t high) {
  std::uint32_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number, 16);
  const bool whole = error == std::errc() && stop == end;
  return whole && text.size() >= low && text.size() <= high ? std::optional(number) : std::nullopt;
}

// libpcap's forms: six bytes with ':', '-' or '.' between them, three words with '.', or twelve
// digits.
std::optional<Key> parse_mac(std::string_view text) {
  constexpr std::size_t kDigits = 12;
  const std::size_t first = text.find_first_of(":-.");
  const char separator = first == std::string_view::npos ? '\0' : text[first];
  const auto separators = std::count(text.begin(), text.end(), separator);
  const bool words = separator == '.' && separators == 2;
  const int parts = words || separator == '\0' ? 3 : 6;
  if (separator == '\0' ? text.size() != kDigits : separators != parts - 1) {
    return std::nullopt;
  }
  std::uint64_t address = 0;
  for (int part = 0; part < parts; ++part) {
    const std::size_t end = separator == '\0' ? 4 : std::min(text.find(separator), text.size());
    const auto number =
        parts == 3 ? parse_hex(text.substr(0, end), 4, 4) : parse_hex(text.substr(0, end), 1, 2);
    if (!number) {
      return std::nullopt;
    }
    address = address << (48 / parts) | *number;
    text.remove_prefix(std::min(end + (separator == '\0' ? 0 : 1), text.size()));
  }
  return Key::of(static_cast<std::uint32_t>(address))
      .append(static_cast<std::uint32_t>(address >> 32));
}

// The addresses of `bits` bits that begin like the key; nothing when bits behind the prefix are set
// in it.
std::optional<ir::Range> net_of(const Key& key, std::uint32_t prefix, std::uint32_t bits) {
  ir::Range range{key, key};
  const std::uint32_t open = bits - prefix;
  const std::uint64_t all = ~std::uint64_t{0};
  const std::uint64_t lower = open >= 64 ? all : (std::uint64_t{1} << open) - 1;
  const std::uint64_t upper = open <= 64    ? 0
                              : open == 128 ? all
                                            : (std::uint64_t{1} << (open - 64)) - 1;
  if ((key.lower & lower) != 0 || (key.upper & upper) != 0) {
    return std::nullopt;
  }
  range.high = {.upper = key.upper | upper, .lower = key.lower | lower};
  return range;
}

struct Address {
  MemberKind kind = MemberKind::kIpv4;
  ir::Range range;
};

std::optional<Address> parse_address(std::string_view text) {
  if (const auto ipv4 = parse_ipv4(text)) {
    return Address{MemberKind::kIpv4, {Key::of(*ipv4), Key::of(*ipv4)}};
  }
  if (const auto ipv6 = parse_ipv6(text)) {
    return Address{MemberKind::kIpv6, {*ipv6, *ipv6}};
  }
  return std::nullopt;
}

std::optional<Address> parse_net(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) {
    return parse_address(text);
  }
  auto address = parse_address(text.substr(0, slash));
  if (!address) {
    return std::nullopt;
  }
  const std::uint32_t bits = address->kind == MemberKind::kIpv4 ? 32 : 128;
  const auto prefix = parse_decimal(text.substr(slash + 1), bits);
  const auto range = prefix ? net_of(address->range.low, *prefix, bits) : std::nullopt;
  if (!range) {
    return std::nullopt;
  }
  return Address{address->kind, *range};
}

std::optional<Address> parse_address_range(std::string_view text) {
  const std::size_t dash = text.find('-');
  if (dash == std::string_view::npos) {
    return std::nullopt;
  }
  const auto low = parse_address(text.substr(0, dash));
  const auto high = parse_address(text.substr(dash + 1));
  if (!low || !high || low->kind != high->kind || low->range.low > high->range.low) {
    return std::nullopt;
  }
  return Address{low->kind, {low->range.low, high->range.low}};
}

// Whether libpcap has addresses of this kind for the protocol.
bool has_addresses(const Qualifiers& qualifiers, MemberKind kind) {
  if (kind == MemberKind::kIpv4) {
    return is_one_of(qualifiers.protocol, {"", "ip", "arp", "rarp"});
  }
  return is_one_of(qualifiers.protocol, {"", "ip6"});
}

std::optional<Member> member_of(const Qualifiers& qualifiers,
                                const std::optional<Address>& address) {
  if (!address || !has_addresses(qualifiers, address->kind)) {
    return std::nullopt;
  }
  return Member{{address->kind, qualifiers.protocol, qualifiers.direction}, address->range};
}

std::optional<Member> parse_mac_member(const Qualifiers& qualifiers, std::string_view literal,
                                       int link_type) {
  const auto mac = parse_mac(literal);
  if (!mac || link_type != cbpf::kLinkTypeEthernet || !is_one_of(qualifiers.type, {"", "host"})) {
    return std::nullopt;
  }
  return Member{{MemberKind::kMac, qualifiers.protocol, qualifiers.direction}, {*mac, *mac}};
}

std::optional<Member> parse_number_member(const Qualifiers& qualifiers, std::string_view literal) {
  const bool port = qualifiers.type == "port";
  const bool protocols =
      port ? is_one_of(qualifiers.protocol, {"", "tcp", "udp", "sctp"})
           : is_one_of(qualifiers.protocol, {"", "ip", "ip6"}) && qualifiers.direction.empty();
  const auto number = parse_decimal(literal, port ? 0xffff : 0xff);
  if (!protocols || !number) {
    return std::nullopt;
  }
  return Member{
      {port ? MemberKind::kPort : MemberKind::kProtocol, qualifiers.protocol, qualifiers.direction},
      {Key::of(*number), Key::of(*number)}};
}

std::optional<Member> parse_port_range(const Qualifiers& qualifiers, std::string_view literal) {
  const std::size_t dash = literal.find('-');
  if (dash == std::string_view::npos ||
      !is_one_of(qualifiers.protocol, {"", "tcp", "udp", "sctp"})) {
    return std::nullopt;
  }
  auto low = parse_decimal(literal.substr(0, dash), 0xffff);
  auto high = parse_decimal(literal.substr(dash + 1), 0xffff);
  if (!low || !high) {
    return std::nullopt;
  }
  if (*low > *high) {
    std::swap(*low, *high);  // As libpcap does.
  }
  return Member{{MemberKind::kPort, qualifiers.protocol, qualifiers.direction},
                {Key::of(*low), Key::of(*high)}};
}

}  // namespace

std::optional<Qualifiers> parse_qualifiers(const std::vector<std::string_view>& words) {
  Qualifiers qualifiers;
  std::size_t at = 0;
  if (at < words.size() &&
      is_one_of(words[at], {"ip", "ip6", "arp", "rarp", "ether", "tcp", "udp", "sctp"})) {
    qualifiers.protocol = words[at++];
  }
  if (at < words.size() && is_one_of(words[at], {"src", "dst", "src or dst"})) {
    qualifiers.direction = words[at] == "src or dst" ? std::string_view{} : words[at];
    ++at;
  }
  if (at < words.size() && is_one_of(words[at], {"host", "net", "port", "portrange", "proto"})) {
    qualifiers.type = words[at++];
  }
  return at == words.size() ? std::optional(qualifiers) : std::nullopt;
}

std::string text_of(const Qualifiers& qualifiers) {
  std::string text;
  for (const std::string_view word : {qualifiers.protocol, qualifiers.direction, qualifiers.type}) {
    if (!word.empty()) {
      text.append(word).append(" ");
    }
  }
  return text;
}

std::uint8_t words_of(MemberKind kind) {
  switch (kind) {
    case MemberKind::kIpv6:
      return 4;
    case MemberKind::kMac:
      return 2;
    case MemberKind::kIpv4:
    case MemberKind::kPort:
    case MemberKind::kProtocol:
      return 1;
  }
  return 1;
}

std::optional<Member> parse_member(const Qualifiers& qualifiers, std::string_view literal,
                                   int link_type) {
  if (qualifiers.type.empty() && qualifiers.direction.empty()) {
    return std::nullopt;  // A protocol takes no literal.
  }
  if (qualifiers.protocol == "ether") {
    return parse_mac_member(qualifiers, literal, link_type);
  }
  if (qualifiers.type.empty() || qualifiers.type == "host") {
    return member_of(qualifiers, parse_address(literal));
  }
  if (qualifiers.type == "net") {
    return member_of(qualifiers, parse_net(literal));
  }
  if (qualifiers.type == "portrange") {
    return parse_port_range(qualifiers, literal);
  }
  return parse_number_member(qualifiers, literal);
}

std::optional<Member> parse_file_member(const Qualifiers& qualifiers, std::string_view literal,
                                        int link_type) {
  if (auto member = parse_member(qualifiers, literal, link_type)) {
    return member;
  }
  Qualifiers other = qualifiers;
  if (is_one_of(qualifiers.type, {"port", "portrange"})) {
    other.type = qualifiers.type == "port" ? "portrange" : "port";
    return parse_member(other, literal, link_type);
  }
  if (qualifiers.protocol == "ether" || qualifiers.type == "proto") {
    return std::nullopt;
  }
  if (auto range = member_of(qualifiers, parse_address_range(literal))) {
    return range;
  }
  other.type = "net";
  return parse_member(other, literal, link_type);
}

}  // namespace weir::frontend
