// What a subcommand of weir is: its options, its help page, its body. The bodies are thin: read the
// options, make a library call, print.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cbpf/base/result.h"

namespace weir::tool {

enum class OptionKind : std::uint8_t {
  kFlag,   // No value; may be repeated (-d -d, -dd), count() says how often.
  kValue,  // One value; giving it twice is an error.
  kList,   // A value each time.
};

struct OptionSpec {
  std::string_view name;  // The long name; a single letter for an option that has only that.
  char letter = 0;        // The letter beside a long name, tcpdump's where it has one; 0 for none.
  OptionKind kind = OptionKind::kFlag;
  std::string_view placeholder;  // Of the value, for the help page.
  std::string_view help;
};

// The options of one call, by name, and the words that are no options (the expression).
class Options {
 public:
  bool has(std::string_view name) const { return values_.contains(name); }
  std::size_t count(std::string_view name) const;
  // The value, or `otherwise` when the option was not given.
  std::string get(std::string_view name, std::string_view otherwise = {}) const;
  std::vector<std::string> all(std::string_view name) const;
  // The value as a number in [low, high], or `otherwise`. kUsage naming the option when it is none.
  Result<std::uint64_t> number(std::string_view name, std::uint64_t otherwise, std::uint64_t low,
                               std::uint64_t high) const;
  const std::vector<std::string>& words() const { return words_; }
  std::string expression() const;  // The words, a blank between each two.

 private:
  friend Result<Options> parse_options(std::span<const OptionSpec> specs,
                                       const std::vector<std::string>& arguments);
  std::map<std::string, std::vector<std::string>, std::less<>> values_;
  std::vector<std::string> words_;
};

// kUsage with one sentence when an option is unknown, lacks its value or is given twice. Everything
// behind "--" is a word.
Result<Options> parse_options(std::span<const OptionSpec> specs,
                              const std::vector<std::string>& arguments);

struct Command {
  std::string_view name;
  std::string_view summary;      // One line of `weir help`.
  std::string_view usage;        // What follows "weir NAME".
  std::string_view description;  // The paragraphs above the options.
  std::string_view examples;     // Lines below them.
  std::vector<OptionSpec> options;
  Status (*run)(const Options& options);
  std::string_view notes = {};  // Paragraphs below all else.
};

// Fits 80 columns: paragraphs, options and examples are wrapped.
std::string help_page(const Command& command);

// The names of a comma-separated list; none of an empty text.
std::vector<std::string> split_names(std::string_view text);

// The commands, one file each.
Command compile_command();
Command explain_command();
Command filter_command();
Command bench_command();
Command attach_command();
Command detach_command();
Command show_command();
Command stats_command();
Command vm_command();

}  // namespace weir::tool
