#include "translator/lower/classic/reorder_tests.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "translator/lower/classic/layout.h"
#include "translator/lower/classic/simplify_cfg.h"

namespace weir::lower::classic {
namespace {

using cbpf::Instruction;

constexpr int kTrials = 4;
constexpr BlockId kNowhere = 0xffffffff;

bool writes_a(const Instruction& i) {
  const std::uint16_t cls = cbpf::class_of(i.code);
  return cls == cbpf::kLd || cls == cbpf::kAlu ||
         (cls == cbpf::kMisc && (i.code & 0xf8) == cbpf::kTxa);
}

bool is_word(const Instruction& i, cbpf::Code cls) {
  return cbpf::class_of(i.code) == cls && (cls == cbpf::kSt || cbpf::mode_of(i.code) == cbpf::kMem);
}

// What may stand between two questions of one value: arithmetic with constants.
bool is_plain(const Instruction& i) {
  return cbpf::class_of(i.code) == cbpf::kAlu && cbpf::source_of(i.code) == cbpf::kK;
}

// A number that A is known not to be.
struct Not {
  bool is_known = false;
  std::uint32_t number = 0;
  friend bool operator==(const Not&, const Not&) = default;
};

// Questions about what is in A, from a block's end or entry on, with the blocks they lead to in the
// end.
struct Questions {
  std::vector<BlockId> blocks;  // Not the one they begin in.
  std::vector<BlockId> exits;   // Each once.
};

class AskAtOnce {
 public:
  explicit AskAtOnce(Code& code) : code_(code), ways_(code.blocks.size()) {
    for (const BlockId id : forward_order(code_)) {
      order_.push_back(id);
      for_each_target(id, [this](BlockId to) { ++ways_[to]; });
    }
    find_loaded();
  }

  // The code with one value asked for at once, if there is one to be and that is shorter.
  bool run() {
    const std::size_t size = lay_out(code_).instructions.size();
    int trials = 0;
    for (const BlockId id : order_) {
      const Block& block = code_.blocks[id];
      if (block.body.empty() || block.end != End::kBranch || !is_load(block.body.back()) ||
          trials >= kTrials) {
        continue;
      }
      auto changed = changed_at(id);
      trials += changed ? 1 : 0;
      if (changed && lay_out(*changed).instructions.size() < size) {
        code_ = *std::move(changed);
        return true;
      }
    }
    return false;
  }

 private:
  template <typename Visit>
  void for_each_target(BlockId id, Visit&& visit) const {
    const Block& block = code_.blocks[id];
    if (block.end == End::kBranch) {
      visit(block.no);
    }
    if (block.end != End::kReturn) {
      visit(block.yes);
    }
  }

  // What stands in A behind the instruction: the load that put it there, if it is known.
  static std::optional<Instruction> loaded_behind(const Instruction& i,
                                                  const std::optional<Instruction>& before) {
    if (writes_a(i)) {
      // From here on offsets are extensions, of which one gives another number each time.
      constexpr std::uint32_t kFarthest = 0x7fffffff;
      return is_load(i) && i.k <= kFarthest ? std::optional(i) : std::nullopt;
    }
    const bool counts_from_x = before && cbpf::mode_of(before->code) == cbpf::kInd;
    const bool writes_x = cbpf::class_of(i.code) == cbpf::kLdx ||
                          (cbpf::class_of(i.code) == cbpf::kMisc && !writes_a(i));
    return counts_from_x && writes_x ? std::nullopt : before;
  }

  void find_loaded() {
    std::vector<bool> seen(code_.blocks.size());
    loaded_.resize(code_.blocks.size());
    for (const BlockId id : order_) {
      std::optional<Instruction> now = loaded_[id];
      for (const Instruction& i : code_.blocks[id].body) {
        now = loaded_behind(i, now);
      }
      for_each_target(id, [&](BlockId to) {
        loaded_[to] = !seen[to] || loaded_[to] == now ? now : std::nullopt;
        seen[to] = true;
      });
    }
  }

