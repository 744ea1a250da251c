// What the filters of a run say of a batch: several rules at once where the engine can.
#include <algorithm>

#include "tools/filter/run.h"
#include "translator/ir/build/join.h"

namespace weir::filter {

// Where rules cannot be joined they run one by one, so an error here is none of the user's.
Result<engine::Prepared*> FilterRun::joined_filter(std::size_t first, std::size_t count,
                                                   int link_type, bool swapped) {
  const std::scoped_lock lock(joined_mutex_);
  auto [found, made_now] = joined_.try_emplace({first, link_type, swapped}, nullptr);
  if (!made_now) {
    return found->second.get();
  }
  std::vector<engine::Filter> filters;
  for (std::size_t rule = first; rule < first + count; ++rule) {
    const auto taken = filter_for(rule, link_type, swapped);
    if (taken && *taken == nullptr) {
      return nullptr;
    }
    auto filter = branches_[rule]->filters.filter(link_type, swapped);
    if (!filter) {
      joined_.erase(found);
      return tl::make_unexpected(filter.error());
    }
    filters.push_back(std::move(*filter));
  }
  const auto result = plan_.first ? ir::JoinedResult::kFirst : ir::JoinedResult::kEvery;
  auto joined = unless_stopped([filters = std::move(filters), engine = plan_.engine, result] {
    return engine::prepare_joined(engine, filters, result);
  });
  if (!joined) {
    return stopped_compiling();
  }
  if (*joined) {
    found->second = std::move(**joined);
  }
  return found->second.get();
}

// One rule after the other.
Status FilterRun::judge_alone(std::size_t rule, const cbpf::Batch& batch, const std::string& file,
                              std::vector<std::uint32_t>& verdicts) {
  const auto filter = filter_for(rule, batch.link_type, batch.swapped);
  if (!filter) {
    return tl::make_unexpected(filter.error());
  }
  if (*filter == nullptr) {
    std::fill(verdicts.begin(), verdicts.end(), 0);
    return {};
  }
  return run_filter(**filter, batch, file, verdicts);
}

// The rules of a group by their joined program.
Status FilterRun::judge_joined(engine::Prepared& joined, std::size_t first, std::size_t count,
                               const cbpf::Batch& batch, Verdicts& verdicts) const {
  const std::size_t packets = batch.packets.size();
  verdicts.joined.resize(packets);
  if (auto ran = joined.run_bytes(batch.packets, verdicts.joined); !ran) {
    return ran;
  }
  for (std::uint32_t k = 0; k < count; ++k) {
    std::vector<std::uint32_t>& of = verdicts.of[first + k];
    for (std::size_t i = 0; i < packets; ++i) {
      const std::uint32_t result = verdicts.joined[i];
      of[i] = plan_.first ? static_cast<std::uint32_t>(result == k + 1) : result >> k & 1;
    }
  }
  return {};
}

Status FilterRun::judge(const cbpf::Batch& batch, const std::string& file, Verdicts& verdicts) {
  verdicts.of.resize(branches_.size());
  for (std::vector<std::uint32_t>& of : verdicts.of) {
    of.resize(batch.packets.size());
  }
  for (std::size_t first = 0; first < branches_.size(); first += ir::kMostJoined) {
    const std::size_t count = std::min(ir::kMostJoined, branches_.size() - first);
    engine::Prepared* joined = nullptr;
    if (count > 1) {
      const auto found = joined_filter(first, count, batch.link_type, batch.swapped);
      if (!found) {
        return tl::make_unexpected(found.error());
      }
      joined = *found;
    }
    if (joined != nullptr) {
      if (auto judged = judge_joined(*joined, first, count, batch, verdicts); !judged) {
        return judged;
      }
      continue;
    }
    for (std::size_t rule = first; rule < first + count; ++rule) {
      if (auto judged = judge_alone(rule, batch, file, verdicts.of[rule]); !judged) {
        return judged;
      }
    }
  }
  if (branches_.size() > 1) {
    decide_any(verdicts, batch.packets.size());
  }
  return {};
}

// Which packets one of the rules takes; with --first, every packet is left to the first of them.
void FilterRun::decide_any(Verdicts& verdicts, std::size_t count) const {
  verdicts.any.assign(count, 0);
  for (std::vector<std::uint32_t>& of : verdicts.of) {
    for (std::size_t i = 0; i < count; ++i) {
      if (plan_.first) {
        of[i] = verdicts.any[i] != 0 ? 0 : of[i];
      }
      verdicts.any[i] |= of[i];
    }
  }
}

}  // namespace weir::filter
