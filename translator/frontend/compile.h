// ValueClasses with lists: libpcap's program for the short expression, and the sets beside it.
#pragma once

#include <string>

#include "cbpf/base/result.h"
#include "cbpf/compile.h"
#include "cbpf/program.h"
#include "translator/frontend/chains.h"
#include "translator/ir/build/set_tests.h"

namespace weir::frontend {

// A program for ir::build(). Where `tests` is not empty the program alone means nothing. Words of
// M[] that libpcap's program would read without having written them are set to 0 at its beginning.
struct CompiledExpression {
  cbpf::Program program;
  ir::SetTests tests;
};

struct ExpressionOptions {
  // With `optimize` an expression passes as it is, unless it names files: libpcap's optimiser knows
  // no sets.
  cbpf::CompileOptions compile;
  std::size_t shortest_chain = 16;
  ReadFile read_file;
};

// Compiles an expression of libpcap's language, in which beside its terms there may be
//
//   [not] [PROTOCOL] [src|dst] host|net|port|portrange|proto [not] in @FILE
//
// with one member a line in FILE: addresses, nets (ADDRESS/BITS), ports, LOW-HIGH of either, and
// what else libpcap takes there; '#' or ';' begins a comment. It means the `or` of its members in
// parentheses, in their order; an empty list holds nothing. Only where a packet is cut off inside
// of its IPv6 destination does it differ: a source in the list is then enough, whatever the order.
//
// The meaning is that of libpcap's program for the whole expression, short packets included. O(n
// log n) for members; libpcap has the rest. Errors are those of cbpf::compile() and shorten().
Result<CompiledExpression> compile(const std::string& expression,
                                   const ExpressionOptions& options = {});

}  // namespace weir::frontend
