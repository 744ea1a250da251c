#include "tools/weir/explain_page.h"

#include <fmt/format.h>

#include <vector>

#include "cbpf/compile.h"
#include "cbpf/text/text.h"
#include "tools/bench/measure/clock.h"
#include "tools/weir/native_listing.h"
#include "translator/ebpf/disassemble.h"
#include "translator/ir/build/build.h"
#include "translator/ir/text/text.h"
#include "translator/jit/jit.h"
#include "translator/lower/to_extended.h"
#include "translator/opt/pass.h"
#include "translator/translate.h"

namespace weir::tool {
namespace {

constexpr std::size_t kMostRanges = 16;  // Of a list that are shown.

std::string heading(const std::string& text) { return fmt::format("\n== {} ==\n", text); }

std::string_view summary_of(std::string_view pass) {
  for (const opt::Pass& each : opt::all_passes()) {
    if (each.name == pass) {
      return each.summary;
    }
  }
  return {};
}

// A line a pass: the sizes it left, where they are others than before, and what it is there for.
// changed[i] tells whether the i-th pass changed anything; those that did not have a line only
// where there are times to tell.
std::string pass_table(const std::vector<opt::PassReport>& reports,
                       const std::vector<bool>& changed, const opt::Size& built, bool times) {
  const auto row = [times](std::string_view name, auto blocks, auto values, auto loads, auto needs,
                           const std::string& time, std::string_view summary) {
    return fmt::format("{:<20}{:>6}{:>8}{:>7}{:>7}{}{}{}\n", name, blocks, values, loads, needs,
                       times ? fmt::format("{:>10}", time) : "", summary.empty() ? "" : "   ",
                       summary);
  };
  std::string table = row("pass", "blocks", "values", "loads", "needs", "us", "");
  table += row("as built", built.blocks, built.values, built.loads, built.needs, "", "");
  std::size_t idle = 0;
  for (std::size_t i = 0; i < reports.size(); ++i) {
    if (!changed[i] && !times) {
      ++idle;
      continue;
    }
    const opt::PassReport& report = reports[i];
    const auto size = [&](std::size_t opt::Size::*of) {
      return report.before.*of == report.after.*of ? "." : std::to_string(report.after.*of);
    };
    table += row(report.name, size(&opt::Size::blocks), size(&opt::Size::values),
                 size(&opt::Size::loads), size(&opt::Size::needs),
                 fmt::format("{:.1f}", static_cast<double>(report.time.count()) / 1000),
                 changed[i] ? summary_of(report.name) : "(nothing to do)");
  }
  if (idle != 0) {
    table += fmt::format("{} {} found nothing to do\n", idle, idle == 1 ? "pass" : "passes");
  }
  return table;
}

std::chrono::nanoseconds cpu_clock() {
  return std::chrono::nanoseconds(static_cast<std::int64_t>(bench::thread_cpu_ns()));
}

// The text of the passes' work on the way, and the function they leave.
Result<std::string> pass_pages(ir::Function& function, const ExplainOptions& options) {
  std::string pages;
  std::string last;
  std::vector<bool> changed;
  opt::PassOptions passes;
  passes.passes = options.passes;
  passes.check = true;
  passes.clock = cpu_clock;
  passes.dump = [&](std::string_view name, const ir::Function& now) {
    std::string text = ir::print(now, kMostRanges);
    if (!name.empty()) {
      changed.push_back(text != last);
    }
    if (name.empty()) {
      pages += heading("IR as built") + text;
    } else if (options.every_pass) {
      pages += text == last ? heading(fmt::format("{}: no change", name))
                            : heading(fmt::format("IR after {}", name)) + text;
    }
    last = std::move(text);
  };
  const opt::Size built = opt::size_of(function);
  const auto reports = opt::run_passes(function, passes);
  if (!reports) {
    return tl::make_unexpected(reports.error());
  }
  if (!reports->empty()) {
    pages += heading("what the passes did") + pass_table(*reports, changed, built, options.times);
  }
  if (!options.every_pass) {
    pages += heading("IR after the passes") + last;
  }
  return pages;
}

// The loop over packets that the extended program becomes on this processor.
Result<std::string> native_page(const ebpf::Program& extended) {
  const auto native = jit::NativeProgram::compile(extended, {}, {.runs_on = jit::RunsOn::kPackets});
  if (!native && native.error().code == ErrorCode::kUnsupported) {
    return heading("no native code") + to_string(native.error()) + "\n";
  }
  if (!native) {
    return tl::make_unexpected(native.error());
  }
  const Bytes code = native->code();
  return heading(fmt::format("native code, {} bytes", code.size())) + native_listing(code);
}

Result<cbpf::ValidatedProgram> classic_again(const FilterInput& input,
                                             const ExplainOptions& options) {
  ClassicOptions back;
  back.link_type = input.link_type;
  back.passes.passes = options.passes;
  back.set_tests = &input.set_tests;
  return translate_classic(*input.program, back);
}

}  // namespace

Result<std::string> explain_page(const FilterInput& input, const ExplainOptions& options) {
  const cbpf::Program& classic = input.program->program();
  std::string page =
      fmt::format("{}\nlink type {}\n", input.text.empty() ? "(everything)" : input.text,
                  cbpf::link_type_name(input.link_type));
  page += heading(fmt::format("classic, {} instructions", classic.instructions.size()));
  page += cbpf::to_text(classic, cbpf::TextForm::kListing);
  for (const ir::SetTest& test : input.set_tests.tests) {
    page += fmt::format("({:03}) stands for a test of the set s{}\n", test.instruction, test.set);
  }
  auto function = build_function(*input.program, input.link_type, lower::target(options.target),
                                 input.set_tests);
  if (!function) {
    return tl::make_unexpected(function.error());
  }
  auto pages = pass_pages(*function, options);
  if (!pages) {
    return pages;
  }
  const lower::Target& target = lower::target(options.target);
  const auto extended = lower::to_extended(*function, target);
  if (!extended) {
    return tl::make_unexpected(extended.error());
  }
  page += *pages;
  page += heading(fmt::format("extended for {}, {} instructions", target.name,
                              ebpf::slot_count(extended->instructions)));
  page += ebpf::disassemble(extended->instructions);
  if (options.native && options.target == lower::TargetId::kUser) {
    auto native = native_page(*extended);
    if (!native) {
      return native;
    }
    page += *native;
  }
  const auto optimised = classic_again(input, options);
  if (!optimised && optimised.error().code == ErrorCode::kUnsupported) {
    return page + heading("no classic program again") + to_string(optimised.error()) + "\n";
  }
  if (!optimised) {
    return tl::make_unexpected(optimised.error());
  }
  page += heading(fmt::format("classic again, optimised, {} instructions",
                              optimised->program().instructions.size()));
  return page + cbpf::to_text(optimised->program(), cbpf::TextForm::kListing);
}

}  // namespace weir::tool
