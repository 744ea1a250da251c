// A plain evaluator of the IR: no engine for traffic, but the meaning of the IR as code, against
// which every pass and back end is judged.
#pragma once

#include <cstdint>

#include "cbpf/packet.h"
#include "translator/ir/function.h"

namespace weir::ir {

// Runs a checked function on the packet and returns the accept length. Price: a switch a value, and
// an array of the function's values a call.
//
// An extension that the packet does not know ends the filter with 0, as in cbpf::interpret(); but
// where a pass has dropped an extension whose value nothing uses, nothing ends. A load past the
// captured bytes, which no checked function makes, gives 0.
std::uint32_t evaluate(const Function& function, const cbpf::Packet& packet);

// What the arithmetic Op gives for two numbers, as passes fold it; `b` is not 0 for kDiv and kMod,
// and means nothing for kNeg.
std::uint32_t evaluate_arithmetic(Op op, std::uint32_t a, std::uint32_t b);

bool evaluate_compare(Compare compare, std::uint32_t a, std::uint32_t b);

// The edge of a kSwitch terminator that `value` takes. O(log cases).
std::uint32_t evaluate_switch(const Terminator& end, std::uint32_t value);

}  // namespace weir::ir
