// weir vm: an extended program of any origin in user space, one run. Made to be driven by the
// plug-in contract of public eBPF conformance suites.
#include <fmt/format.h>

#include <array>

#include "tools/weir/command.h"
#include "tools/weir/filter_input.h"
#include "translator/ebpf/encode.h"
#include "translator/jit/jit.h"
#include "translator/vm/machine.h"

namespace weir::tool {
namespace {

std::uint64_t first_argument(void*, std::uint64_t r1, std::uint64_t, std::uint64_t, std::uint64_t,
                             std::uint64_t) {
  return r1;
}
constexpr std::array kHelpers = {ebpf::Helper{.number = 5, .function = first_argument}};

Result<std::vector<std::uint8_t>> read_memory(const Options& options) {
  auto memory = from_hex(options.expression());
  if (!memory) {
    return fail(ErrorCode::kUsage,
                fmt::format("the memory is an even number of hexadecimal digits, not '{}'",
                            options.expression()));
  }
  return std::move(*memory);
}

Result<ebpf::Program> read_program() {
  const auto text = read_text_file("-");
  if (!text) {
    return tl::make_unexpected(text.error());
  }
  const auto slots = ebpf::slots_from_hex(*text);
  if (!slots) {
    return tl::make_unexpected(slots.error());
  }
  auto instructions = ebpf::decode(*slots);
  if (!instructions) {
    return tl::make_unexpected(std::move(instructions.error()));
  }
  return ebpf::Program{.instructions = std::move(*instructions)};
}

Result<std::uint64_t> run_program(const std::string& engine, const ebpf::Program& program,
                                  std::span<std::uint8_t> memory) {
  const ebpf::Region region = ebpf::writable(memory);
  const ebpf::Input input{.r1 = memory.empty() ? 0 : region.address,
                          .r2 = region.size,
                          .regions = std::span(&region, 1),
                          .packet = memory};
  if (engine == "extended-interpreter") {
    const auto machine = vm::Machine::load(program, kHelpers, {.legacy_packet_access = true});
    return machine ? machine->run(input) : tl::make_unexpected(machine.error());
  }
  if (engine == "extended-jit") {
    const auto native =
        jit::NativeProgram::compile(program, kHelpers, {.legacy_packet_access = true});
    return native ? native->run(input) : tl::make_unexpected(native.error());
  }
  return fail(
      ErrorCode::kUsage,
      fmt::format("a program of the vm runs in extended-interpreter or extended-jit, not '{}'",
                  engine));
}

Status run(const Options& options) {
  auto memory = read_memory(options);
  if (!memory) {
    return tl::make_unexpected(memory.error());
  }
  const auto program = read_program();
  if (!program) {
    return tl::make_unexpected(program.error());
  }
  const auto r0 = run_program(options.get("engine", "extended-interpreter"), *program, *memory);
  if (!r0) {
    return tl::make_unexpected(r0.error());
  }
  fmt::print("{:x}\n", *r0);
  return {};
}

}  // namespace

Command vm_command() {
  return {
      "vm",
      "run an eBPF program once in user space",
      "[--engine E] [MEMORY_HEX] < PROGRAM_HEX",
      "Reads an extended program (RFC 9669) from stdin, 16 hexadecimal digits an instruction as "
      "its\n"
      "bytes lie in memory on a little-endian machine, runs it once and prints r0 in hexadecimal.\n"
      "Blanks between digits do not matter. The program may read and write MEMORY_HEX: r1 is its\n"
      "address, r2 its size in bytes, and it is the packet of the legacy packet loads; without it\n"
      "both are 0. Helper 5 gives back its r1. Every access to memory is checked. A program that "
      "is\n"
      "refused, or that does what it may not while it runs, is an error.",
      "  echo 'b7 00 0000 2a000000 95 00 0000 00000000' | weir vm              prints 2a\n"
      "  weir vm --engine extended-jit 'ff 02 03 04' < program.hex",
      {
          {"engine", 0, OptionKind::kValue, "ENGINE",
           "extended-interpreter (default) or extended-jit"},
      },
      run,
  };
}

}  // namespace weir::tool
