// What a fuzz target promises of every input.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>

namespace weir {

// Stops the fuzzer at this input, with the reason and the text it is about.
inline void require(bool holds, const char* promise, const std::string& text = "") {
  if (!holds) {
    std::fprintf(stderr, "broken promise: %s\n%s\n", promise, text.c_str());
    std::abort();
  }
}

}  // namespace weir