  // What is in A before the last instruction of the block.
  std::optional<Instruction> loaded_before_last(BlockId id) const {
    std::optional<Instruction> now = loaded_[id];
    const std::vector<Instruction>& body = code_.blocks[id].body;
    for (std::size_t i = 0; i + 1 < body.size(); ++i) {
      now = loaded_behind(body[i], now);
    }
    return now;
  }

  static bool is_load(const Instruction& i) {
    const std::uint16_t mode = cbpf::mode_of(i.code);
    return cbpf::class_of(i.code) == cbpf::kLd && (mode == cbpf::kAbs || mode == cbpf::kInd);
  }

  // Nothing but questions with constants, which nobody else comes to.
  bool is_question(BlockId id) const {
    const Block& block = code_.blocks[id];
    return block.end != End::kReturn &&
           (block.end == End::kJump || cbpf::source_of(block.last.code) == cbpf::kK) &&
           std::all_of(block.body.begin(), block.body.end(), is_plain);
  }

  Questions questions_behind(BlockId from) const {
    Questions found;
    std::vector<std::uint32_t> seen(code_.blocks.size());
    std::vector<BlockId> todo;
    const auto come_to = [&](BlockId to) {
      if (seen[to]++ == 0) {
        found.exits.push_back(to);
      }
      if (seen[to] == ways_[to] && is_question(to)) {
        found.exits.erase(std::find(found.exits.begin(), found.exits.end(), to));
        found.blocks.push_back(to);
        todo.push_back(to);
      }
    };
    for_each_target(from, come_to);
    while (!todo.empty()) {
      const BlockId at = todo.back();
      todo.pop_back();
      for_each_target(at, come_to);
    }
    return found;
  }

  // The other of two exits; kNowhere unless they are two and this is one of them.
  static BlockId other_exit(const Questions& questions, BlockId one) {
    if (questions.exits.size() != 2) {
      return kNowhere;
    }
    return questions.exits[0] == one   ? questions.exits[1]
           : questions.exits[1] == one ? questions.exits[0]
                                       : kNowhere;
  }

  // The value that is at hand where a block ends with a load: put aside before (then nobody else
  // can read the word, as nothing but questions and returns follow), or to be loaded again.
  struct AtHand {
    bool is_stored = false;
    Instruction again;  // How it would be brought back.
  };

  std::optional<AtHand> at_hand(BlockId first) const {
    const std::vector<Instruction>& body = code_.blocks[first].body;
    if (body.size() > 1 && is_word(body[body.size() - 2], cbpf::kSt)) {
      return AtHand{true, {cbpf::kLd | cbpf::kMem, 0, 0, body[body.size() - 2].k}};
    }
    const auto loaded = loaded_before_last(first);
    return loaded ? std::optional(AtHand{false, *loaded}) : std::nullopt;
  }

  std::optional<Code> changed_at(BlockId first) const {
    const auto value = at_hand(first);
    const Questions of_loaded = value ? questions_behind(first) : Questions{};
    if (of_loaded.exits.size() != 2) {
      return std::nullopt;
    }
    const bool turned = is_plain_return(code_.blocks[of_loaded.exits[1]]);
    const BlockId done = of_loaded.exits[turned ? 1 : 0];
    const BlockId second = of_loaded.exits[turned ? 0 : 1];
    const Block& asks = code_.blocks[second];
    if (!is_plain_return(code_.blocks[done]) || asks.body.empty() || asks.body[0] != value->again ||
        asks.end != End::kBranch || cbpf::source_of(asks.last.code) != cbpf::kK ||
        !std::all_of(asks.body.begin() + 1, asks.body.end(), is_plain) ||
        !comes_only_from(second, first, of_loaded)) {
      return std::nullopt;
    }
    const BlockId on = other_exit(questions_behind(second), done);
    if (on == kNowhere || !is_plain_return(code_.blocks[on])) {
      return std::nullopt;
    }
    return exchanged({first, second, done, on, value->is_stored ? 2U : 1U}, of_loaded.blocks);
  }

