// Runs the command as a user does and gives back what it said.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace weir::cli {

struct Answer {
  int status = -1;  // Exit status; 128 + the signal's number when one ended it.
  std::string out;
  std::string err;
};

// Runs build/…/bin/weir with these arguments and this standard input.
Answer weir(const std::vector<std::string>& arguments, const std::string& input = {});

// A folder of one's own, gone at the end.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  // Writes a file there and gives its path.
  std::string file(const std::string& name, const std::string& contents) const;
  // The names of the files in it, sorted.
  std::vector<std::string> names() const;

 private:
  std::filesystem::path folder_;
};

std::string read_file(const std::string& path);

}  // namespace weir::cli
