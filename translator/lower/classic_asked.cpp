#include "translator/lower/classic_asked.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "translator/lower/classic_layout.h"
#include "translator/lower/classic_tidy.h"

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
  }

  // The code with one value asked for at once, if there is one to be and that is shorter.
  bool run() {
    const std::size_t size = lay_out(code_).instructions.size();
    int trials = 0;
    for (const BlockId id : order_) {
      const Block& block = code_.blocks[id];
      const std::size_t count = block.body.size();
      if (count < 2 || block.end != End::kBranch || !is_word(block.body[count - 2], cbpf::kSt) ||
          !is_load(block.body[count - 1]) || trials >= kTrials) {
        continue;
      }
      ++trials;
      auto changed = changed_at(id);
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

  // Nobody else can read the word that is written here, as nothing but questions and returns
  // follow.
  std::optional<Code> changed_at(BlockId first) const {
    const Block& loads = code_.blocks[first];
    const Instruction store = loads.body[loads.body.size() - 2];
    const Instruction load = loads.body.back();
    const Questions of_loaded = questions_behind(first);
    if (of_loaded.exits.size() != 2) {
      return std::nullopt;
    }
    const bool turned = is_plain_return(code_.blocks[of_loaded.exits[1]]);
    const BlockId hit = of_loaded.exits[turned ? 1 : 0];
    const BlockId second = of_loaded.exits[turned ? 0 : 1];
    const Block& asks = code_.blocks[second];
    if (!is_plain_return(code_.blocks[hit]) || asks.body.empty() ||
        !is_word(asks.body[0], cbpf::kLd) || asks.body[0].k != store.k ||
        asks.end != End::kBranch || cbpf::source_of(asks.last.code) != cbpf::kK ||
        !std::all_of(asks.body.begin() + 1, asks.body.end(), is_plain) ||
        !comes_only_from(second, first, of_loaded)) {
      return std::nullopt;
    }
    const BlockId miss = other_exit(questions_behind(second), hit);
    if (miss == kNowhere || !is_plain_return(code_.blocks[miss])) {
      return std::nullopt;
    }
    return exchanged(first, second, load, hit, miss, of_loaded.blocks);
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

  Code exchanged(BlockId first, BlockId second, Instruction load, BlockId hit, BlockId miss,
                 const std::vector<BlockId>& of_loaded) const {
    Code code = code_;
    const auto lead = [&code](BlockId from, BlockId old_target, BlockId target) {
      Block& block = code.blocks[from];
      block.yes = block.yes == old_target ? target : block.yes;
      block.no = block.no == old_target ? target : block.no;
    };
    // What is asked of the one that is loaded goes behind the other.
    const auto later = static_cast<BlockId>(code.blocks.size());
    Block ask = code.blocks[first];
    ask.body = {load};
    code.blocks.push_back(std::move(ask));
    lead(later, second, miss);
    for (const BlockId id : of_loaded) {
      lead(id, second, miss);
    }
    const auto found = static_cast<BlockId>(code.blocks.size());
    Block accept = code.blocks[hit];
    accept.body = {load};
    code.blocks.push_back(std::move(accept));
    Block& start = code.blocks[first];
    start.body.resize(start.body.size() - 2);
    start.end = End::kJump;
    start.yes = second;
    Block& asks = code.blocks[second];
    asks.body.erase(asks.body.begin());
    // Both at a time, as one of the new targets may be an old one.
    std::vector<BlockId> of_kept = questions_behind(second).blocks;
    of_kept.push_back(second);
    for (const BlockId id : of_kept) {
      Block& block = code.blocks[id];
      const auto changed = [&](BlockId to) { return to == hit ? found : to == miss ? later : to; };
      block.yes = changed(block.yes);
      block.no = changed(block.no);
    }
    drop_repeated_compares(code);
    tidy(code);
    return code;
  }

  Code& code_;
  std::vector<BlockId> order_;
  std::vector<std::uint32_t> ways_;  // To each block.
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

void ask_at_once(Code& code) {
  while (AskAtOnce(code).run()) {
  }
}

}  // namespace weir::lower::classic
