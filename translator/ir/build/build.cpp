// Classic program to IR: one forward sweep over the control flow.
//
// As every edge goes forward, all edges into a block are known when the sweep comes to it. So a
// register becomes a block parameter only where it is live and two edges bring different values:
// the minimal and pruned SSA form of Braun et al., "Simple and Efficient Construction of Static
// Single Assignment Form", CC 2013, which is trivial without loops.
//
// A loop is entered from two sides: from the code before it, and from the function's entry when the
// function repeats, with its variables in the loop state:
//
//   b0: v0 = loop_state 0                  b3(A, X, iterations):     the loop's head
//       branch eq v0, 0 ? b1 : b2              ...
//   b1: ...                                    need 8 * iterations
//       jump b3(A, X, 0)                       v9 = add iterations, 1
//   b2: v1 = loop_state 1                      repeat (1, v9, A, X)
//       v2 = loop_state 2 ...
//       jump b3(v2, v3, v1)
#include "translator/ir/build/build.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <unordered_map>
#include <utility>

#include "cbpf/link_layer.h"
#include "translator/ir/build/bounded_builder.h"
#include "translator/ir/build/classic_semantics.h"
#include "translator/ir/build/instruction_builder.h"
#include "translator/ir/build/live_variables.h"
#include "translator/ir/build/unroll.h"

namespace weir::ir {
namespace {

using cbpf::Instruction;

// What stands in the table of values at block entries: no way has come yet, and ways have come with
// different values.
constexpr ValueId kNone = kNoValue;
constexpr ValueId kDifferent = kNoValue - 1;

// Words of the loop state: the loop's number, from 1 up, its iterations, and a word a variable.
constexpr std::uint32_t kLoopWord = 0;
constexpr std::uint32_t kIterationsWord = 1;
constexpr std::uint32_t kFirstVariableWord = 2;

constexpr std::uint32_t kIterationBytesLog2 = 3;  // cbpf::max_backward_jumps(): 8 bytes each.

class Build {
 public:
  Build(const cbpf::ValidatedProgram& program, int link_type, std::vector<FlowBlock> flow,
        const SetTests& tests, std::optional<std::uint32_t> most_iterations)
      : code_(program.program().instructions),
        flow_(std::move(flow)),
        live_variables_(find_live_variables(code_, flow_)),
        variables_(live_variables_.variables),
        used_(static_cast<std::uint32_t>(variables_.size())),
        heads_(live_variables_.loop_heads),
        most_iterations_(most_iterations),
        builder_(function_),
        state_(builder_, program.dialect(), cbpf::link_header_length(link_type)) {
    function_.link_type = link_type;
    function_.sets = tests.sets;
    for (const SetTest& test : tests.tests) {
      tests_.emplace(test.instruction, &test);
    }
  }

  Result<Function> run() {
    entry_.assign(flow_.size() * used_, kNone);
    bound_.assign(flow_.size() * used_, 0);
    first_block_.resize(flow_.size());
    last_block_.resize(flow_.size());
    parameters_.resize(flow_.size());
    reached_.resize(flow_.size());
    reached_[0] = true;
    if (!heads_.empty()) {
      build_entry();
    }
    for (std::uint32_t at = 0; at < flow_.size(); ++at) {
      if (!reached_[at]) {
        continue;  // Every path here ends the filter before it comes.
      }
      begin(at);
      translate(at);
      last_block_[at] = builder_.block();
      if (state_.error()) {
        return tl::make_unexpected(*state_.error());
      }
    }
    finish_edges();
    if (!heads_.empty()) {
      finish_entry();
    }
    return std::move(function_);
  }

 private:
  // Opens the flow block: makes its parameters, sets the state to what comes in.
  void begin(std::uint32_t at) {
    builder_.set_origin(flow_[at].first);
    first_block_[at] = builder_.add_block();
    builder_.start(first_block_[at]);
    for (std::uint32_t place = 0; place < used_; ++place) {
      const ValueId value = entry_[at * used_ + place];
      if (value == kDifferent) {
        current(variables_[place]) = builder_.add_parameter(bound_[at * used_ + place]);
        parameters_[at] |= 1U << variables_[place];
      } else {
        // What no edge has brought is never read: it is the first block's, or not live.
        current(variables_[place]) = value == kNone ? builder_.constant(0) : value;
      }
    }
  }

  ValueId& current(std::uint32_t variable) {
    return variable == kIterations ? iterations_ : state_[variable];
  }

