// Classic program to IR: one forward sweep over the unrolled control flow.
//
// As every way goes forward, all ways into a block are known when the sweep comes to it. So a
// register becomes a block parameter only where it is live and two ways bring different values:
// the minimal and pruned SSA form of Braun et al., "Simple and Efficient Construction of Static
// Single Assignment Form", CC 2013, which is trivial without loops.
#include "translator/ir/build.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <unordered_map>
#include <utility>

#include "cbpf/link_layer.h"
#include "translator/ir/bounded_builder.h"
#include "translator/ir/classic.h"
#include "translator/ir/classic_loads.h"
#include "translator/ir/flow.h"

namespace weir::ir {
namespace {

using cbpf::Instruction;

// What stands in the table of values at block entries: no way has come yet, and ways have come with
// different values.
constexpr ValueId kNone = kNoValue;
constexpr ValueId kDifferent = kNoValue - 1;

Status check_tests(const cbpf::Program& program, const SetTests& tests) {
  const std::vector<Instruction>& code = program.instructions;
  const auto is_jeq = [&](std::uint32_t at) {
    return at < code.size() && code[at].code == (cbpf::kJmp | cbpf::kJeq | cbpf::kK);
  };
  const auto is_earlier = [&](std::uint32_t at, std::uint32_t than) {
    return is_jeq(at) && at < than;
  };
  for (const SetTest& test : tests.tests) {
    const bool right = is_jeq(test.instruction) && test.set < tests.sets.size() &&
                       std::all_of(test.before.begin(), test.before.end(), [&](std::uint32_t at) {
                         return is_earlier(at, test.instruction);
                       });
    if (!right) {
      return fail(ErrorCode::kInvalidProgram, "a set test stands where there is no compare",
                  {.instruction = test.instruction});
    }
  }
  return {};
}

class Build {
 public:
  Build(const cbpf::ValidatedProgram& program, int link_type, std::vector<FlowBlock> flow,
        const SetTests& tests)
      : code_(program.program().instructions),
        dialect_(program.dialect()),
        flow_(std::move(flow)),
        builder_(function_),
        loads_(builder_, dialect_, cbpf::link_header_length(link_type)) {
    function_.link_type = link_type;
    function_.sets = tests.sets;
    for (const SetTest& test : tests.tests) {
      tests_.emplace(test.instruction, &test);
    }
  }

  Result<Function> run() {
    find_variables();
    find_live();
    entry_.assign(flow_.size() * used_, kNone);
    bound_.assign(flow_.size() * used_, 0);
    first_block_.resize(flow_.size());
    last_block_.resize(flow_.size());
    parameters_.resize(flow_.size());
    reached_.resize(flow_.size());
    reached_[0] = true;
    for (std::uint32_t at = 0; at < flow_.size(); ++at) {
      if (!reached_[at]) {
        continue;  // Every way here ends the filter before it comes.
      }
      begin(at);
      translate(at);
      last_block_[at] = builder_.block();
      if (loads_.error()) {
        return tl::make_unexpected(*loads_.error());
      }
    }
    finish_edges();
    return std::move(function_);
  }

 private:
  // Gives the variables that the program mentions places in the tables; A and X always have one.
  void find_variables() {
    std::uint32_t mentioned = 1U << kA | 1U << kX;
    for (const Instruction& i : code_) {
      const Effects e = effects(i);
      mentioned |= e.reads | e.writes;
    }
    for (std::uint32_t variable = 0; variable < kVariables; ++variable) {
      if ((mentioned >> variable & 1) != 0) {
        variables_[used_++] = variable;
      }
    }
  }

  // Which variables are live on entry, by flow block: one backward sweep.
  void find_live() {
    live_.resize(flow_.size());
    for (std::size_t at = flow_.size(); at-- > 0;) {
      const FlowBlock& flow = flow_[at];
      std::uint32_t live = 0;
      for (const std::uint32_t next : flow.next) {
        live |= next == kNoFlow ? 0 : live_[next];
      }
      for (std::uint32_t i = flow.last + 1; i-- > flow.first;) {
        const Effects e = effects(code_[i]);
        live = (live & ~e.writes) | e.reads;
      }
      live_[at] = live;
    }
  }

  // Opens the flow block: makes its parameters, sets the state to what comes in.
  void begin(std::uint32_t at) {
    builder_.set_origin(flow_[at].first);
    first_block_[at] = builder_.add_block();
    builder_.start(first_block_[at]);
    for (std::uint32_t place = 0; place < used_; ++place) {
      const ValueId value = entry_[at * used_ + place];
      if (value == kDifferent) {
        state_[variables_[place]] = builder_.add_parameter(bound_[at * used_ + place]);
        parameters_[at] |= 1U << variables_[place];
      } else {
        // What no way has brought is read by none: it is the first block's, or not live.
        state_[variables_[place]] = value == kNone ? builder_.constant(0) : value;
      }
    }
  }

