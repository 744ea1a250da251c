// Every place in the code gets a class from the end up: places of one class are followed by the
// same code, but for what is added to the offsets of all loads in it.
#include "translator/lower/classic/share_code_by_offset.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "translator/lower/classic/layout.h"
#include "translator/lower/classic/simplify_cfg.h"

namespace weir::lower::classic {
namespace {

using cbpf::Instruction;

constexpr std::uint32_t kHeaviest = 1U << 20;
constexpr int kTrials = 4;
// Offsets from here on mean something else than packet bytes.
constexpr std::uint32_t kFarthest = 0x7fffffff;

// What is done with the X that code begins with. Where there is more than one of these, it stays.
constexpr std::uint8_t kAbsolute = 1;  // Nothing, and there are loads with fixed offsets.
constexpr std::uint8_t kIndirect = 2;  // Loads count from it.
constexpr std::uint8_t kRead = 4;      // It is read in other ways.

struct Summary {
  std::uint32_t number = 0;  // Of the class.
  std::uint32_t base = 0;    // The offset that the others are relative to.
  std::uint32_t weight = 0;  // About how many instructions follow.
  std::uint8_t uses = 0;
};

bool is_absolute(const Instruction& i) {
  return cbpf::class_of(i.code) == cbpf::kLd && cbpf::mode_of(i.code) == cbpf::kAbs &&
         i.k <= kFarthest;
}
bool is_indirect(const Instruction& i) {
  return cbpf::class_of(i.code) == cbpf::kLd && cbpf::mode_of(i.code) == cbpf::kInd &&
         i.k <= kFarthest;
}
bool writes_x(const Instruction& i) {
  return cbpf::class_of(i.code) == cbpf::kLdx ||
         (cbpf::class_of(i.code) == cbpf::kMisc && (i.code & 0xf8) == cbpf::kTax);
}
// Beside loads that count from it.
bool reads_x(const Instruction& i) {
  const std::uint16_t cls = cbpf::class_of(i.code);
  return cls == cbpf::kStx || (cls == cbpf::kMisc && (i.code & 0xf8) == cbpf::kTxa) ||
         ((cls == cbpf::kAlu || cls == cbpf::kJmp) && cbpf::source_of(i.code) == cbpf::kX) ||
         (cls == cbpf::kLd && cbpf::mode_of(i.code) == cbpf::kInd && i.k > kFarthest);
}

std::uint8_t uses_of(const Instruction& i) {
  return reads_x(i)       ? kRead
         : is_absolute(i) ? kAbsolute
         : is_indirect(i) ? kIndirect
                          : std::uint8_t{0};
}

struct Place {
  BlockId block = 0;
  std::size_t at = 0;
  Summary summary;
};

class Summaries {
 public:
  Summaries(const Code& code, std::uint32_t shortest)
      : code_(code), shortest_(shortest), order_(forward_order(code)), entry_(code.blocks.size()) {
    for (std::size_t i = order_.size(); i-- > 0;) {
      sweep(order_[i]);
    }
  }

  const Summary& at_entry(BlockId block) const { return entry_[block]; }

  // Places that could be one, each list longest stretch first and the lists as well.
  std::vector<std::vector<Place>> candidates() {
    std::vector<std::vector<Place>> lists;
    for (auto& [number, places] : places_) {
      std::reverse(places.begin(), places.end());
      const Summary& first = places[0].summary;
      if (std::any_of(places.begin(), places.end(), [&](const Place& each) {
            return each.summary.base != first.base || each.summary.uses != first.uses;
          })) {
        lists.push_back(std::move(places));
      }
    }
    std::stable_sort(lists.begin(), lists.end(), [](const auto& x, const auto& y) {
      return x[0].summary.weight > y[0].summary.weight;
    });
    return lists;
  }

 private:
  using Key = std::array<std::uint32_t, 8>;

  std::uint32_t number_of(const Key& key) {
    return numbers_.try_emplace(key, static_cast<std::uint32_t>(numbers_.size())).first->second;
  }

