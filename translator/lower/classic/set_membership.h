// Set tests of the classic machine: search trees, a word of the key after the other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "translator/ir/function.h"
#include "translator/lower/classic/registers.h"
#include "translator/lower/classic/switch_tree.h"

namespace weir::lower::classic {

// Asks for one word after the other; under each number of a word whose members differ in later ones
// stands a tree for the next. Members that are all numbers with certain leading bits (nets) are
// asked for together where there are several with as many: A keeps these bits, and each is one
// compare. The longest come first, so that A never has to be loaded again.
//
// In this order: the test is made, which puts the first word into A; forget_registers(), what the
// edges do, end_block().
class SetTest {
 public:
  // `test` is a kIn of the function; of the options, what is the largest number is found out here.
  SetTest(Registers& registers, const ir::Function& function, const ir::Value& test,
          const TreeOptions& options);

  // Forgets what is in registers that have other contents on one way or the other.
  void forget_registers();

  // Ends the block with the test.
  void end_block(BlockId hit, BlockId miss);

 private:
  // The numbers that have certain leading bits, which are those of the mask.
  struct Masked {
    std::uint32_t mask = 0;
    std::vector<std::uint32_t> numbers;
  };

  void divide(const ir::Set& set);
  BlockId tree(std::size_t at, std::span<const ir::Range> ranges, BlockId miss);
  BlockId later_words(std::size_t at, std::span<const ir::Range> ranges);
  BlockId masked_tree(const Masked& group, BlockId miss);

  Registers& registers_;
  TreeOptions options_;
  std::vector<ir::ValueId> words_;
  std::vector<ir::Range> ranges_;  // But for those that are masked.
  std::vector<Masked> masked_;     // The longest mask first.
  BlockId hit_ = 0;
  BlockId miss_ = 0;
};

}  // namespace weir::lower::classic
