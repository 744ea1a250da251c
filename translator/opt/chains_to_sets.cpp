// Set formation: a chain of compares of one value becomes one set membership test.
//
//   b1: branch eq v0, 80 ? b9 : b2        b1: v1 = in s0, v0
//   b2: branch eq v0, 443 ? b9 : b3  -->      branch ne v1, 0 ? b9 : b10
//   b3: branch in range ... ? b9 : b10
//
// A chain is found from its end: a test and its only predecessor are one test when they share a
// destination. The values are collected in a list in which later entries win, and become ranges
// once, at the end, so a chain of n tests costs O(n log n). Tests of several values may be mixed,
// as those of `host` are for source and destination: as long as each of them leads to the same
// block, their order does not change the verdict, and each value gets a set of its own.
//
// Sound because only blocks without effects are combined: which bounds checks run, and when, does
// not change. Short chains are left to the passes and back ends that handle compares.
//
// Addresses of several words are compared word by word, `branch eq` after `branch eq`: that is one
// member of a set of keys, and is combined with others, or with the set test of the key. A test
// whether a key is a prefix of a member is dropped where the test of the whole key follows
// directly.
//
// Gain: a list of n hosts runs in constant time instead of n compares (tests/bench/README.md, `or`
// of 50 and 500 hosts). Test: tests/translator/opt/chains_to_sets_test.cpp.
#include <algorithm>
#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "translator/ir/builder.h"
#include "translator/ir/operands.h"
#include "translator/ir/rewrite.h"
#include "translator/opt/analysis/value_classes.h"
#include "translator/opt/analysis/value_tests.h"
#include "translator/opt/passes.h"

namespace weir::opt {
namespace {

using ir::BlockId;
using ir::Compare;
using ir::Edge;
using ir::Key;
using ir::Op;
using ir::Range;
using ir::ValueId;

// So many compares of one value are worth a set test; fewer are if one of them is a set test.
constexpr std::size_t kLeastCompares = 8;
// Chains that mix tests of more values are left alone.
constexpr std::size_t kMostValues = 8;
constexpr std::size_t kMostTurned = 4;
// So many tests, each of one word, are worth a set of keys.
constexpr std::size_t kLeastOfKeys = 16;

struct Entry {
  Range range;
  bool member = true;
};

// A word of a key that no value of the function is.
struct Part {
  ClassId key = kNoClass;
  ValueId value = ir::kNoValue;
};

// The tests of one value.
struct Group {
  ClassId key = kNoClass;   // kNoClass where there are parts.
  std::vector<Part> parts;  // The words, the most significant first.
  ValueId value = ir::kNoValue;
  std::uint8_t words = 1;
  std::vector<Entry> entries;  // The later one wins; what none names is no member.
  std::size_t tests = 1;
  bool has_set = false;
  bool only_members = true;  // No entry takes anything away.
};

// What a block and the blocks drawn into it decide: `yes` if the value of some group is a member,
// else `no`. Where a group takes members away, it is the only one.
struct Decision {
  std::vector<Group> groups;  // The last one is asked first.
  Edge yes;
  Edge no;
  std::vector<BlockId> drawn;
};

Key before(const Key& key) {
  return {.upper = key.lower == 0 ? key.upper - 1 : key.upper, .lower = key.lower - 1};
}

// The ranges of members, O(n log n).
std::vector<Range> members_of(const Group& group) {
  std::vector<Range> ranges;
  if (group.only_members) {
    for (const Entry& entry : group.entries) {
      ranges.push_back(entry.range);
    }
    return ir::make_set(group.words, std::move(ranges)).ranges;
  }
  // From one end of an entry to the next, the latest entry that is there says what holds.
  std::vector<std::pair<Key, std::size_t>> ends;
  for (std::size_t i = 0; i < group.entries.size(); ++i) {
    const Range& range = group.entries[i].range;
    ends.emplace_back(range.low, i);
    if (range.high != Key::last(group.words)) {
      ends.emplace_back(range.high.next(), i);
    }
  }
  std::sort(ends.begin(), ends.end());
  std::set<std::size_t> there;
  std::optional<Key> low;
  for (std::size_t i = 0; i < ends.size(); ++i) {
    const auto [key, entry] = ends[i];
    if (const auto [at, is_new] = there.insert(entry); !is_new) {
      there.erase(at);
    }
    if (i + 1 < ends.size() && ends[i + 1].first == key) {
      continue;
    }
    const bool member = !there.empty() && group.entries[*there.rbegin()].member;
    if (member && !low) {
      low = key;
    } else if (!member && low) {
      ranges.push_back({*std::exchange(low, std::nullopt), before(key)});
    }
  }
  if (low) {
    ranges.push_back({*low, Key::last(group.words)});
  }
  return ranges;
}

std::vector<Range> complement(const std::vector<Range>& ranges, std::uint8_t words) {
  std::vector<Range> others;
  std::optional<Key> next = Key{};
  for (const Range& range : ranges) {
    if (*next < range.low) {
      others.push_back({*next, before(range.low)});
    }
    next = range.high == Key::last(words) ? std::nullopt : std::optional(range.high.next());
  }
  if (next) {
    others.push_back({*next, Key::last(words)});
  }
  return others;
}

class ChainPass {
 public:
  explicit ChainPass(ir::Function& function)
      : function_(function),
        expressions_(function),
        decisions_(function.blocks.size()),
        ways_in_(function.blocks.size(), 0) {}

