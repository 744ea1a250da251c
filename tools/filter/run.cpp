#include "tools/filter/run.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <new>
#include <system_error>

#include "cbpf/base/printable.h"
#include "cbpf/compile.h"
#include "cbpf/savefile/writer.h"
#include "tools/filter/out_of_memory.h"

namespace weir::filter {
namespace {

// Why the engine cannot be shown a packet, in one sentence.
Error cannot_show(const cbpf::Packet& packet, std::uint64_t number, engine::EngineId engine,
                  const std::string& file) {
  const char* reason = packet.captured.size() < packet.wire_length
                           ? "it was not captured whole"
                           : "its size is not one the kernel takes";
  return {
      ErrorCode::kUnsupported,
      fmt::format("packet {} cannot be shown to {}: {}", number, engine::info(engine).name, reason),
      {.file = file},
      {}};
}

// Adds what a filter took. Without a branch: what it says of unseen packets cannot be predicted.
void count(const cbpf::Batch& batch, const std::vector<std::uint32_t>& verdicts,
           FilterTotals& totals) {
  std::uint64_t matched = 0;
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < batch.packets.size(); ++i) {
    const std::uint64_t taken = verdicts[i] != 0 ? ~std::uint64_t{0} : 0;
    matched += taken & 1;
    bytes += taken & batch.packets[i].length;
  }
  totals.packets += batch.packets.size();
  totals.matched += matched;
  totals.bytes_matched += bytes;
}

}  // namespace

FilterRun::FilterRun(FilterPlan plan, Progress& progress)
    : plan_(std::move(plan)), progress_(progress) {
  const auto source = [this](const Rule* rule) {
    return FilterByLinkType::Source{.make = plan_.make_filter,
                                    .engine = plan_.engine,
                                    .rule = rule,
                                    .rules_file = plan_.rules_file};
  };
  if (plan_.rules.empty()) {
    branches_.push_back(
        std::unique_ptr<Branch>(new Branch{FilterByLinkType(source(nullptr)), nullptr, {}}));
  }
  for (const Rule& rule : plan_.rules) {
    branches_.push_back(
        std::unique_ptr<Branch>(new Branch{FilterByLinkType(source(&rule)), nullptr, {}}));
  }
}

FilterTotals FilterRun::totals_of(std::size_t rule) const { return branches_[rule]->totals; }

Status FilterRun::run(const std::string& file) {
  try {
    return run_file(file);
  } catch (const std::bad_alloc&) {
    input_failed_ = false;
    return out_of_memory();
  }
}

Status FilterRun::run_file(const std::string& file) {
  input_failed_ = false;
  auto kept = plan_.survey.open.extract(file);
  auto reader = kept.empty() ? cbpf::SavefileReader::open(file) : std::move(kept.mapped());
  if (!reader) {
    input_failed_ = true;
    return tl::make_unexpected(reader.error());
  }
  if (auto begun = begin(*reader, file); !begun) {
    return begun;
  }
  if (!stop_) {
    stop_.emplace();
  }
  // Unpacking takes several times longer than all the rest and cannot be shared. Handing what is
  // unpacked to another processor costs more than filtering it here.
  Status status = read(*reader, file, reader->compressed() ? 1 : plan_.threads);
  say_refused(file);
  return status;
}

// Makes the filters before the output files, so that a wrong expression leaves none behind.
Status FilterRun::begin(const cbpf::SavefileReader& reader, const std::string& file) {
  const cbpf::SavefileHeader& header = reader.header();
  for (const auto& branch : branches_) {
    const auto filter =
        branch->filters.get(header.link_type.value_or(cbpf::kLinkTypeEthernet), header.swapped);
    if (!filter && (plan_.strict || !is_refusal(filter.error()) ||
                    !takes_another(branch->filters, reader, file))) {
      return tl::make_unexpected(filter.error());
    }
  }
  if (plan_.write.empty() || opened_) {
    return {};
  }
  opened_ = true;
  return open_outputs(reader);
}

