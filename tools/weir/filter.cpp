// weir filter: a savefile through a filter.
#include <fmt/format.h>

#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "cbpf/compile.h"
#include "cbpf/savefile.h"
#include "cbpf/savefile_writer.h"
#include "tools/engine/engine.h"
#include "tools/weir/filter_input.h"
#include "tools/weir/stop.h"

namespace weir::tool {
namespace {

struct Totals {
  std::uint64_t packets = 0;
  std::uint64_t matched = 0;
  std::uint64_t bytes_matched = 0;  // Wire lengths.
};

// The filter as each link type of the file needs it, made when the first such packet comes.
class FilterByLinkType {
 public:
  FilterByLinkType(const Options& options, engine::EngineId engine)
      : options_(options), engine_(engine) {}

  Result<engine::Prepared*> get(int link_type, bool swapped) {
    auto& prepared = prepared_[{link_type, swapped}];
    if (prepared == nullptr) {
      const auto input = read_filter_input(
          options_, {.link_type = link_type, .savefile = true, .swapped = swapped});
      if (!input) {
        return tl::make_unexpected(input.error());
      }
      auto made = engine::prepare(engine_, input->filter());
      if (!made) {
        return tl::make_unexpected(made.error());
      }
      prepared = std::move(*made);
      if (const auto warning = engine::dialect_warning(engine_, input->filter())) {
        fmt::print(stderr, "weir: warning: {}\n", *warning);
      }
    }
    return prepared.get();
  }

 private:
  const Options& options_;
  engine::EngineId engine_;
  std::map<std::pair<int, bool>, std::unique_ptr<engine::Prepared>> prepared_;
};

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

class FilterRun {
 public:
  FilterRun(const Options& options, engine::EngineId engine, std::uint64_t most)
      : options_(options), engine_(engine), most_(most), filters_(options, engine) {}

  // Reads the file and writes what matches. On an error what was read before it has been written.
  Status run(const std::string& file) {
    auto reader = cbpf::SavefileReader::open(file);
    if (!reader) {
      return tl::make_unexpected(reader.error());
    }
    if (auto begun = begin(*reader); !begun) {
      return begun;
    }
    while (!stop_.requested() && totals_.matched < most_) {
      const auto batch = reader->next_batch();
      if (!batch) {
        if (stop_.requested()) {
          break;  // The signal ended the waiting.
        }
        return tl::make_unexpected(batch.error());
      }
      if (batch->done()) {
        break;
      }
      if (auto done = run_batch(*batch, file); !done) {
        return done;
      }
    }
    return {};
  }

  Status close() { return writer_ ? writer_->close() : Status{}; }
  bool stopped() const { return stop_.requested(); }
  const Totals& totals() const { return totals_; }

 private:
  // Makes the filter before the output file, so that a wrong expression leaves none behind.
  Status begin(const cbpf::SavefileReader& reader) {
    const cbpf::SavefileHeader& header = reader.header();
    swapped_ = header.swapped;
    const auto filter = filters_.get(header.link_type.value_or(cbpf::kLinkTypeEthernet), swapped_);
    if (!filter) {
      return tl::make_unexpected(filter.error());
    }
    if (!options_.has("write") || writer_) {
      return {};
    }
    if (reader.is_reading(options_.get("write"))) {
      return fail(ErrorCode::kUsage, "the file that is read cannot be written at the same time",
                  {.file = options_.get("write")});
    }
    auto output = cbpf::options_like(header, header.format);
    output.copied_blocks = header.format == cbpf::SavefileFormat::kPcapng;
    output.compression = cbpf::compression_of_name(options_.get("write"));
    auto writer = cbpf::SavefileWriter::create(options_.get("write"), output);
    if (!writer) {
      return tl::make_unexpected(writer.error());
    }
    writer_ = std::make_unique<cbpf::SavefileWriter>(std::move(*writer));
    return {};
  }

  Status run_batch(const cbpf::Batch& batch, const std::string& file) {
    accept_lengths_.assign(batch.packets.size(), 0);
    const auto filter = filters_.get(batch.link_type, swapped_);
    if (!filter) {
      return tl::make_unexpected(filter.error());
    }
    for (const cbpf::Packet& packet : batch.packets) {
      ++totals_.packets;
      if (!(*filter)->can_run(packet)) {
        return tl::make_unexpected(cannot_show(packet, totals_.packets, engine_, file));
      }
    }
    if (auto ran = (*filter)->run(batch.packets, accept_lengths_); !ran) {
      return ran;
    }
    count(batch);
    return writer_ ? writer_->copy(batch, accept_lengths_) : Status{};
  }

