#include "translator/opt/analysis/known_bytes.h"

namespace weir::lower {

std::vector<opt::CheckedBytes> known_at_beginnings(const ir::Function& function) {
  std::vector<opt::CheckedBytes> known(function.blocks.size());
  std::vector<bool> reached(function.blocks.size(), false);
  for (ir::BlockId at = 0; at < function.blocks.size(); ++at) {
    const ir::Block& block = function.blocks[at];
    opt::CheckedBytes here = known[at];
    for (const ir::ValueId id : block.body) {
      if (ir::is_effect(function.values[id].op)) {
        here.add(function.values[id]);
      }
    }
    for (const ir::Edge& edge : block.terminator.edges) {
      if (reached[edge.to]) {
        known[edge.to].meet(here);
      } else {
        known[edge.to] = here;
        reached[edge.to] = true;
      }
    }
  }
  return known;
}

}  // namespace weir::lower
