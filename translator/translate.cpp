#include "translator/translate.h"

#include <utility>
#include <vector>

#include "translator/ebpf/check.h"
#include "translator/ir/build/build.h"
#include "translator/ir/build/restore_vlan_tag.h"
#include "translator/lower/target/packet_direction.h"
#include "translator/lower/to_classic.h"

namespace weir {
namespace {

ir::SetTests sets_of(const ir::SetTests* tests) {
  return tests != nullptr ? *tests : ir::SetTests{};
}

// The last steps: lower, check.
Result<ebpf::Program> lowered(const ir::Function& function, const lower::Target& target,
                              const std::optional<lower::Rule>& rule = std::nullopt) {
  auto extended = lower::to_extended(function, target, rule);
  if (!extended) {
    return extended;
  }
  if (auto checked = ebpf::check(*extended); !checked) {
    return tl::make_unexpected(checked.error());
  }
  return extended;
}

}  // namespace

Result<ir::Function> build_function(const cbpf::ValidatedProgram& program, int link_type,
                                    const lower::Target& target, const ir::SetTests& set_tests,
                                    ir::Loops::Form loops) {
  auto function =
      ir::build(program, link_type, set_tests, {.form = loops, .most = target.max_backward_jumps});
  if (function && target.vlan_stripped) {
    *function = lower::restore_vlan_tag(*function);
  }
  if (function) {
    lower::fold_packet_direction(*function, target.direction);
  }
  return function;
}

Result<ebpf::Program> translate(const cbpf::ValidatedProgram& program,
                                const TranslateOptions& options) {
  lower::Target target = lower::target(options.target);
  // A function that repeats has one form: its loop state would have to serve both.
  if (!program.has_loop()) {
    target.skb_layout = options.skb_layout;
  }
  if (options.target == lower::TargetId::kXdp && options.vlan_tag_kfunc != 0) {
    target.vlan_tag_kfunc = options.vlan_tag_kfunc;
    target.vlan_stripped = true;
  }
  if (options.target == lower::TargetId::kXdp && options.without_perfmon) {
    target.length_helper = lower::kXdpGetBuffLen;
  }
  auto function = build_function(program, options.link_type, target, sets_of(options.set_tests));
  if (!function) {
    return tl::make_unexpected(function.error());
  }
  if (auto report = opt::run_passes(*function, options.passes); !report) {
    return tl::make_unexpected(report.error());
  }
  return lowered(*function, target, options.rule);
}

// Each is optimised alone first: so it asks for few bytes, and for most of them in its first block.
Result<ebpf::Program> translate_together(std::span<const JoinedFilter> filters, int link_type,
                                         ir::JoinedResult result) {
  const lower::Target& target = lower::target(lower::TargetId::kUser);
  std::vector<ir::Function> functions;
  for (const JoinedFilter& filter : filters) {
    if (filter.program->has_loop()) {
      return fail(ErrorCode::kUnsupported, "a filter with a loop runs alone");
    }
    auto function = build_function(*filter.program, link_type, target, sets_of(filter.set_tests));
    if (!function) {
      return tl::make_unexpected(function.error());
    }
    if (auto report = opt::run_passes(*function, {}); !report) {
      return tl::make_unexpected(report.error());
    }
    functions.push_back(*std::move(function));
  }
  ir::Function joined = ir::join(functions, result);
  if (auto report = opt::run_passes(joined, {}); !report) {
    return tl::make_unexpected(report.error());
  }
  ir::ask_where_needed(joined);
  return lowered(joined, target);
}

Result<cbpf::ValidatedProgram> translate_classic(const cbpf::ValidatedProgram& program,
                                                 const ClassicOptions& options) {
  if (options.target == lower::TargetId::kXdp) {
    return fail(ErrorCode::kUsage, "XDP runs no classic programs");
  }
  const bool in_kernel = options.target != lower::TargetId::kUser;
  const bool as_given = !in_kernel && sets_of(options.set_tests).empty();
  if (program.has_loop() && !in_kernel) {
    return as_given ? Result<cbpf::ValidatedProgram>(program)
                    : fail(ErrorCode::kUnsupported,
                           "a classic program with a loop (protochain) has no room for lists");
  }
  auto function = build_function(program, options.link_type, lower::target(options.target),
                                 sets_of(options.set_tests), ir::Loops::Form::kUnrolled);
  if (!function) {
    return tl::make_unexpected(function.error());
  }
  auto classic = translate_classic(
      *std::move(function), in_kernel ? cbpf::Dialect::kLinux : program.dialect(), options.passes);
  const bool cannot_be_said = !classic && classic.error().code == ErrorCode::kUnsupported;
  if (as_given && (cannot_be_said || (classic && classic->program().instructions.size() >
                                                     program.program().instructions.size()))) {
    return program;
  }
  return classic;
}

Result<cbpf::ValidatedProgram> translate_classic(ir::Function function, cbpf::Dialect dialect,
                                                 const opt::PassOptions& passes) {
  if (auto report = opt::run_passes(function, passes); !report) {
    return tl::make_unexpected(report.error());
  }
  auto classic = lower::to_classic(function, {.dialect = dialect});
  if (!classic) {
    return tl::make_unexpected(classic.error());
  }
  return cbpf::validate(std::move(*classic), dialect);
}

}  // namespace weir
