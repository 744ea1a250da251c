#include "tools/weir/command.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <charconv>

#include "tools/terminal/layout.h"

namespace weir::tool {
namespace {

namespace po = boost::program_options;

constexpr char kWords[] = "words behind the options";

bool only_letter(const OptionSpec& spec) { return spec.name.size() == 1; }

std::string spelled(const OptionSpec& spec) {
  return fmt::format("{}{}", only_letter(spec) ? "-" : "--", spec.name);
}

po::options_description describe(std::span<const OptionSpec> specs) {
  po::options_description description;
  for (const OptionSpec& spec : specs) {
    // Boost's own form: "long,l"; an option with only a letter has both the same.
    const char letter = only_letter(spec) ? spec.name[0] : spec.letter;
    const std::string names =
        letter != 0 ? fmt::format("{},{}", spec.name, letter) : std::string(spec.name);
    if (spec.kind == OptionKind::kFlag) {
      description.add_options()(names.c_str(), "");
    } else {
      description.add_options()(names.c_str(), po::value<std::vector<std::string>>(), "");
    }
  }
  description.add_options()(kWords, po::value<std::vector<std::string>>(), "");
  return description;
}

int parser_style() {
  using namespace po::command_line_style;  // The names are Boost's, and many.
  return allow_long | long_allow_adjacent | long_allow_next | allow_short | allow_dash_for_short |
         short_allow_adjacent | short_allow_next | allow_sticky;
}

// "  -r, --read FILE"
std::string left_column(const OptionSpec& spec) {
  std::string left = only_letter(spec)  ? fmt::format("  -{}", spec.name)
                     : spec.letter != 0 ? fmt::format("  -{}, --{}", spec.letter, spec.name)
                                        : fmt::format("      --{}", spec.name);
  if (!spec.placeholder.empty()) {
    left += fmt::format(" {}", spec.placeholder);
  }
  return left;
}

}  // namespace

std::size_t Options::count(std::string_view name) const {
  const auto it = values_.find(name);
  return it == values_.end() ? 0 : it->second.size();
}

std::string Options::get(std::string_view name, std::string_view otherwise) const {
  const auto it = values_.find(name);
  return it == values_.end() ? std::string(otherwise) : it->second.back();
}

std::vector<std::string> Options::all(std::string_view name) const {
  const auto it = values_.find(name);
  return it == values_.end() ? std::vector<std::string>{} : it->second;
}

Result<std::uint64_t> Options::number(std::string_view name, std::uint64_t otherwise,
                                      std::uint64_t low, std::uint64_t high) const {
  if (!has(name)) {
    return otherwise;
  }
  const std::string text = get(name);
  const char* last = text.data() + text.size();
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), last, value);
  if (error != std::errc{} || end != last || value < low || value > high) {
    return fail(ErrorCode::kUsage,
                fmt::format("{}{} takes a number from {} to {}, not '{}'",
                            name.size() == 1 ? "-" : "--", name, low, high, text));
  }
  return value;
}

std::string Options::expression() const {
  std::string out;
  for (const std::string& word : words_) {
    out += (out.empty() ? "" : " ") + word;
  }
  return out;
}

Result<Options> parse_options(std::span<const OptionSpec> specs,
                              const std::vector<std::string>& arguments) {
  Options options;
  try {
    const po::options_description description = describe(specs);
    po::positional_options_description positions;
    positions.add(kWords, -1);
    const auto parsed = po::command_line_parser(arguments)
                            .options(description)
                            .positional(positions)
                            .style(parser_style())
                            .run();
    for (const po::option& option : parsed.options) {
      if (option.string_key == kWords) {
        options.words_.insert(options.words_.end(), option.value.begin(), option.value.end());
        continue;
      }
      // Boost calls an option by its long name, or by "-l" where it met the letter.
      auto& values = options.values_[option.string_key];
      if (option.value.empty()) {
        values.emplace_back();
      } else {
        values.insert(values.end(), option.value.begin(), option.value.end());
      }
    }
  } catch (const po::error& error) {
    return fail(ErrorCode::kUsage, error.what());
  }
  for (const OptionSpec& spec : specs) {
    if (spec.kind == OptionKind::kValue && options.count(spec.name) > 1) {
      return fail(ErrorCode::kUsage, fmt::format("{} is given twice", spelled(spec)));
    }
  }
  return options;
}

std::vector<std::string> split_names(std::string_view text) {
  std::vector<std::string> names;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    names.emplace_back(text.substr(0, comma));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return names;
}

std::string help_page(const Command& command) {
  const std::string usage = fmt::format("usage: weir {} ", command.name);
  std::string page = usage + wrap_words(command.usage, usage.size(), kHelpColumns) + "\n" +
                     wrap_paragraphs(command.description, kHelpColumns);
  std::size_t width = 0;
  for (const OptionSpec& spec : command.options) {
    width = std::max(width, left_column(spec).size());
  }
  page += "\noptions:\n";
  for (const OptionSpec& spec : command.options) {
    page += fmt::format("{:<{}}  {}", left_column(spec), width,
                        wrap_words(spec.help, width + 2, kHelpColumns));
  }
  if (!command.examples.empty()) {
    page += "\nexamples:\n" + wrap_examples(command.examples, kHelpColumns);
  }
  if (!command.notes.empty()) {
    page += "\n" + wrap_paragraphs(command.notes, kHelpColumns);
  }
  return page;
}

}  // namespace weir::tool
