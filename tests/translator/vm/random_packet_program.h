// Random extended programs of the `user` target: they read the context, check packet pointers
// against the packet's end in every way, load at constant and computed offsets, and do what they do
// with what they loaded. Nearly all are proven and have a packet form.
#pragma once

#include "tests/random/choices.h"
#include "translator/ebpf/program.h"

namespace weir::vm {

// Forward only; r0 at the end is a sum of all it computed. Calls helper 5 with numbers. Map 0 is
// read-only data. What it computes depends on no address.
ebpf::Program random_packet_program(random::Choices& choices, std::uint32_t operations = 24);

}  // namespace weir::vm
