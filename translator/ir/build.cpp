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
#include <limits>
#include <optional>
#include <unordered_map>
#include <utility>

#include "cbpf/link_layer.h"
#include "translator/ir/bounds.h"
#include "translator/ir/builder.h"
#include "translator/ir/flow.h"

namespace weir::ir {
namespace {

using cbpf::Dialect;
using cbpf::Instruction;

// The variables of the classic machine, as bits of a mask and as places of the flat tables.
constexpr std::uint32_t kA = 0;
constexpr std::uint32_t kX = 1;
constexpr std::uint32_t kM = 2;  // M[0]; the others behind it.
constexpr std::uint32_t kVariables = kM + cbpf::kScratchWords;

// What stands in the table of values at block entries: no way has come yet, and ways have come with
// different values.
constexpr ValueId kNone = kNoValue;
constexpr ValueId kDifferent = kNoValue - 1;

constexpr std::uint64_t kTwo32 = std::uint64_t{1} << 32;
constexpr std::uint32_t kNegative = 0x80000000;  // Where Linux's offsets become negative.

struct Effects {
  std::uint32_t reads = 0;
  std::uint32_t writes = 0;
};

// Which variables an instruction reads and writes, as masks.
Effects effects(const Instruction& i) {
  const std::uint32_t a = 1U << kA;
  const std::uint32_t x = 1U << kX;
  const std::uint32_t m = 1U << (kM + i.k % cbpf::kScratchWords);
  const std::uint16_t mode = cbpf::mode_of(i.code);
  const bool with_x = cbpf::source_of(i.code) == cbpf::kX;
  switch (cbpf::class_of(i.code)) {
    case cbpf::kLd:
      if (mode == cbpf::kAbs && cbpf::extension_at(i.k) == cbpf::Extension::kAluXorX) {
        return {a | x, a};
      }
      return {mode == cbpf::kInd ? x : mode == cbpf::kMem ? m : 0, a};
    case cbpf::kLdx:
      return {mode == cbpf::kMem ? m : 0, x};
    case cbpf::kSt:
      return {a, m};
    case cbpf::kStx:
      return {x, m};
    case cbpf::kAlu:
      return {cbpf::op_of(i.code) != cbpf::kNeg && with_x ? a | x : a, a};
    case cbpf::kJmp:
      return {cbpf::op_of(i.code) == cbpf::kJa ? 0 : with_x ? a | x : a, 0};
    case cbpf::kRet:
      return {(i.code & 0x18) == cbpf::kA ? a : 0, 0};
    default:  // kMisc.
      return (i.code & 0xf8) == cbpf::kTax ? Effects{a, x} : Effects{x, a};
  }
}

Op arithmetic_op(std::uint16_t code, Dialect dialect) {
  const bool modulo = dialect == Dialect::kLinux && cbpf::source_of(code) == cbpf::kX;
  switch (cbpf::op_of(code)) {
    case cbpf::kAdd:
      return Op::kAdd;
    case cbpf::kSub:
      return Op::kSub;
    case cbpf::kMul:
      return Op::kMul;
    case cbpf::kDiv:
      return Op::kDiv;
    case cbpf::kMod:
      return Op::kMod;
    case cbpf::kAnd:
      return Op::kAnd;
    case cbpf::kOr:
      return Op::kOr;
    case cbpf::kXor:
      return Op::kXor;
    case cbpf::kLsh:
      return modulo ? Op::kShlModulo : Op::kShl;
    case cbpf::kRsh:
      return modulo ? Op::kShrModulo : Op::kShr;
    default:  // cbpf::kNeg.
      return Op::kNeg;
  }
}

Compare compare_of(std::uint16_t code) {
  switch (cbpf::op_of(code)) {
    case cbpf::kJeq:
      return Compare::kEq;
    case cbpf::kJgt:
      return Compare::kGt;
    case cbpf::kJge:
      return Compare::kGe;
    default:  // cbpf::kJset.
      return Compare::kSet;
  }
}

// The parts of Linux's offsets; a load means another place in each.
enum class Region : std::uint8_t { kPacket, kNetwork, kLink, kNowhere };
constexpr std::array<Region, 4> kRegions = {Region::kPacket, Region::kNetwork, Region::kLink,
                                            Region::kNowhere};

struct Offsets {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
};

constexpr Offsets range_of(Region region) {
  switch (region) {
    case Region::kPacket:
      return {0, kNegative - 1};
    case Region::kNetwork:
      return {cbpf::kNetworkOffset, kTwo32 - 1};
    case Region::kLink:
      return {cbpf::kLinkOffset, cbpf::kNetworkOffset - 1};
    case Region::kNowhere:
      return {kNegative, cbpf::kLinkOffset - 1};
  }
  return {};
}

Region region_of(std::uint32_t offset) {
  for (const Region region : kRegions) {
    const Offsets range = range_of(region);
    if (range.low <= offset && offset <= range.high) {
      return region;
    }
  }
  return Region::kNowhere;
}

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
        header_(cbpf::link_header_length(link_type)),
        flow_(std::move(flow)),
        builder_(function_) {
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
      last_block_[at] = block_;
      if (error_) {
        return tl::make_unexpected(*std::move(error_));
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
    block_ = builder_.add_block();
    first_block_[at] = block_;
    for (std::uint32_t place = 0; place < used_; ++place) {
      const ValueId value = entry_[at * used_ + place];
      if (value == kDifferent) {
        state_[variables_[place]] = builder_.add_parameter(block_);
        know(state_[variables_[place]], bound_[at * used_ + place]);
        parameters_[at] |= 1U << variables_[place];
      } else {
        // What no way has brought is read by none: it is the first block's, or not live.
        state_[variables_[place]] = value == kNone ? constant(0) : value;
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
        bound = std::max(bound, bound_of(value));
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

  // Values, with what is known of them.
  void know(ValueId id, std::uint32_t bound) {
    if (known_.size() <= id) {
      known_.resize(id + 1, kUnbounded);
    }
    known_[id] = bound;
  }
  std::uint32_t bound_of(ValueId id) const { return id < known_.size() ? known_[id] : kUnbounded; }
  bool is_constant(ValueId id) const { return function_.values[id].op == Op::kConstant; }
  ValueId constant(std::uint32_t k) {
    const ValueId id = builder_.constant(k);
    know(id, k);
    return id;
  }
  ValueId append(const Value& value) {
    const ValueId id = builder_.append(block_, value);
    const bool b_is_constant = value.b != kNoValue && is_constant(value.b);
    know(id, upper_bound(value, bound_of(value.a), bound_of(value.b), b_is_constant));
    return id;
  }
  ValueId arithmetic(Op op, ValueId a, ValueId b) { return append({.op = op, .a = a, .b = b}); }

  void translate(std::uint32_t at) {
    const FlowBlock& flow = flow_[at];
    for (std::uint32_t i = flow.first; i <= flow.last; ++i) {
      builder_.set_origin(i);
      const std::uint16_t cls = cbpf::class_of(code_[i].code);
      if (cls == cbpf::kJmp || cls == cbpf::kRet) {
        break;
      }
      if (!translate_straight(code_[i], i)) {
        builder_.end_return(block_, constant(0));
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
      builder_.end_return(block_, of_a ? state_[kA] : constant(end.k));
    } else if (flow.next[0] == kNoFlow) {
      builder_.end_return(block_, constant(0));  // The loop has had all its turns.
    } else if (flow.next[1] == kNoFlow) {
      builder_.end_jump(block_, {});
    } else if (const auto test = tests_.find(flow.last); test != tests_.end()) {
      end_with_set_test(*test->second);
    } else {
      const bool with_x = cbpf::source_of(end.code) == cbpf::kX;
      builder_.end_branch(block_, compare_of(end.code), state_[kA],
                          with_x ? state_[kX] : constant(end.k), {}, {});
    }
  }

  void end_with_set_test(const SetTest& test) {
    word_[test.instruction] = state_[kA];
    if (test.always) {
      builder_.end_branch(block_, Compare::kEq, state_[kA], state_[kA], {}, {});
      return;
    }
    ValueId key = kNoValue;
    std::uint8_t words = 0;
    const auto append_word = [&](ValueId word) {
      ++words;
      key = words == 1 ? word : append({.op = Op::kJoin, .width = words, .a = key, .b = word});
    };
    for (const std::uint32_t earlier : test.before) {
      const auto word = word_.find(earlier);
      append_word(word != word_.end() ? word->second : state_[kA]);
    }
    append_word(state_[kA]);
    const ValueId in = append({.op = Op::kIn, .k = test.set, .a = key});
    builder_.end_branch(block_, Compare::kNe, in, constant(0), {}, {});
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
      b = cbpf::source_of(i.code) == cbpf::kX ? state_[kX] : constant(i.k);
    }
    if (op == Op::kDiv || op == Op::kMod) {
      if (!is_constant(b)) {
        builder_.guard(block_, b);
      } else if (function_.values[b].k == 0) {
        return false;
      }
    }
    state_[kA] = arithmetic(op, state_[kA], b);
    return true;
  }

  bool translate_load(const Instruction& i, std::uint32_t at) {
    switch (cbpf::mode_of(i.code)) {
      case cbpf::kImm:
        state_[kA] = constant(i.k);
        return true;
      case cbpf::kLen:
        state_[kA] = append({.op = Op::kLength});
        return true;
      case cbpf::kMem:
        state_[kA] = state_[kM + i.k];
        return true;
      case cbpf::kAbs:
        if (const auto extension = cbpf::extension_at(i.k)) {
          translate_extension(*extension);
          return true;
        }
        return set(kA, load_absolute(i.k, width(i), at));
      default:  // kInd.
        return set(kA, load_indirect(i.k, width(i), at));
    }
  }

  bool translate_load_x(const Instruction& i, std::uint32_t at) {
    switch (cbpf::mode_of(i.code)) {
      case cbpf::kImm:
        state_[kX] = constant(i.k);
        return true;
      case cbpf::kLen:
        state_[kX] = append({.op = Op::kLength});
        return true;
      case cbpf::kMem:
        state_[kX] = state_[kM + i.k];
        return true;
      default: {  // kMsh.
        const ValueId byte = load_absolute(i.k, 1, at);
        if (byte == kNoValue) {
          return false;
        }
        const ValueId low = arithmetic(Op::kAnd, byte, constant(0xf));
        state_[kX] = arithmetic(Op::kShl, low, constant(2));
        return true;
      }
    }
  }

  void translate_extension(cbpf::Extension extension) {
    if (extension == cbpf::Extension::kAluXorX) {
      state_[kA] = arithmetic(Op::kXor, state_[kA], state_[kX]);
    } else {
      state_[kA] = append({.op = Op::kAncillary, .k = static_cast<std::uint32_t>(extension)});
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

  // Loads give kNoValue when they end the filter with 0 whatever the packet.

  // Bytes at base + k over the natural numbers.
  ValueId load_plain(ValueId base, std::uint32_t k, std::uint8_t bytes) {
    if (k > std::numeric_limits<std::uint32_t>::max() - bytes) {
      return kNoValue;
    }
    builder_.need(block_, base, k + bytes);
    return append({.op = Op::kLoad, .width = bytes, .k = k, .a = base});
  }

  ValueId load_absolute(std::uint32_t offset, std::uint8_t bytes, std::uint32_t at) {
    if (dialect_ == Dialect::kLibpcap) {
      return load_plain(kNoValue, offset, bytes);
    }
    switch (region_of(offset)) {
      case Region::kPacket:
        return load_plain(kNoValue, offset, bytes);
      case Region::kNetwork:
        return load_plain(kNoValue, offset - cbpf::kNetworkOffset + network_header(at), bytes);
      case Region::kLink:
        return load_plain(kNoValue, offset - cbpf::kLinkOffset, bytes);
      case Region::kNowhere:
        return kNoValue;
    }
    return kNoValue;
  }

  std::uint32_t network_header(std::uint32_t at) {
    if (!header_ && !error_) {
      error_ = Error{ErrorCode::kUnsupported,
                     "the load counts from the network header, and where that begins is not "
                     "fixed for this link type",
                     {.instruction = at},
                     {}};
    }
    return header_.value_or(0);
  }

  ValueId load_indirect(std::uint32_t k, std::uint8_t bytes, std::uint32_t at) {
    const ValueId x = state_[kX];
    const std::uint64_t highest = std::uint64_t{bound_of(x)} + k;
    if (dialect_ == Dialect::kLibpcap || highest < kNegative) {
      return load_plain(x, k, bytes);
    }
    if (is_constant(x)) {
      return load_absolute(function_.values[x].k + k, bytes, at);
    }
    std::array<bool, kRegions.size()> possible{};
    for (const Region region : kRegions) {
      // The sum is in k .. highest, and what is past 2^32 comes round to the small offsets.
      const Offsets range = range_of(region);
      possible[static_cast<std::size_t>(region)] =
          (range.low <= highest && k <= range.high) || range.low + kTwo32 <= highest;
    }
    const ValueId offset = k == 0 ? x : arithmetic(Op::kAdd, x, constant(k));
    return load_from_regions(offset, possible, bytes, at);
  }

  // Tells the possible regions apart by branches and loads in each.
  ValueId load_from_regions(ValueId offset, const std::array<bool, kRegions.size()>& possible,
                            std::uint8_t bytes, std::uint32_t at) {
    std::vector<std::pair<BlockId, ValueId>> loads;
    auto left = std::count(possible.begin(), possible.end(), true);
    for (const Region region : kRegions) {
      if (!possible[static_cast<std::size_t>(region)]) {
        continue;
      }
      BlockId otherwise = block_;
      if (--left > 0) {
        otherwise = branch_to_region(offset, region);
      }
      const ValueId value = load_in_region(offset, region, bytes, at);
      if (value != kNoValue) {
        loads.emplace_back(block_, value);
      } else if (left == 0 && !loads.empty()) {
        builder_.end_return(block_, constant(0));
      }
      block_ = otherwise;
    }
    return join(loads);
  }

  // Branches on whether the offset is in the region, the ones before it in kRegions being out of
  // question; goes on in the region's block and gives the other one.
  BlockId branch_to_region(ValueId offset, Region region) {
    const BlockId here = block_;
    block_ = builder_.add_block();
    const BlockId otherwise = builder_.add_block();
    const bool below = region == Region::kPacket;
    const auto limit =
        static_cast<std::uint32_t>(below ? range_of(region).high + 1 : range_of(region).low);
    builder_.end_branch(here, below ? Compare::kLt : Compare::kGe, offset, constant(limit),
                        {.to = block_, .arguments = {}}, {.to = otherwise, .arguments = {}});
    return otherwise;
  }

  ValueId load_in_region(ValueId offset, Region region, std::uint8_t bytes, std::uint32_t at) {
    switch (region) {
      case Region::kPacket:
        return load_plain(offset, 0, bytes);
      case Region::kNetwork: {
        const std::uint32_t header = network_header(at);
        return load_plain(arithmetic(Op::kSub, offset, constant(cbpf::kNetworkOffset)), header,
                          bytes);
      }
      case Region::kLink:
        return load_plain(arithmetic(Op::kSub, offset, constant(cbpf::kLinkOffset)), 0, bytes);
      case Region::kNowhere:
        return kNoValue;
    }
    return kNoValue;
  }

  // Brings the blocks together that loaded, and goes on behind them.
  ValueId join(const std::vector<std::pair<BlockId, ValueId>>& loads) {
    if (loads.size() <= 1) {
      if (!loads.empty()) {
        block_ = loads[0].first;
      }
      return loads.empty() ? kNoValue : loads[0].second;
    }
    block_ = builder_.add_block();
    const ValueId joined = builder_.add_parameter(block_);
    std::uint32_t bound = 0;
    for (const auto& [block, value] : loads) {
      builder_.end_jump(block, {.to = block_, .arguments = {value}});
      bound = std::max(bound, bound_of(value));
    }
    know(joined, bound);
    return joined;
  }

  const std::vector<Instruction>& code_;
  const Dialect dialect_;
  const std::optional<std::uint32_t> header_;  // Length of the link type's header.
  const std::vector<FlowBlock> flow_;
  Function function_;
  FunctionBuilder builder_;
  std::optional<Error> error_;

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

  std::vector<std::uint32_t> known_;  // The largest a value can be, by ValueId.

  // By instruction.
  std::unordered_map<std::uint32_t, const SetTest*> tests_;
  std::unordered_map<std::uint32_t, ValueId> word_;  // A where a set test has been.

  // Where the sweep is.
  BlockId block_ = 0;
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
