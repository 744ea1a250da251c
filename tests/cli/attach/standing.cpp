#include "tests/cli/attach/standing.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

namespace weir::cli {

nlohmann::json only_program(const Answer& answer) {
  EXPECT_EQ(answer.status, 0) << answer.err;
  const nlohmann::json programs = nlohmann::json::parse(answer.out)["programs"];
  EXPECT_EQ(programs.size(), 1U) << answer.out;
  return programs.size() == 1 ? programs[0] : nlohmann::json();
}

nlohmann::json counted(const std::string& interface, int total) {
  nlohmann::json stats;
  for (int tries = 0; tries < 100; ++tries) {
    stats = only_program(weir({"stats", "-j", interface}));
    if (stats.is_null() ||
        stats["match"]["packets"].get<int>() + stats["no_match"]["packets"].get<int>() >= total) {
      break;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return stats;
}

}  // namespace weir::cli
