#include "tools/terminal/layout.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>

namespace weir::tool {
namespace {

constexpr std::size_t kRemarkIndent = 6;  // Of a remark below its command.
constexpr std::size_t kDeepestCommand =
    8;  // Lines with more blanks before them go on with a remark.

std::string_view take_line(std::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

std::string_view take_word(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \n"), text.size()));
  const std::string_view word = text.substr(0, std::min(text.find_first_of(" \n"), text.size()));
  text.remove_prefix(word.size());
  return word;
}

bool set_and_not_empty(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != 0;
}

// One example: as it was written where it fits, else in two lines.
std::string wrap_example(const std::string& written, std::string_view remark, std::size_t columns) {
  const bool one_line = written.find('\n') == written.size() - 1;
  if (remark.empty() || (one_line && written.size() - 1 <= columns)) {
    return written;
  }
  const std::string_view line = std::string_view(written).substr(0, written.find('\n'));
  const std::size_t begin = line.find_first_not_of(' ');
  const std::string command(line.substr(0, line.find("  ", begin)));
  return command + "\n" + std::string(kRemarkIndent, ' ') +
         wrap_words(remark, kRemarkIndent, columns);
}

}  // namespace

bool draws_on(int descriptor) {
  return ::isatty(descriptor) == 1 && set_and_not_empty("TERM") &&
         std::string_view(std::getenv("TERM")) != "dumb" && !set_and_not_empty("NO_COLOR");
}

std::string wrap_words(std::string_view text, std::size_t indent, std::size_t columns) {
  std::string out;
  std::size_t filled = indent;
  bool first = true;
  for (std::string_view word = take_word(text); !word.empty(); word = take_word(text)) {
    if (!first && filled + 1 + word.size() > columns) {
      out += "\n" + std::string(indent, ' ');
      filled = indent;
    } else if (!first) {
      out += " ";
      ++filled;
    }
    out += word;
    filled += word.size();
    first = false;
  }
  return out + "\n";
}

std::string wrap_paragraphs(std::string_view text, std::size_t columns) {
  std::string out;
  std::string paragraph;
  const auto flush = [&] {
    if (!paragraph.empty()) {
      out += wrap_words(paragraph, 0, columns);
      paragraph.clear();
    }
  };
  while (!text.empty()) {
    const std::string_view line = take_line(text);
    if (line.empty() || line[0] == ' ') {
      flush();
      out += std::string(line) + "\n";
    } else {
      paragraph += std::string(line) + "\n";
    }
  }
  flush();
  return out;
}

std::string wrap_examples(std::string_view text, std::size_t columns) {
  std::string out;
  std::string written;
  std::string remark;
  const auto flush = [&] {
    if (!written.empty()) {
      out += wrap_example(written, remark, columns);
    }
    written.clear();
    remark.clear();
  };
  while (!text.empty()) {
    const std::string_view line = take_line(text);
    const std::size_t begin = std::min(line.find_first_not_of(' '), line.size());
    if (begin <= kDeepestCommand) {
      flush();
    }
    const std::size_t gap = begin <= kDeepestCommand ? line.find("  ", begin) : begin;
    if (gap < line.size()) {
      remark += std::string(line.substr(gap)) + " ";
    }
    written += std::string(line) + "\n";
  }
  flush();
  return out;
}

}  // namespace weir::tool
