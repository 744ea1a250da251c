// Where `weir filter` writes: one savefile, or several in turn as tcpdump's -C, -G and -W have it.
#pragma once

#include <cstdint>
#include <ctime>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cbpf/base/result.h"
#include "cbpf/savefile.h"
#include "cbpf/savefile_writer.h"
#include "tools/filter/rotation.h"
#include "tools/filter/written_files.h"

namespace weir::filter {

class Output {
 public:
  using Clock = std::function<std::time_t()>;  // Seconds since 1970.

  // Creates the first file. Names that end in .gz, .zst or .lz4 are packed. `options` says the
  // rest; files that rotate have to be pcap. The errors are those of cbpf/savefile_writer.h.
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

  // Closes the file that is open.
  Status close() { return writer_->close(); }

 private:
  Output(std::string path, const cbpf::SavefileWriterOptions& options, const Rotation& rotation,
         Clock clock, const ReadFiles* read);
  Status open();
  Status next_file();
  Status rotate_by_time();
  Status rotate_by_size();

  std::string path_;
  cbpf::SavefileWriterOptions options_;
  Rotation rotation_;
  Clock clock_;
  const ReadFiles* read_ = nullptr;
  std::time_t begun_ = 0;          // When the period of `seconds` began.
  std::uint32_t periods_ = 0;      // Periods that have ended.
  std::uint64_t file_number_ = 0;  // In this period.
  bool full_ = false;
  std::optional<cbpf::SavefileWriter> writer_;
  std::vector<std::uint32_t> part_;  // Accept lengths of a part of a batch.
};

}  // namespace weir::filter
