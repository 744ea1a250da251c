// The classic interpreter: the machine of 1993 as an engine.
//
// Price: one indirect jump an instruction, about 1.2 times as fast as libpcap's bpf_filter
// (tests/bench/interpret_bench.cpp). Judged by tests/cbpf/interpret_*_test.cpp and tests/engines
// against the plain reference interpreter and libpcap.
#pragma once

#include <cstdint>

#include "cbpf/packet.h"
#include "cbpf/validate.h"

namespace weir::cbpf {

// Runs the program on the packet and returns the accept length: how many bytes of the packet to
// keep, 0 to reject; the full 32 bits, not clipped to the packet.
//
// The filter ends with 0 when a load reaches past the captured bytes, when X is 0 in a division or
// modulus by X, when an extension is not known, and when backward `ja`s to one target would be
// taken more often than max_backward_jumps() says.
std::uint32_t interpret(const ValidatedProgram& program, const Packet& packet);

}  // namespace weir::cbpf
