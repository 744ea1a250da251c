#include "translator/lower/extended/regalloc/parallel_copy.h"

#include <algorithm>

namespace weir::lower {

std::vector<Copy> sequentialise(std::vector<Copy> copies, Location spare_slot) {
  std::erase_if(copies, [](const Copy& copy) { return copy.to == copy.from; });
  std::vector<Copy> ordered;
  while (!copies.empty()) {
    // A copy whose target nobody still has to read can go first.
    const auto free = std::find_if(copies.begin(), copies.end(), [&](const Copy& candidate) {
      return std::none_of(copies.begin(), copies.end(), [&](const Copy& other) {
        return &other != &candidate && other.from == candidate.to;
      });
    });
    if (free != copies.end()) {
      ordered.push_back(*free);
      copies.erase(free);
      continue;
    }
    // Only cycles are left: put one source aside, which frees its place.
    const bool in_memory = std::any_of(copies.begin(), copies.end(), [](const Copy& copy) {
      return copy.to.is_slot() || copy.from.is_slot();
    });
    const Location spare = in_memory ? spare_slot : Location::in(ebpf::Reg::kR0);
    const Location aside = copies.front().from;
    ordered.push_back({spare, aside});
    for (Copy& copy : copies) {
      if (copy.from == aside) {
        copy.from = spare;
      }
    }
  }
  return ordered;
}

}  // namespace weir::lower
