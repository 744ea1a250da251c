#include "translator/frontend/misplaced_list.h"

#include <cstddef>
#include <string>
#include <utility>

namespace weir::frontend {
namespace {

using Tokens = std::span<const Token>;

bool is_side(const Token& token) { return token.text == "src" || token.text == "dst"; }

// Whether the words before the list at `at` begin with "src and dst".
bool is_on_both_sides(Tokens tokens, std::size_t at) {
  while (at > 0 &&
         (tokens[at - 1].kind == TokenKind::kWord || tokens[at - 1].kind == TokenKind::kNot)) {
    --at;
  }
  return at >= 2 && tokens[at - 1].kind == TokenKind::kAnd && is_side(tokens[at]) &&
         is_side(tokens[at - 2]) && tokens[at].text != tokens[at - 2].text;
}

}  // namespace

Status misplaced_list(Tokens tokens, std::string_view text) {
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const Token& token = tokens[i];
    if (token.kind != TokenKind::kFile) {
      continue;
    }
    std::string message;
    if (token.text.empty()) {
      message = "'@' names no file; a list is written @FILE";
    } else if (i == 0 || tokens[i - 1].text != "in") {
      message = "a list comes after 'in', as in 'host in @FILE'";
    } else if (is_on_both_sides(tokens, i)) {
      message =
          "'src and dst' takes no list; packets between members are 'src host in @FILE and dst "
          "host in @FILE'";
    } else {
      continue;
    }
    return fail(ErrorCode::kSyntax, std::move(message), {},
                caret_page(text, token.begin, token.end - token.begin));
  }
  return {};
}

}  // namespace weir::frontend
