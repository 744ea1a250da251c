// Classic code as blocks, before it is laid out: what selection makes, tidying shortens and layout
// writes down.
#pragma once

#include <cstdint>
#include <vector>

#include "cbpf/instruction.h"
#include "translator/ir/function.h"

namespace weir::lower::classic {

using BlockId = std::uint32_t;

// What the code does to the packet's bounds and divisors, in order, beside what it computes.
struct Event {
  enum class Kind : std::uint8_t {
    kLoad,    // An instruction that ends the filter unless base + reach bytes are there.
    kDivide,  // An instruction that ends the filter if base is 0.
    kNeed,    // The function asks for the same as kLoad here,
    kGuard,   // or for the same as kDivide; `effect` says where.
  };
  Kind kind = Kind::kLoad;
  ir::ValueId base = ir::kNoValue;
  std::uint64_t reach = 0;
  ir::ValueId effect = ir::kNoValue;
};

enum class End : std::uint8_t {
  kReturn,  // `last` is a ret.
  kJump,    // To yes.
  kBranch,  // `last` is a conditional jump to yes or no.
};

struct Block {
  std::vector<cbpf::Instruction> body;  // No jumps, no returns.
  End end = End::kReturn;
  cbpf::Instruction last;
  BlockId yes = 0;
  BlockId no = 0;
  std::vector<Event> events;
};

// Block 0 is the entry. There are no loops.
struct Code {
  std::vector<Block> blocks;
};

// Whether the block is nothing but `ret #k`, which may be written down as often as one likes.
inline bool is_plain_return(const Block& block) {
  return block.end == End::kReturn && block.body.empty() &&
         block.last.code == (cbpf::kRet | cbpf::kK);
}

// The blocks that can be reached, each before those it leads to. O(blocks).
std::vector<BlockId> forward_order(const Code& code);

}  // namespace weir::lower::classic
