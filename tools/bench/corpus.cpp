#include "tools/bench/corpus.h"

#include <arpa/inet.h>

#include <algorithm>

#include "cbpf/compile.h"

namespace weir::bench {
namespace {

Result<CorpusFilter> parse_line(std::string_view line, const Place& place) {
  const std::size_t first = line.find('\t');
  const std::size_t second = first == line.npos ? first : line.find('\t', first + 1);
  if (second == line.npos || first == 0) {
    return fail(ErrorCode::kInvalidFile,
                "a line of a corpus is a name, a link type and an expression with tabs between",
                place);
  }
  const auto link_type =
      cbpf::link_type_by_name(std::string(line.substr(first + 1, second - first - 1)));
  if (!link_type) {
    return fail(ErrorCode::kInvalidFile, link_type.error().message, place);
  }
  return CorpusFilter{.name = std::string(line.substr(0, first)),
                      .link_type = *link_type,
                      .expression = std::string(line.substr(second + 1)),
                      .line = place.line};
}

}  // namespace

Result<std::vector<CorpusFilter>> parse_corpus(std::string_view text, const std::string& file) {
  std::vector<CorpusFilter> filters;
  Place place{.file = file};
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = text.substr(at, end - at);
    at = end + 1;
    ++place.line;
    if (line.ends_with('\r')) {
      line.remove_suffix(1);
    }
    if (line.empty() || line.front() == '#') {
      continue;
    }
    auto filter = parse_line(line, place);
    if (!filter) {
      return tl::make_unexpected(filter.error());
    }
    filters.push_back(std::move(*filter));
  }
  if (filters.empty()) {
    return fail(ErrorCode::kInvalidFile, "there is no filter in it", {.file = file});
  }
  return filters;
}

std::vector<std::uint32_t> ipv4_literals(std::string_view expression) {
  std::vector<std::uint32_t> all;
  for (std::size_t at = 0; at < expression.size();) {
    const std::size_t end = expression.find_first_not_of("0123456789.", at);
    const std::string word(expression.substr(at, end - at));
    in_addr address{};
    if (inet_pton(AF_INET, word.c_str(), &address) == 1) {
      all.push_back(ntohl(address.s_addr));
    }
    at = std::max(at + word.size(), at + 1);
  }
  return all;
}

}  // namespace weir::bench
