// The engine classic-interpreter: weir's machine of 1993.
#include "cbpf/interpret.h"
#include "tools/engine/engines.h"

namespace weir::engine {
namespace {

class ClassicInterpreter : public Prepared {
 public:
  explicit ClassicInterpreter(Filter filter) : filter_(std::move(filter)) {}

  Status run(std::span<const cbpf::Packet> packets, std::span<std::uint32_t> results) override {
    for (std::size_t i = 0; i < packets.size(); ++i) {
      results[i] = cbpf::interpret(filter_.program, packets[i]);
    }
    return {};
  }

  Footprint footprint() const override {
    return {static_cast<std::uint32_t>(filter_.program.program().instructions.size()), 0};
  }

 private:
  Filter filter_;
};

}  // namespace

PreparedResult prepare_classic_interpreter(const Filter& filter) {
  if (auto answered = require_known_extensions(filter); !answered) {
    return tl::make_unexpected(answered.error());
  }
  return std::make_unique<ClassicInterpreter>(filter);
}

}  // namespace weir::engine
