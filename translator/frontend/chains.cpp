// A text passes from left to right, one level of parentheses after the other. What is not a list
// is copied as it stands.
#include "translator/frontend/chains.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <utility>

#include "translator/frontend/misplaced_list.h"
#include "translator/frontend/sentinels.h"
#include "translator/frontend/tokens.h"

namespace weir::frontend {
namespace {

// libpcap's parser has its own limit; deeper parentheses are copied.
constexpr int kMaxDepth = 200;
// A sentinel is worth its while for so many members.
constexpr std::size_t kFewest = 2;
constexpr std::string_view kNothing = "0 = 1";
constexpr std::string_view kAnything = "len>0";

using Tokens = std::span<const Token>;

// A term of a chain: a member, and the words it is written with.
struct Term {
  Member member;
  Qualifiers qualifiers;
  std::string_view literal;  // Empty: a range that libpcap cannot write.
  bool bare = false;         // The qualifiers are those of a term before.
};

class Shortener {
 public:
  Shortener(std::string_view text, const ChainOptions& options) : text_(text), options_(options) {}

  Result<ShortExpression> run() {
    const std::vector<Token> tokens = tokenize(text_);
    result_.legible = text_;
    if (const Status placed = misplaced_list(tokens, text_); !placed) {
      return tl::make_unexpected(placed.error());
    }
    level(tokens, std::nullopt, 0);
    if (error_) {
      return tl::make_unexpected(*std::move(error_));
    }
    return std::move(result_);
  }

 private:
  using Inherited = std::optional<Qualifiers>;

  // ---- Output ----

  void write(std::string_view text) {
    for (std::string& each : result_.texts) {
      each.append(text);
    }
  }
  void write(Tokens tokens) {
    if (!tokens.empty()) {
      write(text_.substr(tokens.front().begin, tokens.back().end - tokens.front().begin));
    }
  }

  // ---- Levels and terms ----

  // The expression between two parentheses, or the whole.
  void level(Tokens tokens, Inherited inherited, int depth) {
    std::vector<Term> chain;
    bool chained = true;  // Behind the beginning or an `or`.
    while (!tokens.empty() && !error_) {
      const std::size_t length = term_length(tokens);
      const Tokens term = tokens.first(length);
      const bool last = length == tokens.size();
      auto simple = chained ? read_term(term, inherited) : std::nullopt;
      if (simple && (chain.empty() || chain[0].bare <= simple->bare)) {
        inherited = simple->qualifiers;
        chain.push_back(*simple);
      } else {
        if (!chain.empty()) {
          flush(chain, true);
          write(" or ");
        }
        inherited = copy_term(term, inherited, depth);
      }
      if (last) {
        break;
      }
      const Token& separator = tokens[length];
      chained = separator.kind == TokenKind::kOr;
      if (!chained) {
        flush(chain, true);
      }
      if (chain.empty()) {
        write(fmt::format(" {} ", separator.text));
      }
      tokens = tokens.subspan(length + 1);
    }
    flush(chain, false);
  }

  // How many tokens before the next `and` or `or` of this level.
  static std::size_t term_length(Tokens tokens) {
    std::size_t open = 0;
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      if (tokens[i].kind == TokenKind::kOpen) {
        ++open;
      } else if (tokens[i].kind == TokenKind::kClose) {
        open -= open > 0 ? 1 : 0;
      } else if (open == 0 &&
                 (tokens[i].kind == TokenKind::kOr || tokens[i].kind == TokenKind::kAnd)) {
        return i;
      }
    }
    return tokens.size();
  }

  static std::vector<std::string_view> words_of_tokens(Tokens tokens) {
    std::vector<std::string_view> words;
    for (const Token& token : tokens) {
      words.push_back(token.kind == TokenKind::kWord ? token.text : std::string_view("?"));
    }
    return words;
  }

  std::optional<Term> read_term(Tokens term, const Inherited& inherited) const {
    if (term.empty() || term.size() > 4 || term.back().kind != TokenKind::kWord) {
      return std::nullopt;
    }
    const auto qualifiers = parse_qualifiers(words_of_tokens(term.first(term.size() - 1)));
    const bool bare = term.size() == 1;
    if (!qualifiers || (bare && !inherited)) {
      return std::nullopt;
    }
    const Qualifiers& used = bare ? *inherited : *qualifiers;
    const auto member = parse_member(used, term.back().text, options_.link_type);
    if (!member || !has_exact_set(*member)) {
      return std::nullopt;
    }
    if (bare && used.type == "portrange") {
      return std::nullopt;  // A sentinel is one port.
    }
    return Term{*member, used, term.back().text, bare};
  }

  // Of an IPv6 address on either side, the words before the last must be one (chains.h).
  static bool has_exact_set(const Member& member) {
    return !is_on_either_side(member.shape) ||
           member.range.low.without(1) == member.range.high.without(1);
  }

  static bool is_on_either_side(const Shape& shape) {
    return shape.kind == MemberKind::kIpv6 && shape.direction.empty();
  }

