// Lists in places where none can be: `host @FILE`, `in @`, `src and dst host in @FILE`.
#pragma once

#include <span>
#include <string_view>

#include "cbpf/base/result.h"
#include "translator/frontend/tokens.h"

namespace weir::frontend {

// kSyntax with a caret page for the first of them. O(n). `text` is
// what the tokens point into.
Status misplaced_list(std::span<const Token> tokens, std::string_view text);

}  // namespace weir::frontend
