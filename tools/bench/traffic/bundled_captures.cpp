#include "tools/bench/traffic/bundled_captures.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "cbpf/compile.h"
#include "cbpf/savefile/reader.h"

namespace weir::tool {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> possible_folders() {
  if (const char* named = std::getenv("WEIR_PCAPS")) {
    return {named};
  }
  std::error_code error;
  const fs::path bin = fs::read_symlink("/proc/self/exe", error).parent_path();
  // build/PRESET/bin/weir, or PREFIX/bin/weir.
  std::vector<fs::path> folders = {(bin / "../../../pcaps").lexically_normal(),
                                   (bin / "../share/weir/pcaps").lexically_normal()};
  if (const fs::path installed = fs::path(WEIR_DATA_DIR) / "pcaps"; installed != folders.back()) {
    folders.push_back(installed);
  }
  return folders;
}

bool is_ethernet_capture(const fs::path& path) {
  const std::string extension = path.extension().string();
  if (extension != ".pcap" && extension != ".pcapng") {
    return false;
  }
  const auto reader = cbpf::SavefileReader::open(path.string());
  return reader && reader->header().format == cbpf::SavefileFormat::kPcap &&
         reader->header().link_type == cbpf::kLinkTypeEthernet;
}

}  // namespace

BundledCaptures bundled_ethernet_captures() {
  BundledCaptures captures;
  for (const fs::path& folder : possible_folders()) {
    captures.folders.push_back(folder.string());
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error)) {
      if (is_ethernet_capture(entry.path())) {
        captures.files.push_back(entry.path().string());
      }
    }
    if (!captures.files.empty()) {
      break;
    }
  }
  std::sort(captures.files.begin(), captures.files.end());
  return captures;
}

}  // namespace weir::tool