  // Hands the state on to where the flow block leads, and keeps it for the edges' arguments.
  void leave(std::uint32_t at) {
    for (const std::uint32_t next : flow_[at].next) {
      if (next != kNoFlow) {
        reached_[next] = true;
        arrive(next, iterations_on_edge(at, next, iterations_));
      }
    }
    for (std::uint32_t place = 0; place < used_; ++place) {
      entry_[at * used_ + place] = current(variables_[place]);
    }
  }

  // Those of the loop that the edge leads into, or stays in.
  ValueId iterations_on_edge(std::uint32_t from, std::uint32_t to, ValueId iterations) {
    return flow_[from].loop == flow_[to].loop ? iterations : builder_.constant(0);
  }

  // The state is one of those with which the flow block is entered.
  void arrive(std::uint32_t at, ValueId iterations) {
    for (std::uint32_t place = 0; place < used_; ++place) {
      const std::uint32_t variable = variables_[place];
      if (!live_variables_.is_live(at, variable)) {
        continue;
      }
      const ValueId value = variable == kIterations ? iterations : state_[variable];
      ValueId& entry = entry_[at * used_ + place];
      entry = entry == kNone || entry == value ? value : kDifferent;
      std::uint32_t& bound = bound_[at * used_ + place];
      bound = std::max(bound, builder_.bound_of(value));
    }
  }

  // ---- The entry of a function that repeats ----

  // A block that branches by the loop's number, and one for each loop that reads its state.
  void build_entry() {
    find_words();
    entry_block_ = builder_.add_block();
    builder_.start(entry_block_);
    loop_number_ = builder_.append({.op = Op::kLoopState, .k = kLoopWord});
    for (std::uint32_t place = 0; place < used_; ++place) {
      current(variables_[place]) = builder_.constant(0);
    }
    keep_for_edge(start_, 0);
    for (const std::uint32_t head : heads_) {
      LoopEntry& loop = loops_.emplace_back();
      loop.block = builder_.add_block();
      builder_.start(loop.block);
      builder_.set_origin(flow_[head].first);
      for (std::uint32_t place = 0; place < used_; ++place) {
        const std::uint32_t variable = variables_[place];
        current(variable) = live_variables_.is_live(head, variable)
                                ? builder_.append({.op = Op::kLoopState, .k = word_[place]})
                                : builder_.constant(0);
      }
      keep_for_edge(loop.state, head);
    }
  }

  // A word for each variable that some loop's head wants.
  void find_words() {
    function_.loop_words = kFirstVariableWord;
    for (std::uint32_t place = 0; place < used_; ++place) {
      const std::uint32_t variable = variables_[place];
      const bool wanted = std::any_of(heads_.begin(), heads_.end(), [&](std::uint32_t head) {
        return live_variables_.is_live(head, variable);
      });
      word_[place] = variable == kIterations ? kIterationsWord
                     : wanted                ? function_.loop_words++
                                             : 0;
    }
  }

  void keep_for_edge(std::array<ValueId, kAllVariables>& state, std::uint32_t to) {
    for (std::uint32_t place = 0; place < used_; ++place) {
      state[place] = current(variables_[place]);
    }
    reached_[to] = true;
    arrive(to, iterations_);
  }

  void finish_entry() {
    Terminator choice{.end = End::kSwitch, .a = loop_number_};
    choice.edges.push_back(edge_to(0, start_));
    for (std::uint32_t i = 0; i < loops_.size(); ++i) {
      choice.cases.push_back({i + 1, i + 1, i + 1});
      choice.edges.push_back({.to = loops_[i].block});
      builder_.start(loops_[i].block);
      builder_.end_jump(edge_to(heads_[i], loops_[i].state));
    }
    function_.blocks[entry_block_].terminator = std::move(choice);
  }

  Edge edge_to(std::uint32_t at, const std::array<ValueId, kAllVariables>& state) const {
    Edge edge{.to = first_block_[at]};
    for (std::uint32_t place = 0; place < used_; ++place) {
      if ((parameters_[at] >> variables_[place] & 1) != 0) {
        edge.arguments.push_back(state[place]);
      }
    }
    return edge;
  }

  // Every backward jump but the first takes 8 bytes of the packet: cbpf::max_backward_jumps().
  void need_bytes_for_iterations() {
    const BlockId later = builder_.add_block();
    const BlockId any = builder_.add_block();
    builder_.end_branch(Compare::kEq, iterations_, builder_.constant(0), {.to = any},
                        {.to = later});
    builder_.start(later);
    const ValueId before = builder_.arithmetic(Op::kSub, iterations_, builder_.constant(1));
    builder_.need(builder_.arithmetic(Op::kShl, before, builder_.constant(kIterationBytesLog2)),
                  1U << kIterationBytesLog2);
    builder_.end_jump({.to = any});
    builder_.start(any);
  }

