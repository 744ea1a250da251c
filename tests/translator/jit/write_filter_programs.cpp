// write_filter_programs FILE [COUNT]: what weir translates of the corpus, and of COUNT random
// classic programs, for a test on another processor.
#include <cstdlib>
#include <fstream>
#include <iostream>

#include "tests/translator/jit/filter_programs.h"

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: write_filter_programs FILE [COUNT]\n";
    return 2;
  }
  std::ofstream out(argv[1]);
  weir::random::Choices choices(weir::random::seed_or(78));
  weir::jit::write_programs(out, weir::jit::corpus_programs());
  weir::jit::write_programs(
      out, weir::jit::random_classic_programs(
               choices, argc > 2 ? static_cast<std::uint32_t>(std::atoi(argv[2])) : 0));
  return out.flush() ? 0 : 1;
}
