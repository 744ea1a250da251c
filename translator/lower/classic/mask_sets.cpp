#include "translator/lower/classic/mask_sets.h"

#include <algorithm>
#include <array>
#include <bit>
#include <optional>

namespace weir::lower::classic {
namespace {

// So many multiplications are tried a step, for the first sets and for later ones, and so many of
// the best steps are looked at closely.
constexpr std::size_t kTries = 4000;
constexpr std::size_t kFewTries = 400;
constexpr std::size_t kClose = 200;
constexpr std::size_t kFirstSets = 6;
constexpr std::size_t kMostSets = 120;
// A step is worth the members that it saves a compare for, less this for each member it takes away
// from later steps.
constexpr int kWorthInTwentieths = 8;
constexpr std::uint32_t kSeed = 0x9e3779b9;

// The bits of each number that are set; written so that the compiler makes it several at a time.
constexpr std::uint32_t count_bits(std::uint32_t bits) {
  bits -= bits >> 1 & 0x55555555;
  bits = (bits & 0x33333333) + (bits >> 2 & 0x33333333);
  bits = (bits + (bits >> 4)) & 0x0f0f0f0f;
  bits += bits >> 8;
  bits += bits >> 16;
  return bits & 63;
}

struct Step {
  cbpf::Code operation = cbpf::kMul;
  std::uint32_t k = 0;

  std::uint32_t apply(std::uint32_t a) const {
    return operation == cbpf::kMul ? a * k : operation == cbpf::kXor ? a ^ k : a + k;
  }
};

// Members that one mask finds; bit i stands for the member at place i.
struct Group {
  std::uint32_t mask = 0;
  std::uint64_t members = 0;
};

// What a step finds.
struct Tried {
  Step step;
  std::size_t count = 0;
  std::array<Group, kMostPacked / 2> groups{};

  std::uint64_t members() const {
    std::uint64_t all = 0;
    for (std::size_t i = 0; i < count; ++i) {
      all |= groups[i].members;
    }
    return all;
  }
  // How many instructions fewer than one compare for each member found.
  int saved() const { return std::popcount(members()) - static_cast<int>(count) - 1; }
  int worth() const { return 20 * saved() - kWorthInTwentieths * std::popcount(members()); }
};
static_assert(kMostPacked <= 64);

class Packing {
 public:
  Packing(std::span<const std::uint32_t> members, std::uint32_t low, std::uint32_t high,
          std::size_t tries)
      : members_(members.begin(), members.end()), tries_(tries) {
    const std::uint32_t count = high - low + 1;
    others_.reserve(count);
    for (std::uint32_t i = 0; i < count; ++i) {
      if (!std::binary_search(members.begin(), members.end(), low + i)) {
        others_.push_back(low + i);
      }
    }
    bits_ = static_cast<std::uint32_t>(std::bit_width(count)) - 2;
  }

  PackedSet run() {
    if (!others_.empty() && others_[0] == 0) {
      take({.step = {cbpf::kXor, random()}});  // 0 times anything has no bits.
    }
    bool mixed = false;
    while (members_.size() > 2) {
      auto best = best_step(mixed);
      if (!best) {
        break;
      }
      take(*best);
      mixed = true;
    }
    packed_.rest = members_;
    return std::move(packed_);
  }

 private:
  using Bits = std::array<std::uint32_t, kMostPacked>;

  std::uint32_t random() {
    random_ ^= random_ << 13;
    random_ ^= random_ >> 17;
    random_ ^= random_ << 5;
    return random_;
  }

  // Only once numbers are mixed do additions and exclusive ors move them apart.
  std::optional<Tried> best_step(bool mixed) {
    std::vector<std::pair<int, Step>> steps;
    const auto look_at = [&](Step step) {
      const Tried tried = try_step(step, false);
      if (tried.saved() > 0) {
        steps.emplace_back(tried.worth(), step);
      }
    };
    for (std::size_t i = 0; mixed && i < members_.size(); ++i) {
      look_at({cbpf::kXor, members_[i]});
      look_at({cbpf::kAdd, 0 - members_[i]});
    }
    for (std::size_t i = 0; i < tries_; ++i) {
      look_at({cbpf::kMul, random() | 1});
    }
    std::stable_sort(steps.begin(), steps.end(),
                     [](const auto& x, const auto& y) { return x.first > y.first; });
    std::optional<Tried> best;
    for (std::size_t i = 0; i < std::min(kClose, steps.size()); ++i) {
      if (best && steps[i].first <= best->worth()) {
        break;
      }
      const Tried tried = try_step(steps[i].second, true);
      if (tried.saved() > 0 && (!best || tried.worth() > best->worth())) {
        best = tried;
      }
    }
    return best;
  }

