#include "tools/weir/explain_page.h"

#include <fmt/format.h>

#include "cbpf/compile.h"
#include "cbpf/text.h"
#include "translator/ebpf/disassemble.h"
#include "translator/ir/build.h"
#include "translator/ir/text.h"
#include "translator/lower/to_extended.h"
#include "translator/opt/pass.h"
#include "translator/translate.h"

namespace weir::tool {
namespace {

constexpr std::size_t kMostRanges = 16;  // Of a list that are shown.

std::string heading(const std::string& text) { return fmt::format("\n== {} ==\n", text); }

// The text of the passes' work on the way, and the function they leave.
Result<std::string> pass_pages(ir::Function& function, const ExplainOptions& options) {
  std::string pages;
  std::string last;
  opt::PassOptions passes;
  passes.passes = options.passes;
  passes.check = true;
  passes.dump = [&](std::string_view name, const ir::Function& now) {
    std::string text = ir::print(now, kMostRanges);
    if (name.empty()) {
      pages += heading("IR as built") + text;
    } else if (options.every_pass) {
      pages += text == last ? heading(fmt::format("{}: no change", name))
                            : heading(fmt::format("IR after {}", name)) + text;
    }
    last = std::move(text);
  };
  if (auto report = opt::run_passes(function, passes); !report) {
    return tl::make_unexpected(report.error());
  }
  if (!options.every_pass) {
    pages += heading("IR after the passes") + last;
  }
  return pages;
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