// Whether packets of some link type take the filter that those of the first interface do not: of a
// file before this one, or of this one, which is read to its end for that.
bool FilterRun::takes_another(FilterByLinkType& filters, const cbpf::SavefileReader& reader,
                              const std::string& file) const {
  if (filters.any()) {
    return true;
  }
  for (const cbpf::SavefileInterface& interface : reader.interfaces()) {
    if (filters.get(interface.link_type, reader.header().swapped)) {
      return true;
    }
  }
  std::error_code ignored;
  if (reader.header().format != cbpf::SavefileFormat::kPcapng || file == "-" ||
      !std::filesystem::is_regular_file(file, ignored)) {
    return false;
  }
  auto again = cbpf::SavefileReader::open(file);
  while (again) {
    const auto batch = again->next_batch();
    if (!batch || batch->done()) {
      break;
    }
    if (!batch->packets.empty() && filters.get(batch->link_type, batch->swapped)) {
      return true;
    }
  }
  return false;
}

// Null where packets of the link type do not take the filter, and so do not match it.
Result<engine::Prepared*> FilterRun::filter_for(std::size_t rule, int link_type, bool swapped) {
  auto filter = branches_[rule]->filters.get(link_type, swapped);
  if (!filter && !plan_.strict && is_refusal(filter.error())) {
    any_refused_ = true;
    return nullptr;
  }
  return filter;
}

void FilterRun::count_refused(const cbpf::Batch& batch) {
  for (std::size_t rule = 0; rule < branches_.size(); ++rule) {
    if (branches_[rule]->filters.get(batch.link_type, batch.swapped)) {
      continue;
    }
    unfiltered_ += batch.packets.size();
    for (std::size_t i = 0; i < batch.packets.size(); ++i) {
      ++refused_[{rule, batch.link_type, batch.interface(i)}];
    }
  }
}

// Once for each interface of a file and each filter.
void FilterRun::say_refused(const std::string& file) {
  if (!refused_.empty()) {
    progress_.clear();
  }
  for (const auto& [refusal, packets] : refused_) {
    const auto filter = branches_[refusal.rule]->filters.get(refusal.link_type, false);
    const Error error = {
        .message = fmt::format("interface {} has the link type {}, which does not take the filter "
                               "({}): its {} packet{} not match",
                               refusal.interface, cbpf::link_type_name(refusal.link_type),
                               filter ? "" : to_string(filter.error()), packets,
                               packets == 1 ? " does" : "s do"),
        .place = {.file = file == "-" ? "standard input" : file},
        .detail = {}};
    fmt::print(stderr, "weir: {}\n", printable(to_string(error)));
  }
  refused_.clear();
}

// As the first input is, but as precise in its timestamps as any.
cbpf::SavefileWriterOptions FilterRun::output_options(const cbpf::SavefileReader& reader,
                                                      cbpf::SavefileFormat format) const {
  auto options = cbpf::options_like(reader.header(), format);
  options.nanoseconds = plan_.survey.nanoseconds || has_nanoseconds(reader);
  if (plan_.several) {
    // The packets of the files to come may be longer than the first file's.
    options.snaplen = std::max(options.snaplen, cbpf::kDefaultSnaplen);
  }
  return options;
}

Status FilterRun::open_outputs(const cbpf::SavefileReader& reader) {
  const auto differing =
      plan_.survey.differ() ? cbpf::SavefileFormat::kPcapng : reader.header().format;
  const auto format = plan_.format.value_or(differing);
  std::vector<std::string> files;
  std::vector<cbpf::SavefileFormat> formats;
  for (std::size_t i = 0; i < branches_.size(); ++i) {
    auto file = plan_.rules.empty() ? Result<std::string>(plan_.write)
                                    : rule_file(plan_.write, plan_.rules[i].name, format);
    if (!file) {
      return tl::make_unexpected(file.error());
    }
    const auto own = choose_format(plan_.survey, plan_.format, format_of_name(*file));
    if (!own) {
      return tl::make_unexpected(own.error());
    }
    formats.push_back(own->value_or(format));
    files.push_back(std::move(*file));
  }
  if (auto checked = check_outputs(plan_.read, files, plan_.rotation); !checked) {
    return checked;
  }
  if (plan_.survey.differ() && !plan_.format && formats.front() == cbpf::SavefileFormat::kPcapng) {
    say_differing();
  }
  for (std::size_t i = 0; i < branches_.size(); ++i) {
    auto output = Output::create(
        files[i], output_options(reader, formats[i]), plan_.rotation,
        [] { return std::time(nullptr); }, &plan_.read);
    if (!output) {
      return tl::make_unexpected(output.error());
    }
    branches_[i]->output = std::make_unique<Output>(std::move(*output));
  }
  return {};
}

