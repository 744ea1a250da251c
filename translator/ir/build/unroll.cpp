#include "translator/ir/build/unroll.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>

namespace weir::ir {
namespace {

using cbpf::Instruction;

bool is_jump(const Instruction& i) { return cbpf::class_of(i.code) == cbpf::kJmp; }
bool is_return(const Instruction& i) { return cbpf::class_of(i.code) == cbpf::kRet; }
bool is_always(const Instruction& i) { return i.code == (cbpf::kJmp | cbpf::kJa); }

// Where the jump at `at` goes. k of a `ja` is signed, so the sum wraps to the target.
std::uint32_t taken(const Instruction& i, std::uint32_t at) {
  return at + 1 + (is_always(i) ? i.k : i.jt);
}
std::uint32_t not_taken(const Instruction& i, std::uint32_t at) { return at + 1 + i.jf; }

// Blocks first .. first + count - 1 of the program, copied `turns` times in a row from flow block
// `base` on.
struct Stretch {
  std::uint32_t first = 0;
  std::uint32_t count = 0;
  bool is_loop = false;
  std::uint32_t turns = 1;
  std::uint32_t base = 0;
};

class FlowBuilder {
 public:
  FlowBuilder(const std::vector<Instruction>& code, const Loops& loops)
      : code_(code),
        size_(static_cast<std::uint32_t>(code.size())),
        repeats_(loops.form == Loops::Form::kRepeat),
        turns_(repeats_ ? 1 : loops.most.value_or(0) + 1) {}

  Result<std::vector<FlowBlock>> run() {
    find_blocks();
    const std::uint64_t instructions = find_stretches();
    if (instructions > kMaxUnrolled) {
      return fail(ErrorCode::kUnsupported,
                  fmt::format("the loops of the program unroll to {} instructions, more than {}",
                              instructions, kMaxUnrolled));
    }
    connect();
    return keep_reachable();
  }

 private:
  std::uint32_t block_of(std::uint32_t at) const { return block_of_[at]; }
  std::uint32_t block_end(std::uint32_t block) const {
    return block + 1 < starts_.size() ? starts_[block + 1] - 1 : size_ - 1;
  }

  void find_blocks() {
    std::vector<bool> starts(size_ + 1);
    starts[0] = true;
    for (std::uint32_t at = 0; at < size_; ++at) {
      const Instruction& i = code_[at];
      if (is_jump(i)) {
        starts[taken(i, at)] = true;
        starts[at + 1] = true;
        if (!is_always(i)) {
          starts[not_taken(i, at)] = true;
        }
      } else if (is_return(i)) {
        starts[at + 1] = true;
      }
    }
    block_of_.resize(size_);
    for (std::uint32_t at = 0; at < size_; ++at) {
      if (starts[at]) {
        starts_.push_back(at);
      }
      block_of_[at] = static_cast<std::uint32_t>(starts_.size() - 1);
    }
  }

  // For each block, the last block of the loop whose head it is; itself when it is no head.
  std::vector<std::uint32_t> loop_ends() const {
    std::vector<std::uint32_t> ends(starts_.size());
    for (std::uint32_t block = 0; block < ends.size(); ++block) {
      ends[block] = block;
    }
    for (std::uint32_t at = 0; at < size_; ++at) {
      if (is_jump(code_[at]) && taken(code_[at], at) <= at) {
        std::uint32_t& end = ends[block_of(taken(code_[at], at))];
        end = std::max(end, block_of(at));
      }
    }
    return ends;
  }

  bool is_loop_of_one(std::uint32_t block) const {
    const std::uint32_t at = block_end(block);
    return is_jump(code_[at]) && taken(code_[at], at) == starts_[block];
  }

  // Gives the number of instructions there are after unrolling.
  std::uint64_t find_stretches() {
    const std::vector<std::uint32_t> ends = loop_ends();
    std::uint64_t instructions = 0;
    stretch_of_.resize(starts_.size());
    for (std::uint32_t block = 0; block < starts_.size();) {
      Stretch stretch{.first = block, .count = ends[block] - block + 1, .base = flow_blocks_};
      if (stretch.count > 1 || is_loop_of_one(block)) {
        stretch.is_loop = true;
        stretch.turns = turns_;
      }
      const std::uint32_t length = block_end(ends[block]) - starts_[block] + 1;
      instructions += std::uint64_t{length} * stretch.turns;
      if (instructions > kMaxUnrolled) {
        return instructions;
      }
      flow_blocks_ += stretch.count * stretch.turns;
      for (; block <= ends[stretch.first]; ++block) {
        stretch_of_[block] = static_cast<std::uint32_t>(stretches_.size());
      }
      stretches_.push_back(stretch);
    }
    return instructions;
  }

