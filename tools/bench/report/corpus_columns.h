// The columns of the corpus tables: each a name and the number a filter has there.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "tools/bench/filter_figures.h"

namespace weir::tool {

using Number = std::optional<double>;

struct Column {
  std::string_view name;  // At most 7 characters.
  int decimals = 0;
  std::function<Number(const bench::FilterFigures&)> number;
};

struct ColumnTable {
  std::string_view name;   // The key of its medians.
  std::string_view title;  // A line above it.
  std::vector<Column> columns;
  bool greatest = false;  // Whether its greatest numbers stand at its foot, too.
};

std::vector<ColumnTable> corpus_tables();

// The filter that has the greatest number there, the first of them; null when none has one.
const bench::FilterFigures* greatest_of(const Column& column,
                                        std::span<const bench::FilterFigures> filters);

// Of the filters that have a number there; nothing when none has.
Number median_of(const Column& column, std::span<const bench::FilterFigures> filters,
                 bool ordinary_only);

}  // namespace weir::tool
