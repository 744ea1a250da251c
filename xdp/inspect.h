// Looks at programs and maps that are in the kernel, whosever they are.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cbpf/base/fd.h"
#include "cbpf/base/result.h"

namespace weir::xdp {

// A descriptor of the program (map) of that id. The kernel gives it to CAP_SYS_ADMIN alone:
// kPermission says so. kSystem when there is none of that id.
Result<Fd> open_program(std::uint32_t id);
Result<Fd> open_map(std::uint32_t id);

// A descriptor of the program's map of that name. kUnsupported when it has none.
Result<Fd> open_program_map(std::uint32_t program_id, std::string_view name);

struct MapInfo {
  std::uint32_t id = 0;
  std::string name;
  std::uint32_t value_size = 0;
  std::uint32_t entries = 0;
  bool per_cpu = false;
};
Result<MapInfo> map_info(int map_fd);

// The value of an array's entry; of a per-CPU array one value after the other for every possible
// CPU, each padded to 8 bytes.
Result<std::vector<std::uint8_t>> map_value(int map_fd, std::uint32_t key);

// "'NAME' (id N)"; only the id when the kernel does not tell the name.
std::string describe_program(std::uint32_t id);

}  // namespace weir::xdp
