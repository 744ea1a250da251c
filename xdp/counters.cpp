#include "xdp/counters.h"

#include <fmt/format.h>

#include <cstring>

#include "xdp/inspect.h"

namespace weir::xdp {
namespace {

Result<ebpf::Counter> sum(int map_fd, std::uint32_t key) {
  const auto values = map_value(map_fd, key);
  if (!values) {
    return tl::make_unexpected(values.error());
  }
  ebpf::Counter total;
  for (std::size_t at = 0; at + sizeof(ebpf::Counter) <= values->size();
       at += sizeof(ebpf::Counter)) {
    ebpf::Counter one;
    std::memcpy(&one, values->data() + at, sizeof(one));
    total.packets += one.packets;
    total.bytes += one.bytes;
  }
  return total;
}

}  // namespace

Result<Counters> read_counters(int map_fd) {
  const auto info = map_info(map_fd);
  if (!info) {
    return tl::make_unexpected(info.error());
  }
  if (!info->per_cpu || info->value_size != sizeof(ebpf::Counter) || info->entries != 2) {
    return fail(ErrorCode::kUnsupported, fmt::format("the map '{}' holds no counters", info->name));
  }
  const auto no_match = sum(map_fd, 0);
  const auto match = sum(map_fd, 1);
  if (!no_match || !match) {
    return tl::make_unexpected(no_match ? match.error() : no_match.error());
  }
  return Counters{*no_match, *match};
}

Result<Counters> program_counters(std::uint32_t program_id) {
  const auto map = open_program_map(program_id, ebpf::kCounterMap);
  if (!map) {
    return tl::make_unexpected(map.error());
  }
  return read_counters(map->get());
}

}  // namespace weir::xdp
