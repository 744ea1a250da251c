#include "tools/filter/written_files.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <optional>
#include <string_view>

namespace weir::filter {
namespace {

using Identity = std::pair<std::uint64_t, std::uint64_t>;

// Of what would be lost or never end if it were read and written at once.
std::optional<Identity> identity_of(const struct stat& status) {
  if (S_ISBLK(status.st_mode)) {
    return Identity{UINT64_MAX, status.st_rdev};
  }
  if (S_ISREG(status.st_mode) || S_ISFIFO(status.st_mode)) {
    return Identity{status.st_dev, status.st_ino};
  }
  return std::nullopt;
}

std::optional<Identity> identity_of(int fd) {
  struct stat status {};
  return ::fstat(fd, &status) == 0 ? identity_of(status) : std::nullopt;
}

// `stream` is what "-" means.
std::optional<Identity> identity_of(const std::string& path, int stream) {
  struct stat status {};
  if (path == "-") {
    return identity_of(stream);
  }
  return ::stat(path.c_str(), &status) == 0 ? identity_of(status) : std::nullopt;
}

std::string shown(const std::string& path, std::string_view stream) {
  return path == "-" ? std::string(stream) : path;
}

tl::unexpected<Error> refuse(const std::string& output, const std::string& input) {
  return fail(ErrorCode::kUsage,
              fmt::format("this output is the same file as the input {}, which writing would "
                          "destroy; choose another name",
                          input),
              {.file = shown(output, "standard output")});
}

// Whether the numbers of one output lead to names of the other.
bool is_numbered_name(const std::string& name, const std::string& of, const Rotation& rotation) {
  return rotation.unlimited() && name.size() > of.size() && name.starts_with(of) &&
         name.find_first_not_of("0123456789", of.size()) == std::string::npos;
}

tl::unexpected<Error> refuse_twice(const std::string& output, const std::string& other) {
  return fail(ErrorCode::kUsage,
              fmt::format("this output and {} are the same file, or come to be; choose names that "
                          "differ",
                          other),
              {.file = output});
}

}  // namespace

void ReadFiles::add(const std::string& path) {
  if (const auto identity = identity_of(path, STDIN_FILENO)) {
    names_.emplace(*identity, shown(path, "standard input"));
  }
}

std::string ReadFiles::name_of(const std::string& path) const {
  const auto identity = identity_of(path, STDOUT_FILENO);
  const auto found = identity ? names_.find(*identity) : names_.end();
  return found == names_.end() ? "" : found->second;
}

Status ReadFiles::check_output(const std::string& path) const {
  const std::string input = name_of(path);
  return input.empty() ? Status{} : refuse(path, input);
}

Status check_outputs(const ReadFiles& read, const std::vector<std::string>& outputs,
                     const Rotation& rotation) {
  std::map<Identity, std::string> written;
  for (const std::string& output : outputs) {
    for (const std::string& other : outputs) {
      if (is_numbered_name(other, output, rotation)) {
        return refuse_twice(output, other);
      }
    }
    const auto files =
        output == "-" ? std::vector<std::string>{output} : existing_files(output, rotation);
    for (const std::string& file : files) {
      if (auto checked = read.check_output(file); !checked) {
        return checked;
      }
      const auto identity = identity_of(file, STDOUT_FILENO);
      if (!identity) {
        continue;
      }
      if (const auto& before = written.emplace(*identity, output).first->second; before != output) {
        return refuse_twice(output, before);
      }
    }
  }
  return {};
}

}  // namespace weir::filter
