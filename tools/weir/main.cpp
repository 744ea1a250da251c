// The command: finds the subcommand, reads its options, runs it, reports its error.
#include <fmt/format.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>
#include <new>
#include <nlohmann/json.hpp>
#include <string>
#include <system_error>
#include <vector>

#include "cbpf/base/printable.h"
#include "tools/filter/out_of_memory.h"
#include "tools/weir/command.h"
#include "tools/weir/version.h"

namespace weir::tool {
namespace {

constexpr int kExitError = 1;  // tcpdump's.
constexpr int kExitUsage = 2;

std::vector<Command> all_commands() {
  return {compile_command(), explain_command(), filter_command(), bench_command(), attach_command(),
          detach_command(),  show_command(),    stats_command(),  vm_command()};
}

std::string overview() {
  std::string page =
      "usage: weir COMMAND [options] [--] EXPRESSION\n\n"
      "weir compiles tcpdump expressions, runs them in the machine of 1993 (classic\n"
      "BPF) and the machine of 2014 (eBPF), attaches them to sockets, tc and XDP, and\n"
      "measures both designs on the same traffic.\n\ncommands:\n";
  for (const Command& command : all_commands()) {
    page += fmt::format("  {:<9} {}\n", command.name, command.summary);
  }
  page +=
      "  help      this page, or the page of a command\n\n"
      "Data goes to stdout, messages to stderr. Exit status: 0 done, 1 error, 2 usage.\n"
      "`weir help COMMAND` tells more, `weir --version` what this is built with.\n";
  return page;
}

// Says the error on stderr, and on stdout as {"error": …} to whoever asked for JSON.
int report(const Error& error, bool json) {
  if (json) {
    const nlohmann::json object = {{"error", to_string(error)}};
    fmt::print("{}\n", object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  }
  fmt::print(stderr, "weir: {}\n", printable(to_string(error)));
  if (!error.detail.empty()) {
    fmt::print(stderr, "{}\n", printable_lines(error.detail));
  }
  return error.code == ErrorCode::kUsage ? kExitUsage : kExitError;
}

// Whether one of these stands among the options; looked for by eye so that it also holds where the
// options cannot be parsed.
bool mentions(const std::vector<std::string>& arguments, std::string_view word,
              std::string_view other) {
  for (const std::string& argument : arguments) {
    if (argument == "--") {
      return false;
    }
    if (argument == word || argument == other) {
      return true;
    }
  }
  return false;
}

// The libraries say themselves where memory runs out for what a file claims; here it is the rest.
Status run_with(const Command& command, const std::vector<std::string>& arguments) {
  try {
    const auto options = parse_options(command.options, arguments);
    return options ? command.run(*options) : tl::make_unexpected(options.error());
  } catch (const std::bad_alloc&) {
    return filter::out_of_memory();
  }
}

int run_command(const Command& command, const std::vector<std::string>& arguments) {
  if (mentions(arguments, "--help", "-h")) {
    fmt::print("{}", help_page(command));
    return 0;
  }
  const bool json = mentions(arguments, "-j", "--json");
  const Status status = run_with(command, arguments);
  if (status) {
    return 0;
  }
  const int exit_status = report(status.error(), json);
  if (exit_status == kExitUsage) {
    fmt::print(stderr, "`weir help {}` shows how it is called\n", command.name);
  }
  return exit_status;
}

int run(const std::vector<std::string>& arguments) {
  if (arguments.empty()) {
    fmt::print(stderr, "{}", overview());
    return kExitUsage;
  }
  const std::string& name = arguments[0];
  const std::vector<std::string> rest(arguments.begin() + 1, arguments.end());
  if (name == "--version" || name == "-V") {
    fmt::print("{}", version_page());
    return 0;
  }
  const bool help = name == "help" || name == "--help" || name == "-h";
  if (help && rest.empty()) {
    fmt::print("{}", overview());
    return 0;
  }
  if (help && rest.size() > 1) {
    fmt::print(stderr, "weir: help is for one command; '{}' is a word too many\n",
               printable(rest[1]));
    return kExitUsage;
  }
  const std::string& wanted = help ? rest[0] : name;
  for (const Command& command : all_commands()) {
    if (command.name != wanted) {
      continue;
    }
    if (help) {
      fmt::print("{}", help_page(command));
      return 0;
    }
    return run_command(command, rest);
  }
  fmt::print(stderr, "weir: no command is named '{}'; `weir help` lists them\n", printable(wanted));
  return kExitUsage;
}

// A full disk or a closed pipe behind stdout must not pass for success. A reader that has seen
// enough
// (`| head`) wants to hear nothing of it.
int stdout_failed(int error_number) {
  if (error_number != EPIPE) {
    std::fprintf(stderr, "weir: stdout: %s\n", std::strerror(error_number));
  }
  return kExitError;
}

}  // namespace
}  // namespace weir::tool

int main(int argc, char** argv) {
  // A pipe that nobody reads any more is an error like any other, with a sentence and a status.
  std::signal(SIGPIPE, SIG_IGN);
  try {
    const int status = weir::tool::run(std::vector<std::string>(argv + 1, argv + argc));
    return std::fflush(stdout) == 0 && std::ferror(stdout) == 0 ? status
                                                                : weir::tool::stdout_failed(errno);
  } catch (const std::system_error& error) {  // fmt::print, when stdout takes no more.
    return weir::tool::stdout_failed(error.code().value());
  } catch (const std::bad_alloc&) {  // Even for saying so in JSON.
    std::fputs("weir: out of memory\n", stderr);
    return weir::tool::kExitError;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "weir: %s\n", error.what());
    return weir::tool::kExitError;
  }
}
