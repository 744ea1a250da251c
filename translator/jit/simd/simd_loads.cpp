// Where the fields of a lane form are read: a few windows of sixteen bytes that have them all.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "translator/jit/simd/simd_program.h"

namespace weir::jit {
namespace {

struct Extent {
  std::int32_t offset = 0;
  std::int32_t width = 0;
};

bool is_in(const SimdLoad& window, Extent field) {
  const std::int32_t at = field.offset - window.start;
  return at >= 0 && at + field.width <= 16 && at % 4 + field.width <= 4;
}

// The window from `start` with what it has of the fields, moved so that the bytes behind its last
// field are not read.
SimdLoad window_from(std::int32_t start, std::span<const Extent> fields) {
  SimdLoad window{.start = start};
  std::int32_t last = 0;
  for (const Extent& field : fields) {
    if (is_in(window, field)) {
      last = std::max(last, (field.offset - start) / 4);
    }
  }
  window.start -= std::min(4 * (3 - last), start / 4 * 4);
  for (const Extent& field : fields) {
    if (is_in(window, field)) {
      window.dwords =
          static_cast<std::uint8_t>(window.dwords | 1U << (field.offset - window.start) / 4);
    }
  }
  return window;
}

// Takes the window with the first field that has the most fields, and of those the one that ends
// first.
SimdLoad best_window(std::span<const Extent> fields) {
  SimdLoad best;
  std::ptrdiff_t most = 0;
  const std::int32_t first = fields.front().offset;
  for (std::int32_t start = first; start >= 0 && first - start <= 4 - fields.front().width;
       --start) {
    const SimdLoad window = window_from(start, fields);
    const auto count = std::count_if(fields.begin(), fields.end(), [&window](const Extent& field) {
      return is_in(window, field);
    });
    if (count > most || (count == most && window.start < best.start)) {
      most = count;
      best = window;
    }
  }
  return best;
}

}  // namespace

void place_windows(SimdProgram& form) {
  std::vector<Extent> fields;
  for (std::size_t id = 0; id < form.values.size(); ++id) {
    const SimdValue& value = form.values[id];
    if (value.op == SimdOp::kField && form.needed[id]) {
      fields.push_back({static_cast<std::int32_t>(value.imm), value.width});
    }
  }
  std::sort(fields.begin(), fields.end(), [](const Extent& a, const Extent& b) {
    return std::pair(a.offset, a.width) < std::pair(b.offset, b.width);
  });
  while (!fields.empty()) {
    const SimdLoad window = best_window(fields);
    form.windows.push_back(window);
    form.reach = std::max(form.reach, window.start + 16);
    std::erase_if(fields, [&window](const Extent& field) { return is_in(window, field); });
  }
}

SimdProgram::Place SimdProgram::place_of(const SimdValue& field) const {
  const Extent extent{static_cast<std::int32_t>(field.imm), field.width};
  for (std::size_t i = 0; i < windows.size(); ++i) {
    if (is_in(windows[i], extent)) {
      return {.window = i, .offset = extent.offset - windows[i].start};
    }
  }
  return {};
}

}  // namespace weir::jit
