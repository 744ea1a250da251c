// What every test of the running kernel needs: the right to, or a reason to skip.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <string>

namespace weir::testing {

// Why this machine cannot run kernel tests (not root, no namespaces), or nothing.
std::optional<std::string> kernel_tests_impossible();

// Whether WEIR_REQUIRE_KERNEL=1 says that a skip is a failure.
bool kernel_tests_required();

// Runs the deed in a child process without any capability and gives what it said there.
std::string without_capabilities(const std::function<std::string()>& deed);

}  // namespace weir::testing

// At the head of a test that needs the kernel.
#define WEIR_NEEDS_KERNEL()                                          \
  if (const auto why = ::weir::testing::kernel_tests_impossible()) { \
    if (::weir::testing::kernel_tests_required()) FAIL() << *why;    \
    GTEST_SKIP() << *why;                                            \
  }                                                                  \
  static_assert(true)
