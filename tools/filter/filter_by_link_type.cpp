#include "tools/filter/filter_by_link_type.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <optional>

#include "cbpf/base/printable.h"
#include "tools/filter/stop_signals.h"

namespace weir::filter {

bool is_refusal(const Error& error) {
  return error.code == ErrorCode::kSyntax || error.code == ErrorCode::kUnsupported ||
         error.code == ErrorCode::kInvalidProgram;
}

tl::unexpected<Error> stopped_compiling() {
  return fail(ErrorCode::kSystem, "stopped while a filter was compiled");
}

Result<engine::Prepared*> FilterByLinkType::get(int link_type, bool swapped) {
  const std::scoped_lock lock(mutex_);
  auto made = find(link_type, swapped);
  return made ? Result<engine::Prepared*>((*made)->prepared.get())
              : tl::make_unexpected(std::move(made.error()));
}

Result<engine::Filter> FilterByLinkType::filter(int link_type, bool swapped) {
  const std::scoped_lock lock(mutex_);
  auto made = find(link_type, swapped);
  return made ? Result<engine::Filter>((*made)->filter)
              : tl::make_unexpected(std::move(made.error()));
}

bool FilterByLinkType::any() {
  const std::scoped_lock lock(mutex_);
  return std::any_of(made_.begin(), made_.end(),
                     [](const auto& made) { return made.second.has_value(); });
}

Result<FilterByLinkType::Made*> FilterByLinkType::find(int link_type, bool swapped) {
  auto found = made_.find({link_type, swapped});
  if (found == made_.end()) {
    auto made = make(link_type, swapped).map_error([this](Error error) {
      return source_.rule == nullptr ? error
                                     : at_rule(std::move(error), *source_.rule, source_.rules_file);
    });
    found = made_.emplace(std::pair(link_type, swapped), std::move(made)).first;
  }
  if (!found->second) {
    return tl::make_unexpected(found->second.error());
  }
  return &*found->second;
}

Result<FilterByLinkType::Made> FilterByLinkType::make(int link_type, bool swapped) const {
  const auto expression =
      source_.rule == nullptr ? std::nullopt : std::optional(source_.rule->expression);
  auto made = unless_stopped([make_filter = source_.make, expression, engine = source_.engine,
                              link_type, swapped]() -> Result<Made> {
    auto filter = make_filter(expression ? &*expression : nullptr, link_type, swapped);
    if (!filter) {
      return tl::make_unexpected(filter.error());
    }
    auto prepared = engine::prepare(engine, *filter);
    if (!prepared) {
      return tl::make_unexpected(prepared.error());
    }
    return Made{std::move(*filter), std::move(*prepared)};
  });
  if (!made) {
    return stopped_compiling();
  }
  if (*made) {
    if (const auto warning = engine::dialect_warning(source_.engine, (*made)->filter)) {
      fmt::print(stderr, "weir: warning: {}\n", printable(*warning));
    }
  }
  return std::move(*made);
}

}  // namespace weir::filter