  void sweep(BlockId id) {
    const Block& block = code_.blocks[id];
    Summary now = end_of(block);
    for (std::size_t i = block.body.size(); i-- > 0;) {
      now = before(block.body[i], now);
      if (now.weight >= shortest_ && (now.uses == kAbsolute || now.uses == kIndirect)) {
        places_[now.number].push_back({id, i, now});
      }
    }
    if (block.body.empty() && now.weight >= shortest_ &&
        (now.uses == kAbsolute || now.uses == kIndirect)) {
      places_[now.number].push_back({id, 0, now});
    }
    entry_[id] = now;
  }

  Summary end_of(const Block& block) {
    switch (block.end) {
      case End::kReturn:
        return {number_of({1, block.last.code, block.last.k}), 0, 1, 0};
      case End::kJump:
        return entry_[block.yes];
      case End::kBranch:
        return branch(block.last, entry_[block.yes], entry_[block.no]);
    }
    return {};
  }

  Summary branch(const Instruction& last, const Summary& yes, const Summary& no) {
    Summary both;
    both.uses = static_cast<std::uint8_t>(yes.uses | no.uses | (reads_x(last) ? kRead : 0));
    both.weight = std::min(kHeaviest, 1 + yes.weight + no.weight);
    both.base = yes.uses != 0 ? yes.base : no.base;
    both.number = number_of({3, last.code, last.k, yes.number, no.number,
                             (yes.uses != 0 ? 1U : 0U) + (no.uses != 0 ? 2U : 0U),
                             no.uses != 0 ? no.base - both.base : 0});
    return both;
  }

  Summary before(const Instruction& i, const Summary& next) {
    Summary now = next;
    now.weight = std::min(kHeaviest, next.weight + 1);
    if (writes_x(i)) {
      now.uses = reads_x(i) ? kRead : 0;
      now.base = 0;
      now.number = number_of({4, i.code, i.k, next.number, next.base, next.uses});
      return now;
    }
    now.uses |= uses_of(i);
    if (is_absolute(i) || is_indirect(i)) {
      now.base = i.k;
      now.number = number_of({6, cbpf::size_of(i.code), next.number, next.uses != 0 ? 1U : 0U,
                              next.uses != 0 ? next.base - i.k : 0});
    } else {
      now.number = number_of({7, i.code, i.k, next.number});
    }
    return now;
  }

  const Code& code_;
  const std::uint32_t shortest_;
  const std::vector<BlockId> order_;
  std::vector<Summary> entry_;
  std::map<Key, std::uint32_t> numbers_;
  std::map<std::uint32_t, std::vector<Place>> places_;
};

// By block, whether X is 0 where it begins, whichever way leads there.
std::vector<bool> where_x_is_zero(const Code& code) {
  std::vector<bool> zero(code.blocks.size(), true);
  for (const BlockId id : forward_order(code)) {
    const Block& block = code.blocks[id];
    const bool keeps = zero[id] && std::none_of(block.body.begin(), block.body.end(), writes_x);
    if (block.end != End::kReturn && !keeps) {
      zero[block.yes] = false;
      zero[block.no] = zero[block.no] && block.end != End::kBranch;
    }
  }
  return zero;
}

class Sharing {
 public:
  Sharing(Code& code, const Summaries& summaries) : code_(code), summaries_(summaries) {}

