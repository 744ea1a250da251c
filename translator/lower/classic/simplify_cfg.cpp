#include "translator/lower/classic/simplify_cfg.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>

namespace weir::lower::classic {

std::vector<BlockId> forward_order(const Code& code) {
  // Depth first; a block is written down behind all that it leads to, and the list turned round.
  std::vector<BlockId> order;
  std::vector<std::uint8_t> visits(code.blocks.size());
  std::vector<BlockId> stack = {0};
  while (!stack.empty()) {
    const BlockId id = stack.back();
    const Block& block = code.blocks[id];
    const std::uint8_t visit = visits[id]++;
    if (visit == 0) {
      if (block.end != End::kReturn && visits[block.yes] == 0) {
        stack.push_back(block.yes);
      }
      if (block.end == End::kBranch && visits[block.no] == 0) {
        stack.push_back(block.no);
      }
      continue;
    }
    stack.pop_back();
    if (visit == 1) {
      order.push_back(id);
    }
  }
  return {order.rbegin(), order.rend()};
}

namespace {

using cbpf::Instruction;

// The registers and words an instruction reads and writes, as a mask: M[0] to M[15], A, X.
constexpr std::uint32_t kA = 1U << 16;
constexpr std::uint32_t kX = 1U << 17;

struct Effects {
  std::uint32_t reads = 0;
  std::uint32_t writes = 0;
  bool may_end = false;  // The filter.
};

Effects effects(const Instruction& i) {
  const std::uint32_t word = 1U << (i.k % cbpf::kScratchWords);
  const std::uint16_t mode = cbpf::mode_of(i.code);
  const bool with_x = cbpf::source_of(i.code) == cbpf::kX;
  switch (cbpf::class_of(i.code)) {
    case cbpf::kLd:
      return {mode == cbpf::kInd   ? kX
              : mode == cbpf::kMem ? word
                                   : 0,
              kA, mode == cbpf::kInd || mode == cbpf::kAbs};
    case cbpf::kLdx:
      return {mode == cbpf::kMem ? word : 0, kX, mode == cbpf::kMsh};
    case cbpf::kSt:
      return {kA, word, false};
    case cbpf::kStx:
      return {kX, word, false};
    case cbpf::kAlu: {
      const std::uint16_t op = cbpf::op_of(i.code);
      return {op != cbpf::kNeg && with_x ? kA | kX : kA, kA,
              with_x && (op == cbpf::kDiv || op == cbpf::kMod)};
    }
    case cbpf::kJmp:
      return {with_x ? kA | kX : kA, 0, false};
    case cbpf::kRet:
      return {(i.code & 0x18) == cbpf::kA ? kA : 0, 0, false};
    default:  // kMisc.
      return (i.code & 0xf8) == cbpf::kTax ? Effects{kA, kX, false} : Effects{kX, kA, false};
  }
}

class CfgSimplifier {
 public:
  explicit CfgSimplifier(Code& code) : code_(code) {}

  void run() {
    constexpr int kRounds = 4;
    for (int round = 0; round < kRounds; ++round) {
      changed_ = false;
      drop_dead();
      merge_equal();
      join_lines();
      if (!changed_) {
        return;
      }
    }
  }

 private:
  Block& block(BlockId id) { return code_.blocks[id]; }

  void drop_dead() {
    const std::vector<BlockId> order = forward_order(code_);
    std::vector<std::uint32_t> live(code_.blocks.size());
    for (std::size_t i = order.size(); i-- > 0;) {
      Block& at = block(order[i]);
      if (at.end == End::kReturn && at.last == Instruction{cbpf::kRet | cbpf::kK, 0, 0, 0} &&
          !at.body.empty()) {
        at.body.clear();  // What may end the filter with 0 does so anyway.
        changed_ = true;
      }
      std::uint32_t alive = at.end == End::kJump ? 0 : effects(at.last).reads;
      alive |= at.end != End::kReturn ? live[at.yes] : 0;
      alive |= at.end == End::kBranch ? live[at.no] : 0;
      std::vector<Instruction> kept;
      for (std::size_t j = at.body.size(); j-- > 0;) {
        const Effects e = effects(at.body[j]);
        if (!e.may_end && (e.writes & alive) == 0) {
          changed_ = true;
          continue;
        }
        alive = (alive & ~e.writes) | e.reads;
        kept.push_back(at.body[j]);
      }
      at.body.assign(kept.rbegin(), kept.rend());
      live[order[i]] = alive;
    }
  }

  // One sweep from the returns up: where a jump leads to in the end, then whether there is such a
  // block already.
  void merge_equal() {
    const std::vector<BlockId> order = forward_order(code_);
    std::vector<BlockId> by(code_.blocks.size());
    std::unordered_map<std::string, BlockId> first;
    for (std::size_t i = order.size(); i-- > 0;) {
      const BlockId id = order[i];
      Block& at = block(id);
      if (at.end != End::kReturn) {
        redirect(at.yes, by);
      }
      if (at.end == End::kBranch) {
        redirect(at.no, by);
        if (at.yes == at.no) {
          at.end = End::kJump;
          changed_ = true;
        }
      }
      if (at.end == End::kJump && is_plain_return(block(at.yes))) {
        at.end = End::kReturn;
        at.last = block(at.yes).last;
        changed_ = true;
      }
      by[id] = at.end == End::kJump && at.body.empty() && id != 0
                   ? at.yes
                   : first.try_emplace(text_of(at), id).first->second;
    }
  }

  void redirect(BlockId& to, const std::vector<BlockId>& by) {
    if (by[to] != to) {
      to = by[to];
      changed_ = true;
    }
  }

  static void append(std::string& text, std::uint64_t number) {
    for (int i = 0; i < 8; ++i) {
      text.push_back(static_cast<char>(number >> (8 * i)));
    }
  }
  static void append(std::string& text, const Instruction& i) {
    append(text, std::uint64_t{i.code} << 32 | i.k);
  }
  static std::string text_of(const Block& block) {
    std::string text;
    for (const Instruction& i : block.body) {
      append(text, i);
    }
    if (block.end != End::kJump) {
      append(text, block.last);
    }
    text.push_back(static_cast<char>(block.end));
    append(text, std::uint64_t{block.end == End::kReturn ? 0 : block.yes} << 32 |
                     (block.end == End::kBranch ? block.no : 0));
    return text;
  }

  void join_lines() {
    const std::vector<BlockId> order = forward_order(code_);
    std::vector<std::uint32_t> ways(code_.blocks.size());
    for (const BlockId id : order) {
      if (block(id).end != End::kReturn) {
        ++ways[block(id).yes];
      }
      if (block(id).end == End::kBranch) {
        ++ways[block(id).no];
      }
    }
    for (std::size_t i = order.size(); i-- > 0;) {
      Block& at = block(order[i]);
      if (at.end != End::kJump || ways[at.yes] != 1) {
        continue;
      }
      const Block next = block(at.yes);
      at.body.insert(at.body.end(), next.body.begin(), next.body.end());
      at.end = next.end;
      at.last = next.last;
      at.yes = next.yes;
      at.no = next.no;
      changed_ = true;
    }
  }

  Code& code_;
  bool changed_ = false;
};

}  // namespace

void simplify_cfg(Code& code) { CfgSimplifier(code).run(); }

}  // namespace weir::lower::classic
