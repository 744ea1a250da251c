// An extended program with the maps and data it names: all a loader, a VM or an emitter needs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "translator/ebpf/instruction.h"

namespace weir::ebpf {

enum class MapKind : std::uint8_t {
  kReadOnlyData,  // One value, filled from `data`, frozen before the program is loaded.
  kPerCpuArray,   // Zeroed.
};

// An instruction that comes from no classic one.
inline constexpr std::uint32_t kNoOrigin = 0xffffffff;

// A map the program names by index (Imm64Kind::kMapIndex, kMapValueIndex).
struct Map {
  std::string name;  // At most 15 characters, as the kernel keeps them.
  MapKind kind = MapKind::kReadOnlyData;
  std::uint32_t value_size = 0;  // In bytes.
  std::uint32_t entries = 1;
  std::vector<std::uint8_t> data;  // kReadOnlyData: value_size bytes.
  // Whether it is bound to the program without any instruction naming it (BPF_PROG_BIND_MAP).
  bool metadata = false;
};

struct Program {
  std::vector<Instruction> instructions;
  // For each instruction the classic instruction it comes from, or kNoOrigin (all ones, as
  // ir::kNoOrigin).
  std::vector<std::uint32_t> origins;
  std::vector<Map> maps;
};

}  // namespace weir::ebpf
