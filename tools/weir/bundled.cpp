#include "tools/weir/bundled.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "cbpf/compile.h"
#include "cbpf/savefile.h"

namespace weir::tool {
namespace {

namespace fs = std::filesystem;

fs::path captures_folder() {
  if (const char* named = std::getenv("WEIR_PCAPS")) {
    return named;
  }
  std::error_code error;
  const fs::path binary = fs::read_symlink("/proc/self/exe", error);
  const fs::path bin = binary.parent_path();
  // build/PRESET/bin/weir, or PREFIX/bin/weir.
  for (const fs::path& folder :
       {bin / "../../../pcaps", bin / "../share/weir/pcaps", fs::path(WEIR_DATA_DIR) / "pcaps"}) {
    if (fs::is_directory(folder, error)) {
      return folder.lexically_normal();
    }
  }
  return {};
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

std::vector<std::string> bundled_ethernet_captures() {
  std::vector<std::string> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(captures_folder(), error)) {
    if (is_ethernet_capture(entry.path())) {
      files.push_back(entry.path().string());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace weir::tool
