#include "tools/filter/inputs.h"

#include <glob.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "cbpf/savefile/reader.h"

namespace weir::filter {
namespace {

namespace fs = std::filesystem;

// Whether the reader has something to say of it: packets, or why it cannot be read.
bool is_worth_reading(const std::string& path) {
  const auto reader = cbpf::SavefileReader::open(path);
  return reader || reader.error().code != ErrorCode::kInvalidFile;
}

std::vector<std::string> files_in(const std::string& folder) {
  std::vector<std::string> files;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    std::error_code ignored;
    if (at->is_regular_file(ignored) && !at->path().filename().string().starts_with('.')) {
      files.push_back(at->path().string());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::vector<std::string> files_matching(const std::string& pattern) {
  std::vector<std::string> files;
  glob_t found{};
  if (::glob(pattern.c_str(), 0, nullptr, &found) == 0) {
    for (std::size_t i = 0; i < found.gl_pathc; ++i) {
      std::error_code ignored;
      if (!fs::is_directory(found.gl_pathv[i], ignored)) {
        files.emplace_back(found.gl_pathv[i]);
      }
    }
  }
  ::globfree(&found);
  return files;
}

}  // namespace

Result<std::vector<std::string>> expand_inputs(const std::vector<std::string>& names) {
  std::vector<std::string> inputs;
  for (const std::string& name : names) {
    std::error_code ignored;
    const bool folder = fs::is_directory(name, ignored);
    const bool pattern =
        !folder && name.find_first_of("*?[") != std::string::npos && !fs::exists(name, ignored);
    if (!folder && !pattern) {
      inputs.push_back(name);
      continue;
    }
    const std::size_t before = inputs.size();
    for (const std::string& file : folder ? files_in(name) : files_matching(name)) {
      if (is_worth_reading(file)) {
        inputs.push_back(file);
      }
    }
    if (inputs.size() == before) {
      return fail(ErrorCode::kInvalidFile,
                  folder ? "no savefile is in this folder" : "no savefile matches this pattern",
                  {.file = name});
    }
  }
  return inputs;
}

}  // namespace weir::filter
