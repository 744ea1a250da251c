#include "cbpf/name_files.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <memory>
#include <utility>

namespace weir::cbpf {
namespace {

constexpr std::size_t kMaxFile = 16U << 20;

Result<std::string> read_file(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "re"),
                                                             std::fclose);
  if (!file) {
    return fail(ErrorCode::kSystem, std::strerror(errno), {.file = path});
  }
  std::string text;
  char block[16384];
  while (const std::size_t n = std::fread(block, 1, sizeof block, file.get())) {
    text.append(block, n);
    if (text.size() > kMaxFile) {
      return fail(ErrorCode::kSystem, "the file is longer than 16 MiB", {.file = path});
    }
  }
  if (std::ferror(file.get()) != 0) {
    return fail(ErrorCode::kSystem, std::strerror(errno), {.file = path});
  }
  return text;
}

// The words of a line, without its comment.
std::vector<std::string_view> words_of(std::string_view line) {
  constexpr std::string_view kBlanks = " \t\r\f\v";
  line = line.substr(0, line.find('#'));
  std::vector<std::string_view> words;
  for (std::size_t at = line.find_first_not_of(kBlanks); at != std::string_view::npos;
       at = line.find_first_not_of(kBlanks, at)) {
    const std::size_t end = std::min(line.find_first_of(kBlanks, at), line.size());
    words.push_back(line.substr(at, end - at));
    at = end;
  }
  return words;
}

// Calls `take` with the value of each line that has `name`. `value_first`: the line is "VALUE
// NAMES", else "NAME VALUE ALIASES". Stops when `take` returns true.
template <typename Take>
Status for_each_entry(const std::string& path, std::string_view name, bool value_first,
                      const Take& take) {
  const auto text = read_file(path);
  if (!text) {
    return tl::make_unexpected(text.error());
  }
  std::string_view rest = *text;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    auto words = words_of(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (words.size() < 2) {
      continue;
    }
    const std::string_view value = words[value_first ? 0 : 1];
    words.erase(words.begin() + (value_first ? 0 : 1));
    if (std::find(words.begin(), words.end(), name) != words.end() && take(value)) {
      break;
    }
  }
  return {};
}

template <typename Number>
std::optional<Number> parse_number(std::string_view text) {
  Number number = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool whole = error == std::errc() && stop == text.data() + text.size();
  return whole ? std::optional(number) : std::nullopt;
}

Result<std::optional<std::string>> first_value(const std::string& path, std::string_view name,
                                               bool value_first) {
  std::optional<std::string> found;
  const auto status = for_each_entry(path, name, value_first, [&](std::string_view value) {
    found = value;
    return true;
  });
  if (!status) {
    return tl::make_unexpected(status.error());
  }
  return found;
}

}  // namespace

Result<std::optional<std::uint16_t>> protocol_in_file(const std::string& folder,
                                                      std::string_view name) {
  std::optional<std::uint16_t> found;
  const auto status =
      for_each_entry(folder + "/protocols", name, false, [&](std::string_view value) {
        found = parse_number<std::uint16_t>(value);
        return found.has_value();
      });
  if (!status) {
    return tl::make_unexpected(status.error());
  }
  return found;
}

Result<std::optional<std::uint16_t>> port_in_file(const std::string& folder, std::string_view name,
                                                  Transport transport) {
  const std::string_view suffix = transport == Transport::kTcp ? "/tcp" : "/udp";
  std::optional<std::uint16_t> found;
  const auto status =
      for_each_entry(folder + "/services", name, false, [&](std::string_view value) {
        if (value.ends_with(suffix)) {
          found = parse_number<std::uint16_t>(value.substr(0, value.size() - suffix.size()));
        }
        return found.has_value();
      });
  if (!status) {
    return tl::make_unexpected(status.error());
  }
  return found;
}

Result<std::optional<std::string>> network_in_file(const std::string& folder,
                                                   std::string_view name) {
  return first_value(folder + "/networks", name, false);
}

Result<std::optional<std::string>> ethernet_address_in_file(const std::string& folder,
                                                            std::string_view name) {
  return first_value(folder + "/ethers", name, true);
}

Result<std::vector<std::string>> addresses_in_file(const std::string& folder,
                                                   std::string_view name) {
  std::vector<std::string> found;
  const auto status = for_each_entry(folder + "/hosts", name, true, [&](std::string_view value) {
    found.emplace_back(value);
    return false;
  });
  if (!status) {
    return tl::make_unexpected(status.error());
  }
  return found;
}

}  // namespace weir::cbpf
