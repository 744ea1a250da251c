// What a killed weir leaves in bpffs, and what must stay there, in a bpffs of the test's own.
#include "xdp/hooks/dispatcher_pins.h"

#include <bpf/bpf.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "tests/kernel/kernel.h"
#include "tests/kernel/network.h"
#include "tests/kernel/programs.h"
#include "tests/xdp/rule_programs.h"
#include "xdp/kernel/interface.h"
#include "xdp/kernel/load.h"

namespace weir::xdp {
namespace {

struct Folder {
  std::string name;
  int program_fd = -1;  // -1: empty.
  bool stays = false;
};

constexpr int kNoBpffs = 100;  // Exit status of the child.

// In a mount namespace of its own: the first folder of which the outcome is wrong, from 1; 0 for
// none.
int first_wrong(const std::vector<Folder>& folders, std::uint32_t interface) {
  char root[] = "/tmp/weir-bpffs-XXXXXX";
  if (mkdtemp(root) == nullptr || unshare(CLONE_NEWNS) != 0 ||
      mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      mount("bpf", root, "bpf", 0, nullptr) != 0) {
    rmdir(root);
    return kNoBpffs;
  }
  setenv("LIBXDP_BPFFS", root, 1);
  const std::string base = std::string(root) + "/xdp";
  int wrong = mkdir(base.c_str(), 0700) == 0 ? 0 : 99;
  for (const Folder& folder : folders) {
    const std::string path = base + "/" + folder.name;
    const std::string pin = path + "/prog0-prog";
    if (mkdir(path.c_str(), 0700) != 0 ||
        (folder.program_fd >= 0 && bpf_obj_pin(folder.program_fd, pin.c_str()) != 0)) {
      wrong = 98;
    }
  }
  if (!remove_stale_pins(interface)) {
    wrong = 97;
  }
  for (std::size_t i = 0; i < folders.size() && wrong == 0; ++i) {
    struct stat status {};
    const bool there = stat((base + "/" + folders[i].name).c_str(), &status) == 0;
    wrong = there == folders[i].stays ? 0 : static_cast<int>(i) + 1;
  }
  umount(root);
  rmdir(root);
  return wrong;
}

TEST(DispatcherPins, OfAKilledWeirAreRemovedAndNoOthers) {
  WEIR_NEEDS_KERNEL();
  const testing::NetworkNamespace network;
  const testing::VethPair veth;
  const std::uint32_t index = if_nametoindex("weir1");
  const auto rule_of = [](std::uint64_t of) {
    const auto program = testing::rule_program("ip", ebpf::Action::kDrop, Hook::kXdp, of);
    EXPECT_TRUE(program) << to_string(program.error());
    return load(*program, ProgramType::kXdp, {.name = "weir_rule"});
  };
  const auto own = rule_of(network_namespace());
  const auto other = rule_of(network_namespace() + 1);
  const auto unknown = rule_of(0);
  const auto foreign = load(testing::returning(2), ProgramType::kXdp, {.name = "stranger"});
  ASSERT_TRUE(own && other && unknown && foreign);
  const auto named = [](std::uint32_t interface, const std::string& id) {
    return fmt::format("dispatch-{}-{}", interface, id);
  };
  const std::vector<Folder> folders = {
      {named(index, "4000000001"), own->fd(), false},
      {named(index, "4000000002"), -1, false},
      {named(index, "4000000003"), other->fd(), true},
      {named(index, "4000000004"), unknown->fd(), true},
      {named(index, "4000000005"), foreign->fd(), true},
      {named(index + 7, "4000000001"), own->fd(), true},
      {named(index, "4000000001x"), own->fd(), true},
      {named(index, "99999999999"), own->fd(), true},
  };
  const pid_t child = fork();
  if (child == 0) {
    _exit(first_wrong(folders, index));
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == kNoBpffs) {
    GTEST_SKIP() << "no bpffs can be mounted here";
  }
  EXPECT_EQ(WEXITSTATUS(status), 0) << "the number of the folder, from 1, or a step that failed";
}

}  // namespace
}  // namespace weir::xdp