  // Writes a term that is no member of a chain. Gives the qualifiers that a bare literal behind it
  // has, where that is known.
  Inherited copy_term(Tokens term, const Inherited& inherited, int depth) {
    if (const auto list = find_list(term)) {
      std::string plain(kAnything);
      const std::size_t length = term.back().end - term.front().begin;
      plain.resize(std::max(plain.size(), length), ' ');
      result_.legible.replace(term.front().begin, length, plain);
      write_list(*list);
      return std::nullopt;
    }
    while (!term.empty()) {
      const auto open = std::find_if(term.begin(), term.end(), [](const Token& token) {
        return token.kind == TokenKind::kOpen;
      });
      const auto before = static_cast<std::size_t>(open - term.begin());
      if (open == term.end()) {
        write(term);
        break;
      }
      write(term.first(before + 1));
      const std::size_t inside = length_inside(term.subspan(before + 1));
      copy_inside(term.subspan(before + 1, inside),
                  qualifiers_before(term.first(before), inherited), depth);
      term = term.subspan(before + 1 + inside);
      if (!term.empty()) {
        write(")");
        term = term.subspan(1);
      }
    }
    return std::nullopt;
  }

  void copy_inside(Tokens inside, const Inherited& inherited, int depth) {
    if (depth >= kMaxDepth) {
      write(inside);
    } else {
      level(inside, inherited, depth + 1);
    }
  }

  // How many tokens before the parenthesis that closes.
  static std::size_t length_inside(Tokens tokens) {
    std::size_t open = 1;
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      open += tokens[i].kind == TokenKind::kOpen ? 1 : 0;
      open -= tokens[i].kind == TokenKind::kClose ? 1 : 0;
      if (open == 0) {
        return i;
      }
    }
    return tokens.size();
  }

  // The qualifiers of bare literals in parentheses: those before, or of the term before.
  static Inherited qualifiers_before(Tokens before, const Inherited& inherited) {
    while (!before.empty() && before.front().kind == TokenKind::kNot) {
      before = before.subspan(1);
    }
    return before.empty() ? inherited : parse_qualifiers(words_of_tokens(before));
  }

  // ---- Files ----

  struct List {
    Tokens before;  // What negates the whole.
    bool negated = false;
    Qualifiers qualifiers;
    Token file;
  };

  // [not] QUALIFIERS [not] in @FILE.
  static std::optional<List> find_list(Tokens term) {
    if (term.size() < 2 || term.back().kind != TokenKind::kFile ||
        term[term.size() - 2].text != "in") {
      return std::nullopt;
    }
    List list{.file = term.back()};
    term = term.first(term.size() - 2);
    if (!term.empty() && term.back().kind == TokenKind::kNot) {
      list.negated = true;
      term = term.first(term.size() - 1);
    }
    while (!term.empty() && term.front().kind == TokenKind::kNot) {
      list.negated = !list.negated;
      term = term.subspan(1);
    }
    const auto qualifiers = parse_qualifiers(words_of_tokens(term));
    if (!qualifiers || (qualifiers->type.empty() && qualifiers->direction.empty())) {
      return std::nullopt;
    }
    list.qualifiers = *qualifiers;
    return list;
  }

  void write_list(const List& list) {
    result_.names_files = true;
    const std::string name(list.file.text);
    auto text = options_.read_file
                    ? options_.read_file(name)
                    : fail(ErrorCode::kUnsupported, "lists from files cannot be read here");
    if (!text) {
      error_ = std::move(text).error();
      return;
    }
    auto members =
        read_members(*text, list.qualifiers,
                     {.name = name, .link_type = options_.link_type, .refusal = options_.refusal});
    if (!members) {
      error_ = std::move(members).error();
      return;
    }
    lists_.push_back(*std::move(members));
    write(list.negated ? "not (" : "(");
    write_members(lists_.back());
    write(")");
  }

  // The `or` of the members, in their order; what is no chain is a term of its own.
  void write_members(const std::vector<ListMember>& members) {
    std::vector<Term> chain;
    bool first = true;
    const auto write_or = [&] {
      write(first ? "" : " or ");
      first = false;
    };
    const auto write_all = [&] {
      if (!chain.empty()) {
        write_or();
        write_chain(chain, Order::kAny, false);
        chain.clear();
      }
    };
    for (const ListMember& each : members) {
      if (each.member) {
        chain.push_back({*each.member, each.qualifiers, each.literal, false});
        continue;
      }
      write_all();
      write_or();
      write(text_of(each.qualifiers) + each.literal);
    }
    write_all();
    if (first) {
      write(kNothing);
    }
  }

  // ---- Chains ----

  // Writes the chain. `followed`: another term comes behind it, which may be bare.
  void flush(std::vector<Term>& chain, bool followed) {
    if (chain.empty()) {
      return;
    }
    if (chain.size() < options_.shortest) {
      for (const Term& term : chain) {
        write_literal(term, &term != &chain.front());
      }
    } else {
      write_chain(chain, Order::kAsWritten, followed);
    }
    chain.clear();
  }