  // The backward jump of a loop: `iterations_` have been taken before it.
  void end_iteration(std::uint32_t head) {
    if (most_iterations_) {
      const BlockId more = builder_.add_block();
      const BlockId enough = builder_.add_block();
      builder_.end_branch(Compare::kLt, iterations_, builder_.constant(*most_iterations_),
                          {.to = more}, {.to = enough});
      builder_.start(enough);
      builder_.end_return(builder_.constant(0));
      builder_.start(more);
    } else {
      need_bytes_for_iterations();
    }
    const auto number =
        static_cast<std::uint32_t>(std::find(heads_.begin(), heads_.end(), head) - heads_.begin());
    Terminator repeat{.end = End::kRepeat};
    repeat.state.assign(function_.loop_words, builder_.constant(0));
    repeat.state[kLoopWord] = builder_.constant(number + 1);
    iterations_ = builder_.arithmetic(Op::kAdd, iterations_, builder_.constant(1));
    for (std::uint32_t place = 0; place < used_; ++place) {
      if (live_variables_.is_live(head, variables_[place])) {
        repeat.state[word_[place]] = current(variables_[place]);
      }
    }
    function_.blocks[builder_.block()].terminator = std::move(repeat);
  }

  // ---- Blocks ----

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
        const ValueId value = entry_[at * used_ + place];
        edge.arguments.push_back(
            variables_[place] == kIterations ? iterations_on_edge(at, next, value) : value);
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
      if (!state_.append(code_[i], i)) {
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
    } else if (flow.loop_head != kNoFlow) {
      end_iteration(flow.loop_head);
    } else if (flow.next[0] == kNoFlow) {
      builder_.end_return(builder_.constant(0));  // The loop has had all its iterations.
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
    tested_[test.instruction] = state_[kA];
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
      const auto word = tested_.find(earlier);
      append_word(word != tested_.end() ? word->second : state_[kA]);
    }
    append_word(state_[kA]);
    const ValueId in = builder_.append({.op = Op::kIn, .k = test.set, .a = key});
    builder_.end_branch(Compare::kNe, in, builder_.constant(0), {}, {});
  }

  const std::vector<Instruction>& code_;
  const std::vector<FlowBlock> flow_;
  const LiveVariables live_variables_;
  const std::vector<std::uint32_t>& variables_;  // By place in the tables.
  const std::uint32_t used_;                     // Places.
  const std::vector<std::uint32_t>& heads_;      // Of loops, as flow blocks.
  const std::optional<std::uint32_t> most_iterations_;
  Function function_;
  BoundedBuilder builder_;

  // By flow block.
  std::vector<std::uint32_t> parameters_;  // Masks of variables.
  std::vector<bool> reached_;
  std::vector<BlockId> first_block_;
  std::vector<BlockId> last_block_;
  // By flow block times used_ + place: the value on entry, and once left, at the end.
  std::vector<ValueId> entry_;
  std::vector<std::uint32_t> bound_;

  // By instruction.
  std::unordered_map<std::uint32_t, const SetTest*> tests_;
  std::unordered_map<std::uint32_t, ValueId> tested_;  // A where a set test has been.

  // Where the sweep is.
  InstructionBuilder state_;
  ValueId iterations_ = kNoValue;

  // Of a function that repeats: the loops by number - 1, and what the entry brings to each.
  struct LoopEntry {
    BlockId block = 0;
    std::array<ValueId, kAllVariables> state{};  // By place.
  };
  std::array<std::uint32_t, kAllVariables> word_{};  // By place: its word of the loop state.
  std::vector<LoopEntry> loops_;
  std::array<ValueId, kAllVariables> start_{};  // What it brings to the first flow block.
  BlockId entry_block_ = 0;
  ValueId loop_number_ = kNoValue;
};

}  // namespace

Result<Function> build(const cbpf::ValidatedProgram& program, int link_type, const SetTests& tests,
                       const Loops& loops) {
  if (auto right = check_set_tests(program.program(), tests); !right) {
    return tl::make_unexpected(std::move(right).error());
  }
  auto flow = control_flow(program, loops);
  if (!flow) {
    return tl::make_unexpected(std::move(flow).error());
  }
  return Build(program, link_type, *std::move(flow), tests, loops.most).run();
}

}  // namespace weir::ir
