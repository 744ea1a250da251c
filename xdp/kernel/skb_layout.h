// Asks the running kernel how socket filters can read packets where they lie.
#pragma once

#include "cbpf/base/result.h"
#include "translator/ebpf/skb_layout.h"

namespace weir::xdp {

// Where this kernel keeps packets, tried out: a small program that reads one this way has been
// loaded. Linux 6.17 and later can (bpf_rdonly_cast to plain memory). Reads the kernel's whole type
// information, which takes some tens of milliseconds: ask once and keep the answer.
//
// kUnsupported, saying why, where the kernel cannot; kPermission as load().
Result<ebpf::SkbLayout> find_skb_layout();

}  // namespace weir::xdp