  void write_literal(const Term& term, bool behind) {
    if (behind) {
      write(" or ");
    }
    if (!term.bare) {
      write(text_of(term.qualifiers));
    }
    write(term.literal);
  }

  // What is gathered of one shape.
  using Gathered = std::map<Shape, std::vector<const Term*>>;
  // Terms that have been false once what they begin with has been.
  using Group = std::pair<Shape, ir::Key>;

  // Whether the order decides what becomes of packets that end inside of an IPv6 destination.
  enum class Order : std::uint8_t { kAsWritten, kAny };

  static Group group_of(const Member& member, Order order) {
    const bool by_prefix = order == Order::kAsWritten && is_on_either_side(member.shape);
    return {member.shape, by_prefix ? member.range.low.without(1) : ir::Key{}};
  }

  void write_chain(const std::vector<Term>& chain, Order order, bool followed) {
    if (chain.empty()) {
      return;
    }
    std::set<Group> written;
    Gathered gathered;
    // A bare literal behind the chain takes the last term's qualifiers; a sentinel is a port.
    const bool keep_last = followed && chain.back().qualifiers.type == "portrange";
    bool behind = false;
    const auto write_all = [&](const Shape* last) {
      const auto is_last = [last](const auto& entry) {
        return last != nullptr && entry.first == *last;
      };
      for (const bool now : {false, true}) {
        for (const auto& entry : gathered) {
          if (is_last(entry) == now) {
            write_gathered(entry.second);
          }
        }
      }
      gathered.clear();
    };
    for (const Term& term : chain) {
      const Shape& shape = term.member.shape;
      const bool kept = keep_last && &term == &chain.back();
      if (!kept && written.contains(group_of(term.member, order))) {
        if (may_part(gathered, shape)) {
          write_all(nullptr);
        }
        gathered[shape].push_back(&term);
        continue;
      }
      write_all(nullptr);
      write_literal(term, behind);
      behind = true;
      written.insert(group_of(term.member, order));
      if (!kept && term.member.range.low != term.member.range.high &&
          term.literal.find_first_of("/-") == std::string_view::npos) {
        gathered[shape].push_back(&term);  // Only the first of a range of addresses is written.
      }
    }
    write_all(&chain.back().member.shape);
  }

  // Whether a term of this shape must not come before what is gathered. Terms of a shape that has
  // been false do not end the filter, IPv6 addresses excepted: there one may end it that finds the
  // beginning of its address, where another accepts the packet. IPv4 addresses are of other
  // packets.
  static bool may_part(const Gathered& gathered, const Shape& shape) {
    return std::any_of(gathered.begin(), gathered.end(), [&](const auto& entry) {
      const MemberKind kind = entry.first.kind;
      return entry.first != shape &&
             (kind == MemberKind::kIpv6 || shape.kind == MemberKind::kIpv6) &&
             kind != MemberKind::kIpv4 && shape.kind != MemberKind::kIpv4;
    });
  }

  void write_gathered(const std::vector<const Term*>& terms) {
    Sentinel sentinel{.kind = terms[0]->member.shape.kind};
    const bool chosen = choose_words(sentinel, used_[sentinel.kind]);
    const bool writable = std::all_of(terms.begin(), terms.end(), [](const Term* term) {
      return term->member.range.low == term->member.range.high ||
             term->literal.find_first_of("/-") != std::string_view::npos;
    });
    if (writable && (!chosen || terms.size() < kFewest)) {
      for (const Term* term : terms) {
        write_literal(*term, true);
      }
      return;
    }
    if (!chosen) {
      error_ = Error{ErrorCode::kUnsupported, "the expression names too many lists", {}, {}};
      return;
    }
    ++used_[sentinel.kind];
    write_sentinel(sentinel, *terms.back());
    std::vector<ir::Range> ranges;
    ranges.reserve(terms.size());
    for (const Term* term : terms) {
      ranges.push_back(term->member.range);
    }
    sentinel.set = ir::make_set(words_of(sentinel.kind), std::move(ranges));
    result_.sentinels.push_back(std::move(sentinel));
  }

  void write_sentinel(const Sentinel& sentinel, const Term& like) {
    write(" or ");
    if (!like.bare) {
      Qualifiers qualifiers = like.qualifiers;
      if (sentinel.kind == MemberKind::kPort) {
        qualifiers.type = "port";
      }
      write(text_of(qualifiers));
    }
    for (std::size_t text = 0; text < result_.texts.size(); ++text) {
      result_.texts[text].append(literal_of(sentinel, text));
    }
  }

  std::string_view text_;
  const ChainOptions& options_;
  ShortExpression result_;
  std::optional<Error> error_;
  std::deque<std::vector<ListMember>> lists_;  // Terms point into them.
  std::map<MemberKind, std::size_t> used_;
};

}  // namespace

Result<ShortExpression> shorten(const std::string& expression, const ChainOptions& options) {
  return Shortener(expression, options).run();
}

}  // namespace weir::frontend
