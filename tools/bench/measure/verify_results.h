// Whether a row's answers are right, found before it is timed.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cbpf/base/result.h"
#include "tools/engine/engine.h"

namespace weir::bench {

// Where another's program or machine is not right; weir's own engines never get so far.
struct Wrong {
  std::uint64_t packets = 0;  // So many of them are answered wrongly,
  std::uint64_t shown = 0;    // of so many;
  std::uint64_t packet = 0;   // the first of them, counted from 1,
  std::uint32_t got = 0;      // with this answer
  std::uint32_t right = 0;    // in the place of this one.
  bool crashed = false;    // Instead of an answer to it the process ended, and no more was shown.
  bool inherited = false;  // A machine's: the classic program it was given says that answer, too.
  std::vector<std::uint8_t> bytes;  // Of that packet.
};

// "wrong for 3 of 100 packets: packet 17 gives 0 where 65535 is right"
std::string to_string(const Wrong& wrong);

// Nothing when all are right. The spans are of one length; a result that only says whether the
// packet matches is held against that.
std::optional<Wrong> find_wrong(std::span<const std::uint32_t> right,
                                std::span<const std::uint32_t> given, bool accept_lengths,
                                std::span<const cbpf::Packet> packets);

// Runs a machine that is not trusted over the packets in a child process first, which may end
// there. What is wrong with it, or nothing. Errors are those of run_bounded().
Result<std::optional<Wrong>> try_machine(engine::Prepared& machine,
                                         std::span<const std::uint32_t> right,
                                         std::span<const cbpf::Packet> packets,
                                         std::uint32_t seconds);

}  // namespace weir::bench
