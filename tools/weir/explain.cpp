// weir explain: every stage of one filter on one page.
#include <fmt/format.h>

#include "tools/weir/explain_json.h"
#include "tools/weir/explain_page.h"

namespace weir::tool {
namespace {

Status run(const Options& options) {
  ExplainOptions page_options;
  const auto target = lower::target_by_name(options.get("target", "user"));
  if (!target) {
    return tl::make_unexpected(target.error());
  }
  page_options.target = *target;
  page_options.passes = split_names(options.get("passes"));
  page_options.every_pass = options.has("dump-ir");
  page_options.times = options.has("time-report");
  const auto input = read_filter_input(options);
  if (!input) {
    return tl::make_unexpected(input.error());
  }
  const auto page =
      options.has("json") ? explain_json(*input, page_options) : explain_page(*input, page_options);
  if (!page) {
    return tl::make_unexpected(page.error());
  }
  fmt::print("{}", *page);
  return {};
}

}  // namespace

Command explain_command() {
  return {
      "explain",
      "every stage of one filter on one page",
      "[options] [--] EXPRESSION",
      "Shows the way of a filter: the expression, the classic program libpcap makes of it, weir's\n"
      "IR as it is built, what each pass does, and what they leave, the extended program, for the\n"
      "target user the native code, and the classic program that weir makes of the same filter.",
      "  weir explain tcp port 80\n"
      "  weir explain --target xdp --dump-ir tcp port 80     with the IR after every pass\n"
      "  weir explain -j tcp port 80 | jq -r .extended.listing",
      filter_input_options({
          {"target", 0, OptionKind::kValue, "HOOK",
           "where the extended program runs: user (default), socket, tc or xdp"},
          {"passes", 0, OptionKind::kValue, "NAMES",
           "run these passes in this order, comma-separated; none runs no pass"},
          {"dump-ir", 0, OptionKind::kFlag, "", "show the IR after every pass"},
          {"json", 'j', OptionKind::kFlag, "", "print the stages as JSON, a field each"},
          {"time-report", 0, OptionKind::kFlag, "", "say how long each pass took (CPU time)"},
      }),
      run,
      kExpressionNotes,
  };
}

}  // namespace weir::tool
