#include "translator/userspace/run.h"

#include <fmt/format.h>

#include <string_view>

namespace weir::ebpf {
namespace {

std::uint64_t address_of(const void* p) { return reinterpret_cast<std::uint64_t>(p); }

// "load of 4 bytes at 0x10": what the instruction was doing.
std::string access_text(const Instruction& instruction, std::uint64_t address) {
  const auto text = [&](std::string_view what, Width width) {
    const int bytes = static_cast<int>(width);
    return fmt::format("{} of {} byte{} at {:#x}", what, bytes, bytes == 1 ? "" : "s", address);
  };
  if (const auto* load = std::get_if<Load>(&instruction)) {
    return text("load", load->width);
  }
  if (const auto* store = std::get_if<Store>(&instruction)) {
    return text("store", store->width);
  }
  if (const auto* atomic = std::get_if<Atomic>(&instruction)) {
    return text("atomic operation", atomic->width);
  }
  return fmt::format("access at {:#x}", address);
}

}  // namespace

Region readable(Bytes bytes) {
  return {.address = address_of(bytes.data()), .size = bytes.size(), .writable = false};
}

Region writable(std::span<std::uint8_t> bytes) {
  return {.address = address_of(bytes.data()), .size = bytes.size(), .writable = true};
}

std::string fault_text(const Instruction& instruction, const Fault& fault) {
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

}  // namespace weir::ebpf
