// A corpus: many filters in a file, to be measured one after the other.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cbpf/base/result.h"

namespace weir::bench {

struct CorpusFilter {
  std::string name;
  int link_type = 1;  // A DLT_* number.
  std::string expression;
  std::uint32_t line = 0;  // In the file, from 1.
};

// Reads "NAME<tab>LINK TYPE<tab>EXPRESSION" a line, the link type as libpcap names it; empty lines
// and those that begin with '#' are passed over. kInvalidFile with the line for any other, and for
// a corpus without a filter; `file` is its name in errors.
Result<std::vector<CorpusFilter>> parse_corpus(std::string_view text, const std::string& file);

// The IPv4 addresses that are written out in an expression (those of nets too), in host order.
std::vector<std::uint32_t> ipv4_literals(std::string_view expression);

}  // namespace weir::bench
