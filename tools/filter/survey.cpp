#include "tools/filter/survey.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

namespace weir::filter {
namespace {

constexpr std::uint64_t kMicroseconds = 1'000'000;  // In a second.

}  // namespace

bool has_nanoseconds(const cbpf::SavefileReader& reader) {
  const auto& interfaces = reader.interfaces();
  return reader.header().nanoseconds ||
         std::any_of(interfaces.begin(), interfaces.end(), [](const auto& interface) {
           return interface.ticks_per_second > kMicroseconds;
         });
}

Survey survey_inputs(const std::vector<std::string>& files) {
  Survey survey;
  for (const std::string& file : files) {
    if (survey.open.contains(file)) {
      continue;
    }
    auto reader = cbpf::SavefileReader::open(file);
    if (!reader) {
      continue;
    }
    const bool pcapng = reader->header().format == cbpf::SavefileFormat::kPcapng;
    (pcapng ? survey.pcapng : survey.pcap) = true;
    survey.nanoseconds |= has_nanoseconds(*reader);
    if (reader->header().link_type) {
      survey.link_types.insert(*reader->header().link_type);
    }
    for (const cbpf::SavefileInterface& interface : reader->interfaces()) {
      survey.link_types.insert(interface.link_type);
    }
    std::error_code ignored;
    if (file == "-" || !std::filesystem::is_regular_file(file, ignored)) {
      survey.open.emplace(file, std::move(*reader));
    }
  }
  return survey;
}

Result<std::optional<cbpf::SavefileFormat>> choose_format(
    const Survey& survey, std::optional<cbpf::SavefileFormat> wanted,
    std::optional<cbpf::SavefileFormat> named) {
  if (wanted) {
    if (*wanted == cbpf::SavefileFormat::kPcap && survey.several_link_types()) {
      return fail(ErrorCode::kUnsupported,
                  "the savefiles have several link types, which one pcap file cannot hold; "
                  "--format pcapng can");
    }
    return wanted;
  }
  if (survey.several_link_types() || (survey.differ() && !named)) {
    return cbpf::SavefileFormat::kPcapng;
  }
  return named;
}

}  // namespace weir::filter
