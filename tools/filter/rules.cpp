#include "tools/filter/rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

namespace weir::filter {
namespace {

constexpr std::string_view kBlanks = " \t\r";
constexpr std::string_view kNameLetters =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

// One line that is neither empty nor a remark; `begin` is where its name begins.
Result<Rule> read_rule(std::string_view line, std::size_t begin, Place place) {
  const std::size_t end = std::min(line.find_first_of(kBlanks, begin), line.size());
  Rule rule{.name = std::string(line.substr(begin, end - begin)),
            .expression = {},
            .line = place.line,
            .column = static_cast<std::uint32_t>(end + 1)};
  const std::size_t odd = rule.name.find_first_not_of(kNameLetters);
  if (odd != std::string::npos || rule.name.front() == '.' || rule.name.front() == '-') {
    place.column += static_cast<std::uint32_t>(odd == std::string::npos ? 0 : odd);
    return fail(ErrorCode::kSyntax,
                fmt::format("'{}' is no name of a rule: letters, digits, '_', and behind the first "
                            "'.' and '-'",
                            rule.name),
                std::move(place));
  }
  const std::size_t expression = line.find_first_not_of(kBlanks, end);
  if (expression != std::string_view::npos) {
    rule.column = static_cast<std::uint32_t>(expression + 1);
    rule.expression = line.substr(expression, line.find_last_not_of(kBlanks) + 1 - expression);
  }
  return rule;
}

}  // namespace

Result<std::vector<Rule>> read_rules(std::string_view text, const std::string& file) {
  std::vector<Rule> rules;
  std::set<std::string> names;
  Place place{.file = file};
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++place.line;
    const std::size_t begin = line.find_first_not_of(kBlanks);
    if (begin == std::string_view::npos || line[begin] == '#') {
      continue;
    }
    place.column = static_cast<std::uint32_t>(begin + 1);
    auto rule = read_rule(line, begin, place);
    if (!rule) {
      return tl::make_unexpected(std::move(rule.error()));
    }
    if (!names.insert(rule->name).second) {
      return fail(ErrorCode::kSyntax, fmt::format("a second rule is named '{}'", rule->name),
                  place);
    }
    rules.push_back(std::move(*rule));
  }
  if (rules.empty()) {
    return fail(ErrorCode::kSyntax, "there is no rule in it", {.file = file});
  }
  return rules;
}

Error at_rule(Error error, const Rule& rule, const std::string& file) {
  // An error of a list that the expression names has a place of its own.
  if (error.place.file.empty()) {
    std::uint32_t into = error.place.column == 0 ? 0 : error.place.column - 1;
    if (const std::size_t caret = error.detail.find('^'); into == 0 && caret != std::string::npos) {
      // Of an expression libpcap refuses, only the caret page tells where; its caret stands below.
      into = static_cast<std::uint32_t>(caret - (error.detail.rfind('\n', caret) + 1));
    }
    error.place = {.file = file, .line = rule.line, .column = rule.column + into};
  } else {
    error.message = fmt::format("{} (in the rule '{}')", error.message, rule.name);
  }
  return error;
}

Result<std::string> rule_file(const std::string& pattern, const std::string& name,
                              cbpf::SavefileFormat format) {
  std::string file = pattern;
  std::size_t at = file.find("{}");
  if (at == std::string::npos) {
    std::error_code ignored;
    if (!std::filesystem::is_directory(pattern, ignored)) {
      return fail(ErrorCode::kUsage,
                  "with --split, -w names a folder or has {} where the rule's name belongs",
                  {.file = pattern});
    }
    const char* const extension = format == cbpf::SavefileFormat::kPcapng ? "pcapng" : "pcap";
    return (std::filesystem::path(pattern) / fmt::format("{}.{}", name, extension)).string();
  }
  for (; at != std::string::npos; at = file.find("{}", at + name.size())) {
    file.replace(at, 2, name);
  }
  return file;
}

}  // namespace weir::filter