  // The flow block of instruction `target`, come to from a turn of `from`.
  std::uint32_t flow_of(std::uint32_t target, const Stretch& from, std::uint32_t turn) const {
    const std::uint32_t block = block_of(target);
    const Stretch& stretch = stretches_[stretch_of_[block]];
    const std::uint32_t there = stretch.base + block - stretch.first;
    return stretch.base == from.base ? there + turn * stretch.count : there;
  }

  void connect() {
    flow_.resize(flow_blocks_);
    for (const Stretch& stretch : stretches_) {
      for (std::uint32_t turn = 0; turn < stretch.turns; ++turn) {
        for (std::uint32_t i = 0; i < stretch.count; ++i) {
          connect_block(stretch, turn, stretch.first + i,
                        flow_[stretch.base + turn * stretch.count + i]);
        }
      }
    }
  }

  void connect_block(const Stretch& stretch, std::uint32_t turn, std::uint32_t block,
                     FlowBlock& flow) const {
    flow.loop = stretch.is_loop ? stretch.base : kNoFlow;
    flow.first = starts_[block];
    flow.last = block_end(block);
    const Instruction& end = code_[flow.last];
    if (is_return(end)) {
      return;
    }
    const std::uint32_t target = is_jump(end) ? taken(end, flow.last) : flow.last + 1;
    if (target > flow.last) {
      flow.next[0] = flow_of(target, stretch, turn);
    } else {
      if (repeats_) {
        flow.loop_head = flow_of(target, stretch, turn);
      } else if (turn + 1 < stretch.turns) {
        flow.next[0] = flow_of(target, stretch, turn + 1);
      }
    }
    if (is_jump(end) && !is_always(end)) {
      flow.next[1] = flow_of(not_taken(end, flow.last), stretch, turn);
    }
  }

  std::vector<bool> find_reachable() const {
    std::vector<bool> reached(flow_.size());
    std::vector<std::uint32_t> todo = {0};
    reached[0] = true;
    while (!todo.empty()) {
      const FlowBlock& flow = flow_[todo.back()];
      todo.pop_back();
      for (const std::uint32_t next : {flow.next[0], flow.next[1], flow.loop_head}) {
        if (next != kNoFlow && !reached[next]) {
          reached[next] = true;
          todo.push_back(next);
        }
      }
    }
    return reached;
  }

  std::vector<FlowBlock> keep_reachable() {
    const std::vector<bool> reached = find_reachable();
    std::vector<std::uint32_t> number(flow_.size(), kNoFlow);
    std::uint32_t kept = 0;
    for (std::uint32_t i = 0; i < flow_.size(); ++i) {
      if (reached[i]) {
        number[i] = kept;
        flow_[kept++] = flow_[i];
      }
    }
    flow_.resize(kept);
    const auto renumber = [&](std::uint32_t& at) { at = at == kNoFlow ? kNoFlow : number[at]; };
    for (FlowBlock& flow : flow_) {
      std::for_each(flow.next.begin(), flow.next.end(), renumber);
      renumber(flow.loop_head);
    }
    return std::move(flow_);
  }

  const std::vector<Instruction>& code_;
  const std::uint32_t size_;
  const bool repeats_;
  const std::uint32_t turns_;            // Copies of a loop.
  std::vector<std::uint32_t> starts_;    // First instruction of each block.
  std::vector<std::uint32_t> block_of_;  // By instruction.
  std::vector<Stretch> stretches_;
  std::vector<std::uint32_t> stretch_of_;  // By block.
  std::uint32_t flow_blocks_ = 0;
  std::vector<FlowBlock> flow_;
};

}  // namespace

Result<std::vector<FlowBlock>> control_flow(const cbpf::ValidatedProgram& program,
                                            const Loops& loops) {
  return FlowBuilder(program.program().instructions, loops).run();
}

}  // namespace weir::ir
