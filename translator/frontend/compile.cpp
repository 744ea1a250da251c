// The code of a sentinel is found by compiling twice with different numbers: where the programs
// differ, and nowhere else, they compare with a sentinel.
#include "translator/frontend/compile.h"

#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "cbpf/validate.h"
#include "translator/frontend/pieces.h"

namespace weir::frontend {
namespace {

using cbpf::Instruction;

// A word of a sentinel.
struct Word {
  std::size_t sentinel = 0;
  std::uint32_t word = 0;
};

class Finder {
 public:
  explicit Finder(ShortExpression& expression) : sentinels_(expression.sentinels) {
    for (std::size_t i = 0; i < sentinels_.size(); ++i) {
      const Sentinel& sentinel = sentinels_[i];
      for (std::uint32_t word = 0; word < words_of(sentinel.kind); ++word) {
        words_[{sentinel.words[0][word], sentinel.words[1][word]}] = {i, word};
      }
    }
    terms_.resize(sentinels_.size());
    found_.resize(sentinels_.size());
  }

  // Nothing when the programs differ elsewhere.
  std::optional<ir::SetTests> run(const cbpf::Program& first, const cbpf::Program& second) {
    const std::vector<Instruction>& a = first.instructions;
    const std::vector<Instruction>& b = second.instructions;
    if (a.size() != b.size()) {
      return std::nullopt;
    }
    add_sets();
    for (std::uint32_t at = 0; at < a.size(); ++at) {
      if (a[at] != b[at] && !add_test(at, a[at], b[at])) {
        return std::nullopt;
      }
    }
    for (std::size_t i = 0; i < sentinels_.size(); ++i) {
      if (!found_[i] || !terms_[i].empty()) {
        return std::nullopt;
      }
    }
    return std::move(tests_);
  }

 private:
  // A set for each word: of what the members begin with, up to that word. An IPv6 packet may be cut
  // off behind a word, and libpcap's code comes to the next one only where those before it fit; the
  // bytes of a MAC address that are loaded second come first in the packet.
  void add_sets() {
    for (Sentinel& sentinel : sentinels_) {
      first_set_.push_back(static_cast<std::uint32_t>(tests_.sets.size()));
      if (sentinel.kind == MemberKind::kIpv6) {
        for (std::uint8_t words = 1; words < ir::kMaxWords; ++words) {
          tests_.sets.push_back(ir::prefixes(sentinel.set, words));
        }
      }
      tests_.sets.push_back(std::move(sentinel.set));
    }
  }

  bool add_test(std::uint32_t at, const Instruction& a, const Instruction& b) {
    const bool same = a.code == b.code && a.jt == b.jt && a.jf == b.jf;
    const auto found = words_.find({a.k, b.k});
    if (!same || a.code != (cbpf::kJmp | cbpf::kJeq | cbpf::kK) || found == words_.end()) {
      return false;
    }
    const auto [index, word] = found->second;
    std::vector<std::uint32_t>& term = terms_[index];
    if (word != term.size()) {
      return false;
    }
    const Sentinel& sentinel = sentinels_[index];
    const bool last = word + 1 == words_of(sentinel.kind);
    const bool prefixes = sentinel.kind == MemberKind::kIpv6;
    tests_.tests.push_back({.instruction = at,
                            .set = first_set_[index] + (prefixes ? word : 0),
                            .before = term,
                            .always = !last && !prefixes});
    term.push_back(at);
    if (last) {
      term.clear();
      found_[index] = true;
    }
    return true;
  }

  std::vector<Sentinel>& sentinels_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, Word> words_;
  ir::SetTests tests_;
  std::vector<std::uint32_t> first_set_;           // By sentinel.
  std::vector<std::vector<std::uint32_t>> terms_;  // By sentinel: the tests of an unfinished key.
  std::vector<bool> found_;                        // By sentinel.
};

// What libpcap says of an expression with lists from files, of whose short form it has said
// `error`: the sentence and, where the lists are not to blame, the caret under the words as they
// stand in the expression.
Error as_written(const std::string& expression, const std::string& legible,
                 const cbpf::CompileOptions& options, Error error) {
  const auto plain = cbpf::compile(legible, options);
  if (plain) {
    error.detail.clear();
    return error;
  }
  error = plain.error();
  const std::size_t caret = error.detail.find('\n');
  const std::size_t line = legible.find(error.detail.substr(0, caret));
  if (caret == std::string::npos || line == std::string::npos) {
    error.detail.clear();
  } else {
    error.detail.replace(0, caret, expression.substr(line, caret));
  }
  return error;
}

Result<CompiledExpression> compile_as_given(const std::string& expression,
                                            const ExpressionOptions& options) {
  cbpf::CompileOptions plain = options.compile;
  plain.optimize = false;
  const auto whole = [&]() -> Result<CompiledExpression> {
    auto program = compile_in_pieces(expression, options.compile);
    if (!program) {
      return tl::make_unexpected(std::move(program).error());
    }
    return CompiledExpression{.program = *std::move(program)};
  };
  auto shortened = shorten(expression, {.link_type = plain.link_type,
                                        .shortest = options.shortest_chain,
                                        .read_file = options.read_file,
                                        .refusal = [&plain](const std::string& term) {
                                          const auto program = cbpf::compile(term, plain);
                                          return program ? std::string() : program.error().message;
                                        }});
  if (!shortened) {
    return tl::make_unexpected(std::move(shortened).error());
  }
  const bool as_it_is = shortened->sentinels.empty() || options.compile.optimize;
  if (as_it_is && !shortened->names_files) {
    return whole();
  }
  auto first = compile_in_pieces(shortened->texts[0], plain);
  auto second = compile_in_pieces(shortened->texts[1], plain);
  if (!first || !second) {
    // libpcap's sentence about the expression as it was written.
    return shortened->names_files
               ? tl::make_unexpected(as_written(expression, shortened->legible, plain,
                                                first ? second.error() : first.error()))
               : whole();
  }
  auto tests = Finder(*shortened).run(*first, *second);
  if (!tests) {
    if (!shortened->names_files) {
      return whole();
    }
    return fail(ErrorCode::kUnsupported, "libpcap has no code for a list here");
  }
  return CompiledExpression{.program = *std::move(first), .tests = *std::move(tests)};
}

}  // namespace

Result<CompiledExpression> compile(const std::string& expression,
                                   const ExpressionOptions& options) {
  auto compiled = compile_as_given(expression, options);
  if (compiled) {
    const std::uint32_t before = cbpf::initialize_scratch(compiled->program);
    for (ir::SetTest& test : compiled->tests.tests) {
      test.instruction += before;
      for (std::uint32_t& earlier : test.before) {
        earlier += before;
      }
    }
  }
  return compiled;
}

}  // namespace weir::frontend
