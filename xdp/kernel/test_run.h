// Runs a loaded program on a packet of ours, inside the kernel (BPF_PROG_TEST_RUN).
#pragma once

#include <cstdint>

#include "cbpf/base/bytes.h"
#include "cbpf/base/result.h"
#include "xdp/kernel/load.h"

namespace weir::xdp {

struct TestRun {
  std::uint32_t value = 0;        // What the program returned: accept length, TC_ACT_*, XDP_*.
  std::uint32_t duration_ns = 0;  // Of one run, the kernel's average over all repeats.
};

// Runs the program `repeat` times on the same packet, which begins with its link layer header at
// every hook. (The kernel itself starts socket filters at the network layer; this hides it, and
// gives the program the protocol of the packet's own Ethernet header.)
//
// kUnsupported when the kernel's test run cannot answer rightly for a packet of this length: above
// a page less headroom and tailroom (3520 bytes at XDP, about 3700 elsewhere); at XDP and
// tc below 14 bytes, at tc also below 34 of IPv4 and 54 of IPv6; for socket filters when empty, or
// as short as that and the program reads the protocol from its context.
// The duration has a floor of tens of nanoseconds and all branches predicted: compare it only with
// an empty program of the same run.
Result<TestRun> test_run(const LoadedProgram& program, Bytes packet, std::uint32_t repeat = 1);

// Runs a program of type kXdp on `frames` live frames with these bytes, in batches of 256 as a
// driver hands them over: a frame it drops goes back to where frames come from, one it passes goes
// up the network stack of this namespace. The caller takes the time.
//
// kUnsupported where the kernel has no live frames (before 5.18) or takes no packet of this length.
Status run_live_frames(const LoadedProgram& program, Bytes packet, std::uint32_t frames);

// Whether test_run() is sure to take a packet of this length, on every kernel.
bool can_test_run(const LoadedProgram& program, Bytes packet);

}  // namespace weir::xdp