  void run() {
    for (const ir::Block& block : function_.blocks) {
      for (const Edge& edge : block.terminator.edges) {
        ++ways_in_[edge.to];
      }
    }
    for (std::size_t at = function_.blocks.size(); at-- > 0;) {
      decisions_[at] = decision_of(function_.blocks[at].terminator);
      while (decisions_[at] && draw_in(*decisions_[at])) {
      }
    }
    // A block that was drawn into another has no decision any more.
    ir::FunctionBuilder builder(function_);
    for (std::size_t at = 0; at < decisions_.size(); ++at) {
      if (decisions_[at] && !decisions_[at]->drawn.empty() && pays(*decisions_[at])) {
        write(builder, static_cast<BlockId>(at), *decisions_[at]);
      }
    }
    ir::remove_unreachable_blocks(function_);
    ir::compact(function_);
  }

 private:
  // ---- One test ----

  std::optional<Decision> decision_of(const ir::Terminator& end) const {
    auto test = read_value_test(function_, end);
    if (!test) {
      return std::nullopt;
    }
    Group group{.key = expressions_.of(test->value),
                .value = test->value,
                .words = test->words,
                .has_set = test->is_set};
    for (const Range& range : test->members) {
      group.entries.push_back({range});
    }
    Decision decision{.yes = std::move(test->yes), .no = std::move(test->no)};
    decision.groups.push_back(std::move(group));
    return decision;
  }

  // ---- Drawing tests together ----

  // Draws in the test that one side leads to; false when there is none that fits.
  bool draw_in(Decision& decision) {
    return draw_in(decision, decision.no, decision.yes, true) ||
           draw_in(decision, decision.yes, decision.no, false) || draw_in_both(decision);
  }

  // `way` leads to the test, `other` out of the decision.
  bool draw_in(Decision& decision, const Edge& way, const Edge& other, bool behind_no) {
    const BlockId next = way.to;
    if (!may_draw_in(next)) {
      return false;
    }
    Decision& behind = *decisions_[next];
    const bool to_yes = same_way(other, behind.yes);
    const bool to_no = same_way(other, behind.no);
    const bool alone = decision.groups.size() == 1 && behind.groups.size() == 1;
    if (to_no && alone && !behind_no && begins(decision.groups[0], behind.groups[0])) {
      return drawn(decision, next);
    }
    if (to_no && alone && !behind_no && prepend(decision.groups[0], behind.groups[0])) {
      return drawn(decision, next);
    }
    const bool same_key = alone && same_value(decision.groups[0], behind.groups[0]);
    if (same_key && (to_yes || to_no)) {
      Group& group = decision.groups[0];
      if (!behind_no || !group.only_members) {
        flatten(group, !behind_no);
      }
      add(group, behind.groups[0], to_yes);
      return drawn(decision, next);
    }
    const bool joins = to_yes && (behind_no || turns_easily(decision));
    return joins && join(decision, behind, !behind_no) && drawn(decision, next);
  }

