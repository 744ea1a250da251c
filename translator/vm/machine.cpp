#include "translator/vm/machine.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "translator/vm/code.h"
#include "translator/vm/load.h"

namespace weir::vm {
namespace {

std::uint64_t address_of(const void* p) { return reinterpret_cast<std::uint64_t>(p); }

// "load of 4 bytes at 0x10": what the instruction at fault was doing.
std::string access_text(const ebpf::Instruction& instruction, std::uint64_t address) {
  const auto text = [&](std::string_view what, ebpf::Width width) {
    const int bytes = static_cast<int>(width);
    return fmt::format("{} of {} byte{} at {:#x}", what, bytes, bytes == 1 ? "" : "s", address);
  };
  if (const auto* load = std::get_if<ebpf::Load>(&instruction)) {
    return text("load", load->width);
  }
  if (const auto* store = std::get_if<ebpf::Store>(&instruction)) {
    return text("store", store->width);
  }
  if (const auto* atomic = std::get_if<ebpf::Atomic>(&instruction)) {
    return text("atomic operation", atomic->width);
  }
  return fmt::format("access at {:#x}", address);
}

std::string fault_text(const Code& code, const Fault& fault) {
  const ebpf::Instruction& instruction = code.instructions[fault.instruction];
  switch (fault.kind) {
    case FaultKind::kNone:
      break;
    case FaultKind::kOutside:
      return access_text(instruction, fault.address) + " is outside every region";
    case FaultKind::kReadOnly:
      return access_text(instruction, fault.address) + " is in a read-only region";
    case FaultKind::kUnaligned:
      return access_text(instruction, fault.address) + " is not aligned";
    case FaultKind::kDepth:
      return fmt::format("call of a frame beyond the {} there are", kFrames);
    case FaultKind::kBudget:
      return "the budget of instructions is used up";
  }
  return "no fault";
}

tl::unexpected<Error> failure(const Code& code, const Fault& fault, std::string detail = {}) {
  return fail(ErrorCode::kInvalidProgram, fault_text(code, fault),
              {.instruction = fault.instruction}, std::move(detail));
}

}  // namespace

Region readable(Bytes bytes) {
  return {.address = address_of(bytes.data()), .size = bytes.size(), .writable = false};
}

Region writable(std::span<std::uint8_t> bytes) {
  return {.address = address_of(bytes.data()), .size = bytes.size(), .writable = true};
}

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
  const Region own = {.address = address_of(&context), .size = sizeof(context)};
  Job job{.r1 = own.address,
          .main = {.address = context.data, .size = context.data_end - context.data},
          .second = own};
  if (!execute(*code_, job)) {
    return failure(*code_, job.fault);
  }
  return static_cast<std::uint32_t>(job.r0);
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
