#include "translator/vm/machine.h"

#include <fmt/format.h>

#include <utility>

#include "translator/vm/code.h"
#include "translator/vm/load.h"

namespace weir::vm {
namespace {

std::uint64_t address_of(const void* p) { return reinterpret_cast<std::uint64_t>(p); }

tl::unexpected<Error> failure(const Code& code, const Fault& fault, std::string detail = {}) {
  return fail(ErrorCode::kInvalidProgram,
              ebpf::fault_text(code.instructions[fault.instruction], fault),
              {.instruction = fault.instruction}, std::move(detail));
}

}  // namespace

Machine::Machine(std::unique_ptr<Code> code) : code_(std::move(code)) {}
Machine::Machine(Machine&&) noexcept = default;
Machine& Machine::operator=(Machine&&) noexcept = default;
Machine::~Machine() = default;

Result<Machine> Machine::load(const ebpf::Program& program, std::span<const Helper> helpers,
                              const LoadOptions& options) {
  Result<std::unique_ptr<Code>> code = make_code(program, helpers, options);
  if (!code) {
    return tl::make_unexpected(std::move(code.error()));
  }
  return Machine(std::move(*code));
}

Result<std::uint64_t> Machine::run(const Input& input) const {
  Job job{.r1 = input.r1, .r2 = input.r2, .regions = input.regions, .packet = input.packet};
  if (!input.regions.empty()) {
    job.main = input.regions.front();
    job.regions = input.regions.subspan(1);
  }
  if (!execute(*code_, job)) {
    return failure(*code_, job.fault);
  }
  return job.r0;
}

Result<std::uint64_t> Machine::run_memory(std::span<std::uint8_t> memory) const {
  const Region region = writable(memory);
  return run({.r1 = memory.empty() ? 0 : region.address,
              .r2 = region.size,
              .regions = std::span(&region, 1)});
}

Result<std::uint32_t> Machine::run_packet(const ebpf::UserContext& context) const {
  const UserPacket packet{.data = reinterpret_cast<const std::uint8_t*>(context.data),
                          .captured = static_cast<std::uint32_t>(context.data_end - context.data),
                          .length = context.length};
  std::uint32_t verdict = 0;
  if (auto ran = run_packets(std::span(&packet, 1), std::span(&verdict, 1), context); !ran) {
    ran.error().detail.clear();
    return tl::make_unexpected(std::move(ran.error()));
  }
  return verdict;
}

Status Machine::run_packets(std::span<const UserPacket> packets, std::span<std::uint32_t> verdicts,
                            const ebpf::UserContext& common) const {
  if (verdicts.size() < packets.size()) {
    return fail(ErrorCode::kUsage, fmt::format("{} packets and {} places for their verdicts",
                                               packets.size(), verdicts.size()));
  }
  if (packets.empty()) {
    return {};
  }
  ebpf::UserContext context = common;
  const Region own = {.address = address_of(&context), .size = sizeof(context)};
  Job job{.r1 = own.address,
          .second = own,
          .context = &context,
          .packets = packets,
          .verdicts = verdicts.data()};
  if (!execute(*code_, job)) {
    return failure(*code_, job.fault, fmt::format("packet {}", job.fault.packet));
  }
  return {};
}

}  // namespace weir::vm
