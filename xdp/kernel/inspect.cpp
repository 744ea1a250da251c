#include "xdp/kernel/inspect.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <linux/bpf.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "xdp/kernel/capabilities.h"
#include "xdp/kernel/errors.h"

namespace weir::xdp {
namespace {

// NR_CPUS of the largest kernel configuration there is (x86-64 with MAXSMP, powerpc). The number of
// possible CPUs in /sys is not used: a container may see one of its own there.
constexpr std::size_t kMostCpus = 8192;

tl::unexpected<Error> opening_error(const std::string& what, int number) {
  if (number == EPERM) {
    return tl::make_unexpected(
        missing_privilege(fmt::format("opening {}", what), {Capability::kSysAdmin}));
  }
  return tl::make_unexpected(system_error(fmt::format("opening {}", what), number));
}

tl::unexpected<Error> not_readable(const MapInfo& map) {
  return fail(ErrorCode::kUnsupported,
              fmt::format("the map '{}' (id {}) is not one of weir's: {} of {} bytes", map.name,
                          map.id, map_type_name(map), map.value_size));
}

// Entry `key` into a buffer of `size` bytes, which the caller knows to be what the kernel writes at
// most.
Result<std::vector<std::uint8_t>> read_entry(int map_fd, const MapInfo& map, std::uint32_t key,
                                             std::size_t size) {
  std::vector<std::uint8_t> value(size);
  if (bpf_map_lookup_elem(map_fd, &key, value.data()) != 0) {
    return tl::make_unexpected(
        system_error(fmt::format("reading entry {} of the map '{}'", key, map.name), errno));
  }
  return value;
}

}  // namespace

Result<std::optional<Fd>> find_program(std::uint32_t id) {
  const int fd = bpf_prog_get_fd_by_id(id);
  if (fd >= 0) {
    return std::optional<Fd>(std::in_place, fd);
  }
  if (errno == ENOENT) {
    return std::nullopt;
  }
  return opening_error(fmt::format("the program with id {}", id), errno);
}

Result<Fd> open_program(std::uint32_t id) {
  auto found = find_program(id);
  if (!found) {
    return tl::make_unexpected(found.error());
  }
  if (!*found) {
    return fail(ErrorCode::kSystem, fmt::format("the program with id {} has gone", id));
  }
  return std::move(**found);
}

Result<Fd> open_map(std::uint32_t id) {
  const int fd = bpf_map_get_fd_by_id(id);
  if (fd >= 0) {
    return Fd(fd);
  }
  return opening_error(fmt::format("the map with id {}", id), errno);
}

Result<std::vector<Fd>> program_maps(const ProgramInfo& program, std::string_view name) {
  std::vector<Fd> found;
  for (const std::uint32_t id : program.map_ids) {
    auto map = open_map(id);
    const auto info = map ? map_info(map->get()) : tl::make_unexpected(map.error());
    if (!info) {
      return tl::make_unexpected(info.error());
    }
    if (info->name == name) {
      found.push_back(std::move(*map));
    }
  }
  return found;
}

Result<MapInfo> map_info(int map_fd) {
  bpf_map_info raw{};
  std::uint32_t size = sizeof(raw);
  if (bpf_obj_get_info_by_fd(map_fd, &raw, &size) != 0) {
    return tl::make_unexpected(system_error("querying a map", errno));
  }
  return MapInfo{.id = raw.id,
                 .name = {raw.name, strnlen(raw.name, sizeof(raw.name))},
                 .type = raw.type,
                 .key_size = raw.key_size,
                 .value_size = raw.value_size,
                 .entries = raw.max_entries,
                 .flags = raw.map_flags};
}

std::string map_type_name(const MapInfo& map) {
  const char* name = libbpf_bpf_map_type_str(static_cast<bpf_map_type>(map.type));
  return name != nullptr ? name : fmt::format("type {}", map.type);
}

bool is_frozen_array(int map_fd) {
  // An array never takes a new entry (BPF_NOEXIST), but the kernel checks the right to write first.
  const auto info = map_info(map_fd);
  if (!info || info->type != BPF_MAP_TYPE_ARRAY || info->value_size > kLargestArrayValue) {
    return false;
  }
  const std::uint32_t key = 0;
  const std::vector<std::uint8_t> value(info->value_size);
  return bpf_map_update_elem(map_fd, &key, value.data(), BPF_NOEXIST) != 0 && errno == EPERM;
}

Result<std::vector<std::uint8_t>> array_value(int map_fd) {
  const auto info = map_info(map_fd);
  if (!info) {
    return tl::make_unexpected(info.error());
  }
  if (info->type != BPF_MAP_TYPE_ARRAY || info->key_size != sizeof(std::uint32_t) ||
      info->value_size > kLargestArrayValue) {
    return not_readable(*info);
  }
  return read_entry(map_fd, *info, 0, info->value_size);
}

Result<std::vector<std::uint8_t>> per_cpu_values(int map_fd, std::uint32_t key) {
  const auto info = map_info(map_fd);
  if (!info) {
    return tl::make_unexpected(info.error());
  }
  if (info->type != BPF_MAP_TYPE_PERCPU_ARRAY || info->key_size != sizeof(std::uint32_t) ||
      info->value_size > kLargestPerCpuValue) {
    return not_readable(*info);
  }
  const std::size_t padded = (info->value_size + std::size_t{7}) / 8 * 8;
  return read_entry(map_fd, *info, key, padded * kMostCpus);
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
