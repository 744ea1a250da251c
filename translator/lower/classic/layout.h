// Puts blocks in order and makes jumps of them: a conditional jump reaches 255 instructions, `ja`
// any distance.
#pragma once

#include "cbpf/program.h"
#include "translator/lower/classic/code.h"

namespace weir::lower::classic {

// Blocks stand depth first, so that most targets are near. As no control falls through from a
// conditional jump to what stands behind it, a copy of a return or a `ja` may be put between any
// two blocks: where jumps would not reach their target, one such island is put as late as it serves
// all that wait for it. O(instructions), with a factor for the targets waited for at a time.
cbpf::Program lay_out(const Code& code);

}  // namespace weir::lower::classic
