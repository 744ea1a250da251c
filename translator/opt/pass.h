// Passes over the IR, and the manager that runs them: dumps before, checks after.
#pragma once

#include <chrono>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cbpf/base/result.h"
#include "translator/ir/function.h"

namespace weir::opt {

// One pass. A pass keeps the function's meaning for every packet and leaves it a right one
// (ir::check). Its name is its --passes flag and its file's name.
struct Pass {
  std::string_view name;
  std::string_view summary;  // One line for --help.
  void (*run)(ir::Function&);
};

// Every pass, once.
std::span<const Pass> all_passes();

// The names of the passes that run by default, in order; some run more than once.
std::span<const std::string_view> default_pipeline();

// How large a function is.
struct Size {
  std::size_t blocks = 0;
  std::size_t values = 0;  // Loads and parameters among them, constants not.
  std::size_t loads = 0;   // Of packet bytes.
  std::size_t needs = 0;   // Checks of the captured length.

  friend bool operator==(const Size&, const Size&) = default;
};

// O(n).
Size size_of(const ir::Function& function);

struct PassReport {
  std::string_view name;
  std::chrono::nanoseconds time{};  // 0 without PassOptions::clock.
  Size before;
  Size after;
};

struct PassOptions {
  // Names in the order to run; empty means the default pipeline, "none" alone means no pass.
  std::vector<std::string> passes;
  bool check = false;  // Runs ir::check after every pass; a breach is an error that names the pass.
  // Called before the first pass (name "") and after each one.
  std::function<void(std::string_view name, const ir::Function&)> dump;
  // Where the time of a pass comes from.
  std::function<std::chrono::nanoseconds()> clock;
};

// Runs the passes. kUsage when a name is not a pass.
Result<std::vector<PassReport>> run_passes(ir::Function& function, const PassOptions& options);

}  // namespace weir::opt