  // Makes of the compare of one word and those of the words behind it one of a key. They must be
  // compares with one number each.
  static bool prepend(const Group& group, Group& behind) {
    const auto is_number = [](const Group& candidate) {
      return candidate.entries.size() == 1 && candidate.only_members && !candidate.has_set &&
             candidate.entries[0].range.low == candidate.entries[0].range.high;
    };
    if (!is_number(group) || !is_number(behind) || !group.parts.empty() || group.words != 1 ||
        behind.words == ir::kMaxWords || (behind.parts.empty() && behind.words != 1)) {
      return false;
    }
    if (behind.parts.empty()) {
      behind.parts.push_back({behind.key, behind.value});
      behind.key = kNoClass;
    }
    behind.parts.insert(behind.parts.begin(), {group.key, group.value});
    Key key = group.entries[0].range.low;
    for (std::uint32_t word = behind.words; word-- > 0;) {
      key = key.append(behind.entries[0].range.low.word(word));
    }
    ++behind.words;
    behind.entries[0].range = {key, key};
    behind.tests += group.tests;
    return true;
  }

  bool same_value(const Group& a, const Group& b) const {
    return a.words == b.words &&
           (a.parts.empty() && b.parts.empty() ? a.key == b.key : words_of(a) == words_of(b));
  }

  // The classes of the words that the group's key is made of; of less than that, if it was not made
  // word by word.
  std::vector<ClassId> words_of(const Group& group) const {
    std::vector<ClassId> classes;
    for (const Part& part : group.parts) {
      classes.push_back(part.key);
    }
    if (group.parts.empty()) {
      ClassId key = group.key;
      for (; expressions_.node(key).op == Op::kJoin; key = expressions_.node(key).a) {
        classes.push_back(expressions_.node(key).b);
      }
      classes.push_back(key);
      std::reverse(classes.begin(), classes.end());
    }
    return classes;
  }

  // Whether what are no members is said no longer than what are: so it is with ranges of ports,
  // which libpcap writes as what is below and above.
  static bool turns_easily(const Decision& decision) {
    const Group& group = decision.groups[0];
    if (decision.groups.size() != 1 || group.entries.size() > kMostTurned) {
      return false;
    }
    const std::vector<Range> ranges = members_of(group);
    return complement(ranges, group.words).size() <= ranges.size();
  }

  bool may_draw_in(BlockId next) const {
    return ways_in_[next] == 1 && decisions_[next] &&
           may_move_up(function_, function_.blocks[next]);
  }

  // Draws in the tests that both sides lead to, where they are of the same value and have the same
  // ways out. What the one with fewer entries says goes on top of what the other says.
  bool draw_in_both(Decision& decision) {
    Group& group = decision.groups[0];
    const BlockId on_yes = decision.yes.to;
    const BlockId on_no = decision.no.to;
    if (decision.groups.size() != 1 || group.entries.size() > kMostTurned || on_yes == on_no ||
        !may_draw_in(on_yes) || !may_draw_in(on_no)) {
      return false;
    }
    const auto is_of_value = [&](const Decision& candidate) {
      return candidate.groups.size() == 1 && same_value(candidate.groups[0], group);
    };
    const bool yes_is_larger =
        decisions_[on_yes]->groups[0].entries.size() >= decisions_[on_no]->groups[0].entries.size();
    Decision& large = *decisions_[yes_is_larger ? on_yes : on_no];
    Decision& small = *decisions_[yes_is_larger ? on_no : on_yes];
    const bool opposite = same_way(large.yes, small.no) && same_way(large.no, small.yes);
    const bool alike = same_way(large.yes, small.yes) && same_way(large.no, small.no);
    if (!is_of_value(large) || !is_of_value(small) || !(alike || opposite)) {
      return false;
    }
    std::vector<Range> where = members_of(group);
    if (yes_is_larger) {
      where = complement(where, group.words);
    }
    Group& there = large.groups[0];
    for (const Range& range : where) {
      there.entries.push_back({range, opposite});
    }
    for (const Entry& entry : small.groups[0].entries) {
      for (const Range& range : where) {
        const Range both{std::max(range.low, entry.range.low),
                         std::min(range.high, entry.range.high)};
        if (both.low <= both.high) {
          there.entries.push_back({both, entry.member != opposite});
        }
      }
    }
    there.only_members = false;
    there.tests += small.groups[0].tests + group.tests;
    there.has_set = there.has_set || small.groups[0].has_set || group.has_set;
    there.value = group.value;
    --ways_in_[large.yes.to];
    --ways_in_[large.no.to];
    large.drawn.insert(large.drawn.end(), small.drawn.begin(), small.drawn.end());
    large.drawn.insert(large.drawn.end(), decision.drawn.begin(), decision.drawn.end());
    large.drawn.insert(large.drawn.end(), {on_yes, on_no});
    decision = Decision(std::move(large));
    decisions_[on_yes].reset();
    decisions_[on_no].reset();
    return true;
  }

