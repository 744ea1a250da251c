#include "translator/lower/classic/bounds_checks.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace weir::lower::classic {
namespace {

constexpr std::uint64_t kRejects = std::numeric_limits<std::uint64_t>::max();

class Needs {
 public:
  Needs(const Code& code, std::vector<bool>& explicit_effects)
      : code_(code),
        explicit_(explicit_effects),
        reach_(code.blocks.size(), kRejects),
        accepts_(code.blocks.size()),
        seen_(code.blocks.size()) {}

  bool run() {
    const std::vector<BlockId> order = forward_order(code_);
    for (std::size_t i = order.size(); i-- > 0;) {
      sweep(order[i]);
    }
    for (const BlockId id : order) {
      const std::vector<Event>& events = code_.blocks[id].events;
      for (std::size_t i = 0; i < events.size(); ++i) {
        if (asks_of_value(events[i]) && !explicit_[events[i].effect] && !answered(id, i)) {
          mark(events[i]);
        }
      }
    }
    return marked_;
  }

 private:
  void mark(const Event& event) {
    explicit_[event.effect] = true;
    marked_ = true;
  }

  static bool asks_of_value(const Event& event) {
    return event.kind == Event::Kind::kGuard ||
           (event.kind == Event::Kind::kNeed && event.base != ir::kNoValue);
  }

  // From the block's end to its beginning: how many bytes are there whenever the filter accepts.
  void sweep(BlockId id) {
    const Block& block = code_.blocks[id];
    std::uint64_t reach = 0;
    switch (block.end) {
      case End::kReturn:
        accepts_[id] = block.last != cbpf::Instruction{cbpf::kRet | cbpf::kK, 0, 0, 0};
        reach = accepts_[id] ? 0 : kRejects;
        break;
      case End::kJump:
        accepts_[id] = accepts_[block.yes];
        reach = reach_[block.yes];
        break;
      case End::kBranch:
        accepts_[id] = accepts_[block.yes] || accepts_[block.no];
        reach = std::min(reach_[block.yes], reach_[block.no]);
        break;
    }
    for (std::size_t i = block.events.size(); i-- > 0;) {
      const Event& event = block.events[i];
      if (event.kind == Event::Kind::kLoad) {
        reach = std::max(reach, event.reach);
      } else if (event.kind == Event::Kind::kNeed && event.base == ir::kNoValue &&
                 reach < event.reach && !explicit_[event.effect]) {
        mark(event);
      }
    }
    reach_[id] = reach;
  }

  static bool answers(const Event& answer, const Event& question) {
    if (answer.base != question.base) {
      return false;
    }
    return question.kind == Event::Kind::kGuard
               ? answer.kind == Event::Kind::kDivide
               : answer.kind == Event::Kind::kLoad && answer.reach >= question.reach;
  }

  // Whether each way on from event `at` of the block that could accept comes by an answer.
  bool answered(BlockId from, std::size_t at) {
    const Event& question = code_.blocks[from].events[at];
    ++round_;
    todo_.clear();
    if (!go_through(from, at + 1, question)) {
      return false;
    }
    while (!todo_.empty()) {
      const BlockId id = todo_.back();
      todo_.pop_back();
      if (seen_[id] == round_ || !accepts_[id]) {
        continue;
      }
      seen_[id] = round_;
      if (!go_through(id, 0, question)) {
        return false;
      }
    }
    return true;
  }

  // False when the filter accepts here and nothing has answered.
  bool go_through(BlockId id, std::size_t first, const Event& question) {
    const Block& block = code_.blocks[id];
    for (std::size_t i = first; i < block.events.size(); ++i) {
      if (answers(block.events[i], question)) {
        return true;
      }
    }
    switch (block.end) {
      case End::kReturn:
        return !accepts_[id];
      case End::kBranch:
        todo_.push_back(block.no);
        [[fallthrough]];
      case End::kJump:
        todo_.push_back(block.yes);
        return true;
    }
    return true;
  }

  const Code& code_;
  std::vector<bool>& explicit_;
  std::vector<std::uint64_t> reach_;  // By block, at its beginning.
  std::vector<bool> accepts_;         // By block, whether it leads to an accepting return.
  std::vector<std::uint32_t> seen_;
  std::vector<BlockId> todo_;
  std::uint32_t round_ = 0;
  bool marked_ = false;
};

}  // namespace

bool mark_uncovered(const Code& code, std::vector<bool>& explicit_effects) {
  return Needs(code, explicit_effects).run();
}

}  // namespace weir::lower::classic