  bool comes_only_from(BlockId to, BlockId first, const Questions& questions) const {
    std::uint32_t ways = 0;
    const auto count = [&](BlockId from) {
      for_each_target(from, [&](BlockId target) { ways += target == to ? 1 : 0; });
    };
    count(first);
    std::for_each(questions.blocks.begin(), questions.blocks.end(), count);
    return ways == ways_[to];
  }

  // Two questions: the first block loads and asks, the second one asks the value at hand. One
  // answer of either ends in `done`, the other of the second one in `on`.
  struct Pair {
    BlockId first = 0;
    BlockId second = 0;
    BlockId done = 0;
    BlockId on = 0;
    std::size_t dropped = 1;  // Instructions at the end of the first block.
  };

  Code exchanged(const Pair& pair, const std::vector<BlockId>& of_loaded) const {
    Code code = code_;
    const Instruction load = code.blocks[pair.first].body.back();
    const auto lead = [&code](BlockId from, BlockId old_target, BlockId target) {
      Block& block = code.blocks[from];
      block.yes = block.yes == old_target ? target : block.yes;
      block.no = block.no == old_target ? target : block.no;
    };
    // What is asked of the one that is loaded goes behind the other.
    const auto later = static_cast<BlockId>(code.blocks.size());
    Block ask = code.blocks[pair.first];
    ask.body = {load};
    code.blocks.push_back(std::move(ask));
    lead(later, pair.second, pair.on);
    for (const BlockId id : of_loaded) {
      lead(id, pair.second, pair.on);
    }
    // Where the load is passed by, it has to be made before anything is accepted.
    const auto early = static_cast<BlockId>(code.blocks.size());
    Block end = code.blocks[pair.done];
    end.body = {load};
    code.blocks.push_back(std::move(end));
    Block& start = code.blocks[pair.first];
    start.body.resize(start.body.size() - pair.dropped);
    start.end = End::kJump;
    start.yes = pair.second;
    Block& asks = code.blocks[pair.second];
    asks.body.erase(asks.body.begin());
    // Both at a time, as one of the new targets may be an old one.
    std::vector<BlockId> of_kept = questions_behind(pair.second).blocks;
    of_kept.push_back(pair.second);
    for (const BlockId id : of_kept) {
      Block& block = code.blocks[id];
      const auto changed = [&](BlockId to) {
        return to == pair.done ? early : to == pair.on ? later : to;
      };
      block.yes = changed(block.yes);
      block.no = changed(block.no);
    }
    drop_repeated_compares(code);
    simplify_cfg(code);
    return code;
  }

  Code& code_;
  std::vector<BlockId> order_;
  std::vector<std::uint32_t> ways_;                 // To each block.
  std::vector<std::optional<Instruction>> loaded_;  // By block, the load whose value A begins with.
};

}  // namespace

void drop_repeated_compares(Code& code) {
  std::vector<std::optional<Not>> known(code.blocks.size());
  const auto arrive = [&](BlockId to, const Not& what) {
    known[to] = !known[to] || *known[to] == what ? what : Not{};
  };
  for (const BlockId id : forward_order(code)) {
    Block& block = code.blocks[id];
    Not now = known[id].value_or(Not{});
    if (std::any_of(block.body.begin(), block.body.end(), writes_a)) {
      now = {};
    }
    const bool asks =
        block.end == End::kBranch && block.last.code == (cbpf::kJmp | cbpf::kJeq | cbpf::kK);
    if (asks && now.is_known && now.number == block.last.k) {
      block.end = End::kJump;
      block.yes = block.no;
    }
    if (block.end == End::kBranch) {
      arrive(block.yes, now);
      arrive(block.no, asks && !now.is_known ? Not{true, block.last.k} : now);
    } else if (block.end == End::kJump) {
      arrive(block.yes, now);
    }
  }
}

void reorder_tests(Code& code) {
  while (AskAtOnce(code).run()) {
  }
}

}  // namespace weir::lower::classic
