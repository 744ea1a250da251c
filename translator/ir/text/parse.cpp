// The parser of the IR's text form: recursive descent, one function a rule of the grammar.
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <unordered_map>
#include <utility>

#include "cbpf/compile.h"
#include "translator/ir/builder.h"
#include "translator/ir/names.h"
#include "translator/ir/text/lexer.h"
#include "translator/ir/text/text.h"

namespace weir::ir {
namespace {

// The number behind a name such as v12 or b3.
std::optional<std::uint32_t> name_number(const Token& token, char letter) {
  if (token.kind != TokenKind::kWord || token.text.size() < 2 || token.text[0] != letter ||
      token.text[1] < '0' || token.text[1] > '9') {
    return std::nullopt;
  }
  const std::string_view digits = token.text.substr(1);
  return digits.starts_with("0x") ? std::nullopt : parse_number(digits);
}

// The first error stays; from then on every token is the end of the text, so that the rules unwind
// by themselves.
class Parser {
 public:
  explicit Parser(std::string_view text) : lexer_(text), builder_(function_) { advance(); }

  Result<Function> run() {
    expect_word("function");
    parse_link_type();
    expect("{");
    while (ok() && name_number(token_, 's')) {
      parse_set();
    }
    while (ok() && !is("}")) {
      parse_block();
    }
    expect("}");
    if (ok() && token_.kind != TokenKind::kEnd) {
      expected("the end of the text");
    }
    resolve_blocks();
    check_values_defined();
    if (error_) {
      return tl::make_unexpected(*std::move(error_));
    }
    return std::move(function_);
  }

 private:
  struct Name {
    std::uint32_t id = 0;
    bool defined = false;
    Place first_use;
  };

  // Tokens.
  bool ok() const { return !error_.has_value(); }
  void advance() { token_ = ok() ? lexer_.next() : Token{}; }
  bool is(std::string_view sign) const {
    return token_.kind == TokenKind::kSign && token_.text == sign;
  }
  bool is_word(std::string_view word) const {
    return token_.kind == TokenKind::kWord && token_.text == word;
  }
  void error_at(const Place& place, std::string message) {
    if (ok()) {
      error_ = Error{ErrorCode::kSyntax, std::move(message), place, {}};
      token_ = Token{};
    }
  }
  void expected(std::string_view what) {
    const std::string found = token_.kind == TokenKind::kEnd ? std::string("the end of the text")
                                                             : fmt::format("'{}'", token_.text);
    error_at(token_.place, fmt::format("expected {}, found {}", what, found));
  }
  void expect(std::string_view sign) {
    if (!is(sign)) {
      expected(fmt::format("'{}'", sign));
    }
    advance();
  }
  bool accept(std::string_view sign) {
    const bool found = is(sign);
    if (found) {
      advance();
    }
    return found;
  }
  void expect_word(std::string_view word) {
    if (!is_word(word)) {
      expected(fmt::format("'{}'", word));
    }
    advance();
  }
  std::uint32_t parse_number_token() {
    if (token_.kind != TokenKind::kNumber) {
      expected("a number below 2^32");
    }
    const std::uint32_t number = token_.number;
    advance();
    return number;
  }

  void parse_link_type() {
    const Token name = token_;
    if (name.kind != TokenKind::kWord) {
      expected("a link type");
    }
    advance();
    if (name.text == "DLT") {
      function_.link_type = static_cast<int>(parse_number_token());
    } else if (const auto number = cbpf::link_type_by_name(std::string(name.text))) {
      function_.link_type = *number;
    } else {
      error_at(name.place, fmt::format("unknown link type '{}'", name.text));
    }
  }

  // Sets stand in order, so their names are their places.
  void parse_set() {
    if (name_number(token_, 's') != function_.sets.size()) {
      expected(fmt::format("s{}", function_.sets.size()));
    }
    advance();
    expect("=");
    expect_word("set");
    if (token_.kind != TokenKind::kNumber || token_.number < 1 || token_.number > kMaxWords) {
      expected("a number of words from 1 to 4");
    }
    Set set{.words = static_cast<std::uint8_t>(token_.number & 7)};
    advance();
    expect("{");
    while (ok() && !is("}")) {
      Range range;
      range.low = parse_key(set.words);
      range.high = accept("..") ? parse_key(set.words) : range.low;
      set.ranges.push_back(range);
      if (!is("}")) {
        expect(",");
      }
    }
    expect("}");
    function_.sets.push_back(std::move(set));
  }

  Key parse_key(std::uint32_t words) {
    Key key = Key::of(parse_number_token());
    for (std::uint32_t i = 1; i < words && ok(); ++i) {
      expect(":");
      key = key.append(parse_number_token());
    }
    return key;
  }

  // Names.
  Name& value_name(std::uint32_t number) {
    const auto [it, added] = values_.try_emplace(number);
    if (added) {
      it->second.id = builder_.add_value({.op = Op::kParameter});
      it->second.first_use = token_.place;
    }
    return it->second;
  }

