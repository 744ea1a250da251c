// weir filter: a savefile through a filter.
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <ctime>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "cbpf/compile.h"
#include "cbpf/savefile.h"
#include "cbpf/savefile_writer.h"
#include "tools/engine/engine.h"
#include "tools/filter/inputs.h"
#include "tools/filter/output.h"
#include "tools/filter/progress.h"
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
  FilterRun(const Options& options, engine::EngineId engine, std::uint64_t most,
            const filter::Rotation& rotation, std::uint64_t input_bytes)
      : options_(options),
        engine_(engine),
        most_(most),
        rotation_(rotation),
        filters_(options, engine),
        progress_(::isatty(STDERR_FILENO) != 0 ? stderr : nullptr, input_bytes, [] {
          const auto now = std::chrono::steady_clock::now().time_since_epoch();
          return std::chrono::duration<double>(now).count();
        }) {}

  // Reads the file and writes what matches. On an error what was read before it has been written.
  Status run(const std::string& file) {
    auto reader = cbpf::SavefileReader::open(file);
    if (!reader) {
      return tl::make_unexpected(reader.error());
    }
    if (auto begun = begin(*reader); !begun) {
      return begun;
    }
    while (!finished()) {
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
      progress_.update(bytes_before_ + reader->bytes_read(), totals_.packets);
    }
    bytes_before_ += reader->bytes_read();
    return {};
  }

  // Whether what is left of the input is of no interest.
  bool finished() const {
    return stop_.requested() || totals_.matched == most_ || (writer_ && writer_->full());
  }

  Status close() {
    progress_.clear();
    return writer_ ? writer_->close() : Status{};
  }
  bool stopped() const { return stop_.requested(); }
  const Totals& totals() const { return totals_; }
  // More than one file will be read.
  void expect_several() { several_ = true; }

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
    // Files that rotate are pcap, as all of tcpdump's are.
    const auto format = rotation_.any() ? cbpf::SavefileFormat::kPcap : header.format;
    auto output = cbpf::options_like(header, format);
    if (several_) {
      // The packets of the files to come may be longer than the first file's.
      output.snaplen = std::max(output.snaplen, cbpf::kDefaultSnaplen);
    }
    auto writer = filter::Output::create(options_.get("write"), output, rotation_,
                                         [] { return std::time(nullptr); });
    if (!writer) {
      return tl::make_unexpected(writer.error());
    }
    writer_ = std::make_unique<filter::Output>(std::move(*writer));
    return {};
  }

  Status run_batch(const cbpf::Batch& batch, const std::string& file) {
    accept_lengths_.assign(batch.packets.size(), 0);
    const auto filter = filters_.get(batch.link_type, swapped_);
    if (!filter) {
      return tl::make_unexpected(filter.error());
    }
    if (engine::info(engine_).in_kernel) {
      for (std::size_t i = 0; i < batch.packets.size(); ++i) {
        const cbpf::Packet packet = batch.packet(i);
        if (!(*filter)->can_run(packet)) {
          return tl::make_unexpected(cannot_show(packet, totals_.packets + i + 1, engine_, file));
        }
      }
    }
    totals_.packets += batch.packets.size();
    if (auto ran = (*filter)->run_bytes(batch.packets, accept_lengths_); !ran) {
      return ran;
    }
    count(batch);
    if (!writer_) {
      return {};
    }
    auto copied = writer_->copy(batch, accept_lengths_);
    return copied && options_.has("packet-buffered") ? writer_->flush() : copied;
  }

  void count(const cbpf::Batch& batch) {
    for (std::size_t i = 0; i < batch.packets.size(); ++i) {
      if (totals_.matched == most_) {
        accept_lengths_[i] = 0;  // Past -c.
      }
      if (accept_lengths_[i] != 0) {
        ++totals_.matched;
        totals_.bytes_matched += batch.packets[i].length;
      }
    }
  }

  const Options& options_;
  engine::EngineId engine_;
  std::uint64_t most_;
  filter::Rotation rotation_;
  FilterByLinkType filters_;
  filter::Progress progress_;
  std::uint64_t bytes_before_ = 0;  // Of the files that have been read.
  StopSignals stop_;
  std::unique_ptr<filter::Output> writer_;
  std::vector<std::uint32_t> accept_lengths_;
  bool several_ = false;
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

// -C, -G and -W as tcpdump takes them: -C counts millions of bytes.
Result<filter::Rotation> read_rotation(const Options& options) {
  const auto millions = options.number("file-size", 0, 1, 1'000'000'000);
  const auto seconds = options.number("rotate-seconds", 0, 1, 0x7fffffff);
  const auto files = options.number("file-count", 0, 1, 0x7fffffff);
  for (const auto* number : {&millions, &seconds, &files}) {
    if (!*number) {
      return tl::make_unexpected(number->error());
    }
  }
  const filter::Rotation rotation = {.max_bytes = *millions * 1'000'000,
                                     .seconds = static_cast<std::uint32_t>(*seconds),
                                     .max_files = static_cast<std::uint32_t>(*files)};
  if (rotation.any() && (!options.has("write") || options.get("write") == "-")) {
    return fail(ErrorCode::kUsage, "-C and -G need a file that -w names");
  }
  return rotation;
}

// What there is to read; 0 where one of the inputs does not tell.
std::uint64_t total_size(const std::vector<std::string>& files) {
  std::uint64_t total = 0;
  for (const std::string& file : files) {
    std::error_code error;
    if (!std::filesystem::is_regular_file(file, error)) {
      return 0;
    }
    const std::uintmax_t size = std::filesystem::file_size(file, error);
    total += error ? 0 : size;
  }
  return total;
}

Status run(const Options& options) {
  const auto engine = options.has("engine") ? engine::engine_by_name(options.get("engine"))
                                            : engine::fastest_engine();
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
  const auto rotation = read_rotation(options);
  if (!rotation) {
    return tl::make_unexpected(rotation.error());
  }
  const auto files = filter::expand_inputs(options.all("read"));
  if (!files) {
    return tl::make_unexpected(files.error());
  }
  FilterRun filter_run(options, *engine, *most, *rotation, total_size(*files));
  if (files->size() > 1) {
    filter_run.expect_several();
  }
  Status status;
  for (const std::string& file : *files) {
    status = filter_run.run(file);
    if (!status || filter_run.finished()) {
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
          {"read", 'r', OptionKind::kList, "FILE",
           "a savefile, a folder or a pattern to read, '-' is stdin"},
          {"write", 'w', OptionKind::kValue, "FILE", "write what matches there, '-' is stdout"},
          {"packets", 'c', OptionKind::kValue, "N", "stop after N matching packets"},
          {"file-size", 'C', OptionKind::kValue, "N", "begin a file after N million bytes"},
          {"rotate-seconds", 'G', OptionKind::kValue, "SECONDS",
           "begin a file every so often; -w goes through strftime"},
          {"file-count", 'W', OptionKind::kValue, "N",
           "with -C begin again after N files, with -G stop"},
          {"packet-buffered", 'U', OptionKind::kFlag, "", "write each packet as it comes"},
          {"count", 0, OptionKind::kFlag, "", "print only how many packets match"},
          {"engine", 0, OptionKind::kValue, "NAME",
           "which engine runs the filter (extended-jit where it exists)"},
          {"json", 'j', OptionKind::kFlag, "", "print JSON"},
      }),
      run,
      kExpressionNotes,
  };
}

}  // namespace weir::tool
