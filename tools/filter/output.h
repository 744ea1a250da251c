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

namespace weir::filter {

// When the next file is begun, and how it is named; 0 is unset. The rules are those of tcpdump 4.99
// (dump_packet_and_trunc and MakeFilename of tcpdump.c):
//  * max_bytes: a file that has grown past it is left before the next packet, and a number is added
//    to the name of each but the first.
//  * seconds: the same when so much time of the clock on the wall has passed; the name goes through
//    strftime, and a name that stays the same is written over.
//  * max_files: with max_bytes, the numbers begin again after so many files, and all have the same
//    number of digits; with seconds alone, the output ends with so many files.
struct Rotation {
  std::uint64_t max_bytes = 0;
  std::uint32_t seconds = 0;
  std::uint32_t max_files = 0;
  bool any() const { return max_bytes != 0 || seconds != 0; }
};

class Output {
 public:
  using Clock = std::function<std::time_t()>;  // Seconds since 1970.

  // Creates the first file. Names that end in .gz, .zst or .lz4 are packed. `options` says the
  // rest; files that rotate have to be pcap. The errors are those of cbpf/savefile_writer.h.
  static Result<Output> create(const std::string& path, cbpf::SavefileWriterOptions options,
                               const Rotation& rotation, Clock clock);

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
         Clock clock);
  Status open();
  Status next_file();
  Status rotate_by_time();
  Status rotate_by_size();
  std::string file_name() const;

  std::string path_;
  cbpf::SavefileWriterOptions options_;
  Rotation rotation_;
  Clock clock_;
  std::time_t begun_ = 0;          // When the period of `seconds` began.
  std::uint32_t periods_ = 0;      // Periods that have ended.
  std::uint64_t file_number_ = 0;  // In this period.
  int digits_ = 0;                 // Of a number, at least.
  bool full_ = false;
  std::optional<cbpf::SavefileWriter> writer_;
  std::vector<std::uint32_t> part_;  // Accept lengths of a part of a batch.
};

}  // namespace weir::filter
