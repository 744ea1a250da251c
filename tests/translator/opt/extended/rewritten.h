// Text tests of what rewrites functions before they are lowered.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "translator/ir/check.h"
#include "translator/ir/text/text.h"

namespace weir::lower {

// What `rewrite` makes of the function in the text, behind an empty line; it has to leave it right.
template <typename Rewrite>
std::string rewritten(std::string_view text, Rewrite&& rewrite) {
  auto function = ir::parse(text);
  EXPECT_TRUE(function) << to_string(function.error());
  rewrite(*function);
  const Status checked = ir::check(*function);
  EXPECT_TRUE(checked) << to_string(checked.error());
  return "\n" + ir::print(*function);
}

}  // namespace weir::lower
