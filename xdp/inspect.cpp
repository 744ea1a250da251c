#include "xdp/inspect.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <linux/bpf.h>

#include <cerrno>

#include "xdp/errors.h"
#include "xdp/load.h"

namespace weir::xdp {
namespace {

Result<Fd> opened(int fd, const std::string& what) {
  if (fd >= 0) {
    return Fd(fd);
  }
  if (errno == EPERM) {
    return fail(ErrorCode::kPermission,
                fmt::format("opening {} needs CAP_SYS_ADMIN (or root)", what));
  }
  return tl::make_unexpected(system_error(fmt::format("opening {}", what), errno));
}

}  // namespace

Result<Fd> open_program(std::uint32_t id) {
  return opened(bpf_prog_get_fd_by_id(id), fmt::format("the program with id {}", id));
}

Result<Fd> open_map(std::uint32_t id) {
  return opened(bpf_map_get_fd_by_id(id), fmt::format("the map with id {}", id));
}

Result<MapInfo> map_info(int map_fd) {
  bpf_map_info raw{};
  std::uint32_t size = sizeof(raw);
  if (bpf_obj_get_info_by_fd(map_fd, &raw, &size) != 0) {
    return tl::make_unexpected(system_error("asking the kernel about a map", errno));
  }
  return MapInfo{.id = raw.id,
                 .name = raw.name,
                 .value_size = raw.value_size,
                 .entries = raw.max_entries,
                 .per_cpu = raw.type == BPF_MAP_TYPE_PERCPU_ARRAY};
}

Result<std::vector<std::uint8_t>> map_value(int map_fd, std::uint32_t key) {
  const auto info = map_info(map_fd);
  if (!info) {
    return tl::make_unexpected(info.error());
  }
  std::size_t size = info->value_size;
  if (info->per_cpu) {
    const int cpus = libbpf_num_possible_cpus();
    if (cpus < 0) {
      return tl::make_unexpected(system_error("counting the possible CPUs", -cpus));
    }
    size = (size + 7) / 8 * 8 * static_cast<std::size_t>(cpus);
  }
  std::vector<std::uint8_t> value(size);
  if (bpf_map_lookup_elem(map_fd, &key, value.data()) != 0) {
    return tl::make_unexpected(
        system_error(fmt::format("reading entry {} of the map '{}'", key, info->name), errno));
  }
  return value;
}

Result<Fd> open_program_map(std::uint32_t program_id, std::string_view name) {
  const auto program = open_program(program_id);
  if (!program) {
    return tl::make_unexpected(program.error());
  }
  const auto info = program_info(program->get());
  if (!info) {
    return tl::make_unexpected(info.error());
  }
  for (const std::uint32_t id : info->map_ids) {
    auto map = open_map(id);
    if (!map) {
      return map;
    }
    if (const auto of_map = map_info(map->get()); of_map && of_map->name == name) {
      return map;
    }
  }
  return fail(ErrorCode::kUnsupported, fmt::format("the program '{}' (id {}) has no map '{}'",
                                                   info->name, program_id, name));
}

std::string describe_program(std::uint32_t id) {
  const auto fd = open_program(id);
  const auto info = fd ? program_info(fd->get()) : tl::make_unexpected(fd.error());
  if (!info) {
    return fmt::format("with id {}", id);
  }
  return fmt::format("'{}' (id {})", info->name, id);
}

}  // namespace weir::xdp
