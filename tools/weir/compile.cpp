// weir compile: an expression, assembly or bytecode to a program of either machine.
#include "cbpf/compile.h"

#include <fmt/format.h>

#include <cstdint>
#include <nlohmann/json.hpp>

#include "cbpf/text/disassemble.h"
#include "cbpf/text/text.h"
#include "tools/engine/programs.h"
#include "tools/weir/filter_input.h"
#include "tools/weir/program_json.h"
#include "translator/ebpf/disassemble.h"
#include "translator/ebpf/encode.h"
#include "translator/ir/build/build.h"
#include "translator/ir/text/text.h"
#include "translator/translate.h"

namespace weir::tool {
namespace {

Result<ebpf::Program> translate_input(const FilterInput& input, lower::TargetId target) {
  const engine::Filter filter = input.filter();
  return translate(filter.program, engine::translate_options(filter, target));
}

std::string hex_lines(const ebpf::Program& program) {
  std::string out;
  for (const ebpf::Slot& slot : ebpf::encode(program.instructions)) {
    out += ebpf::to_hex(slot) + "\n";
  }
  return out;
}

// Data goes to stdout all the same: other machines take it.
void warn_if_too_long(const cbpf::Program& program) {
  const std::size_t count = program.instructions.size();
  if (count > cbpf::kMaxLinuxInstructions) {
    fmt::print(stderr,
               "weir: warning: the kernel takes classic programs of {} instructions at most, and "
               "this one has {}\n",
               cbpf::kMaxLinuxInstructions, count);
  }
}

// What the classic program that is printed is: libpcap's, or that as weir optimises it.
enum class ClassicForm : std::uint8_t { kAsGiven, kOptimized };

// An expression is optimised unless an option says how; what was written instruction by instruction
// stays as it is. The extended program never comes from the optimised one: it is the one that
// `attach` loads.
ClassicForm wanted_classic(const Options& options) {
  const bool as_given = options.has("no-optimize") || options.has("optimizer") ||
                        options.has("asm") || options.has("bytecode");
  return as_given ? ClassicForm::kAsGiven : ClassicForm::kOptimized;
}

// The filter's own program, or for a hook of the kernel the one that is to be attached there.
Result<cbpf::ValidatedProgram> classic_program(const FilterInput& input, lower::TargetId target,
                                               ClassicForm form) {
  if (target == lower::TargetId::kUser && form == ClassicForm::kAsGiven) {
    return engine::classic_program(input.filter());
  }
  auto optimized = translate_classic(
      *input.program,
      {.link_type = input.link_type, .target = target, .set_tests = &input.set_tests});
  const bool fall_back = target == lower::TargetId::kUser && !optimized &&
                         optimized.error().code == ErrorCode::kUnsupported;
  return fall_back ? engine::classic_program(input.filter()) : optimized;
}

Status print_json(const FilterInput& input, lower::TargetId target, ClassicForm form) {
  const auto extended = translate_input(input, target);
  if (!extended) {
    return tl::make_unexpected(extended.error());
  }
  const auto classic = classic_program(input, lower::TargetId::kUser, form);
  if (!classic && classic.error().code != ErrorCode::kUnsupported) {
    return tl::make_unexpected(classic.error());
  }
  if (classic) {
    warn_if_too_long(classic->program());
  }
  const nlohmann::json object = {
      {"expression", input.text},
      {"link_type", cbpf::link_type_name(input.link_type)},
      // A long list may be more than the classic machine can say.
      {"classic", classic ? to_json(classic->program()) : nlohmann::json()},
      {"extended", to_json(*extended, target)}};
  fmt::print("{}\n", object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  return {};
}

Status print_classic(const FilterInput& input, lower::TargetId target, ClassicForm classic_form,
                     const std::string& form) {
  const auto whole = classic_program(input, target, classic_form);
  if (!whole) {
    return tl::make_unexpected(whole.error());
  }
  const cbpf::Program& program = whole->program();
  if (form == "listing") {
    fmt::print("{}", cbpf::to_text(program, cbpf::TextForm::kListing));
  } else if (form == "c") {
    fmt::print("{}", cbpf::to_text(program, cbpf::TextForm::kCArray));
  } else if (form == "decimal") {
    fmt::print("{}", cbpf::to_text(program, cbpf::TextForm::kDecimal));
  } else if (form == "xt_bpf") {
    fmt::print("{}", cbpf::to_text(program, cbpf::TextForm::kXtBpf));
  } else if (form == "asm") {
    fmt::print("{}", cbpf::disassemble(program));
  } else {
    return fail(ErrorCode::kUsage, fmt::format("a classic program has no form '{}'; --emit takes "
                                               "listing, c, decimal, xt_bpf, asm, ir or json",
                                               form));
  }
  warn_if_too_long(program);
  return {};
}

Status print_extended(const FilterInput& input, lower::TargetId target, const std::string& form) {
  const auto extended = translate_input(input, target);
  if (!extended) {
    return tl::make_unexpected(extended.error());
  }
  if (form == "listing") {
    fmt::print("{}", ebpf::disassemble(extended->instructions));
  } else if (form == "hex") {
    fmt::print("{}", hex_lines(*extended));
  } else {
    return fail(ErrorCode::kUsage, fmt::format("an extended program has no form '{}'; --emit takes "
                                               "listing, hex, ir or json",
                                               form));
  }
  return {};
}

Status print_ir(const FilterInput& input) {
  auto function = ir::build(*input.program, input.link_type, input.set_tests);
  if (!function) {
    return tl::make_unexpected(function.error());
  }
  if (auto report = opt::run_passes(*function, {}); !report) {
    return tl::make_unexpected(report.error());
  }
  fmt::print("{}", ir::print(*function));
  return {};
}

// The form that -d, -dd, -ddd, --emit and -j ask for.
std::string wanted_form(const Options& options) {
  if (options.has("json")) {
    return "json";
  }
  if (options.has("emit")) {
    return options.get("emit");
  }
  const std::size_t ds = options.count("d");
  return ds <= 1 ? "listing" : ds == 2 ? "c" : "decimal";
}

Status run(const Options& options) {
  const auto target = lower::target_by_name(options.get("target", "user"));
  if (!target) {
    return tl::make_unexpected(target.error());
  }
  const std::string to = options.get("to", options.has("target") ? "extended" : "classic");
  if (to != "classic" && to != "extended") {
    return fail(ErrorCode::kUsage, "--to takes classic or extended, not '" + to + "'");
  }
  const auto input = read_filter_input(options);
  if (!input) {
    return tl::make_unexpected(input.error());
  }
  const std::string form = wanted_form(options);
  const ClassicForm classic = wanted_classic(options);
  if (form == "ir") {
    return print_ir(*input);
  }
  if (form != "json") {
    return to == "classic" ? print_classic(*input, *target, classic, form)
                           : print_extended(*input, *target, form);
  }
  return print_json(*input, *target, classic);
}

}  // namespace

Command compile_command() {
  return {
      "compile",
      "an expression, assembly or bytecode to a program of either machine",
      "[options] [--] EXPRESSION",
      "Compiles a filter and prints the program: classic BPF in the form of tcpdump -d, optimised\n"
      "by weir, or with --target the extended program for a hook.",
      "  weir compile tcp port 80                      a listing as tcpdump -d prints it\n"
      "  weir compile -O tcp port 80                   libpcap's program, not optimised\n"
      "  weir compile --optimizer libpcap tcp port 80  the program of tcpdump -d\n"
      "  weir compile -ddd tcp port 80                 decimal numbers, for iptables and others\n"
      "  weir compile --target xdp tcp port 80         the eBPF program for XDP\n"
      "  weir compile --to classic --target socket tcp port 80\n"
      "                                                classic for SO_ATTACH_FILTER: VLAN tags "
      "that\n"
      "                                                the kernel took out count, as on a "
      "savefile\n"
      "  weir compile --emit asm tcp port 80           assembly, to edit and give back with --asm\n"
      "  weir compile -j tcp port 80                   both programs as JSON",
      filter_input_options(
          {
              {"d", 0, OptionKind::kFlag, "",
               "print a listing; -dd a C array, -ddd decimal numbers"},
              {"to", 0, OptionKind::kValue, "MACHINE", "classic (default) or extended"},
              {"target", 0, OptionKind::kValue, "HOOK",
               "where the program runs: user (default), socket, tc, tc-egress\nor xdp"},
              {"emit", 0, OptionKind::kValue, "FORM",
               "classic: listing, c, decimal, xt_bpf, asm; extended: listing, hex;\neither: ir, "
               "json"},
              {"json", 'j', OptionKind::kFlag, "", "print both programs as JSON"},
          },
          "weir"),
      run,
      kExpressionNotes,
  };
}

}  // namespace weir::tool