void FilterRun::say_differing() {
  progress_.clear();
  if (plan_.survey.several_link_types()) {
    fmt::print(stderr,
               "weir: the savefiles have several link types, so pcapng is written; tcpdump reads "
               "no file of several link types\n");
  } else {
    fmt::print(stderr, "weir: the savefiles are of both formats, so pcapng is written\n");
  }
}

bool FilterRun::cut_timestamps() const {
  return std::any_of(branches_.begin(), branches_.end(), [](const auto& branch) {
    return branch->output != nullptr && branch->output->cut_timestamps();
  });
}

Status FilterRun::run_filter(engine::Prepared& filter, const cbpf::Batch& batch,
                             const std::string& file, std::vector<std::uint32_t>& verdicts) {
  if (!engine::info(plan_.engine).in_kernel) {
    return filter.run_bytes(batch.packets, verdicts);
  }
  for (std::size_t i = 0; i < batch.packets.size(); ++i) {
    const cbpf::Packet packet = batch.packet(i);
    if (!filter.can_run(packet)) {
      return tl::make_unexpected(cannot_show(packet, batch.number + i, plan_.engine, file));
    }
  }
  const std::scoped_lock lock(kernel_);
  return filter.run_bytes(batch.packets, verdicts);
}

Status FilterRun::commit(cbpf::Batch batch, const Verdicts& verdicts) {
  FilterTotals all;
  count(batch, deciding(verdicts), all);
  if (all.matched >= plan_.most - totals_.matched) {
    // The run ends behind the last packet of -c.
    std::uint64_t left = plan_.most - totals_.matched;
    std::size_t size = 0;
    while (left != 0) {
      left -= deciding(verdicts)[size++] != 0 ? 1 : 0;
    }
    batch = batch.prefix(size);
    all = {};
    count(batch, deciding(verdicts), all);
    ended_ = true;
  }
  if (auto written = write(batch, verdicts); !written || all_full()) {
    ended_ = true;
    return written;
  }
  if (any_refused_) {
    count_refused(batch);
  }
  totals_ += all;
  stop_->report(totals_.packets, totals_.matched);
  for (std::size_t rule = 0; rule < branches_.size(); ++rule) {
    Branch& branch = *branches_[rule];
    if (branches_.size() == 1) {
      branch.totals += all;
    } else if (branch.output == nullptr || !branch.output->full()) {
      count(batch, verdicts.of[rule], branch.totals);
    }
  }
  return {};
}

Status FilterRun::write(const cbpf::Batch& batch, const Verdicts& verdicts) {
  for (std::size_t rule = 0; rule < branches_.size(); ++rule) {
    Branch& branch = *branches_[rule];
    if (branch.output == nullptr) {
      continue;
    }
    const auto of = std::span(verdicts.of[rule]).first(batch.packets.size());
    auto copied = branch.output->copy(batch, of);
    if (copied && plan_.packet_buffered) {
      copied = branch.output->flush();
    }
    if (!copied) {
      return copied;
    }
  }
  return {};
}

// Full outputs have not taken the last batch.
bool FilterRun::all_full() const {
  return opened_ && std::all_of(branches_.begin(), branches_.end(), [](const auto& branch) {
           return branch->output != nullptr && branch->output->full();
         });
}

Status FilterRun::close() {
  progress_.clear();
  Status first;
  for (const auto& branch : branches_) {
    if (branch->output != nullptr) {
      auto closed = branch->output->close();
      if (!closed && first) {
        first = std::move(closed);
      }
    }
  }
  return first;
}

}  // namespace weir::filter
