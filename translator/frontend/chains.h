// Takes the long lists out of an expression: `or` chains of terms that compare one value, and
// `host in @FILE`. What is left is short enough for libpcap, whose code generator is quadratic.
//
// In a chain, the first term of each shape stays: once it has been false, all that terms of this
// shape load is known to be there. The others of the shape become one term with a sentinel in the
// place of the literal. Before the first term of another shape what has been gathered must be asked
// for, as that term may end the filter for a short packet, where libpcap's code would have accepted
// it before:
//
//   src host A or src host B or dst host C or src host D or dst host E
//   src host A or src host S1 or dst host C or src host S2 or dst host S3    {B} {D} {E}
//
// IPv6 addresses are loaded word by word, so their terms may end the filter even so; theirs are not
// gathered past terms of another shape. With `host`, the source is asked for first, then the
// destination: a packet that is cut off inside of its destination is accepted if its source is a
// member, unless an earlier member begins as the destination does as far as that goes; then that
// term has ended the filter. So the first of each /96 stays. What has it in common with one that
// stayed finds no such packet any more, and in what order such members are asked for is the same.
// Addresses that share no /96 do not become a set; a list in a file does, as it has no order.
//
// The code for a sentinel is found by compiling twice, with two numbers for each sentinel (see
// compile.h).
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "cbpf/base/result.h"
#include "translator/frontend/list_members.h"
#include "translator/frontend/member.h"
#include "translator/ir/set.h"

namespace weir::frontend {

// Gives the text of a file that an expression names.
using ReadFile = std::function<Result<std::string>(const std::string& name)>;

struct ChainOptions {
  int link_type = 1;          // A DLT_* number.
  std::size_t shortest = 16;  // Chains of fewer terms pass as they are.
  ReadFile read_file;         // Without it, files are errors.
  Refusal refusal;            // What libpcap says of a member that is not known here.
};

// A term whose literal is a sentinel.
struct Sentinel {
  MemberKind kind = MemberKind::kIpv4;
  ir::Set set;
  // The numbers that stand for it in the two texts, one for each word of a key.
  std::array<std::array<std::uint32_t, ir::kMaxWords>, 2> words{};
};

struct ShortExpression {
  std::array<std::string, 2> texts;  // They differ in the sentinels' numbers only.
  std::vector<Sentinel> sentinels;
  bool names_files = false;
  // The expression as it was written, with a plain term of the same length for each list in a file:
  // where libpcap finds fault with it, it stands in the expression too.
  std::string legible;
};

// O(n log n). kSyntax with line and column for a member of a file that is none, with a caret page
// for
// `@` where no list can be, the errors of read_file for a file that cannot be read; another
// expression that is wrong passes, for libpcap to say so.
Result<ShortExpression> shorten(const std::string& expression, const ChainOptions& options);

}  // namespace weir::frontend
