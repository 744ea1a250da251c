// Extended programs as lines of text, to bring them from a test on this machine to one on another.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "cbpf/base/result.h"
#include "translator/ebpf/program.h"

namespace weir::jit {

struct NamedProgram {
  std::string name;
  ebpf::Program program;
};

// A program is a line "code", the slots in hexadecimal and the name; before it a line "data" with
// the bytes in hexadecimal for each of its maps, which are read-only data.
void write_programs(std::ostream& out, const std::vector<NamedProgram>& programs);

// kSyntax when a line is anything else, the errors of decoding otherwise.
Result<std::vector<NamedProgram>> read_programs(std::istream& in);

}  // namespace weir::jit
