#include "translator/lower/classic/layout.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace weir::lower::classic {
namespace {

using cbpf::Instruction;

constexpr std::uint32_t kUnknown = 0xffffffff;
constexpr std::uint32_t kReach = 255;

// Blocks that can be reached, without plain returns, each behind all that lead to it; of those that
// could come next, the target of an unconditional jump, else the youngest. Blocks that return a
// constant come last, where their returns serve others as well.
class Order {
 public:
  explicit Order(const Code& code) : code_(code), ways_(code.blocks.size()) {}

  std::vector<BlockId> run() {
    for (const BlockId id : forward_order(code_)) {
      for_each_target(id, [this](BlockId to) { ++ways_[to]; });
    }
    std::vector<BlockId> order;
    ready_.push_back(0);
    while (!ready_.empty()) {
      const BlockId id = ready_.back();
      ready_.pop_back();
      if (id == 0 || !returns_constant(id)) {
        order.push_back(id);
      } else if (!is_plain_return(code_.blocks[id])) {
        last_.push_back(id);
      }
      for_each_target(id, [this](BlockId to) {
        if (--ways_[to] == 0) {
          ready_.push_back(to);
        }
      });
    }
    order.insert(order.end(), last_.begin(), last_.end());
    return order;
  }

 private:
  bool returns_constant(BlockId id) const {
    return code_.blocks[id].end == End::kReturn &&
           code_.blocks[id].last.code == (cbpf::kRet | cbpf::kK);
  }

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

  const Code& code_;
  std::vector<std::uint32_t> ways_;  // Into each block, from blocks that have no place yet.
  std::vector<BlockId> ready_;
  std::vector<BlockId> last_;
};

class Layout {
 public:
  explicit Layout(const Code& code)
      : code_(code), order_(Order(code).run()), place_(code.blocks.size(), kUnknown) {
    reads_words_ = std::any_of(order_.begin(), order_.end(), [&code](BlockId id) {
      const std::vector<Instruction>& body = code.blocks[id].body;
      return std::any_of(body.begin(), body.end(), [](const Instruction& i) {
        return cbpf::class_of(i.code) <= cbpf::kLdx && cbpf::mode_of(i.code) == cbpf::kMem;
      });
    });
  }

  cbpf::Program run() {
    for (std::size_t i = 0; i < order_.size();) {
      const std::size_t end = end_of_line(i);
      make_room(order_[i], size_of_line(i, end));
      for (; i < end; ++i) {
        write(order_[i], i + 1 < end);
      }
    }
    while (!waiting_.empty()) {
      write_return(take(0).to);  // Only returns are left.
    }
    for (std::size_t i = 0; i < far_.size(); ++i) {
      const Far far = far_[i];
      if (place_[far.to] == kUnknown) {
        write_return(far.to);
      }
      out_[far.at].k = place_[far.to] - far.at - 1;
    }
    return {std::move(out_)};
  }

 private:
  // A target that conditional jumps wait for.
  struct Waiting {
    BlockId to = 0;
    std::uint32_t deadline = 0;      // The last place that all of them reach.
    std::vector<std::uint32_t> yes;  // Where they are, by the side that leads there.
    std::vector<std::uint32_t> no;
  };
  struct Far {
    std::uint32_t at = 0;
    BlockId to = 0;
  };

  std::uint32_t here() const { return static_cast<std::uint32_t>(out_.size()); }

  // One line: blocks that fall through, one into the other.
  bool falls_through(std::size_t i) const {
    const Block& block = code_.blocks[order_[i]];
    return block.end == End::kJump && i + 1 < order_.size() && block.yes == order_[i + 1];
  }
  std::size_t end_of_line(std::size_t i) const {
    while (falls_through(i)) {
      ++i;
    }
    return i + 1;
  }
  std::uint32_t size_of_line(std::size_t first, std::size_t end) const {
    std::size_t size = 1;
    for (std::size_t i = first; i < end; ++i) {
      size += code_.blocks[order_[i]].body.size();
    }
    return static_cast<std::uint32_t>(size);
  }

