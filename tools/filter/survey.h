// What several savefiles have in common, known before the first of them is filtered.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cbpf/base/result.h"
#include "cbpf/savefile/reader.h"

namespace weir::filter {

struct Survey {
  bool pcap = false;  // Whether one of them is.
  bool pcapng = false;
  bool nanoseconds = false;  // Whether one has timestamps finer than microseconds.
  std::set<int> link_types;  // As far as the headers tell, DLT_* numbers.
  // What is no regular file is read once only: such inputs stay open, by their names.
  std::map<std::string, cbpf::SavefileReader> open;

  bool several_link_types() const { return link_types.size() > 1; }
  bool differ() const { return several_link_types() || (pcap && pcapng); }
};

// Reads the headers. What cannot be read is passed over, to be told when its turn comes.
Survey survey_inputs(const std::vector<std::string>& files);

// Whether timestamps of the interfaces described so far are finer than microseconds.
bool has_nanoseconds(const cbpf::SavefileReader& reader);

// The format to write, where `wanted` is that of an option and `named` that of the output's name;
// nothing where that is up to the first input. A pcap file has one link type, so several of them
// give pcapng whatever the name is, and kUnsupported where the option is pcap.
Result<std::optional<cbpf::SavefileFormat>> choose_format(
    const Survey& survey, std::optional<cbpf::SavefileFormat> wanted,
    std::optional<cbpf::SavefileFormat> named);

}  // namespace weir::filter
