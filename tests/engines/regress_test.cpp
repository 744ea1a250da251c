// Every disagreement that was ever found, kept as a file in tests/regress and tried again.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "cbpf/text/text.h"
#include "tests/engines/judge.h"
#include "tests/kernel/kernel.h"

namespace weir::judge {
namespace {

struct Regression {
  Case subject;
  std::vector<std::uint8_t> bytes;
  std::uint32_t wire_length = 0;
};

// Lines "dialect NAME", "link_type N", "program XT_BPF", "packet HEX wire N"; '#' is a comment.
Regression read_regression(const std::filesystem::path& path) {
  Regression regression;
  regression.subject.name = path.filename().string();
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string key;
    words >> key;
    if (key == "dialect") {
      std::string name;
      words >> name;
      regression.subject.dialect =
          name == "linux" ? cbpf::Dialect::kLinux : cbpf::Dialect::kLibpcap;
    } else if (key == "link_type") {
      words >> regression.subject.link_type;
    } else if (key == "program") {
      const auto program =
          cbpf::from_text(line.substr(key.size() + 1) + "\n", cbpf::TextForm::kXtBpf);
      EXPECT_TRUE(program) << path << ": " << (program ? "" : to_string(program.error()));
      regression.subject.program = program.value_or(cbpf::Program{});
    } else if (key == "packet") {
      std::string hex;
      std::string wire;
      words >> hex;
      if (hex == "wire") {  // An empty packet.
        hex.clear();
      } else {
        words >> wire;
      }
      words >> regression.wire_length;
      const auto bytes = from_hex(hex);
      EXPECT_TRUE(bytes) << path;
      regression.bytes = bytes.value_or(std::vector<std::uint8_t>{});
    } else {
      EXPECT_TRUE(key.empty() || key.front() == '#') << path << ": " << line;
    }
  }
  return regression;
}

void judge_folder(std::span<const engine::EngineId> engines) {
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(WEIR_REGRESS_DIR)) {
    if (entry.path().extension() != ".txt") {
      continue;
    }
    const Regression regression = read_regression(entry.path());
    const cbpf::Packet packet{regression.bytes, regression.wire_length};
    judge(regression.subject, {&packet, 1}, engines);
    ++files;
  }
  EXPECT_GT(files, 0U);
}

TEST(Regress, UserEnginesAgree) { judge_folder(user_engines()); }

TEST(Regress, KernelEnginesAgree) {
  WEIR_NEEDS_KERNEL();
  judge_folder(kernel_engines());
}

}  // namespace
}  // namespace weir::judge