  void count(const cbpf::Batch& batch) {
    for (std::size_t i = 0; i < batch.packets.size(); ++i) {
      if (totals_.matched == most_) {
        accept_lengths_[i] = 0;  // Past -c.
      }
      if (accept_lengths_[i] != 0) {
        ++totals_.matched;
        totals_.bytes_matched += batch.packets[i].wire_length;
      }
    }
  }

  const Options& options_;
  engine::EngineId engine_;
  std::uint64_t most_;
  FilterByLinkType filters_;
  StopSignals stop_;
  std::unique_ptr<cbpf::SavefileWriter> writer_;
  std::vector<std::uint32_t> accept_lengths_;
  bool swapped_ = false;  // The file that is read.
  Totals totals_;
};

void print_totals(const Options& options, engine::EngineId engine, const Totals& totals) {
  std::FILE* out = options.get("write") == "-" ? stderr : stdout;
  if (options.has("json")) {
    const nlohmann::json object = {{"engine", engine::info(engine).name},
                                   {"packets", totals.packets},
                                   {"matched", totals.matched},
                                   {"bytes_matched", totals.bytes_matched}};
    fmt::print(out, "{}\n", object.dump());
  } else if (options.has("count")) {
    fmt::print(out, "{} packet{}\n", totals.matched, totals.matched == 1 ? "" : "s");
  } else {
    fmt::print(out, "{} of {} packets match, {} bytes\n", totals.matched, totals.packets,
               totals.bytes_matched);
  }
}

Status run(const Options& options) {
  const auto engine = engine::engine_by_name(options.get("engine", "classic-interpreter"));
  if (!engine) {
    return tl::make_unexpected(engine.error());
  }
  const auto most = options.number("packets", UINT64_MAX, 1, UINT64_MAX);
  if (!most) {
    return tl::make_unexpected(most.error());
  }
  if (!options.has("read")) {
    return fail(ErrorCode::kUsage, "no savefile is given; -r FILE names one, -r - is stdin");
  }
  FilterRun filter_run(options, *engine, *most);
  Status status;
  for (const std::string& file : options.all("read")) {
    status = filter_run.run(file);
    if (!status || filter_run.stopped()) {
      break;
    }
  }
  const Status closed = filter_run.close();
  if (status && !closed) {
    status = closed;
  }
  if (status || filter_run.totals().packets != 0) {
    if (filter_run.stopped() || !status) {
      fmt::print(stderr, "weir: stopped after {} packets, {} of which match\n",
                 filter_run.totals().packets, filter_run.totals().matched);
    }
    if (status) {
      print_totals(options, *engine, filter_run.totals());
    }
  }
  return status;
}

}  // namespace

Command filter_command() {
  return {
      "filter",
      "a savefile through a filter",
      "-r FILE [-w FILE] [options] [--] EXPRESSION",
      "Reads savefiles (pcap or pcapng, plain or packed by gzip, zstd or lz4), runs the filter on\n"
      "every packet, and writes the matching ones to another, as\n"
      "`tcpdump -r FILE -w FILE EXPRESSION` does, byte for byte. A name that ends in .gz, .zst or\n"
      ".lz4 is written packed. A pcapng file keeps its other blocks. Without -w it says how many\n"
      "packets match.",
      "  weir filter -r in.pcap -w out.pcap tcp port 80\n"
      "  weir filter -r in.pcapng --count udp port 53\n"
      "  tcpdump -w - | weir filter -r - -w - icmp > out.pcap",
      filter_input_options({
          {"read", 'r', OptionKind::kList, "FILE", "the savefile to read, '-' is stdin"},
          {"write", 'w', OptionKind::kValue, "FILE", "write what matches there, '-' is stdout"},
          {"packets", 'c', OptionKind::kValue, "N", "stop after N matching packets"},
          {"count", 0, OptionKind::kFlag, "", "print only how many packets match"},
          {"engine", 0, OptionKind::kValue, "NAME", "which engine runs the filter"},
          {"json", 'j', OptionKind::kFlag, "", "print JSON"},
      }),
      run,
  };
}

}  // namespace weir::tool