  // Hands the state on to where the flow block leads, and keeps it for the edges' arguments.
  void leave(std::uint32_t at) {
    for (const std::uint32_t next : flow_[at].next) {
      if (next == kNoFlow) {
        continue;
      }
      reached_[next] = true;
      for (std::uint32_t place = 0; place < used_; ++place) {
        const std::uint32_t variable = variables_[place];
        if ((live_[next] >> variable & 1) == 0) {
          continue;
        }
        const ValueId value = state_[variable];
        ValueId& entry = entry_[next * used_ + place];
        entry = entry == kNone || entry == value ? value : kDifferent;
        std::uint32_t& bound = bound_[next * used_ + place];
        bound = std::max(bound, builder_.bound_of(value));
      }
    }
    for (std::uint32_t place = 0; place < used_; ++place) {
      entry_[at * used_ + place] = state_[variables_[place]];
    }
  }

  // Edges were made to flow blocks and without arguments.
  void finish_edges() {
    for (std::uint32_t at = 0; at < flow_.size(); ++at) {
      for (std::uint32_t way = 0; reached_[at] && way < flow_[at].next.size(); ++way) {
        finish_edge(at, way);
      }
    }
  }

  void finish_edge(std::uint32_t at, std::uint32_t way) {
    Terminator& end = function_.blocks[last_block_[at]].terminator;
    const std::uint32_t next = flow_[at].next[way];
    if (next == kNoFlow || way >= end.edges.size()) {
      return;  // No such way, or the block ended before it came there.
    }
    Edge& edge = end.edges[way];
    edge.to = first_block_[next];
    for (std::uint32_t place = 0; place < used_; ++place) {
      if ((parameters_[next] >> variables_[place] & 1) != 0) {
        edge.arguments.push_back(entry_[at * used_ + place]);
      }
    }
  }

  void translate(std::uint32_t at) {
    const FlowBlock& flow = flow_[at];
    for (std::uint32_t i = flow.first; i <= flow.last; ++i) {
      builder_.set_origin(i);
      const std::uint16_t cls = cbpf::class_of(code_[i].code);
      if (cls == cbpf::kJmp || cls == cbpf::kRet) {
        break;
      }
      if (!translate_straight(code_[i], i)) {
        builder_.end_return(builder_.constant(0));
        return;
      }
    }
    leave(at);
    end_block(flow);
  }

  void end_block(const FlowBlock& flow) {
    const Instruction& end = code_[flow.last];
    const std::uint16_t cls = cbpf::class_of(end.code);
    if (cls == cbpf::kRet) {
      const bool of_a = (end.code & 0x18) == cbpf::kA;
      builder_.end_return(of_a ? state_[kA] : builder_.constant(end.k));
    } else if (flow.next[0] == kNoFlow) {
      builder_.end_return(builder_.constant(0));  // The loop has had all its turns.
    } else if (flow.next[1] == kNoFlow) {
      builder_.end_jump({});
    } else if (const auto test = tests_.find(flow.last); test != tests_.end()) {
      end_with_set_test(*test->second);
    } else {
      const bool with_x = cbpf::source_of(end.code) == cbpf::kX;
      builder_.end_branch(compare_of(end.code), state_[kA],
                          with_x ? state_[kX] : builder_.constant(end.k), {}, {});
    }
  }

  void end_with_set_test(const SetTest& test) {
    word_[test.instruction] = state_[kA];
    if (test.always) {
      builder_.end_branch(Compare::kEq, state_[kA], state_[kA], {}, {});
      return;
    }
    ValueId key = kNoValue;
    std::uint8_t words = 0;
    const auto append_word = [&](ValueId word) {
      ++words;
      key = words == 1 ? word
                       : builder_.append({.op = Op::kJoin, .width = words, .a = key, .b = word});
    };
    for (const std::uint32_t earlier : test.before) {
      const auto word = word_.find(earlier);
      append_word(word != word_.end() ? word->second : state_[kA]);
    }
    append_word(state_[kA]);
    const ValueId in = builder_.append({.op = Op::kIn, .k = test.set, .a = key});
    builder_.end_branch(Compare::kNe, in, builder_.constant(0), {}, {});
  }