  // Writes islands until what waits can also wait for the line that is `size` long.
  void make_room(BlockId next, std::uint32_t size) {
    while (!waiting_.empty() && is_late(next, size)) {
      // The earliest; the line's own target only when it could not wait for that island.
      std::size_t first =
          waiting_[0].to == next && waiting_.size() > 1 && waiting_[0].deadline > here() ? 1 : 0;
      write_island(first);
    }
  }

  // What waits is kept in order of deadlines, so the one at place i needs i islands before it.
  bool is_late(BlockId next, std::uint32_t size) const {
    std::uint32_t islands = 0;
    for (const Waiting& each : waiting_) {
      if (each.to == next) {
        if (each.deadline < here()) {
          return true;
        }
        continue;
      }
      if (here() + size + islands > each.deadline) {
        return true;
      }
      ++islands;
    }
    return false;
  }

  void resolve(const Waiting& waiting, std::uint32_t at) {
    for (const std::uint32_t from : waiting.yes) {
      out_[from].jt = static_cast<std::uint8_t>(at - from - 1);
    }
    for (const std::uint32_t from : waiting.no) {
      out_[from].jf = static_cast<std::uint8_t>(at - from - 1);
    }
  }

  // What waits for the target waits no longer: it leads here.
  Waiting take(std::size_t index) {
    Waiting waiting = std::move(waiting_[index]);
    waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(index));
    resolve(waiting, here());
    return waiting;
  }

  // Validators take the words that are written where a return stands for all that is written behind
  // it. So in a program that reads words, returns stand at its end, and islands jump to them.
  void write_island(std::size_t index) {
    const BlockId to = take(index).to;
    if (is_plain_return(code_.blocks[to]) && !reads_words_) {
      out_.push_back(code_.blocks[to].last);
    } else {
      write_jump(to);
    }
  }

  void write_return(BlockId to) {
    place_[to] = here();
    out_.push_back(code_.blocks[to].last);
  }

  void write_jump(BlockId to) {
    far_.push_back({here(), to});
    out_.push_back({cbpf::kJmp | cbpf::kJa, 0, 0, 0});
  }

  void write(BlockId id, bool falls) {
    place_[id] = here();
    const auto waiting = std::find_if(waiting_.begin(), waiting_.end(),
                                      [id](const Waiting& each) { return each.to == id; });
    if (waiting != waiting_.end()) {
      resolve(*waiting, here());
      waiting_.erase(waiting);
    }
    const Block& block = code_.blocks[id];
    out_.insert(out_.end(), block.body.begin(), block.body.end());
    switch (block.end) {
      case End::kReturn:
        take_returns(block.last);
        out_.push_back(block.last);
        return;
      case End::kJump:
        if (!falls) {
          write_jump(block.yes);
        }
        return;
      case End::kBranch:
        wait_for(block.yes).yes.push_back(here());
        wait_for(block.no).no.push_back(here());
        out_.push_back(block.last);
        return;
    }
  }

  // What waits for the return that is written here waits no longer.
  void take_returns(const Instruction& last) {
    for (std::size_t i = 0; i < waiting_.size(); ++i) {
      const Block& to = code_.blocks[waiting_[i].to];
      if (is_plain_return(to) && to.last == last && place_[waiting_[i].to] == kUnknown) {
        take(i);
        return;
      }
    }
  }

  Waiting& wait_for(BlockId to) {
    for (Waiting& each : waiting_) {
      if (each.to == to) {
        return each;
      }
    }
    waiting_.push_back({to, here() + 1 + kReach, {}, {}});
    return waiting_.back();
  }

  const Code& code_;
  const std::vector<BlockId> order_;
  bool reads_words_ = false;          // Of scratch memory.
  std::vector<std::uint32_t> place_;  // By block.
  std::vector<Instruction> out_;
  std::vector<Waiting> waiting_;
  std::vector<Far> far_;
};

}  // namespace

cbpf::Program lay_out(const Code& code) { return Layout(code).run(); }

}  // namespace weir::lower::classic
