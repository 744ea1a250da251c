#include "translator/frontend/tokens.h"

namespace weir::frontend {
namespace {

constexpr std::string_view kEither = "src or dst";

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("_.:/-$\\").find(c) != std::string_view::npos;
}

class Tokenizer {
 public:
  explicit Tokenizer(std::string_view text) : text_(text) {}

  std::vector<Token> run() {
    while (at_ < text_.size()) {
      if (is_blank(text_[at_])) {
        ++at_;
      } else {
        take();
      }
    }
    return std::move(tokens_);
  }

 private:
  void add(TokenKind kind, std::size_t length) {
    tokens_.push_back({kind, text_.substr(at_, length), at_, at_ + length});
    at_ += length;
  }

  void take() {
    const char c = text_[at_];
    const std::string_view two = text_.substr(at_, 2);
    if (is_word(c)) {
      take_word();
    } else if (c == '@') {
      take_file();
    } else if (c == '(' || c == ')') {
      add(c == '(' ? TokenKind::kOpen : TokenKind::kClose, 1);
    } else if (two == "||" || two == "&&") {
      add(c == '|' ? TokenKind::kOr : TokenKind::kAnd, 2);
    } else if (c == '!' && two != "!=") {
      add(TokenKind::kNot, 1);
    } else {
      add(TokenKind::kOther, two == "!=" ? 2 : 1);
    }
    merge_either();
  }

  void take_word() {
    std::size_t end = at_;
    while (end < text_.size() && is_word(text_[end])) {
      ++end;
    }
    const std::string_view word = text_.substr(at_, end - at_);
    add(word == "or"    ? TokenKind::kOr
        : word == "and" ? TokenKind::kAnd
        : word == "not" ? TokenKind::kNot
                        : TokenKind::kWord,
        word.size());
  }

  // A name ends at a blank or a closing parenthesis.
  void take_file() {
    const std::size_t begin = at_++;
    std::size_t end = at_;
    while (end < text_.size() && !is_blank(text_[end]) && text_[end] != ')') {
      ++end;
    }
    add(TokenKind::kFile, end - at_);
    tokens_.back().begin = begin;
  }

  void merge_either() {
    const std::size_t n = tokens_.size();
    if (n < 3 || tokens_[n - 2].kind != TokenKind::kOr) {
      return;
    }
    const std::string_view first = tokens_[n - 3].text;
    const std::string_view last = tokens_[n - 1].text;
    if ((first == "src" && last == "dst") || (first == "dst" && last == "src")) {
      tokens_[n - 3].text = kEither;
      tokens_[n - 3].end = tokens_[n - 1].end;
      tokens_.resize(n - 2);
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokenize(std::string_view text) { return Tokenizer(text).run(); }

}  // namespace weir::frontend
