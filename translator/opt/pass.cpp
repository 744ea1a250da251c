#include "translator/opt/pass.h"

#include <fmt/format.h>

#include <array>
#include <cstddef>

#include "translator/ir/check.h"
#include "translator/ir/rewrite.h"
#include "translator/opt/passes.h"

namespace weir::opt {
namespace {

constexpr std::array<Pass, 12> kPasses = {{
    {"fold_constants", "compute what constants decide, branches included", fold_constants},
    {"value_numbering", "share values that compute the same, in their simplest form",
     value_numbering},
    {"jump_threading", "lead edges past branches that are decided on them", jump_threading},
    {"facts", "fold branches that earlier ones, ranges and known bits decide", facts},
    {"merge_needs", "ask once for the bytes that every accepting way asks for", merge_needs},
    {"merge_blocks", "join straight lines and blocks that do the same", merge_blocks},
    {"chains_to_sets", "make one set test of many tests of a value", chains_to_sets},
    {"gather_tests", "put tests of one value together", gather_tests},
    {"chains_to_switches", "make a switch of many tests of a value", chains_to_switches},
    {"share_sets", "let set tests share their sets", share_sets},
    {"sink", "move values down to the only side that uses them", sink},
    {"dead_code", "drop blocks, values and parameters that nothing depends on", dead_code},
}};

// Edges are led elsewhere before needs are merged: a need that was made larger can fail where the
// small one could not, and then stands in the way. And once more behind it, where fewer needs stand
// at all. Merging blocks, and tests, leaves values to be shared.
constexpr std::array<std::string_view, 18> kPipeline = {
    "fold_constants", "value_numbering",    "jump_threading", "facts",        "merge_needs",
    "merge_blocks",   "value_numbering",    "jump_threading", "merge_blocks", "value_numbering",
    "chains_to_sets", "chains_to_switches", "gather_tests",   "share_sets",   "value_numbering",
    "sink",           "merge_blocks",       "dead_code"};

const Pass* find_pass(std::string_view name) {
  for (const Pass& pass : kPasses) {
    if (pass.name == name) {
      return &pass;
    }
  }
  return nullptr;
}

Result<std::vector<Pass>> select(const std::vector<std::string>& names) {
  std::vector<Pass> passes;
  if (names.empty()) {
    for (const std::string_view name : kPipeline) {
      passes.push_back(*find_pass(name));
    }
    return passes;
  }
  if (names.size() == 1 && names[0] == "none") {
    return passes;
  }
  for (const std::string& name : names) {
    const Pass* pass = find_pass(name);
    if (pass == nullptr) {
      std::string known = "none";
      for (const Pass& each : kPasses) {
        known += fmt::format(", {}", each.name);
      }
      return fail(ErrorCode::kUsage,
                  name == "none" ? std::string("'none' stands alone, not among other passes")
                                 : fmt::format("no pass '{}'; there are {}", name, known));
    }
    passes.push_back(*pass);
  }
  return passes;
}

Status check_after(const ir::Function& function, std::string_view where) {
  auto checked = ir::check(function);
  if (!checked) {
    checked.error().message = fmt::format("{}: {}", where, checked.error().message);
  }
  return checked;
}

}  // namespace

Size size_of(const ir::Function& function) {
  Size size{.blocks = function.blocks.size()};
  for (const ir::Block& block : function.blocks) {
    size.values += block.parameters.size();
    for (const ir::ValueId id : block.body) {
      const ir::Op op = function.values[id].op;
      size.needs += op == ir::Op::kNeed ? 1 : 0;
      size.loads += op == ir::Op::kLoad ? 1 : 0;
      size.values += ir::is_effect(op) ? 0 : 1;
    }
  }
  return size;
}

std::span<const Pass> all_passes() { return kPasses; }

std::span<const std::string_view> default_pipeline() { return kPipeline; }

Result<std::vector<PassReport>> run_passes(ir::Function& function, const PassOptions& options) {
  const auto passes = select(options.passes);
  if (!passes) {
    return tl::make_unexpected(passes.error());
  }
  if (options.check) {
    if (auto checked = check_after(function, "before the first pass"); !checked) {
      return tl::make_unexpected(std::move(checked).error());
    }
  }
  if (options.dump) {
    options.dump("", function);
  }
  const auto now = [&options] {
    return options.clock ? options.clock() : std::chrono::nanoseconds{};
  };
  std::vector<PassReport> reports;
  Size size = size_of(function);
  for (const Pass& pass : *passes) {
    PassReport report{.name = pass.name, .before = size};
    const std::chrono::nanoseconds start = now();
    pass.run(function);
    report.time = now() - start;
    report.after = size = size_of(function);
    reports.push_back(report);
    if (options.dump) {
      options.dump(pass.name, function);
    }
    if (options.check) {
      if (auto checked = check_after(function, fmt::format("pass {}", pass.name)); !checked) {
        return tl::make_unexpected(std::move(checked).error());
      }
    }
  }
  return reports;
}

}  // namespace weir::opt
