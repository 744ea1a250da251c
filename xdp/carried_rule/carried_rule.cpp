#include "xdp/carried_rule/carried_rule.h"

#include <fmt/format.h>
#include <linux/bpf.h>

#include "translator/ebpf/rule_maps.h"
#include "xdp/kernel/inspect.h"

namespace weir::xdp {
namespace {

// Why a map is not what create_map() of load.cpp makes of read-only data; empty when it is.
std::string why_foreign(const MapInfo& map, int map_fd) {
  if (map.type != BPF_MAP_TYPE_ARRAY) {
    return fmt::format("is of type {}, not array", map_type_name(map));
  }
  if (map.key_size != sizeof(std::uint32_t) || map.entries != 1) {
    return fmt::format("has {} entries and keys of {} bytes, not 1 and 4", map.entries,
                       map.key_size);
  }
  if (map.value_size > kLargestArrayValue) {
    return fmt::format("holds {} bytes, more than weir writes", map.value_size);
  }
  if (map.flags != BPF_F_RDONLY_PROG) {
    return fmt::format("has the flags {:#x}, not {:#x}", map.flags,
                       static_cast<std::uint32_t>(BPF_F_RDONLY_PROG));
  }
  return is_frozen_array(map_fd) ? "" : "is not frozen";
}

}  // namespace

Result<CarriedRule> carried_rule(const ProgramInfo& program) {
  const auto maps = program_maps(program, ebpf::kRuleMap);
  if (!maps) {
    return tl::make_unexpected(maps.error());
  }
  CarriedRule carried;
  for (const Fd& map : *maps) {
    const auto info = map_info(map.get());
    if (!info) {
      return tl::make_unexpected(info.error());
    }
    std::string why = why_foreign(*info, map.get());
    if (why.empty()) {
      const auto value = array_value(map.get());
      if (!value) {
        return tl::make_unexpected(value.error());
      }
      auto rule = decode_rule(*value);
      if (rule) {
        return CarriedRule{std::move(*rule), {}};
      }
      why = "cannot be read: " + rule.error().message;
    }
    carried.remark = fmt::format("its map '{}' {}", ebpf::kRuleMap, why);
  }
  return carried;
}

}  // namespace weir::xdp
