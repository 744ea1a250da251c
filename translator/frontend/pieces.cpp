#include "translator/frontend/pieces.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "translator/frontend/member.h"
#include "translator/frontend/tokens.h"

namespace weir::frontend {
namespace {

using cbpf::Instruction;

// Of each piece; shorter expressions are one.
constexpr std::size_t kTerms = 64;
// Behind these, terms are about what is inside of the packet.
constexpr std::array<std::string_view, 5> kInside = {"vlan", "mpls", "pppoed", "pppoes", "geneve"};

// A term that means the same whatever stands before it: qualifiers and a literal.
bool is_simple(const std::vector<Token>& tokens, std::size_t first, std::size_t end) {
  if (end - first < 2 || end - first > 4) {
    return false;
  }
  std::vector<std::string_view> words;
  for (std::size_t i = first; i < end; ++i) {
    if (tokens[i].kind != TokenKind::kWord) {
      return false;
    }
    words.push_back(tokens[i].text);
  }
  words.pop_back();
  const auto qualifiers = parse_qualifiers(words);
  return qualifiers && !(qualifiers->type.empty() && qualifiers->direction.empty());
}

// The pieces of the expression; only one where it is not to be divided.
std::vector<std::string> divide(const std::string& expression) {
  const std::vector<Token> tokens = tokenize(expression);
  std::vector<std::size_t> separators;  // Each `or` of the chain at the end.
  std::size_t open = 0;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const Token& token = tokens[i];
    if (std::find(kInside.begin(), kInside.end(), token.text) != kInside.end()) {
      return {expression};
    }
    if (token.kind == TokenKind::kOpen) {
      ++open;
    } else if (token.kind == TokenKind::kClose) {
      open -= open > 0 ? 1 : 0;
    } else if (open == 0 && token.kind == TokenKind::kAnd) {
      separators.clear();  // It binds no tighter than `or`.
    } else if (open == 0 && token.kind == TokenKind::kOr) {
      separators.push_back(i);
    }
  }
  std::vector<std::string> pieces;
  std::size_t begin = 0;
  std::size_t terms = 0;
  for (std::size_t i = 0; i < separators.size(); ++i) {
    const std::size_t end = i + 1 < separators.size() ? separators[i + 1] : tokens.size();
    if (++terms >= kTerms && is_simple(tokens, separators[i] + 1, end)) {
      const Token& separator = tokens[separators[i]];
      pieces.push_back(expression.substr(begin, separator.begin - begin));
      begin = separator.end;
      terms = 0;
    }
  }
  pieces.push_back(expression.substr(begin));
  return pieces;
}

}  // namespace

Result<cbpf::Program> compile_in_pieces(const std::string& expression,
                                        const cbpf::CompileOptions& options) {
  const auto pieces = options.optimize || options.snaplen == 0
                          ? std::vector<std::string>{expression}
                          : divide(expression);
  cbpf::Program all;
  for (const std::string& piece : pieces) {
    auto program = cbpf::compile(piece, options);
    if (!program || pieces.size() == 1) {
      return pieces.size() == 1 ? std::move(program) : cbpf::compile(expression, options);
    }
    const bool last = &piece == &pieces.back();
    const std::size_t size = program->instructions.size();
    for (std::size_t at = 0; at < size; ++at) {
      Instruction i = program->instructions[at];
      if (!last && i == Instruction{cbpf::kRet | cbpf::kK, 0, 0, 0}) {
        i = {cbpf::kJmp | cbpf::kJa, 0, 0, static_cast<std::uint32_t>(size - at - 1)};
      }
      all.instructions.push_back(i);
    }
  }
  return all;
}

}  // namespace weir::frontend