  // The value that the present token names, to be defined here.
  ValueId parse_definition() {
    const auto number = name_number(token_, 'v');
    if (!number) {
      expected("a value such as v0");
      return kNoValue;
    }
    Name& name = value_name(*number);
    if (name.defined) {
      error_at(token_.place, fmt::format("v{} is defined twice", *number));
    }
    name.defined = true;
    advance();
    return name.id;
  }

  ValueId parse_operand() {
    if (token_.kind == TokenKind::kNumber) {
      return builder_.constant(parse_number_token());
    }
    const auto number = name_number(token_, 'v');
    if (!number) {
      expected("a value or a number");
      return kNoValue;
    }
    const ValueId id = value_name(*number).id;
    advance();
    return id;
  }

  // Blocks are named before they stand; until resolve_blocks() an edge holds the index of the name.
  std::uint32_t label(std::uint32_t number) {
    const auto [it, added] =
        labels_.try_emplace(number, static_cast<std::uint32_t>(label_names_.size()));
    if (added) {
      label_names_.push_back({.first_use = token_.place});
      label_numbers_.push_back(number);
    }
    return it->second;
  }

  Edge parse_edge() {
    Edge edge;
    const auto number = name_number(token_, 'b');
    if (!number) {
      expected("a block such as b1");
      return edge;
    }
    edge.to = label(*number);
    advance();
    if (accept("(")) {
      do {
        edge.arguments.push_back(parse_operand());
      } while (accept(","));
      expect(")");
    }
    return edge;
  }

  void parse_block() {
    const auto number = name_number(token_, 'b');
    if (!number) {
      expected("a block such as b0");
      return;
    }
    block_ = builder_.add_block();
    Name& name = label_names_[label(*number)];
    if (name.defined) {
      error_at(token_.place, fmt::format("b{} is defined twice", *number));
    }
    name.defined = true;
    name.id = block_;
    advance();
    if (accept("(")) {
      do {
        function_.blocks[block_].parameters.push_back(parse_definition());
      } while (accept(","));
      expect(")");
    }
    expect(":");
    while (ok() && !parse_terminator()) {
      parse_body_line();
    }
  }

  // Sets a and k of a place: `14` or `v3 + 16`.
  void parse_place(Value& value) {
    const Token first = token_;
    const ValueId operand = parse_operand_of_place();
    if (accept("+")) {
      value.a = first.kind == TokenKind::kNumber ? builder_.constant(first.number) : operand;
      value.k = parse_number_token();
    } else if (first.kind == TokenKind::kNumber) {
      value.k = first.number;
    } else {
      expected("'+'");
    }
  }

  // A number may turn out to be the constant part, which must not become a value of its own.
  ValueId parse_operand_of_place() {
    if (token_.kind == TokenKind::kNumber) {
      advance();
      return kNoValue;
    }
    return parse_operand();
  }

  void parse_body_line() {
    if (is_word("need")) {
      advance();
      Value value{.op = Op::kNeed};
      parse_place(value);
      builder_.append(block_, value);
    } else if (is_word("guard")) {
      advance();
      builder_.guard(block_, parse_operand());
    } else if (name_number(token_, 'v')) {
      const ValueId id = parse_definition();
      expect("=");
      const Value value = parse_value();
      if (ok()) {
        function_.values[id] = value;
        function_.blocks[block_].body.push_back(id);
      }
    } else {
      expected("a value, an effect or a terminator");
    }
  }

  Value parse_value() {
    const Token name = token_;
    if (name.kind != TokenKind::kWord) {
      expected("an operation");
      return {};
    }
    advance();
    if (name.text == "length") {
      return {.op = Op::kLength};
    }
    if (name.text == "ancillary") {
      return parse_ancillary();
    }
    if (name.text == "load") {
      return parse_load();
    }
    if (name.text == "has") {
      Value value{.op = Op::kHas};
      parse_place(value);
      return value;
    }
    if (name.text == "loop_state") {
      const std::uint32_t word = parse_number_token();
      return {.op = Op::kLoopState, .k = word};
    }
    if (name.text == "in") {
      return parse_set_test();
    }
    if (name.text == "join") {
      return parse_join();
    }
    const auto op = arithmetic_by_name(name.text);
    if (!op) {
      error_at(name.place, fmt::format("unknown operation '{}'", name.text));
      return {};
    }
    Value value{.op = *op, .a = parse_operand()};
    if (*op != Op::kNeg) {
      expect(",");
      value.b = parse_operand();
    }
    return value;
  }

  Value parse_ancillary() {
    const auto extension = extension_by_name(token_.text);
    if (token_.kind != TokenKind::kWord || !extension) {
      expected("the name of an extension");
      return {};
    }
    advance();
    return {.op = Op::kAncillary, .k = static_cast<std::uint32_t>(*extension)};
  }