  // Writes the group's members, or all that are none, as entries that take nothing away.
  static void flatten(Group& group, bool turned) {
    std::vector<Range> ranges = members_of(group);
    if (turned) {
      ranges = complement(ranges, group.words);
    }
    group.only_members = true;
    group.entries.clear();
    for (const Range& range : ranges) {
      group.entries.push_back({range});
    }
  }

  // Puts the group's entries above those of `there`: as members, or as what are none.
  static void add(const Group& group, Group& there, bool member) {
    for (const Entry& entry : group.entries) {
      there.entries.push_back({entry.range, member});
    }
    there.only_members = there.only_members && member;
    there.tests += group.tests;
    there.has_set = there.has_set || group.has_set;
    // What the earlier block has is there for the later ones; a key that is made already stays.
    if (group.parts.empty()) {
      there.key = group.key;
      there.value = group.value;
      there.parts.clear();
    } else if (!there.parts.empty()) {
      there.parts = group.parts;
    }
  }

  // Puts the decision's groups before those behind, of other values too; all lead to `yes`.
  // `turned`: those of the only group's values that are no members do.
  bool join(Decision& decision, Decision& behind, bool turned) const {
    const auto only_members = [](const Group& group) { return group.only_members; };
    if (!std::all_of(behind.groups.begin(), behind.groups.end(), only_members) ||
        behind.groups.size() + decision.groups.size() > kMostValues) {
      return false;
    }
    if (decision.groups.size() == 1 && (turned || !decision.groups[0].only_members)) {
      flatten(decision.groups[0], turned);
    }
    for (const Group& group : decision.groups) {
      const auto there =
          std::find_if(behind.groups.begin(), behind.groups.end(),
                       [&](const Group& candidate) { return same_value(candidate, group); });
      if (there == behind.groups.end()) {
        behind.groups.push_back(group);
      } else {
        add(group, *there, true);
        std::rotate(there, there + 1, behind.groups.end());  // What stood first is asked first.
      }
    }
    return true;
  }

  // `behind` has all groups by now.
  bool drawn(Decision& decision, BlockId next) {
    const BlockId shared = decision.yes.to == next ? decision.no.to : decision.yes.to;
    --ways_in_[shared];
    --ways_in_[next];
    Decision behind = std::move(*decisions_[next]);
    decisions_[next].reset();
    behind.drawn.push_back(next);
    // Few before many: what the block itself has drawn in so far.
    behind.drawn.insert(behind.drawn.end(), decision.drawn.begin(), decision.drawn.end());
    decision = std::move(behind);
    return true;
  }

  // Whether all members of `whole` begin with one of the group's: then whoever asks for the whole
  // need not ask for the beginning.
  bool begins(const Group& group, const Group& whole) const {
    if (!group.only_members || !whole.only_members || whole.words <= group.words ||
        !group.parts.empty() || !whole.parts.empty()) {
      return false;
    }
    ClassId beginning = whole.key;
    for (std::uint8_t words = whole.words; words > group.words; --words) {
      if (expressions_.node(beginning).op != Op::kJoin) {
        return false;
      }
      beginning = expressions_.node(beginning).a;
    }
    if (beginning != group.key) {
      return false;
    }
    const ir::Set members{.words = whole.words, .ranges = members_of(whole)};
    const ir::Set known{.words = group.words, .ranges = members_of(group)};
    return ir::unite(ir::prefixes(members, group.words), known) == known;
  }