  void share(const std::vector<Place>& places) {
    const Place& kept =
        *std::min_element(places.begin(), places.end(), [](const Place& x, const Place& y) {
          const bool x_moves = x.summary.uses == kAbsolute;
          const bool y_moves = y.summary.uses == kAbsolute;
          return x_moves != y_moves ? y_moves : x.summary.base < y.summary.base;
        });
    const std::vector<bool> zero = where_x_is_zero(code_);
    const BlockId target = kept.summary.uses == kAbsolute ? copy(kept) : split(kept.block, kept.at);
    for (const Place& place : places) {
      const bool is_kept = place.block == kept.block && place.at == kept.at;
      if (place.summary.uses != kAbsolute || place.summary.base < kept.summary.base) {
        continue;
      }
      Block& block = code_.blocks[place.block];
      const bool x_is_zero =
          zero[place.block] &&
          std::none_of(block.body.begin(),
                       block.body.begin() + static_cast<std::ptrdiff_t>(place.at), writes_x);
      block.body.resize(place.at);
      if (!is_kept || !x_is_zero) {
        block.body.push_back(
            {cbpf::kLdx | cbpf::kImm, 0, 0, place.summary.base - kept.summary.base});
      }
      block.end = End::kJump;
      block.yes = target;
    }
  }

 private:
  // A block of what begins there; it is jumped to.
  BlockId split(BlockId id, std::size_t at) {
    if (at == 0) {
      return id;
    }
    Block rest = code_.blocks[id];
    rest.body.erase(rest.body.begin(), rest.body.begin() + static_cast<std::ptrdiff_t>(at));
    const auto added = static_cast<BlockId>(code_.blocks.size());
    code_.blocks.push_back(std::move(rest));
    Block& block = code_.blocks[id];
    block.body.resize(at);
    block.end = End::kJump;
    block.yes = added;
    return added;
  }

  // The same code with loads that count from X.
  BlockId copy(const Place& place) {
    const BlockId first = add_copy(place.block, place.at);
    while (!todo_.empty()) {
      const BlockId from = todo_.back();
      todo_.pop_back();
      fill(copies_[from], from, 0);
    }
    return first;
  }

  BlockId add_copy(BlockId from, std::size_t at) {
    const auto added = static_cast<BlockId>(code_.blocks.size());
    code_.blocks.emplace_back();
    fill(added, from, at);
    return added;
  }

  void fill(BlockId into, BlockId from, std::size_t at) {
    Block copy = code_.blocks[from];
    copy.body.erase(copy.body.begin(), copy.body.begin() + static_cast<std::ptrdiff_t>(at));
    bool open = true;  // X is still what it was.
    for (Instruction& i : copy.body) {
      open = open && !writes_x(i);
      if (open && is_absolute(i)) {
        i.code = static_cast<std::uint16_t>(cbpf::kLd | cbpf::size_of(i.code) | cbpf::kInd);
      }
    }
    if (open && copy.end != End::kReturn) {
      copy.yes = copy_of(copy.yes);
      copy.no = copy.end == End::kBranch ? copy_of(copy.no) : copy.no;
    }
    code_.blocks[into] = std::move(copy);
  }

  BlockId copy_of(BlockId from) {
    if (summaries_.at_entry(from).uses != kAbsolute) {
      return from;
    }
    const auto [found, fresh] =
        copies_.try_emplace(from, static_cast<BlockId>(code_.blocks.size()));
    if (fresh) {
      code_.blocks.emplace_back();
      todo_.push_back(from);
    }
    return found->second;
  }

  Code& code_;
  const Summaries& summaries_;
  std::map<BlockId, BlockId> copies_;
  std::vector<BlockId> todo_;
};

}  // namespace

void share_code_by_offset(Code& code, std::uint32_t shortest) {
  for (int round = 0; round < kTrials; ++round) {
    Summaries summaries(code, shortest);
    const auto lists = summaries.candidates();
    if (lists.empty()) {
      return;
    }
    std::size_t size = lay_out(code).instructions.size();
    std::optional<Code> best;
    for (std::size_t i = 0; i < std::min<std::size_t>(lists.size(), kTrials); ++i) {
      Code trial = code;
      Sharing(trial, summaries).share(lists[i]);
      simplify_cfg(trial);
      const std::size_t tried = lay_out(trial).instructions.size();
      if (tried < size) {
        size = tried;
        best = std::move(trial);
      }
    }
    if (!best) {
      return;
    }
    code = *std::move(best);
  }
}

}  // namespace weir::lower::classic
