// What the running kernel's type information (BTF) says: its functions that programs can call, and
// how socket filters can read packets where they are.
#pragma once

#include <cstdint>
#include <string>

#include "cbpf/base/result.h"
#include "translator/ebpf/skb_layout.h"

namespace weir::xdp {

// The BTF id of a kernel function; 0 on a kernel without it. Reads the kernel's whole type
// information, which takes some tens of milliseconds.
std::int32_t find_kernel_function(const std::string& name);

// Where this kernel keeps packets, tried out: a small program that reads one this way has been
// loaded. Linux 6.17 and later can (bpf_rdonly_cast to plain memory). Reads the kernel's whole type
// information, which takes some tens of milliseconds: ask once and keep the answer.
//
// kUnsupported, saying why, where the kernel cannot; kPermission as load().
Result<ebpf::SkbLayout> find_skb_layout();

}  // namespace weir::xdp
