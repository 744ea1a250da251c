// The second kernel is what its name says, and has what the kernel tests lean on. The programs are
// loaded by the bare system call, so that a failure here is the guest's and not that of weir's own
// loader.

#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

namespace weir {
namespace {

long bpf_syscall(bpf_cmd command, bpf_attr& attributes) {
  return syscall(SYS_bpf, command, &attributes, sizeof attributes);
}

std::uint64_t address_of(const void* pointer) { return reinterpret_cast<std::uint64_t>(pointer); }

// Loads `r0 = 2; exit` and returns its descriptor, or -1.
int load_constant_program(bpf_prog_type type) {
  static constexpr std::array<bpf_insn, 2> kProgram = {
      bpf_insn{BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 2},
      bpf_insn{BPF_JMP | BPF_EXIT, 0, 0, 0, 0}};
  static constexpr char kLicense[] = "Dual BSD/GPL";
  bpf_attr attributes;
  std::memset(&attributes, 0, sizeof attributes);
  attributes.prog_type = type;
  attributes.insns = address_of(kProgram.data());
  attributes.insn_cnt = kProgram.size();
  attributes.license = address_of(kLicense);
  return static_cast<int>(bpf_syscall(BPF_PROG_LOAD, attributes));
}

bool runs_without_jit() {
  const char* jit = std::getenv("WEIR_GUEST_JIT");
  return jit != nullptr && std::string_view(jit) == "0";
}

TEST(SecondKernel, IsLinux61) {
  utsname name;
  ASSERT_EQ(uname(&name), 0);
  EXPECT_TRUE(std::string_view(name.release).starts_with("6.1.")) << name.release;
}

TEST(SecondKernel, HasItsTypesAndBpffs) {
  EXPECT_EQ(access("/sys/kernel/btf/vmlinux", R_OK), 0);
  struct statfs filesystem;
  ASSERT_EQ(statfs("/sys/fs/bpf", &filesystem), 0);
  EXPECT_EQ(filesystem.f_type, 0xcafe4a11) << "BPF_FS_MAGIC of linux/magic.h";
}

TEST(SecondKernel, LoadsExtendedProgramsForEveryHook) {
  for (bpf_prog_type type :
       {BPF_PROG_TYPE_SOCKET_FILTER, BPF_PROG_TYPE_SCHED_CLS, BPF_PROG_TYPE_XDP}) {
    int program = load_constant_program(type);
    EXPECT_GE(program, 0) << "type " << type << ": " << std::strerror(errno);
    close(program);
  }
}

// `run --sysctl net.core.bpf_jit_enable=0` is how the kernel's own interpreter is measured.
TEST(SecondKernel, UsesItsJitUnlessSwitchedOff) {
  int program = load_constant_program(BPF_PROG_TYPE_SOCKET_FILTER);
  ASSERT_GE(program, 0) << std::strerror(errno);
  bpf_prog_info info;
  std::memset(&info, 0, sizeof info);
  bpf_attr attributes;
  std::memset(&attributes, 0, sizeof attributes);
  attributes.info.bpf_fd = static_cast<std::uint32_t>(program);
  attributes.info.info_len = sizeof info;
  attributes.info.info = address_of(&info);
  ASSERT_EQ(bpf_syscall(BPF_OBJ_GET_INFO_BY_FD, attributes), 0) << std::strerror(errno);
  EXPECT_EQ(info.jited_prog_len == 0, runs_without_jit()) << info.jited_prog_len << " bytes";
  close(program);
}

TEST(SecondKernel, MakesNamespacesVlansAndClassifiers) {
  ASSERT_EQ(std::system("ip netns add weirguest"), 0);
  EXPECT_EQ(std::system("set -e; ip link add weirg0 type veth peer name weirg1 netns weirguest;"
                        "ip link add link weirg0 name weirg0.7 type vlan id 7;"
                        "tc qdisc add dev weirg0 clsact;"
                        "tc filter add dev weirg0 ingress bpf bytecode '1,6 0 0 1,' flowid 1:1"),
            0);
  EXPECT_NE(if_nametoindex("weirg0.7"), 0U);
  EXPECT_EQ(std::system("ip link del weirg0; ip netns del weirguest"), 0);
}

}  // namespace
}  // namespace weir
