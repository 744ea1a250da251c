// How a filter is given to a command: an expression, assembly or bytecode.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cbpf/base/result.h"
#include "cbpf/validate.h"
#include "tools/engine/engine.h"
#include "tools/weir/command.h"

namespace weir::tool {

// The filter as given, and the validated program it stands for; where there are set tests, they
// belong to the program.
struct FilterInput {
  std::string text;  // The expression, or "" where assembly or bytecode was given.
  int link_type = 1;
  std::uint32_t snaplen = 0;
  std::optional<cbpf::ValidatedProgram> program;  // Always there once it is read.

  ir::SetTests set_tests;

  engine::Filter filter() const {
    return {.program = *program, .link_type = link_type, .set_tests = set_tests};
  }
};

// The options that say how the filter is given, then a command's own. `optimizer` is the command's
// default for the help page, "none" or "weir".
std::vector<OptionSpec> filter_input_options(const std::vector<OptionSpec>& more,
                                             std::string_view optimizer = "none");

// What weir's expressions have beside libpcap's, for the help pages of commands that take one.
inline constexpr std::string_view kExpressionNotes =
    "lists:\n"
    "  [not] [PROTOCOL] [src|dst] host|net|port|portrange|proto [not] in @FILE\n"
    "\n"
    "is true if the value is a member of the list in FILE, one member a line; '#' or ';' begins a\n"
    "comment. Hosts and nets are addresses of IPv4 and IPv6, nets (ADDRESS/BITS) and ranges\n"
    "(LOW-HIGH), after `ether host` MAC addresses; ports are numbers and ranges (LOW-HIGH),\n"
    "protocols numbers; names are members too. A list means the `or` of its members in\n"
    "parentheses, as if each came after the words before `in`; a list without members holds\n"
    "nothing. However long it is, a program tests it with a fixed number of instructions (names\n"
    "have their own). Long chains of `or` in an expression, or in the file of -F, are read as\n"
    "lists too.\n"
    "\n"
    "  src net in @bogons and not tcp port in @services\n"
    "\n"
    "names:\n"
    "  Names of protocols, services (`port domain`) and EtherTypes mean what IANA's\n"
    "  lists say, on every machine. Other names are read from /etc/protocols,\n"
    "  services, hosts, networks and ethers; the network (DNS) is used only with\n"
    "  --resolve.\n"
    "\n"
    "remarks:\n"
    "  In the file of -F a '#' begins a remark that ends with the line.";

// Where the packets of a filter come from, as far as the meaning of an expression hangs on it.
struct TrafficSource {
  int link_type = 1;
  bool savefile = false;
  bool swapped = false;  // A savefile that has not this machine's byte order.
  // The packets have the link type above, so -y is checked and not used, as tcpdump does with -r.
  // True for every savefile.
  bool own_link_type = false;
  std::uint32_t netmask = 0;  // For `ip broadcast`, 255.255.255.0 being 0xffffff00.
};

// The filter as the options give it, before it is made for some traffic.
struct FilterText {
  enum class Form : std::uint8_t { kExpression, kAssembly, kBytecode };
  Form form = Form::kExpression;
  std::string text;
  std::string file;  // Where assembly or bytecode comes from.
  bool from_stdin = false;
};

// Reads it, once: stdin is not there twice. kUsage when it is given in two forms.
Result<FilterText> read_filter_text(const Options& options);

// The files of the lists that the expression names (`host in @FILE`).
std::vector<std::string> list_files(const std::string& expression);

// Makes it for the traffic, as the options say (-y, -s, --netmask, --dialect, --optimizer).
// `source` is what the command knows of the traffic (a savefile, an interface); -y wins over its
// link type unless that is the packets' own, --netmask over its netmask.
Result<FilterInput> make_filter_input(const FilterText& filter, const Options& options,
                                      const TrafficSource& source);

// Both at once, for commands that have one kind of traffic.
Result<FilterInput> read_filter_input(const Options& options, const TrafficSource& source);
inline Result<FilterInput> read_filter_input(const Options& options, int link_type = 1) {
  return read_filter_input(options, TrafficSource{.link_type = link_type});
}

// The whole of a text file, "-" being stdin.
Result<std::string> read_text_file(const std::string& path);

}  // namespace weir::tool
