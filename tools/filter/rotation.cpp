#include "tools/filter/rotation.h"

#include <fmt/format.h>
#include <fnmatch.h>
#include <glob.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <string_view>

#include "cbpf/compression/decompress.h"

namespace weir::filter {
namespace {

constexpr std::size_t kLongestName = 4096;
constexpr std::string_view kDigits = "0123456789";

int digits_below(std::uint32_t count) {
  int digits = 0;
  for (std::uint32_t last = count == 0 ? 0 : count - 1; last > 0; last /= 10) {
    ++digits;
  }
  return digits;
}

// Digits of every number, at least.
int digits_of(const Rotation& rotation) {
  return rotation.max_bytes != 0 ? digits_below(rotation.max_files) : 0;
}

// Where the ending that says how a file is packed begins; the size of the name where it has none.
std::size_t packing_begins(std::string_view name) {
  return cbpf::compression_of_name(name) == cbpf::Compression::kNone ? name.size()
                                                                     : name.rfind('.');
}

std::string expanded(const std::string& path, std::time_t begun) {
  std::array<char, kLongestName> buffer{};
  std::tm local{};
  localtime_r(&begun, &local);
  const std::size_t length = std::strftime(buffer.data(), buffer.size(), path.c_str(), &local);
  return length == 0 ? path : std::string(buffer.data(), length);
}

void append_literal(std::string& pattern, char c) {
  if (std::string_view("*?[]\\").find(c) != std::string_view::npos) {
    pattern += '\\';
  }
  pattern += c;
}

// The shell pattern of every name that strftime can make of `path` (flags and widths as glibc has
// them); the path itself, quoted, where it is not asked.
std::string pattern_of(std::string_view path, bool by_time) {
  std::string pattern;
  for (std::size_t i = 0; i < path.size(); ++i) {
    const std::size_t end = path.find_first_not_of("_-0^#+123456789EO", i + 1);
    if (!by_time || path[i] != '%' || end == std::string_view::npos) {
      append_literal(pattern, path[i]);
      continue;
    }
    i = end;
    if (path[i] == '%') {
      pattern += '%';
    } else {
      pattern += path[i] == 'D' || path[i] == 'x' ? "*/*/*" : "*";
    }
  }
  return pattern;
}

// Whether a name is one of the pattern followed by a number of the rotation.
bool is_numbered(std::string_view name, const std::string& pattern, const Rotation& rotation) {
  const auto digits = static_cast<std::size_t>(digits_of(rotation));
  const std::size_t last = name.find_last_not_of(kDigits);
  const std::size_t first = last == std::string_view::npos ? 0 : last + 1;
  for (std::size_t at = first; at <= name.size(); ++at) {
    const std::string_view number = name.substr(at);
    // As many digits as there are files: the number is one of them. Else it may be any.
    const bool fits = digits == 0 ? rotation.max_files == 0 || number.empty()
                                  : number.size() == digits &&
                                        std::stoull(std::string(number)) < rotation.max_files;
    if (fits &&
        ::fnmatch(pattern.c_str(), std::string(name.substr(0, at)).c_str(), FNM_PATHNAME) == 0) {
      return true;
    }
  }
  return false;
}

}  // namespace

std::string rotated_name(const std::string& path, const Rotation& rotation, std::time_t begun,
                         std::uint64_t number) {
  std::string name = rotation.seconds != 0 ? expanded(path, begun) : path;
  const int digits = digits_of(rotation);
  if (number != 0 || digits != 0) {
    name.insert(packing_begins(name), fmt::format("{:0{}}", number, digits));
  }
  return name;
}

std::vector<std::string> existing_files(const std::string& path, const Rotation& rotation) {
  std::error_code ignored;
  if (!rotation.any()) {
    return std::filesystem::exists(path, ignored) ? std::vector{path} : std::vector<std::string>{};
  }
  const std::size_t packing = packing_begins(path);
  const std::string_view ending = std::string_view(path).substr(packing);
  const std::string pattern =
      pattern_of(std::string_view(path).substr(0, packing), rotation.seconds != 0);
  const std::string all = pattern + (rotation.max_bytes != 0 ? "*" : "") + std::string(ending);
  std::vector<std::string> files;
  glob_t found{};
  if (::glob(all.c_str(), 0, nullptr, &found) == 0) {
    for (std::size_t i = 0; i < found.gl_pathc; ++i) {
      const std::string_view name = found.gl_pathv[i];
      if (rotation.max_bytes == 0 ||
          is_numbered(name.substr(0, name.size() - ending.size()), pattern, rotation)) {
        files.emplace_back(name);
      }
    }
  }
  ::globfree(&found);
  return files;
}

}  // namespace weir::filter
