#include "xdp/hooks/stub_object.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <gtest/gtest.h>

#include "tests/kernel/kernel.h"
#include "xdp/kernel/errors.h"

namespace weir::xdp {
namespace {

TEST(StubObject, IsOneLibbpfOpensWithItsTypes) {
  silence_libbpf();
  const auto elf = stub_object("weir_stub");
  ASSERT_TRUE(elf) << to_string(elf.error());
  bpf_object* object = bpf_object__open_mem(elf->data(), elf->size(), nullptr);
  ASSERT_NE(object, nullptr);
  bpf_program* program = bpf_object__find_program_by_name(object, "weir_stub");
  ASSERT_NE(program, nullptr);
  EXPECT_EQ(bpf_program__type(program), BPF_PROG_TYPE_XDP);
  EXPECT_EQ(bpf_program__insn_cnt(program), 2U);
  EXPECT_GT(btf__find_by_name_kind(bpf_object__btf(object), "weir_stub", BTF_KIND_FUNC), 0);
  bpf_object__close(object);
}

TEST(StubObject, IsOneTheKernelLoadsAndKnowsTheTypesOf) {
  WEIR_NEEDS_KERNEL();
  silence_libbpf();
  const auto elf = stub_object("weir_stub");
  ASSERT_TRUE(elf) << to_string(elf.error());
  bpf_object* object = bpf_object__open_mem(elf->data(), elf->size(), nullptr);
  ASSERT_NE(object, nullptr);
  ASSERT_EQ(bpf_object__load(object), 0);
  bpf_prog_info info{};
  std::uint32_t size = sizeof(info);
  const int fd = bpf_program__fd(bpf_object__next_program(object, nullptr));
  ASSERT_EQ(bpf_obj_get_info_by_fd(fd, &info, &size), 0);
  EXPECT_NE(info.btf_id, 0U);
  EXPECT_EQ(info.nr_func_info, 1U);
  bpf_object__close(object);
}

}  // namespace
}  // namespace weir::xdp
