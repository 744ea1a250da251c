// Writing savefiles.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cbpf/base/bytes.h"
#include "cbpf/base/fd.h"
#include "cbpf/base/result.h"
#include "cbpf/compression/decompress.h"
#include "cbpf/packet.h"
#include "cbpf/savefile/reader.h"

namespace weir::cbpf {

struct SavefileWriterOptions {
  SavefileFormat format = SavefileFormat::kPcap;
  int link_type = 1;  // A DLT_* number; in pcapng that of interface 0.
  std::uint32_t snaplen = 262144;
  bool nanoseconds = false;          // Resolution of the timestamps.
  std::uint32_t link_type_bits = 0;  // See SavefileHeader; pcap only.
  std::string interface_name;        // Of interface 0; pcapng only.
  // copy() brings the first section, so none is written before it; pcapng only.
  bool copied_blocks = false;
  Compression compression = Compression::kNone;
};

// The options for a file of this format that takes over what `header` says, as
// `tcpdump -r IN -w OUT` does: the timestamps in microseconds unless told otherwise. Only a pcap
// file made of a pcapng file has the largest snapshot length there is, so that nothing is cut.
SavefileWriterOptions options_like(const SavefileHeader& header, SavefileFormat format);

// Writes one savefile, in this machine's byte order. Output is gathered and written in large
// blocks. Nothing has to outlive a call: what is handed over is copied, or, where it is long,
// written before the call returns.
//
// After the first error every later call fails with it; what was written before it stays written.
// SIGPIPE is the caller's business: where it is ignored, a closed pipe is an Error like any other.
class SavefileWriter {
 public:
  // Creates the file or empties it; "-" is standard output. kSystem when that fails.
  static Result<SavefileWriter> create(const std::string& path,
                                       const SavefileWriterOptions& options);

  // The same on an open descriptor, written from where it stands; `name` is for error messages.
  static Result<SavefileWriter> to_fd(Fd fd, std::string name,
                                      const SavefileWriterOptions& options);

  // Writes the packets of a batch whose accept length is not 0, accept_lengths[i] being that of
  // packets[i] (as many as there are packets); accept lengths do not cut packets, as in tcpdump.
  //
  // A pcap file copied into a pcap file gives, byte for byte, what `tcpdump -r IN -w OUT` gives. A
  // pcapng file copied into a pcapng file keeps every other block (names, statistics, comments) and
  // every accepted packet byte for byte, except that sections no longer tell their length. What is
  // next to each other and stays is copied in one piece.
  //
  // A pcap file copied into a pcapng file has its packets in a section with one interface; another
  // is begun where the link type or the precision is another than before.
  //
  // kUnsupported when a pcap file would need a second link type.
  Status copy(const Batch& batch, std::span<const std::uint32_t> accept_lengths);

  // Writes one packet; `timestamp` in nanoseconds since 1970, `interface` as add_interface() gave
  // it (pcapng; 0 is the one of the options).
  Status write(const Packet& packet, std::uint64_t timestamp, std::uint32_t interface = 0);

  // Describes one more interface and gives its number. kUnsupported in a pcap file.
  Result<std::uint32_t> add_interface(const SavefileInterface& interface);

  // Writes out what has been gathered, for a reader that waits for it.
  Status flush();

  // Writes out what has been gathered and closes. Errors that come late (a full disk) come here. A
  // writer that is destroyed without it writes what it has and tells nobody how that went.
  Status close();

  // Bytes of the savefile so far, before compression and before they are written out.
  std::uint64_t bytes() const { return bytes_; }

  // Whether the nanoseconds of a timestamp were cut off, since the file keeps microseconds.
  bool cut_timestamps() const { return cut_timestamps_; }

  // Packets written so far.
  std::uint64_t packets() const { return packets_; }

  SavefileWriter(SavefileWriter&&) noexcept = default;
  SavefileWriter& operator=(SavefileWriter&&) noexcept = delete;
  ~SavefileWriter();

 private:
  SavefileWriter(Fd fd, std::string name, const SavefileWriterOptions& options);
  void write_header();
  bool same_layout(const Batch& batch) const;
  void copy_all(const Batch& batch, std::span<const std::uint32_t> accept_lengths);
  void copy_runs(const Batch& batch, std::span<const std::uint32_t> accept_lengths);
  void copy_blocks(const Batch& batch, std::span<const std::uint32_t> accept_lengths);
  void copy_record(const Batch& batch, std::size_t index);
  void put_packet(const Packet& packet, std::uint64_t timestamp, std::uint32_t interface);
  void put_interface(const SavefileInterface& interface);
  void put_section(int link_type);
  void need_section(const Batch& batch);
  void put(const void* data, std::size_t size);
  void put_run(const std::uint8_t* begin, const std::uint8_t* end);
  void put32(std::uint32_t value) { put(&value, sizeof value); }
  void put16(std::uint16_t value) { put(&value, sizeof value); }
  void finish();
  void end_part();
  void write_out();
  void write_parts(std::span<iovec> parts);
  void write_packed(Status status);
  Status status() const;
  void give_up();

  Fd fd_;
  std::string name_;
  SavefileWriterOptions options_;
  // What is still to be written: the parts, and behind them what was put into the buffer since the
  // last of them.
  std::vector<iovec> parts_;
  bool borrowed_ = false;  // A part lies outside of the buffer.
  std::unique_ptr<std::uint8_t[]> buffer_;
  std::size_t part_begin_ = 0;
  std::size_t filled_ = 0;
  std::vector<std::uint32_t> edges_;  // Where in a batch the verdict changes.
  std::uint64_t packets_ = 0;
  std::uint64_t bytes_ = 0;
  bool cut_timestamps_ = false;
  std::unique_ptr<Compressor> compressor_;  // Null where nothing is compressed.
  std::vector<std::uint8_t> packed_;
  std::vector<SavefileInterface> interfaces_;  // Of a section of its own; none in a copied one.
  std::optional<Error> error_;
};

}  // namespace weir::cbpf
