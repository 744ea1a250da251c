#include "tools/weir/explain_json.h"

#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "cbpf/compile.h"
#include "cbpf/text/text.h"
#include "tools/bench/measure/clock.h"
#include "tools/weir/native_listing.h"
#include "tools/weir/program_json.h"
#include "translator/ebpf/disassemble.h"
#include "translator/ir/build/build.h"
#include "translator/ir/text/text.h"
#include "translator/jit/jit.h"
#include "translator/lower/to_extended.h"
#include "translator/opt/pass.h"
#include "translator/translate.h"

namespace weir::tool {
namespace {

using nlohmann::json;

json classic_json(const cbpf::Program& program) {
  json object = to_json(program);
  object["listing"] = cbpf::to_text(program, cbpf::TextForm::kListing);
  return object;
}

json size_json(const opt::Size& size) {
  return {{"blocks", size.blocks},
          {"values", size.values},
          {"loads", size.loads},
          {"needs", size.needs}};
}

std::string_view summary_of(std::string_view pass) {
  for (const opt::Pass& each : opt::all_passes()) {
    if (each.name == pass) {
      return each.summary;
    }
  }
  return {};
}

// Runs the passes; fills "ir" and "passes".
Status run_passes(ir::Function& function, const ExplainOptions& options, json& object) {
  std::vector<std::string> texts;  // As built, then after each pass.
  opt::PassOptions passes;
  passes.passes = options.passes;
  passes.check = true;
  passes.clock = [] {
    return std::chrono::nanoseconds(static_cast<std::int64_t>(bench::thread_cpu_ns()));
  };
  passes.dump = [&texts](std::string_view, const ir::Function& now) {
    texts.push_back(ir::print(now));
  };
  const auto reports = opt::run_passes(function, passes);
  if (!reports) {
    return tl::make_unexpected(reports.error());
  }
  object["ir"] = {{"built", texts.front()}, {"optimized", texts.back()}};
  object["passes"] = json::array();
  for (std::size_t i = 0; i < reports->size(); ++i) {
    const opt::PassReport& report = (*reports)[i];
    const bool changed = texts[i + 1] != texts[i];
    json pass = {{"name", report.name},
                 {"summary", summary_of(report.name)},
                 {"changed", changed},
                 {"before", size_json(report.before)},
                 {"after", size_json(report.after)}};
    if (options.times) {
      pass["ns"] = report.time.count();
    }
    if (options.every_pass && changed) {
      pass["text"] = texts[i + 1];
    }
    object["passes"].push_back(std::move(pass));
  }
  return {};
}

// null on a processor for which there is no compiler.
Result<json> native_json(const ebpf::Program& extended) {
  const auto native = jit::NativeProgram::compile(extended, {}, {.runs_on = jit::RunsOn::kPackets});
  if (!native && native.error().code == ErrorCode::kUnsupported) {
    return json();
  }
  if (!native) {
    return tl::make_unexpected(native.error());
  }
  const Bytes code = native->code();
  return json{{"bytes", code.size()}, {"listing", native_listing(code)}};
}

// null for a filter that is more than the classic machine can say.
Result<json> classic_again(const FilterInput& input, const ExplainOptions& options) {
  ClassicOptions back;
  back.link_type = input.link_type;
  back.passes.passes = options.passes;
  back.set_tests = &input.set_tests;
  const auto optimized = translate_classic(*input.program, back);
  if (!optimized && optimized.error().code == ErrorCode::kUnsupported) {
    return json();
  }
  if (!optimized) {
    return tl::make_unexpected(optimized.error());
  }
  return classic_json(optimized->program());
}

}  // namespace

Result<std::string> explain_json(const FilterInput& input, const ExplainOptions& options) {
  json object = {{"expression", input.text},
                 {"link_type", cbpf::link_type_name(input.link_type)},
                 {"classic", classic_json(input.program->program())}};
  const lower::Target& target = lower::target(options.target);
  auto function = build_function(*input.program, input.link_type, target, input.set_tests);
  if (!function) {
    return tl::make_unexpected(function.error());
  }
  if (const Status ran = run_passes(*function, options, object); !ran) {
    return tl::make_unexpected(ran.error());
  }
  const auto extended = lower::to_extended(*function, target);
  if (!extended) {
    return tl::make_unexpected(extended.error());
  }
  object["extended"] = to_json(*extended, options.target);
  object["extended"]["listing"] = ebpf::disassemble(extended->instructions);
  object["native"] = nullptr;
  if (options.native && options.target == lower::TargetId::kUser) {
    auto native = native_json(*extended);
    if (!native) {
      return tl::make_unexpected(native.error());
    }
    object["native"] = *std::move(native);
  }
  auto optimized = classic_again(input, options);
  if (!optimized) {
    return tl::make_unexpected(optimized.error());
  }
  object["classic_optimized"] = *std::move(optimized);
  return object.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace weir::tool
