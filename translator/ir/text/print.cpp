// The printer of the IR's text form.
#include <fmt/format.h>

#include <cstddef>
#include <iterator>

#include "cbpf/compile.h"
#include "translator/ir/names.h"
#include "translator/ir/numbering.h"
#include "translator/ir/text/text.h"

namespace weir::ir {
namespace {

constexpr std::size_t kMembersInLine = 8;

class Printer {
 public:
  Printer(const Function& function, std::size_t most_ranges)
      : function_(function), numbers_(number_values(function)), most_ranges_(most_ranges) {}

  std::string run() {
    write("function {} {{\n", cbpf::link_type_name(function_.link_type));
    for (std::size_t s = 0; s < function_.sets.size(); ++s) {
      print_set(s);
    }
    for (std::size_t b = 0; b < function_.blocks.size(); ++b) {
      print_block(b);
    }
    write("}}\n");
    return fmt::to_string(out_);
  }

 private:
  template <typename... Args>
  void write(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(out_), format, std::forward<Args>(args)...);
  }

  // Wrong functions are printed too, for whoever looks for what is wrong with them.
  void print_name(ValueId id) {
    if (id >= function_.values.size()) {
      write("none");
    } else {
      write("v{}", numbers_[id]);
    }
  }

  void print_number(std::uint32_t k) {
    if (k < 10) {
      write("{}", k);
    } else {
      write("{:#x}", k);
    }
  }

  void print_operand(ValueId id) {
    if (id < function_.values.size() && function_.values[id].op == Op::kConstant) {
      print_number(function_.values[id].k);
    } else {
      print_name(id);
    }
  }

  void print_place(const Value& value) {
    if (value.a != kNoValue) {
      print_operand(value.a);
      write(" + ");
    }
    write("{}", value.k);
  }

  void print_set(std::size_t index) {
    const Set& set = function_.sets[index];
    write("s{} = set {} {{", index, set.words);
    const char* separator = " ";
    for (std::size_t i = 0; i < set.ranges.size(); ++i) {
      const Range& range = set.ranges[i];
      write("{}", separator);
      if (i == most_ranges_) {
        write("and {} more", set.ranges.size() - i);
        break;
      }
      separator = (i + 1) % kMembersInLine == 0 ? ",\n  " : ", ";
      print_key(range.low, set.words);
      if (range.high != range.low) {
        write("..");
        print_key(range.high, set.words);
      }
    }
    write(" }}\n");
  }

  void print_key(const Key& key, std::uint32_t words) {
    for (std::uint32_t i = 0; i < words; ++i) {
      if (i > 0) {
        write(":");
      }
      print_number(key.word(words - 1 - i));
    }
  }

  void print_names(const std::vector<ValueId>& list, bool operands) {
    if (list.empty()) {
      return;
    }
    const char* separator = "(";
    for (const ValueId id : list) {
      write("{}", separator);
      separator = ", ";
      operands ? print_operand(id) : print_name(id);
    }
    write(")");
  }

  void print_edge(const Terminator& end, std::size_t index) {
    if (index >= end.edges.size()) {
      write("none");
      return;
    }
    write("b{}", end.edges[index].to);
    print_names(end.edges[index].arguments, true);
  }

  void print_block(std::size_t index) {
    const Block& block = function_.blocks[index];
    write("b{}", index);
    print_names(block.parameters, false);
    write(":\n");
    for (const ValueId id : block.body) {
      write("  ");
      print_value(id);
      write("\n");
    }
    write("  ");
    print_terminator(block.terminator);
    write("\n");
  }

  void print_value(ValueId id) {
    if (id >= function_.values.size()) {
      write("none");
      return;
    }
    const Value& value = function_.values[id];
    if (!is_effect(value.op)) {
      print_name(id);
      write(" = ");
    }
    write("{}", op_name(value.op));
    if (value.op == Op::kLoad) {
      write(" {} [", value.width);
      print_place(value);
      write("]");
    } else if (value.op == Op::kLoopState) {
      write(" {}", value.k);
    } else if (value.op == Op::kAncillary) {
      write(" {}", cbpf::extension_name(static_cast<cbpf::Extension>(value.k)));
    } else if (value.op == Op::kNeed || value.op == Op::kHas) {
      write(" ");
      print_place(value);
    } else if (value.op == Op::kConstant) {
      write(" ");
      print_number(value.k);
    } else if (value.op == Op::kGuard || value.op == Op::kNeg) {
      write(" ");
      print_operand(value.a);
    } else if (value.op == Op::kIn) {
      write(" s{}, ", value.k);
      print_operand(value.a);
    } else if (is_arithmetic(value.op) || value.op == Op::kJoin) {
      write(" ");
      print_operand(value.a);
      write(", ");
      print_operand(value.b);
    }
  }

  void print_terminator(const Terminator& end) {
    switch (end.end) {
      case End::kReturn:
        write("return ");
        // An accept length is a count of bytes, so it is decimal, as offsets are.
        if (end.a < function_.values.size() && function_.values[end.a].op == Op::kConstant) {
          write("{}", function_.values[end.a].k);
        } else {
          print_name(end.a);
        }
        return;
      case End::kJump:
        write("jump ");
        print_edge(end, 0);
        return;
      case End::kBranch:
        write("branch {} ", compare_name(end.compare));
        print_operand(end.a);
        write(", ");
        print_operand(end.b);
        write(" ? ");
        print_edge(end, 0);
        write(" : ");
        print_edge(end, 1);
        return;
      case End::kSwitch:
        print_switch(end);
        return;
      case End::kRepeat:
        write("repeat ");
        print_names(end.state, true);
        return;
    }
  }

  void print_switch(const Terminator& end) {
    write("switch ");
    print_operand(end.a);
    write(" {{ ");
    for (const Case& range : end.cases) {
      print_number(range.low);
      if (range.high != range.low) {
        write("..");
        print_number(range.high);
      }
      write(" => ");
      print_edge(end, range.edge);
      write(", ");
    }
    write("else => ");
    print_edge(end, 0);
    write(" }}");
  }

  const Function& function_;
  const std::vector<std::uint32_t> numbers_;
  const std::size_t most_ranges_;
  fmt::memory_buffer out_;
};

}  // namespace

std::string print(const Function& function, std::size_t most_ranges) {
  return Printer(function, most_ranges).run();
}

}  // namespace weir::ir
