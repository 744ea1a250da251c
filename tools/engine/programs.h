// The programs that engines run, made from a filter.
#pragma once

#include "cbpf/base/result.h"
#include "cbpf/validate.h"
#include "tools/engine/engine.h"
#include "translator/ebpf/program.h"
#include "translator/translate.h"

namespace weir::engine {

// How the filter is translated for the target, but for what only the caller knows.
inline TranslateOptions translate_options(const Filter& filter, lower::TargetId target) {
  TranslateOptions options;
  options.link_type = filter.link_type;
  options.target = target;
  options.set_tests = &filter.set_tests;
  return options;
}

// The whole filter as a classic program: the filter's own, or where it has set tests, one that
// decides them by compares. kUnsupported when the classic machine cannot say it.
Result<cbpf::ValidatedProgram> classic_program(const Filter& filter);

}  // namespace weir::engine
