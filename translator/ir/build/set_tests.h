// Set tests beside a classic program: what a front end that knows lists hands to build().
//
// The classic machine has no set test. So the program has in its place, for each of a key's words,
// `jeq #k` with a k that means nothing, and this says which of them they are.
#pragma once

#include <cstdint>
#include <vector>

#include "cbpf/base/result.h"
#include "cbpf/program.h"
#include "translator/ir/set.h"

namespace weir::ir {

// The `jeq #k` at `instruction` asks whether a key begins a member: of set `set`, whose members
// have as many words as the key. The key is what A is at each of `before`, which are instructions
// of other tests that every way here passes, and then what A is here.
struct SetTest {
  std::uint32_t instruction = 0;
  std::uint32_t set = 0;
  std::vector<std::uint32_t> before;
  bool always = false;  // The answer is left to a later test of the same key: this one says yes.
};

struct SetTests {
  std::vector<Set> sets;
  std::vector<SetTest> tests;
  bool empty() const { return tests.empty(); }
};

// kInvalidProgram, naming the instruction, when a test names what is no `jeq #k` of the program or
// a set that does not exist.
Status check_set_tests(const cbpf::Program& program, const SetTests& tests);

}  // namespace weir::ir
