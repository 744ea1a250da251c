// The members of a list in a file: each line is parsed, or refused with its reason and place.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cbpf/base/result.h"
#include "translator/frontend/member.h"

namespace weir::frontend {

// libpcap's sentence about an expression; empty where it takes it.
using Refusal = std::function<std::string(const std::string& expression)>;

struct ListMember {
  // Nothing for what libpcap takes in this place and is not known here to be a comparison of one
  // value (a name, "10.1" for a net): it is a term of its own.
  std::optional<Member> member;
  // The words that libpcap takes for it. `literal` is only the first of a range of addresses.
  Qualifiers qualifiers;
  std::string literal;
};

struct ListOptions {
  std::string name;   // The file's, for errors.
  int link_type = 1;  // A DLT_* number.
  Refusal refusal;    // May be empty: then what is not parsed is an error.
};

// O(n), but for members that libpcap must read: an expression is compiled for each of them, and a
// list has at most 500. kSyntax with the file's name, line and column.
Result<std::vector<ListMember>> read_members(std::string_view text, const Qualifiers& qualifiers,
                                             const ListOptions& options);

}  // namespace weir::frontend
