#include "tests/random/random_expression.h"

#include <string>
#include <vector>

namespace weir::random {
namespace {

std::string number(std::uint32_t n) { return std::to_string(n); }

std::string dotted(std::uint32_t address) {
  return number(address >> 24) + "." + number(address >> 16 & 0xff) + "." +
         number(address >> 8 & 0xff) + "." + number(address & 0xff);
}

std::string address(Choices& choices) {
  return dotted(choices.chance(60)
                    ? choices.pick<std::uint32_t>({0x0a000001, 0x0a000002, 0xc0a80101, 0xc0a80102})
                    : choices.any());
}

std::string net(Choices& choices) {
  const std::uint32_t bits = choices.pick<std::uint32_t>({8, 16, 24, 30, 12});
  const std::uint32_t base = choices.chance(60) ? 0x0a000000 : choices.any();
  return dotted(base & ~(0xffffffffU >> bits)) + "/" + number(bits);
}

std::string port(Choices& choices) {
  return number(choices.chance(60) ? choices.pick<std::uint32_t>({80, 443, 53, 22, 8080})
                                   : choices.below(65536));
}

std::string ports(Choices& choices) {
  const std::uint32_t low = choices.below(2000);
  return number(low) + "-" + number(low + 1 + choices.below(3000));
}

std::string ipv6_address(Choices& choices) {
  return choices.pick<std::string>({"2001:db8::", "fe80::", "ff02::"}) + number(choices.below(3));
}

std::string direction(Choices& choices) {
  return choices.pick<std::string>({"", "", "src ", "dst "});
}

std::string transport(Choices& choices) { return choices.pick<std::string>({"", "tcp ", "udp "}); }

// Terms of one shape differ in their literals.
std::string term_of_shape(Choices& choices, std::uint32_t shape, const std::string& side,
                          const std::string& protocol) {
  switch (shape) {
    case 0:
      return side + "host " + address(choices);
    case 1:
      return side + "net " + net(choices);
    case 2:
      return protocol + side + "port " + port(choices);
    case 3:
      return protocol + side + "portrange " + ports(choices);
    case 4:
      return "ip proto " + number(choices.below(256));
    case 5:
      return "ether " + side + "host 02:00:00:00:00:0" + number(choices.below(9));
    case 6:
      return "ip6 " + side + "host " + ipv6_address(choices);
    default:
      return "ether proto " + number(0x600 + choices.below(0x9000));
  }
}

constexpr std::uint32_t kShapes = 8;

std::string field_test(Choices& choices) {
  const std::string field = choices.pick<std::string>(
      {"ip[8]", "ip[2:2]", "tcp[13]", "tcp[0:2]", "udp[4:2]", "ip[6:2] & 0x1fff", "icmp[0]",
       "tcp[13] & 0x12", "ether[0] & 1", "ip[0] & 0xf", "ip6[6]", "tcp[12] >> 4", "len",
       "ip[2:2] - ((ip[0] & 0xf) << 2)", "udp[8:4]", "ip[12:4] & 0xffffff00"});
  return field + choices.pick<std::string>({" = ", " != ", " > ", " < ", " >= "}) +
         number(choices.chance(50) ? choices.below(64) : choices.below(1500));
}

}  // namespace

std::string random_term(Choices& choices) {
  switch (choices.below(4)) {
    case 0:
      return choices.pick<std::string>(
          {"ip", "ip6", "arp", "tcp", "udp", "icmp", "icmp6", "ip multicast", "ether broadcast",
           "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0", "icmp[icmptype] = icmp-echo",
           "ip[6:2] & 0x1fff != 0", "greater 100", "less 200", "rarp", "ip6 proto 17"});
    case 1:
      return field_test(choices);
    default:
      return term_of_shape(choices, choices.below(kShapes), direction(choices), transport(choices));
  }
}

std::string random_expression(Choices& choices) {
  std::string text;
  const std::uint32_t terms = 1 + choices.below(4);
  for (std::uint32_t i = 0; i < terms; ++i) {
    std::string term = random_term(choices);
    if (choices.chance(15)) {
      term = "not (" + term + ")";
    }
    if (i != 0) {
      const std::string joint = choices.pick<std::string>({" and ", " and ", " or "});
      text = (choices.chance(50) ? "(" + text + ")" : text) + joint;
    }
    text += term;
  }
  return text;
}

std::string random_list(Choices& choices, std::uint32_t terms, std::uint32_t most_shapes) {
  struct Shape {
    std::uint32_t shape = 0;
    std::string side;
    std::string protocol;
  };
  std::vector<Shape> shapes;
  for (std::uint32_t i = 1 + choices.below(most_shapes); i > 0; --i) {
    shapes.push_back({choices.below(kShapes), direction(choices), transport(choices)});
  }
  std::string text;
  for (std::uint32_t i = 0; i < terms; ++i) {
    const Shape& shape = shapes[choices.below(static_cast<std::uint32_t>(shapes.size()))];
    text +=
        (i == 0 ? "" : " or ") + term_of_shape(choices, shape.shape, shape.side, shape.protocol);
  }
  return text;
}

}  // namespace weir::random
