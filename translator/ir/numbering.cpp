#include "translator/ir/numbering.h"

#include <utility>

#include "translator/ir/operands.h"

namespace weir::ir {
namespace {

class Numberer {
 public:
  explicit Numberer(const Function& function)
      : function_(function), numbers_(function.values.size(), kNoValue) {}

  std::vector<std::uint32_t> run() {
    for (const Block& block : function_.blocks) {
      for (const ValueId id : block.parameters) {
        name(id);
      }
      for (const ValueId id : block.body) {
        if (id >= numbers_.size()) {
          continue;
        }
        const Value& value = function_.values[id];
        if (!is_effect(value.op)) {
          name(id);
        }
        for_each_operand(value, [this](ValueId operand) { use(operand); });
      }
      visit(block.terminator);
    }
    return std::move(numbers_);
  }

 private:
  void name(ValueId id) {
    if (id < numbers_.size() && numbers_[id] == kNoValue) {
      numbers_[id] = next_++;
    }
  }
  void use(ValueId id) {
    if (id < numbers_.size() && function_.values[id].op != Op::kConstant) {
      name(id);
    }
  }
  void use_arguments(const Edge& edge) {
    for (const ValueId id : edge.arguments) {
      use(id);
    }
  }

  // A switch names the edges of its cases first, in their order, and the other one last.
  void visit(const Terminator& end) {
    use(end.a);
    use(end.b);
    if (end.end == End::kSwitch) {
      for (const Case& range : end.cases) {
        if (range.edge < end.edges.size()) {
          use_arguments(end.edges[range.edge]);
        }
      }
    }
    for (const Edge& edge : end.edges) {
      use_arguments(edge);
    }
    for (const ValueId word : end.state) {
      use(word);
    }
  }

  const Function& function_;
  std::vector<std::uint32_t> numbers_;
  std::uint32_t next_ = 0;
};

}  // namespace

std::vector<std::uint32_t> number_values(const Function& function) {
  return Numberer(function).run();
}

}  // namespace weir::ir
