// Where `weir filter` writes: one savefile, or several in turn as tcpdump's -C, -G and -W have it.
#pragma once

#include <cstdint>
#include <ctime>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cbpf/base/result.h"
#include "cbpf/savefile/reader.h"
#include "cbpf/savefile/writer.h"
#include "tools/filter/rotation.h"
#include "tools/filter/section.h"
#include "tools/filter/written_files.h"

namespace weir::filter {

// The format that a name ends in (.pcap, .pcapng), before .gz, .zst or .lz4; nothing where the name
// does not tell.
std::optional<cbpf::SavefileFormat> format_of_name(std::string_view path);

class Output {
 public:
  using Clock = std::function<std::time_t()>;  // Seconds since 1970.

  // Creates the first file. Names that end in .gz, .zst or .lz4 are packed. `options` says the
  // rest. Each file of a rotation can be read alone: where pcapng blocks are copied, all but the
  // first begin with the section header and the interface descriptions that the packets need. The
  // errors are those of cbpf/savefile/writer.h.
  //
  // `read`, which may be null and has to outlive the output, holds files that are not written: each
  // is refused with kUsage when its turn comes.
  static Result<Output> create(const std::string& path, cbpf::SavefileWriterOptions options,
                               const Rotation& rotation, Clock clock,
                               const ReadFiles* read = nullptr);

  // As SavefileWriter::copy(). Where that fails a file may be without its last packets.
  Status copy(const cbpf::Batch& batch, std::span<const std::uint32_t> accept_lengths);

  // Writes out what has been gathered.
  Status flush() { return writer_->flush(); }

  // Whether the last file that max_files allows is full; copy() does nothing any more.
  bool full() const { return full_; }

  // Whether a timestamp was cut to the precision of the files.
  bool cut_timestamps() const { return cut_timestamps_ || writer_->cut_timestamps(); }

  // Closes the file that is open.
  Status close() { return writer_->close(); }

 private:
  Output(std::string path, const cbpf::SavefileWriterOptions& options, const Rotation& rotation,
         Clock clock, const ReadFiles* read);
  Status open();
  // `next` is what is copied next.
  Status next_file(Bytes next);
  Status rotate_by_time(Bytes next);
  Status rotate_by_size(Bytes next);
  Status copy_records(const cbpf::Batch& batch, std::span<const std::uint32_t> accept_lengths);
  Status copy_blocks(const cbpf::Batch& batch, std::span<const std::uint32_t> accept_lengths);

  std::string path_;
  cbpf::SavefileWriterOptions options_;
  Rotation rotation_;
  Clock clock_;
  const ReadFiles* read_ = nullptr;
  std::time_t begun_ = 0;          // When the period of `seconds` began.
  std::uint32_t periods_ = 0;      // Periods that have ended.
  std::uint64_t file_number_ = 0;  // In this period.
  bool full_ = false;
  bool cut_timestamps_ = false;  // In a file that is closed.
  std::optional<cbpf::SavefileWriter> writer_;
  SectionStart section_;             // Where pcapng blocks are copied.
  std::vector<std::uint32_t> part_;  // Accept lengths of a part of a batch.
};

}  // namespace weir::filter
