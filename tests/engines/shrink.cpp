#include "tests/engines/shrink.h"

#include "cbpf/instruction.h"

namespace weir::judge {
namespace {

constexpr int kMostTrials = 2000;

class Shrinker {
 public:
  Shrinker(const Case& subject, const cbpf::Packet& packet, const Disagrees& disagrees)
      : best_{subject,
              {packet.captured.begin(), packet.captured.end()},
              packet.wire_length,
              packet.ancillary != nullptr ? *packet.ancillary : cbpf::Ancillary{}},
        disagrees_(disagrees) {}

  Shrunk run() {
    for (bool smaller = true; smaller && trials_ < kMostTrials;) {
      smaller = end_early();
      smaller |= drop_instructions();
      smaller |= cut_packet();
      smaller |= zero_bytes();
    }
    return std::move(best_);
  }

 private:
  bool keep_if_it_disagrees(Shrunk candidate) {
    if (++trials_ > kMostTrials || !disagrees_(candidate.subject, candidate.packet())) {
      return false;
    }
    best_ = std::move(candidate);
    return true;
  }

  // Replaces an instruction by `ret a` or `ret #1` and drops what can then not be reached at the
  // end of the program.
  bool end_early() {
    const auto& code = best_.subject.program.instructions;
    for (std::size_t at = 0; at + 1 < code.size(); ++at) {
      for (const cbpf::Instruction end : {cbpf::Instruction{cbpf::kRet | cbpf::kA, 0, 0, 0},
                                          cbpf::Instruction{cbpf::kRet | cbpf::kK, 0, 0, 1}}) {
        Shrunk candidate = best_;
        candidate.subject.program.instructions.resize(at);
        candidate.subject.program.instructions.push_back(end);
        if (keep_if_it_disagrees(std::move(candidate))) {
          return true;
        }
      }
    }
    return false;
  }

  // Drops one instruction; jumps over it become one shorter.
  bool drop_instructions() {
    bool any = false;
    for (std::size_t at = best_.subject.program.instructions.size(); at-- > 0;) {
      Shrunk candidate = best_;
      auto& code = candidate.subject.program.instructions;
      for (std::size_t i = 0; i < at; ++i) {
        if (cbpf::class_of(code[i].code) != cbpf::kJmp) {
          continue;
        }
        if (cbpf::op_of(code[i].code) == cbpf::kJa) {
          code[i].k -= i + 1 + code[i].k > at ? 1 : 0;
        } else {
          code[i].jt = static_cast<std::uint8_t>(code[i].jt - (i + 1 + code[i].jt > at ? 1 : 0));
          code[i].jf = static_cast<std::uint8_t>(code[i].jf - (i + 1 + code[i].jf > at ? 1 : 0));
        }
      }
      code.erase(code.begin() + static_cast<std::ptrdiff_t>(at));
      any |= keep_if_it_disagrees(std::move(candidate));
    }
    return any;
  }

  bool cut_packet() {
    bool any = false;
    for (std::size_t cut = best_.bytes.size(); cut > 0; cut /= 2) {
      if (best_.bytes.size() < cut) {
        continue;
      }
      Shrunk candidate = best_;
      candidate.bytes.resize(candidate.bytes.size() - cut);
      if (best_.wire_length == best_.bytes.size()) {
        candidate.wire_length = static_cast<std::uint32_t>(candidate.bytes.size());
      }
      any |= keep_if_it_disagrees(std::move(candidate));
    }
    return any;
  }

  bool zero_bytes() {
    bool any = false;
    for (std::size_t i = 0; i < best_.bytes.size(); ++i) {
      if (best_.bytes[i] != 0) {
        Shrunk candidate = best_;
        candidate.bytes[i] = 0;
        any |= keep_if_it_disagrees(std::move(candidate));
      }
    }
    return any;
  }

  Shrunk best_;
  const Disagrees& disagrees_;
  int trials_ = 0;
};

}  // namespace

Shrunk shrink(const Case& subject, const cbpf::Packet& packet, const Disagrees& disagrees) {
  return Shrinker(subject, packet, disagrees).run();
}

}  // namespace weir::judge
