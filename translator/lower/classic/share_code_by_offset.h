// Code that differs in the offsets of its loads only.
#pragma once

#include "translator/lower/classic/code.h"

namespace weir::lower::classic {

// Long stretches of code that load the same fields at other offsets, as a list of hosts does for IP
// and for ARP, are written once, with loads from X on; whoever comes there puts the difference into
// X before. X is 0 where nothing has been written to it, so that one of them need not.
//
//   jeq #0xc04dcaa7, hit      jeq #0xc04dcaa7, hit                 ldx #8
//   ld  [30]                  ld  [38]                   and both  jeq #0xc04dcaa7, hit
//   ...                       ...                                  ld  [x + 30]
//                                                                  ...
//
// The kernel's native code takes longer for such a load than for one with a fixed offset (a call
// instead of an access in place), so it is done only where about `shortest` instructions or more
// follow. Events are stale afterwards. Gives the shortest code that a few trials find. O(n log n).
void share_code_by_offset(Code& code, std::uint32_t shortest);

}  // namespace weir::lower::classic
