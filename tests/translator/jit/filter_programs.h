// What weir translates, for the tests of native code.
#pragma once

#include <vector>

#include "tests/random/choices.h"
#include "tests/translator/jit/programs_text.h"

namespace weir::jit {

// The filters of the judge's corpus that libpcap compiles, for the target `user`.
std::vector<NamedProgram> corpus_programs();

// Up to `count` random classic programs, of both dialects in turn, that can be translated.
std::vector<NamedProgram> random_classic_programs(random::Choices& choices, std::uint32_t count);

}  // namespace weir::jit