  // An instruction that is no jump and no return. False when the filter ends with 0 here.
  bool translate_straight(const Instruction& i, std::uint32_t at) {
    switch (cbpf::class_of(i.code)) {
      case cbpf::kLd:
        return translate_load(i, at);
      case cbpf::kLdx:
        return translate_load_x(i, at);
      case cbpf::kSt:
        state_[kM + i.k] = state_[kA];
        return true;
      case cbpf::kStx:
        state_[kM + i.k] = state_[kX];
        return true;
      case cbpf::kAlu:
        return translate_arithmetic(i);
      default: {  // kMisc.
        const bool tax = (i.code & 0xf8) == cbpf::kTax;
        state_[tax ? kX : kA] = state_[tax ? kA : kX];
        return true;
      }
    }
  }

  bool translate_arithmetic(const Instruction& i) {
    const Op op = arithmetic_op(i.code, dialect_);
    ValueId b = kNoValue;
    if (op != Op::kNeg) {
      b = cbpf::source_of(i.code) == cbpf::kX ? state_[kX] : builder_.constant(i.k);
    }
    if (op == Op::kDiv || op == Op::kMod) {
      if (!builder_.is_constant(b)) {
        builder_.guard(b);
      } else if (builder_.number(b) == 0) {
        return false;
      }
    }
    state_[kA] = builder_.arithmetic(op, state_[kA], b);
    return true;
  }

  bool translate_load(const Instruction& i, std::uint32_t at) {
    switch (cbpf::mode_of(i.code)) {
      case cbpf::kImm:
        state_[kA] = builder_.constant(i.k);
        return true;
      case cbpf::kLen:
        state_[kA] = builder_.append({.op = Op::kLength});
        return true;
      case cbpf::kMem:
        state_[kA] = state_[kM + i.k];
        return true;
      case cbpf::kAbs:
        if (const auto extension = cbpf::extension_at(i.k)) {
          translate_extension(*extension);
          return true;
        }
        return set(kA, loads_.absolute(i.k, width(i), at));
      default:  // kInd.
        return set(kA, loads_.indirect(state_[kX], i.k, width(i), at));
    }
  }

  bool translate_load_x(const Instruction& i, std::uint32_t at) {
    switch (cbpf::mode_of(i.code)) {
      case cbpf::kImm:
        state_[kX] = builder_.constant(i.k);
        return true;
      case cbpf::kLen:
        state_[kX] = builder_.append({.op = Op::kLength});
        return true;
      case cbpf::kMem:
        state_[kX] = state_[kM + i.k];
        return true;
      default: {  // kMsh.
        const ValueId byte = loads_.absolute(i.k, 1, at);
        if (byte == kNoValue) {
          return false;
        }
        const ValueId low = builder_.arithmetic(Op::kAnd, byte, builder_.constant(0xf));
        state_[kX] = builder_.arithmetic(Op::kShl, low, builder_.constant(2));
        return true;
      }
    }
  }

  void translate_extension(cbpf::Extension extension) {
    if (extension == cbpf::Extension::kAluXorX) {
      state_[kA] = builder_.arithmetic(Op::kXor, state_[kA], state_[kX]);
    } else {
      state_[kA] =
          builder_.append({.op = Op::kAncillary, .k = static_cast<std::uint32_t>(extension)});
    }
  }

  static std::uint8_t width(const Instruction& i) {
    return static_cast<std::uint8_t>(cbpf::width_of(i.code));
  }

  bool set(std::uint32_t variable, ValueId value) {
    if (value != kNoValue) {
      state_[variable] = value;
    }
    return value != kNoValue;
  }

  const std::vector<Instruction>& code_;
  const cbpf::Dialect dialect_;
  const std::vector<FlowBlock> flow_;
  Function function_;
  BoundedBuilder builder_;
  ClassicLoads loads_;

  std::array<std::uint32_t, kVariables> variables_{};  // By place.
  std::uint32_t used_ = 0;                             // Places.

  // By flow block.
  std::vector<std::uint32_t> live_;        // Masks of variables.
  std::vector<std::uint32_t> parameters_;  // The same.
  std::vector<bool> reached_;
  std::vector<BlockId> first_block_;
  std::vector<BlockId> last_block_;
  // By flow block times used_ + place: the value on entry, and once left, at the end.
  std::vector<ValueId> entry_;
  std::vector<std::uint32_t> bound_;

  // By instruction.
  std::unordered_map<std::uint32_t, const SetTest*> tests_;
  std::unordered_map<std::uint32_t, ValueId> word_;  // A where a set test has been.

  // Where the sweep is.
  std::array<ValueId, kVariables> state_{};
};

}  // namespace

Result<Function> build(const cbpf::ValidatedProgram& program, int link_type,
                       const SetTests& tests) {
  if (auto right = check_tests(program.program(), tests); !right) {
    return tl::make_unexpected(std::move(right).error());
  }
  auto flow = unroll(program);
  if (!flow) {
    return tl::make_unexpected(std::move(flow).error());
  }
  return Build(program, link_type, *std::move(flow), tests).run();
}

}  // namespace weir::ir
