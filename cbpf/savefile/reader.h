// Savefiles: packets kept in a file, in pcap or pcapng.
//
// Reading is made for speed and for streams. The file is read in large blocks into one buffer that
// is used again and again, packets are handed out in batches as spans into that buffer, and memory
// does not grow with the file. Anything with a descriptor will do: a file, a pipe, standard input.
// Files compressed with gzip, zstd or lz4 are known by their first bytes and unpacked on the way.
//
// What is taken and what is refused follows libpcap 1.10.3 (sf-pcap.c, sf-pcapng.c), except that a
// pcapng file may hold interfaces of different link types and sections of different byte orders.
// Headers in the byte order of the machine that captured the packet (USB, NFLOG, PFLOG's ids, CAN
// ids) are turned to this machine's; a copy in pcapng keeps them as the file has them. Sources of
// the formats: draft-ietf-opsawg-pcap and draft-ietf-opsawg-pcapng.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cbpf/base/bytes.h"
#include "cbpf/base/fd.h"
#include "cbpf/base/packet_bytes.h"
#include "cbpf/base/result.h"
#include "cbpf/packet.h"

namespace weir::cbpf {

enum class SavefileFormat : std::uint8_t { kPcap, kPcapng };

// Where packets were captured: one a pcap file, any number in a pcapng file.
struct SavefileInterface {
  int link_type = 0;                           // A DLT_* number.
  std::uint32_t snaplen = 0;                   // As the file gives it; 0: no limit.
  std::uint64_t ticks_per_second = 1'000'000;  // The unit of its timestamps (if_tsresol).
  std::int64_t offset_seconds = 0;             // Added to its timestamps (if_tsoffset).
  std::string name;  // Empty when the file tells none; its first kMaxInterfaceName bytes.
};

// A Linux name has 15 bytes, one of Windows about 50; what a file tells beyond is not kept.
inline constexpr std::size_t kMaxInterfaceName = 255;

// What the beginning of a savefile says of the whole.
struct SavefileHeader {
  SavefileFormat format = SavefileFormat::kPcap;
  // Of a pcap file its link type, of a pcapng file that of the first interface; nothing while no
  // interface has been described.
  std::optional<int> link_type;
  // tcpdump's reading of it: 0 and what is past 2^31 stand for the largest that makes sense.
  std::uint32_t snaplen = 0;
  bool swapped = false;      // Not in this machine's byte order; of pcapng its first section.
  bool nanoseconds = false;  // A pcap file whose timestamps are in nanoseconds.
  // The upper six bits of a pcap file's link type field (length of the frame check sequence).
  std::uint32_t link_type_bits = 0;
};

// What a block of a pcapng file is beside the packet in it.
struct PacketBlock {
  std::uint64_t timestamp = 0;          // See Batch::timestamp().
  const std::uint8_t* begin = nullptr;  // The whole block.
  std::uint32_t length = 0;
  std::uint32_t interface = 0;  // See Batch::interface().
};

// How the bytes of a batch are laid out, for whoever copies them.
enum class RecordLayout : std::uint8_t {
  kPcap,             // In this machine's byte order, microseconds.
  kPcapNano,         // In this machine's byte order, nanoseconds.
  kPcapSwapped,      // In the other byte order, microseconds.
  kPcapSwappedNano,  // In the other byte order, nanoseconds.
  // Records with 8 bytes more of header (magic number a1b2cd34: interface, protocol, packet type),
  // microseconds.
  kPcapModified,
  kPcapModifiedSwapped,
  kPcapng,  // Blocks; each section has its own byte order.
};

// A run of a savefile: some packets and everything that stands between them. All spans point into
// the reader's buffers and hold until the next call of next_batch().
struct Batch {
  int link_type = 0;                     // Of every packet in it, a DLT_* number.
  std::uint64_t number = 0;              // Of its first packet in the file, from 1.
  std::span<const PacketBytes> packets;  // In the order of the file, kMaxBatch at most.
  // Of pcapng, blocks[i] being that of packets[i]; empty for pcap, whose records stand one behind
  // the other and say the rest themselves.
  std::span<const PacketBlock> blocks;
  Bytes bytes;  // All of it: the records and the other blocks between them.
  RecordLayout layout = RecordLayout::kPcap;
  // Whether a record says something else than its packet (pcap only, and as libpcap has it): one
  // longer than the snapshot length is cut to it, and files before version 2.4 may have the two
  // lengths the other way round.
  bool altered = false;
  // Whether the file, or of pcapng the section, is not in this machine's byte order.
  bool swapped = false;
  // The file is at its end. (A batch without packets is not the end: other blocks may be in it.)
  bool done() const { return bytes.empty(); }

  // The batch up to its packet number `count` and no further; count is not 0.
  Batch prefix(std::size_t count) const;

  // The packet as the interpreter of classic programs takes it.
  Packet packet(std::size_t index) const {
    return {.captured = packets[index].bytes(), .wire_length = packets[index].length};
  }
  // The whole record or block of a packet, header and all, as it is in the file.
  Bytes raw(std::size_t index) const;
  // Nanoseconds since 1970, modulo 2^64; 0 when the file has none.
  std::uint64_t timestamp(std::size_t index) const;
  // Index into SavefileReader::interfaces().
  std::uint32_t interface(std::size_t index) const {
    return blocks.empty() ? 0 : blocks[index].interface;
  }
};

inline constexpr std::size_t kMaxBatch = 2048;  // Packets in one batch at most.

class SavefileSource;

// Reads one savefile from its beginning to its end.
class SavefileReader {
 public:
  // Opens a file, "-" being standard input, and reads its header. kSystem when the file cannot be
  // opened or read; kInvalidFile when it is empty, no savefile, of a version that is not known, or
  // breaks off inside its header.
  static Result<SavefileReader> open(const std::string& path);

  // The same on an open descriptor, read from where it stands; `name` is for error messages.
  static Result<SavefileReader> from_fd(Fd fd, std::string name);

  SavefileReader(SavefileReader&&) noexcept;
  SavefileReader& operator=(SavefileReader&&) noexcept;
  ~SavefileReader();

  const SavefileHeader& header() const;

  // The interfaces described so far; in a file of several sections, those of the section of the
  // last batch.
  const std::vector<SavefileInterface>& interfaces() const;

  // The next packets: as many as are at hand, so that a pipe is never waited for while a packet is
  // there. All packets of a batch have one link type. Price: one read() for each 512 KiB.
  //
  // kInvalidFile when the file breaks off in the middle of a record or says what cannot be, with
  // the number of the packet and the byte where it begins; kSystem when reading fails and when
  // there is no memory. Everything whole before that place has been handed out by the calls before;
  // every later call fails alike.
  //
  // A signal whose handler was installed without SA_RESTART ends the waiting for a pipe: kSystem
  // ("cannot read: Interrupted system call"), nothing is lost, and the next call goes on waiting.
  Result<Batch> next_batch();

  // Whether the file is unpacked on the way.
  bool compressed() const;

  // Bytes read from the descriptor so far (packed ones of a compressed file).
  std::uint64_t bytes_read() const;

 private:
  friend class SavefileParallelReader;
  explicit SavefileReader(std::unique_ptr<SavefileSource> source);
  std::unique_ptr<SavefileSource> source_;
};

}  // namespace weir::cbpf
