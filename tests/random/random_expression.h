// Random filter expressions of libpcap's language, from the addresses and ports of random_packet.h
// and others.
#pragma once

#include <cstdint>
#include <string>

#include "tests/random/choices.h"

namespace weir::random {

// One term as people write it: `src host 10.0.0.1`, `not tcp port 80`, `ip[8] < 5`, ...
std::string random_term(Choices& choices);

// A few terms joined by and, or, not and parentheses, as they compile for Ethernet.
std::string random_expression(Choices& choices);

// So many terms of one to `most_shapes` shapes, joined by or: hosts, nets, ports, protocols.
std::string random_list(Choices& choices, std::uint32_t terms, std::uint32_t most_shapes = 3);

}  // namespace weir::random