  Value parse_set_test() {
    const auto set = name_number(token_, 's');
    if (!set || *set >= function_.sets.size()) {
      expected("a set that stands above, such as s0");
      return {};
    }
    advance();
    expect(",");
    return {.op = Op::kIn, .k = *set, .a = parse_operand()};
  }

  // The width is not written: it is one more than that of the first operand, which stands above.
  Value parse_join() {
    Value value{.op = Op::kJoin, .width = 2, .a = parse_operand()};
    if (ok() && function_.values[value.a].op == Op::kJoin) {
      value.width = static_cast<std::uint8_t>(function_.values[value.a].width + 1);
    }
    expect(",");
    value.b = parse_operand();
    return value;
  }

  Value parse_load() {
    const Token width = token_;
    Value value{.op = Op::kLoad, .width = static_cast<std::uint8_t>(parse_number_token() & 7)};
    if (ok() && width.number != 1 && width.number != 2 && width.number != 4) {
      error_at(width.place, "a load is 1, 2 or 4 bytes wide");
    }
    expect("[");
    parse_place(value);
    expect("]");
    return value;
  }

  // Whether a terminator stood here.
  bool parse_terminator() {
    Terminator& end = function_.blocks[block_].terminator;
    if (is_word("return")) {
      advance();
      end.end = End::kReturn;
      end.a = parse_operand();
    } else if (is_word("jump")) {
      advance();
      end.end = End::kJump;
      end.edges.push_back(parse_edge());
    } else if (is_word("branch")) {
      parse_branch(end);
    } else if (is_word("switch")) {
      parse_switch(end);
    } else if (is_word("repeat")) {
      parse_repeat(end);
    } else {
      return false;
    }
    return true;
  }

  void parse_repeat(Terminator& end) {
    advance();
    end.end = End::kRepeat;
    expect("(");
    do {
      end.state.push_back(parse_operand());
    } while (accept(","));
    expect(")");
    function_.loop_words =
        std::max(function_.loop_words, static_cast<std::uint32_t>(end.state.size()));
  }

  void parse_branch(Terminator& end) {
    advance();
    const auto compare = compare_by_name(token_.text);
    if (token_.kind != TokenKind::kWord || !compare) {
      expected("a comparison");
      return;
    }
    advance();
    end.end = End::kBranch;
    end.compare = *compare;
    end.a = parse_operand();
    expect(",");
    end.b = parse_operand();
    expect("?");
    end.edges.push_back(parse_edge());
    expect(":");
    end.edges.push_back(parse_edge());
  }

  void parse_switch(Terminator& end) {
    advance();
    end.end = End::kSwitch;
    end.a = parse_operand();
    end.edges.emplace_back();
    expect("{");
    while (ok() && !is_word("else")) {
      Case range;
      range.low = parse_number_token();
      range.high = accept("..") ? parse_number_token() : range.low;
      expect("=>");
      range.edge = intern_edge(end, parse_edge());
      expect(",");
      end.cases.push_back(range);
    }
    expect_word("else");
    expect("=>");
    end.edges[0] = parse_edge();
    expect("}");
  }

  // Cases that go the same way share one edge, as those of a set do.
  static std::uint32_t intern_edge(Terminator& end, Edge edge) {
    const auto same = [&edge](const Edge& other) {
      return other.to == edge.to && other.arguments == edge.arguments;
    };
    const auto found = std::find_if(end.edges.begin() + 1, end.edges.end(), same);
    const auto index = static_cast<std::uint32_t>(found - end.edges.begin());
    if (found == end.edges.end()) {
      end.edges.push_back(std::move(edge));
    }
    return index;
  }

  void resolve_blocks() {
    for (std::size_t i = 0; i < label_names_.size() && ok(); ++i) {
      if (!label_names_[i].defined) {
        error_at(label_names_[i].first_use, fmt::format("b{} is never defined", label_numbers_[i]));
      }
    }
    if (!ok()) {
      return;
    }
    for (Block& block : function_.blocks) {
      for (Edge& edge : block.terminator.edges) {
        edge.to = label_names_[edge.to].id;
      }
    }
  }

  void check_values_defined() {
    const std::pair<const std::uint32_t, Name>* first = nullptr;
    for (const auto& entry : values_) {
      if (!entry.second.defined && (first == nullptr || entry.second.id < first->second.id)) {
        first = &entry;
      }
    }
    if (first != nullptr) {
      error_at(first->second.first_use, fmt::format("v{} is never defined", first->first));
    }
  }

  Lexer lexer_;
  Token token_;
  std::optional<Error> error_;
  Function function_;
  FunctionBuilder builder_;
  BlockId block_ = 0;
  std::unordered_map<std::uint32_t, Name> values_;
  std::unordered_map<std::uint32_t, std::uint32_t> labels_;
  std::vector<Name> label_names_;
  std::vector<std::uint32_t> label_numbers_;
};

}  // namespace

Result<Function> parse(std::string_view text) { return Parser(text).run(); }

}  // namespace weir::ir
