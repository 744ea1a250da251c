// What every test of the running kernel needs: the right to, or a reason to skip.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace weir::testing {

// Why this machine cannot run kernel tests (not root, no namespaces), or nothing.
std::optional<std::string> kernel_tests_impossible();

// Whether WEIR_REQUIRE_KERNEL=1 says that a skip is a failure.
bool kernel_tests_required();

// Runs the deed in a child process that has these capabilities (CAP_* of linux/capability.h) and no
// others, as have the programs it starts, and gives what it said there.
std::string with_capabilities(const std::vector<int>& kept,
                              const std::function<std::string()>& deed);
std::string without_capabilities(const std::function<std::string()>& deed);

// The same without any, but with the right to get them by other programs (sudo), as ordinary users
// have it.
std::string as_ordinary_user(const std::function<std::string()>& deed);

// Runs the deed in a child process that is root of a user namespace of its own, and gives what it
// said there; nothing where this machine does not give such namespaces.
std::optional<std::string> as_root_of_user_namespace(const std::function<std::string()>& deed);

}  // namespace weir::testing

// At the head of a test that needs the kernel.
#define WEIR_NEEDS_KERNEL()                                          \
  if (const auto why = ::weir::testing::kernel_tests_impossible()) { \
    if (::weir::testing::kernel_tests_required()) FAIL() << *why;    \
    GTEST_SKIP() << *why;                                            \
  }                                                                  \
  static_assert(true)
