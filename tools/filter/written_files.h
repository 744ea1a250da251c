// No output of a run is one of its inputs: creating a file empties it.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "cbpf/base/result.h"
#include "tools/filter/rotation.h"

namespace weir::filter {

// The files that a run reads, by device and inode, so that every name and link of one is known.
// Regular files, block devices and pipes count; a terminal or /dev/null may be both read and
// written.
class ReadFiles {
 public:
  // "-" is standard input. A name that cannot be looked up names nothing that could be destroyed.
  void add(const std::string& path);

  // The name under which the file `path` was added; "" when it was not. "-" is standard output.
  std::string name_of(const std::string& path) const;

  // kUsage, naming both, when the output `path` is one of the files now.
  Status check_output(const std::string& path) const;

 private:
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::string> names_;
};

// kUsage, naming both, when one of the outputs is read or may come to a name that is, or when two
// outputs are one file. Creates and opens nothing. O(existing files that rotation may name).
Status check_outputs(const ReadFiles& read, const std::vector<std::string>& outputs,
                     const Rotation& rotation);

}  // namespace weir::filter
