// The engine classic-interpreter: weir's machine of 1993.
#include "cbpf/interpret.h"
#include "tools/engine/engines.h"
#include "tools/engine/programs.h"

namespace weir::engine {
namespace {

class ClassicInterpreter : public Prepared {
 public:
  explicit ClassicInterpreter(cbpf::ValidatedProgram program) : program_(std::move(program)) {}

  Status run(std::span<const cbpf::Packet> packets, std::span<std::uint32_t> results) override {
    for (std::size_t i = 0; i < packets.size(); ++i) {
      results[i] = cbpf::interpret(program_, packets[i]);
    }
    return {};
  }

  Footprint footprint() const override {
    return {static_cast<std::uint32_t>(program_.program().instructions.size()), 0};
  }

 private:
  cbpf::ValidatedProgram program_;
};

}  // namespace

PreparedResult prepare_classic_interpreter(const Filter& filter) {
  if (auto answered = require_known_extensions(filter); !answered) {
    return tl::make_unexpected(answered.error());
  }
  auto program = classic_program(filter);
  if (!program) {
    return tl::make_unexpected(program.error());
  }
  return std::make_unique<ClassicInterpreter>(*std::move(program));
}

}  // namespace weir::engine
