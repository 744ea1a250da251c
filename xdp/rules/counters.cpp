#include "xdp/rules/counters.h"

#include <fmt/format.h>
#include <linux/bpf.h>

#include <cstring>

#include "xdp/kernel/inspect.h"

namespace weir::xdp {
namespace {

constexpr std::uint32_t kVerdicts = 2;

bool holds_counters(const MapInfo& map) {
  return map.type == BPF_MAP_TYPE_PERCPU_ARRAY && map.key_size == sizeof(std::uint32_t) &&
         map.value_size == sizeof(ebpf::Counter) && map.entries == kVerdicts && map.flags == 0;
}

}  // namespace

ebpf::Counter sum_counters(Bytes values) {
  ebpf::Counter total;
  for (; values.size() >= sizeof(ebpf::Counter); values = values.subspan(sizeof(ebpf::Counter))) {
    ebpf::Counter one;
    std::memcpy(&one, values.data(), sizeof(one));
    total.packets += one.packets;
    total.bytes += one.bytes;
  }
  return total;
}

Result<Counters> read_counters(int map_fd) {
  const auto info = map_info(map_fd);
  if (!info) {
    return tl::make_unexpected(info.error());
  }
  if (!holds_counters(*info)) {
    return fail(ErrorCode::kUnsupported, fmt::format("the map '{}' holds no counters", info->name));
  }
  const auto no_match = per_cpu_values(map_fd, 0);
  const auto match = per_cpu_values(map_fd, 1);
  if (!no_match || !match) {
    return tl::make_unexpected(no_match ? match.error() : no_match.error());
  }
  return Counters{sum_counters(*no_match), sum_counters(*match)};
}

Result<Counters> program_counters(std::uint32_t program_id) {
  const auto program = open_program(program_id);
  const auto info = program ? program_info(program->get()) : tl::make_unexpected(program.error());
  if (!info) {
    return tl::make_unexpected(info.error());
  }
  const auto maps = program_maps(*info, ebpf::kCounterMap);
  if (!maps) {
    return tl::make_unexpected(maps.error());
  }
  for (const Fd& map : *maps) {
    const auto of_map = map_info(map.get());
    if (of_map && holds_counters(*of_map)) {
      return read_counters(map.get());
    }
  }
  return fail(ErrorCode::kUnsupported,
              fmt::format("the program '{}' (id {}) has no counters", info->name, program_id));
}

}  // namespace weir::xdp
