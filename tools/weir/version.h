#pragma once

#include <string>

namespace weir::tool {

// The lines of `weir --version`: weir's own and those of the libraries it runs with.
std::string version_page();

}  // namespace weir::tool