  // ---- Writing ----

  static bool pays(const Decision& decision) {
    return std::any_of(decision.groups.begin(), decision.groups.end(), [](const Group& group) {
      return group.tests >= (group.parts.empty() ? kLeastCompares : kLeastOfKeys) ||
             (group.has_set && (group.tests > 1 || group.words > 1));
    });
  }

  void write(ir::FunctionBuilder& builder, BlockId at, Decision& decision) {
    std::sort(decision.drawn.begin(), decision.drawn.end());
    for (const BlockId drawn : decision.drawn) {
      std::vector<ValueId> body = std::move(function_.blocks[drawn].body);
      function_.blocks[drawn].body.clear();
      auto& into = function_.blocks[at].body;
      into.insert(into.end(), body.begin(), body.end());
    }
    // What holds the largest number is mostly all but a few.
    Group& first = decision.groups[0];
    if (decision.groups.size() == 1) {
      flatten(first, false);
      if (first.entries.empty() || first.entries.back().range.high == Key::last(first.words)) {
        flatten(first, true);
        std::swap(decision.yes, decision.no);
      }
    }
    // Each group but the first takes a block that was drawn in: there are at least as many.
    std::size_t free = 0;
    for (auto group = decision.groups.rbegin(); group != decision.groups.rend(); ++group) {
      const bool last = group + 1 == decision.groups.rend();
      const BlockId next = last ? 0 : decision.drawn[free++];
      ask(builder, at, *group, decision.yes, last ? decision.no : Edge{.to = next});
      at = next;
    }
  }

  void ask(ir::FunctionBuilder& builder, BlockId at, const Group& group, const Edge& yes,
           const Edge& no) {
    std::vector<Range> ranges = members_of(group);
    const std::uint32_t origin = function_.blocks[at].terminator.origin;
    const auto compare = [&](Compare how, std::uint32_t k) {
      builder.end_branch(at, how, group.value, builder.constant(k), yes, no);
    };
    builder.set_origin(origin);
    if (group.words == 1 && ranges.size() == 1) {
      const Range& range = ranges[0];
      const std::uint32_t low = range.low.word(0);
      const std::uint32_t high = range.high.word(0);
      if (low == high) {
        return compare(Compare::kEq, low);
      }
      if (high == 0xffffffff) {
        return compare(Compare::kGe, low);
      }
      if (low == 0) {
        return compare(Compare::kLe, high);
      }
    }
    const auto [found, is_new] = known_.try_emplace(
        {group.words, std::move(ranges)}, static_cast<std::uint32_t>(function_.sets.size()));
    if (is_new) {
      function_.sets.push_back({.words = group.words, .ranges = found->first.second});
    }
    ValueId key = group.value;
    for (std::size_t i = 0; i < group.parts.size(); ++i) {
      key = i == 0 ? group.parts[i].value
                   : builder.append(at, {.op = Op::kJoin,
                                         .width = static_cast<std::uint8_t>(i + 1),
                                         .a = key,
                                         .b = group.parts[i].value});
    }
    const ValueId test =
        builder.append(at, {.op = Op::kIn, .k = found->second, .a = key, .origin = origin});
    builder.end_branch(at, Compare::kNe, test, builder.constant(0), yes, no);
  }

  using Content = std::pair<std::uint8_t, std::vector<Range>>;
  struct Before {
    bool operator()(const Content& a, const Content& b) const {
      const auto before = [](const Range& x, const Range& y) {
        return std::pair(x.low, x.high) < std::pair(y.low, y.high);
      };
      return a.first != b.first
                 ? a.first < b.first
                 : std::lexicographical_compare(a.second.begin(), a.second.end(), b.second.begin(),
                                                b.second.end(), before);
    }
  };

  ir::Function& function_;
  ValueClasses expressions_;
  std::vector<std::optional<Decision>> decisions_;  // By block.
  std::vector<std::uint32_t> ways_in_;              // By block, as tests are drawn together.
  std::map<Content, std::uint32_t, Before> known_;  // The sets made so far.
};

}  // namespace

void chains_to_sets(ir::Function& function) {
  ir::remove_unreachable_blocks(function);
  ChainPass(function).run();
}

}  // namespace weir::opt
