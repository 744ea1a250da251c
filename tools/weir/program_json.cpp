#include "tools/weir/program_json.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "cbpf/base/bytes.h"
#include "translator/ebpf/encode.h"

namespace weir::tool {

nlohmann::json to_json(const cbpf::Program& program) {
  nlohmann::json instructions = nlohmann::json::array();
  for (const cbpf::Instruction& i : program.instructions) {
    instructions.push_back({i.code, i.jt, i.jf, i.k});
  }
  const std::size_t count = instructions.size();
  return {{"count", count}, {"instructions", std::move(instructions)}};
}

nlohmann::json to_json(const ebpf::Program& program, lower::TargetId target) {
  nlohmann::json slots = nlohmann::json::array();
  for (const ebpf::Slot& slot : ebpf::encode(program.instructions)) {
    slots.push_back(ebpf::to_hex(slot));
  }
  const std::size_t count = slots.size();
  nlohmann::json object = {{"target", lower::target(target).name},
                           {"count", count},
                           {"instructions", std::move(slots)},
                           {"maps", nlohmann::json::array()}};
  // What instructions name by index: the tables of lists.
  for (const ebpf::Map& map : program.maps) {
    object["maps"].push_back({{"name", map.name}, {"data", to_hex(map.data)}});
  }
  return object;
}

}  // namespace weir::tool
