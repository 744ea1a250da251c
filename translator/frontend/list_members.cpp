#include "translator/frontend/list_members.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "translator/frontend/list_file.h"
#include "translator/frontend/tokens.h"

namespace weir::frontend {
namespace {

// libpcap's code generator takes time with the square of the number of terms.
constexpr std::size_t kMostTerms = 500;

// "LOW - HIGH" without the blanks.
std::string close_range(std::string_view line) {
  std::string text(line);
  const std::size_t dash = text.find('-');
  if (dash == std::string::npos || line.find_first_of(" \t") == std::string_view::npos) {
    return text;
  }
  const std::size_t high = text.find_first_not_of(" \t", dash + 1);
  const std::size_t low = dash == 0 ? std::string::npos : text.find_last_not_of(" \t", dash - 1);
  if (high == std::string::npos || low == std::string::npos) {
    return text;
  }
  return text.substr(0, low + 1) + "-" + text.substr(high);
}

// The words of libpcap's own that a member stands for.
ListMember known_member(const Member& member, Qualifiers qualifiers, std::string literal) {
  const std::size_t dash = literal.find('-');
  if (member.shape.kind == MemberKind::kPort) {
    qualifiers.type = dash != std::string::npos ? "portrange" : "port";
  } else if (literal.find('/') != std::string::npos) {
    qualifiers.type = "net";
  } else if (dash != std::string::npos && member.shape.kind != MemberKind::kMac) {
    literal.resize(dash);
    qualifiers.type = "host";
  }
  return {member, qualifiers, std::move(literal)};
}

// Whether LOW-HIGH would be a range the other way round.
bool is_backward_range(const Qualifiers& qualifiers, const std::string& literal, int link_type) {
  const std::size_t dash = literal.find('-');
  return dash != std::string::npos &&
         parse_file_member(qualifiers, literal.substr(dash + 1) + "-" + literal.substr(0, dash),
                           link_type)
             .has_value();
}

class Reader {
 public:
  Reader(const Qualifiers& qualifiers, const ListOptions& options)
      : qualifiers_(qualifiers), options_(options) {}

  // Adds the member of a line. The reason why it is none; empty when all is well.
  std::string add(std::string literal) {
    if (const auto member = parse_file_member(qualifiers_, literal, options_.link_type)) {
      members_.push_back(known_member(*member, qualifiers_, std::move(literal)));
      return {};
    }
    if (is_backward_range(qualifiers_, literal, options_.link_type)) {
      return "the range begins after its end";
    }
    return add_term(std::move(literal));
  }

  std::vector<ListMember> take() { return std::move(members_); }

 private:
  // What libpcap takes as one word after the qualifiers is a term; else its sentence is the reason.
  std::string add_term(std::string literal) {
    const std::vector<Token> tokens = tokenize(literal);
    if (tokens.size() != 1 || tokens[0].kind != TokenKind::kWord) {
      return "a line holds one member";
    }
    if (!options_.refusal) {
      return "it is none that is known here";
    }
    if (++terms_ > kMostTerms) {
      return fmt::format("the list has more than {} members that libpcap alone can read",
                         kMostTerms);
    }
    Qualifiers qualifiers = qualifiers_;
    if (qualifiers.type == "host" && literal.find('/') != std::string::npos) {
      qualifiers.type = "net";
    }
    std::string sentence = options_.refusal(text_of(qualifiers) + literal);
    if (sentence.empty()) {
      members_.push_back({std::nullopt, qualifiers, std::move(literal)});
    }
    return sentence;
  }

  const Qualifiers& qualifiers_;
  const ListOptions& options_;
  std::vector<ListMember> members_;
  std::size_t terms_ = 0;
};

}  // namespace

Result<std::vector<ListMember>> read_members(std::string_view text, const Qualifiers& qualifiers,
                                             const ListOptions& options) {
  if (text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff")) {
    return fail(ErrorCode::kSyntax, "the list is UTF-16 text; it must be ASCII or UTF-8",
                {.file = options.name, .line = 1, .column = 1});
  }
  Reader reader(qualifiers, options);
  for (const ListLine& line : read_list(text)) {
    const std::string reason = reader.add(close_range(line.text));
    if (!reason.empty()) {
      return fail(ErrorCode::kSyntax,
                  fmt::format("'{}' is no member of a list of '{}in': {}", line.text,
                              text_of(qualifiers), reason),
                  {.file = options.name, .line = line.line, .column = line.column});
    }
  }
  return reader.take();
}

}  // namespace weir::frontend
