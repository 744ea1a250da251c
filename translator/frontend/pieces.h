// Long expressions, a piece after the other.
#pragma once

#include <string>

#include "cbpf/base/result.h"
#include "cbpf/compile.h"
#include "cbpf/program.h"

namespace weir::frontend {

// What cbpf::compile() gives, and errors are the same. libpcap's code generator takes time with the
// square of the number of terms; so an expression that ends in a long chain, `E or term or term
// ...` with simple terms (QUALIFIERS LITERAL), is compiled in pieces where its optimiser is not
// asked for. What the programs of the pieces reject goes on in the next one. Loads past the
// packet's end end the filter in either form, so the meaning is the same.
//
// Not where a word stands in it that changes what the terms behind it are about (`vlan`). O(n) for
// the terms of the chain.
Result<cbpf::Program> compile_in_pieces(const std::string& expression,
                                        const cbpf::CompileOptions& options);

}  // namespace weir::frontend