  // Divides the members into groups with enough bits that are 0 in all of a group. `close`: enough
  // is what no other number has; else it is what chance gives to a few of them.
  Tried try_step(Step step, bool close) const {
    Bits zeros{};
    Bits counts{};
    for (std::size_t i = 0; i < members_.size(); ++i) {
      zeros[i] = ~step.apply(members_[i]);
    }
    for (std::size_t i = 0; i < members_.size(); ++i) {
      counts[i] = count_bits(zeros[i]);
    }
    std::uint64_t left = 0;
    for (std::size_t i = 0; i < members_.size(); ++i) {
      left |= std::uint64_t{counts[i] >= bits_} << i;
    }
    Tried tried{.step = step};
    while ((left & (left - 1)) != 0) {
      const Group group = group_of(step, left, zeros, counts, close);
      left &= ~group.members;
      if ((group.members & (group.members - 1)) != 0) {
        tried.groups[tried.count++] = group;
      }
    }
    return tried;
  }

  // The group that begins with the one that has the most, and takes in who leaves the most.
  Group group_of(Step step, std::uint64_t left, const Bits& zeros, const Bits& counts,
                 bool close) const {
    Group group{0xffffffff, 0};
    const Bits* having = &counts;
    Bits common;
    while (true) {
      std::size_t best = 0;
      std::uint32_t most = bits_ - 1;
      for (std::uint64_t rest = left; rest != 0; rest &= rest - 1) {
        const auto i = static_cast<std::size_t>(std::countr_zero(rest));
        if ((*having)[i] > most) {
          most = (*having)[i];
          best = i;
        }
      }
      const std::uint32_t mask = group.mask & zeros[best];
      if (most < bits_ || (close && group.members != 0 && !is_exact(step, mask))) {
        return group;
      }
      group.mask = mask;
      group.members |= std::uint64_t{1} << best;
      left &= ~group.members;
      for (std::size_t i = 0; i < members_.size(); ++i) {
        common[i] = count_bits(mask & zeros[i]);
      }
      having = &common;
    }
  }

  // Whether no number but members has none of the bits.
  bool is_exact(Step step, std::uint32_t mask) const {
    return std::none_of(others_.begin(), others_.end(),
                        [&](std::uint32_t other) { return (step.apply(other) & mask) == 0; });
  }

  void take(const Tried& tried) {
    PackedStep& step =
        packed_.steps.emplace_back(PackedStep{tried.step.operation, tried.step.k, {}});
    for (std::size_t i = 0; i < tried.count; ++i) {
      step.masks.push_back(tried.groups[i].mask);
    }
    const std::uint64_t found = tried.members();
    std::vector<std::uint32_t> left;
    for (std::size_t i = 0; i < members_.size(); ++i) {
      if ((found >> i & 1) == 0) {
        left.push_back(tried.step.apply(members_[i]));
      }
    }
    members_ = std::move(left);
    for (std::uint32_t& other : others_) {
      other = tried.step.apply(other);
    }
  }

  std::vector<std::uint32_t> members_;  // Not yet found, as A holds them by now.
  std::vector<std::uint32_t> others_;   // The other numbers of the range.
  const std::size_t tries_;
  std::uint32_t bits_ = 0;  // That a group must have in common.
  std::uint32_t random_ = kSeed;
  PackedSet packed_;
};

}  // namespace

std::size_t PackedSet::size() const {
  std::size_t size = rest.size();
  for (const PackedStep& step : steps) {
    size += 1 + step.masks.size();
  }
  return size;
}

const PackedSet& Packer::pack(std::span<const std::uint32_t> members, std::uint32_t low,
                              std::uint32_t high) {
  const auto [known, fresh] =
      known_.try_emplace({{low, high}, std::vector<std::uint32_t>(members.begin(), members.end())});
  if (fresh) {
    PackedSet& packed = known->second;
    packed.rest = known->first.second;
    if (members.size() >= kFewestPacked && members.size() <= kMostPacked &&
        high - low <= kWidestPacked && known_.size() <= kMostSets) {
      const std::size_t tries = known_.size() <= kFirstSets ? kTries : kFewTries;
      PackedSet smaller = Packing(members, low, high, tries).run();
      if (smaller.size() < members.size()) {
        packed = std::move(smaller);
      }
    }
  }
  return known->second;
}

}  // namespace weir::lower::classic
