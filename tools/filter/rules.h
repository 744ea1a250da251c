// The rules of `weir filter --split`: which packets go to which file.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cbpf/base/result.h"
#include "cbpf/savefile/reader.h"

namespace weir::filter {

struct Rule {
  std::string name;        // Letters, digits, '.', '_' and '-'; neither '.' nor '-' comes first.
  std::string expression;  // Empty: every packet.
  std::uint32_t line = 0;
  std::uint32_t column = 0;  // Where the expression begins.
};

// One rule a line: its name, blanks, and to the end of the line its expression. A name alone stands
// for every packet. Empty lines and lines that begin with '#' say nothing.
//
// kSyntax with line and column: no name, a name that cannot be a file's, the same name twice, no
// rule at all. Whether an expression is one is found out when it is compiled.
Result<std::vector<Rule>> read_rules(std::string_view text, const std::string& file);

// The error of a rule's expression at its place in the rules file.
Error at_rule(Error error, const Rule& rule, const std::string& file);

// The file for what matches a rule: `pattern` with the name for each {}, or in the folder that
// `pattern` is NAME.pcap or NAME.pcapng.
Result<std::string> rule_file(const std::string& pattern, const std::string& name,
                              cbpf::SavefileFormat format);

}  // namespace weir::filter
