// The two machines of user space as one: whatever the interpreter is asked to run runs as native
// code too, and what they answer, what they leave in memory and how they fail must be the same.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "translator/ebpf/disassemble.h"
#include "translator/jit/code_memory.h"
#include "translator/jit/jit.h"
#include "translator/vm/machine.h"

namespace weir::vm {

class BothMachines {
 public:
  // The interpreter's refusal when it refuses; the native compiler must then say the same.
  static Result<BothMachines> load(const ebpf::Program& program,
                                   std::span<const Helper> helpers = {},
                                   const LoadOptions& options = {}) {
    auto machine = Machine::load(program, helpers, options);
    auto memory = compile(jit::RunsOn::kMemory, program, helpers, options);
    auto packets = compile(jit::RunsOn::kPackets, program, helpers, options);
    auto lanes = compile(jit::RunsOn::kPackets, program, helpers, options, jit::SimdUse::kAlways);
    for (const auto* native : {&memory, &packets, &lanes}) {
      EXPECT_EQ(text(*native), text(machine)) << ebpf::disassemble(program.instructions);
    }
    if (!machine || !memory || !packets || !lanes) {
      return tl::make_unexpected(machine ? Error{} : machine.error());
    }
    return BothMachines(program, std::move(*machine), std::move(*memory), std::move(*packets),
                        std::move(*lanes));
  }

  Result<std::uint64_t> run(const Input& input) const {
    const std::vector<std::vector<std::uint8_t>> before = contents(input.regions);
    const auto r0 = machine_.run(input);
    const std::vector<std::vector<std::uint8_t>> after = contents(input.regions);
    restore(input.regions, before);
    expect_same(native_.run(input), r0);
    EXPECT_EQ(contents(input.regions), after) << ebpf::disassemble(program_.instructions);
    return r0;
  }

  Result<std::uint64_t> run_memory(std::span<std::uint8_t> memory) const {
    const Region region = writable(memory);
    return run({.r1 = memory.empty() ? 0 : region.address,
                .r2 = region.size,
                .regions = std::span(&region, 1)});
  }

  Result<std::uint32_t> run_packet(const ebpf::UserContext& context) const {
    const auto verdict = machine_.run_packet(context);
    expect_same(native_packets_.run_packet(context), verdict);
    return verdict;
  }

  Status run_packets(std::span<const UserPacket> packets, std::span<std::uint32_t> verdicts,
                     const ebpf::UserContext& common = {}) const {
    const std::vector<std::uint32_t> before(verdicts.begin(), verdicts.end());
    Status status = machine_.run_packets(packets, verdicts, common);
    for (const jit::NativeProgram* program : {&native_packets_, &native_lanes_}) {
      std::vector<std::uint32_t> native = before;
      const Status other = program->run_packets(packets, native, common);
      EXPECT_EQ(text(other), text(status)) << ebpf::disassemble(program_.instructions);
      EXPECT_EQ(native, std::vector(verdicts.begin(), verdicts.end()))
          << ebpf::disassemble(program_.instructions);
    }
    return status;
  }

  const jit::NativeProgram& native_packets() const { return native_packets_; }

 private:
  BothMachines(const ebpf::Program& program, Machine machine, jit::NativeProgram native,
               jit::NativeProgram native_packets, jit::NativeProgram native_lanes)
      : program_(program),
        machine_(std::move(machine)),
        native_(std::move(native)),
        native_packets_(std::move(native_packets)),
        native_lanes_(std::move(native_lanes)) {}

  static Result<jit::NativeProgram> compile(jit::RunsOn runs_on, const ebpf::Program& program,
                                            std::span<const Helper> helpers,
                                            const LoadOptions& options,
                                            jit::SimdUse lanes = jit::SimdUse::kNever) {
    static const auto kPool = std::make_shared<jit::CodePool>();
    return jit::NativeProgram::compile(program, helpers,
                                       {.runs_on = runs_on,
                                        .budget = options.budget,
                                        .legacy_packet_access = options.legacy_packet_access,
                                        .lanes = lanes,
                                        .pool = kPool});
  }

  // How it ended; the address of a fault is left out, since the stacks are in different places.
  template <typename T>
  static std::string text(const Result<T>& result) {
    if (result) {
      return "fine";
    }
    std::string said = to_string(result.error()) + " " + result.error().detail;
    const std::size_t at = said.find("at 0x");
    if (at != std::string::npos) {
      said.erase(at, said.find(' ', at + 3) - at);
    }
    return said;
  }

  template <typename T>
  void expect_same(const Result<T>& native, const Result<T>& interpreted) const {
    EXPECT_EQ(text(native), text(interpreted)) << ebpf::disassemble(program_.instructions);
    if (native && interpreted) {
      EXPECT_EQ(*native, *interpreted) << ebpf::disassemble(program_.instructions);
    }
  }

  static std::vector<std::vector<std::uint8_t>> contents(std::span<const Region> regions) {
    std::vector<std::vector<std::uint8_t>> all;
    for (const Region& region : regions) {
      const auto* bytes = reinterpret_cast<const std::uint8_t*>(region.address);
      all.emplace_back(bytes, bytes + region.size);
    }
    return all;
  }
  static void restore(std::span<const Region> regions,
                      const std::vector<std::vector<std::uint8_t>>& all) {
    for (std::size_t i = 0; i < regions.size(); ++i) {
      if (regions[i].writable && !all[i].empty()) {
        std::memcpy(reinterpret_cast<void*>(regions[i].address), all[i].data(), all[i].size());
      }
    }
  }

  ebpf::Program program_;  // For messages.
  Machine machine_;
  jit::NativeProgram native_;
  jit::NativeProgram native_packets_;
  jit::NativeProgram native_lanes_;  // Batches of eight or more run in lanes.
};

}  // namespace weir::vm
