#include "translator/lower/extended/packet/combine_loads.h"

#include <algorithm>
#include <cstddef>

#include "translator/ir/graph.h"
#include "translator/opt/analysis/known_bytes.h"

namespace weir::lower {
namespace {

using ir::BlockId;
using ir::Op;
using ir::Value;
using ir::ValueId;

struct Load {
  ir::BlockId block = 0;
  std::uint32_t offset = 0;
  std::uint32_t width = 0;
  std::uint32_t known = 0;  // How many bytes behind the base are known to be there.
  std::uint64_t end() const { return std::uint64_t{offset} + width; }
};

class Planner {
 public:
  Planner(const ir::Function& function, const std::vector<bool>& needed)
      : function_(function),
        predecessors_(function),
        dominators_(predecessors_, function.blocks.size()) {
    collect(needed);
  }

  std::map<LoadKey, LoadWindow> run() && {
    for (const auto& [base, loads] : loads_) {
      for (std::size_t i = 0; i < loads.size(); ++i) {
        if (!windows_.contains({base, loads[i].offset})) {
          open(base, loads, i);
        }
      }
    }
    return std::move(windows_);
  }

 private:
  void collect(const std::vector<bool>& needed) {
    std::vector<opt::CheckedBytes> known = known_at_beginnings(function_);
    for (BlockId at = 0; at < function_.blocks.size(); ++at) {
      for (const ValueId id : function_.blocks[at].body) {
        const Value& value = function_.values[id];
        if (ir::is_effect(value.op)) {
          known[at].add(value);
        }
        const bool plain = value.a == ir::kNoValue || function_.values[value.a].op != Op::kConstant;
        if (value.op == Op::kLoad && needed[id] && plain) {
          loads_[value.a].push_back({.block = at,
                                     .offset = value.k,
                                     .width = value.width,
                                     .known = reach_of(known[at], value.a, value.k)});
        }
      }
    }
  }

  // How many of the eight bytes from `offset` on are known to be there behind the base.
  static std::uint32_t reach_of(const opt::CheckedBytes& known, ValueId base,
                                std::uint32_t offset) {
    for (std::uint32_t more = kWidest; more > 0; --more) {
      if (offset <= UINT32_MAX - more &&
          known.covers({.op = Op::kNeed, .k = offset + more, .a = base})) {
        return offset + more;
      }
    }
    return offset;
  }

  // Looks for the window with the most loads among those that hold load number `first`.
  void open(ValueId base, const std::vector<Load>& loads, std::size_t first) {
    const Load& load = loads[first];
    LoadWindow best;
    std::size_t most = 1;
    for (const std::uint8_t width : {std::uint8_t{4}, kWidest}) {
      // One that begins with the load first, which then need not be shifted.
      for (std::uint32_t before = 0; before + load.width <= width && before <= load.offset;
           ++before) {
        const LoadWindow window{.offset = load.offset - before, .width = width};
        if (window.end() > load.known) {
          continue;
        }
        if (const std::size_t count = members(base, loads, first, window); count > most) {
          most = count;
          best = window;
        }
      }
    }
    if (most == 1) {
      return;
    }
    for (std::size_t i = first; i < loads.size(); ++i) {
      if (is_member(base, loads[first], loads[i], best)) {
        windows_[{base, loads[i].offset}] = best;
      }
    }
  }

  bool is_member(ValueId base, const Load& first, const Load& other,
                 const LoadWindow& window) const {
    return other.offset >= window.offset && other.end() <= window.end() &&
           dominators_.dominates(first.block, other.block) &&
           !windows_.contains({base, other.offset});
  }

  std::size_t members(ValueId base, const std::vector<Load>& loads, std::size_t first,
                      const LoadWindow& window) const {
    std::size_t count = 0;
    for (std::size_t i = first; i < loads.size(); ++i) {
      count += is_member(base, loads[first], loads[i], window) ? 1 : 0;
    }
    return count;
  }

  static constexpr std::uint8_t kWidest = 8;

  const ir::Function& function_;
  const ir::Predecessors predecessors_;
  const ir::Dominators dominators_;
  std::map<ValueId, std::vector<Load>> loads_;  // By base, in order.
  std::map<LoadKey, LoadWindow> windows_;
};

}  // namespace

std::map<LoadKey, LoadWindow> plan_combined_loads(const ir::Function& function,
                                                  const std::vector<bool>& needed) {
  return Planner(function, needed).run();
}

}  // namespace weir::lower
