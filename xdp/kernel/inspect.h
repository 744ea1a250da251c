// Queries programs and maps that are in the kernel, weir's and foreign ones.
//
// Any process with CAP_BPF gives maps any name, type and size. Nothing here trusts a name: a value
// is read only from a map of a type whose size in user space is known, into a buffer of that size.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cbpf/base/fd.h"
#include "cbpf/base/result.h"
#include "xdp/kernel/load.h"

namespace weir::xdp {

// A descriptor of the program of that id, nothing when there is none of that id. The kernel gives
// it to CAP_SYS_ADMIN alone: kPermission says so.
Result<std::optional<Fd>> find_program(std::uint32_t id);

// The same; kSystem when there is none of that id.
Result<Fd> open_program(std::uint32_t id);
Result<Fd> open_map(std::uint32_t id);

// The program's maps of that name, in the kernel's order: those that instructions name, then those
// that were bound later, each opened. Empty when it has none.
Result<std::vector<Fd>> program_maps(const ProgramInfo& program, std::string_view name);

struct MapInfo {
  std::uint32_t id = 0;
  std::string name;
  std::uint32_t type = 0;        // BPF_MAP_TYPE_*.
  std::uint32_t key_size = 0;    // In bytes.
  std::uint32_t value_size = 0;  // In bytes, of one CPU.
  std::uint32_t entries = 0;     // At most.
  std::uint32_t flags = 0;       // BPF_F_*.
};
Result<MapInfo> map_info(int map_fd);

// "array", "percpu_hash"; "type 99" for one that libbpf does not know.
std::string map_type_name(const MapInfo& map);

// Whether user space can no longer write the array (BPF_MAP_FREEZE). Changes nothing.
bool is_frozen_array(int map_fd);

// Entry 0 of an array (BPF_MAP_TYPE_ARRAY). kUnsupported for a map of any other type or a value
// above kLargestArrayValue.
inline constexpr std::uint32_t kLargestArrayValue = 16U << 20;
Result<std::vector<std::uint8_t>> array_value(int map_fd);

// An entry of a per-CPU array: the value of each CPU, padded to 8 bytes, one after the other. There
// is room for as many CPUs as any kernel supports; what belongs to no CPU is zero. kUnsupported for
// a map of any other type or a value above kLargestPerCpuValue.
inline constexpr std::uint32_t kLargestPerCpuValue = 64;
Result<std::vector<std::uint8_t>> per_cpu_values(int map_fd, std::uint32_t key);

// "'NAME' (id N)"; only the id when the kernel does not tell the name.
std::string describe_program(std::uint32_t id);

}  // namespace weir::xdp
