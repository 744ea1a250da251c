// The filters the judge hears: a list of its own, and a larger one from a file where there is one.
#pragma once

#include <string>
#include <vector>

namespace weir::judge {

struct CorpusFilter {
  std::string name;
  std::string link_type;  // As libpcap names it.
  std::string expression;
};

// The list of its own, and that of WEIR_CORPUS (tab-separated name, link type, expression; '#'
// begins a comment), a file that need not be there.
std::vector<CorpusFilter> corpus();

}  // namespace weir::judge
