// IR to the machine of 1993: a classic program that tcpdump, BSD, sockets and xt_bpf take.
//
// The way: canonical values (classic_values), selection of instructions that keeps values in A and
// X and computes again what costs no more than fetching it (classic_select), sets as search trees
// (classic_switch) or several members to a test (classic_packing), the needs that no load answers
// for (classic_needs), dead stores and equal tails (classic_tidy), code that differs in offsets
// only (classic_offsets), questions in a shorter order (classic_asked), an order in which
// conditional jumps reach, with return islands and trampolines where they do not (classic_layout).
#pragma once

#include <cstdint>

#include "cbpf/base/result.h"
#include "cbpf/program.h"
#include "translator/ir/function.h"
#include "translator/lower/target/classic_options.h"

namespace weir::lower {

// Lowers a checked function. The program keeps every rule of cbpf::validate in the dialect and
// gives for every packet what ir::evaluate gives.
//
// kUnsupported when the machine cannot say it: more than 16 values to keep at once, values that
// would be computed over and over, extensions that read A and X in passing (nla), and loads whose
// offset the dialect takes for something else. The caller then has the program he began with.
//
// Long lists are searched in trees as far as the program does not become longer than libpcap's
// optimiser would make it, or by more than one in 64. That optimiser has one compare for each
// member of a list, and a jump where a return is too far away; where a list can be 30 % shorter, as
// those are that ask for two addresses of two protocols, it is.
//
// Near linear in the size of the function, a few sweeps for each of some ways that are tried.
Result<cbpf::Program> to_classic(const ir::Function& function, const ClassicOptions& options = {});

}  // namespace weir::lower
