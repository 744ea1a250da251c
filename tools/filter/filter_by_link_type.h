// The filter of a run, made anew for each kind of packets that its savefiles hold.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "cbpf/base/result.h"
#include "tools/engine/engine.h"
#include "tools/filter/rules.h"

namespace weir::filter {

// Makes a filter for packets of a link type (DLT_*), in savefiles of this machine's byte order or
// of the other (`swapped`). `expression` is that of a rule; null where the run has one filter,
// however it was given. Called in threads that may outlive the run: it owns what it uses.
using MakeFilter = std::function<Result<engine::Filter>(const std::string* expression,
                                                        int link_type, bool swapped)>;

// Whether the error says that the filter is not one for the packets (a link type that is unknown or
// lacks what the expression tests), and not that it cannot be made now.
bool is_refusal(const Error& error);

// The error of a filter that a signal kept from being made (stop_signals.h).
tl::unexpected<Error> stopped_compiling();

// Makes each filter when the first packet of a link type comes, and prepares the engine.
// Thread-safe.
class FilterByLinkType {
 public:
  struct Source {
    MakeFilter make;
    engine::EngineId engine = engine::EngineId::kLibpcap;
    const Rule* rule = nullptr;  // Null: the one filter of the run. Not owned.
    std::string rules_file;
  };
  explicit FilterByLinkType(Source source) : source_(std::move(source)) {}

  Result<engine::Prepared*> get(int link_type, bool swapped);
  // What get() was made of.
  Result<engine::Filter> filter(int link_type, bool swapped);
  // Whether it could be made for one link type.
  bool any();

 private:
  struct Made {
    engine::Filter filter;
    std::unique_ptr<engine::Prepared> prepared;
  };
  Result<Made*> find(int link_type, bool swapped);
  Result<Made> make(int link_type, bool swapped) const;

  Source source_;
  std::mutex mutex_;
  std::map<std::pair<int, bool>, Result<Made>> made_;
};

}  // namespace weir::filter
