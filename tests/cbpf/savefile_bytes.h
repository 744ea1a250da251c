// Savefiles made byte by byte, for the tests of their readers and writers.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "cbpf/base/bytes.h"
#include "cbpf/base/fd.h"
#include "cbpf/savefile/reader.h"

namespace weir::cbpf::test {

// Bytes with numbers in one byte order or the other.
class FileBytes {
 public:
  explicit FileBytes(bool big_endian = false) : big_endian_(big_endian) {}

  FileBytes& u8(std::uint8_t value) {
    bytes_.push_back(value);
    return *this;
  }
  FileBytes& u16(std::uint32_t value) { return number(value, 2); }
  FileBytes& u32(std::uint32_t value) { return number(value, 4); }
  FileBytes& u64(std::uint64_t value) { return number(value, 8); }
  FileBytes& bytes(Bytes more) {
    bytes_.insert(bytes_.end(), more.begin(), more.end());
    return *this;
  }
  FileBytes& text(std::string_view more) {
    bytes_.insert(bytes_.end(), more.begin(), more.end());
    return *this;
  }
  FileBytes& pad() {
    while (bytes_.size() % 4 != 0) {
      bytes_.push_back(0);
    }
    return *this;
  }

  struct PcapHeader {
    bool nanoseconds = false;
    std::uint32_t snaplen = 65535;
    std::uint32_t link_type = 1;
    std::uint32_t major = 2;
    std::uint32_t minor = 4;
  };
  FileBytes& pcap_header(const PcapHeader& header) {
    u32(header.nanoseconds ? 0xa1b23c4d : 0xa1b2c3d4).u16(header.major).u16(header.minor);
    return u32(7).u32(9).u32(header.snaplen).u32(header.link_type);
  }
  FileBytes& pcap_record(std::uint32_t seconds, std::uint32_t fraction, Bytes packet,
                         std::uint32_t wire) {
    const auto captured = static_cast<std::uint32_t>(packet.size());
    return u32(seconds).u32(fraction).u32(captured).u32(wire).bytes(packet);
  }

  // A block of a pcapng file around `body`, which is padded.
  FileBytes& block(std::uint32_t type, FileBytes body) {
    body.pad();
    const auto length = static_cast<std::uint32_t>(body.get().size() + 12);
    return u32(type).u32(length).bytes(body.get()).u32(length);
  }
  // An empty one of the same byte order.
  FileBytes body() const { return FileBytes(big_endian_); }
  FileBytes& option(std::uint32_t code, Bytes value) {
    u16(code).u16(static_cast<std::uint32_t>(value.size()));
    return bytes(value).pad();
  }
  FileBytes& section(std::uint64_t length = ~std::uint64_t{0}, std::uint32_t minor = 0) {
    return block(0x0a0d0d0a, body().u32(0x1a2b3c4d).u16(1).u16(minor).u64(length));
  }
  FileBytes& interface(std::uint32_t link_type, std::uint32_t snaplen = 0) {
    return block(1, body().u16(link_type).u16(0).u32(snaplen));
  }
  FileBytes& interface(std::uint32_t link_type, std::uint32_t snaplen, const FileBytes& options) {
    return block(1, body().u16(link_type).u16(0).u32(snaplen).bytes(options.get()));
  }
  FileBytes& enhanced(std::uint32_t interface, std::uint64_t ticks, Bytes packet,
                      std::uint32_t wire) {
    FileBytes out = body();
    out.u32(interface).u32(static_cast<std::uint32_t>(ticks >> 32));
    out.u32(static_cast<std::uint32_t>(ticks)).u32(static_cast<std::uint32_t>(packet.size()));
    return block(6, out.u32(wire).bytes(packet));
  }
  FileBytes& simple(Bytes packet, std::uint32_t wire) {
    return block(3, body().u32(wire).bytes(packet));
  }
  FileBytes& obsolete(std::uint32_t interface, std::uint64_t ticks, Bytes packet,
                      std::uint32_t wire) {
    FileBytes out = body();
    out.u16(interface).u16(0xffff).u32(static_cast<std::uint32_t>(ticks >> 32));
    out.u32(static_cast<std::uint32_t>(ticks)).u32(static_cast<std::uint32_t>(packet.size()));
    return block(2, out.u32(wire).bytes(packet));
  }

  const std::vector<std::uint8_t>& get() const { return bytes_; }

 private:
  FileBytes& number(std::uint64_t value, std::size_t width) {
    for (std::size_t i = 0; i < width; ++i) {
      const std::size_t shift = 8 * (big_endian_ ? width - 1 - i : i);
      bytes_.push_back(static_cast<std::uint8_t>(value >> shift));
    }
    return *this;
  }

  bool big_endian_;
  std::vector<std::uint8_t> bytes_;
};

// `length` bytes that tell packets apart.
inline std::vector<std::uint8_t> some_packet(std::size_t length, std::uint8_t seed = 0) {
  std::vector<std::uint8_t> packet(length);
  for (std::size_t i = 0; i < length; ++i) {
    packet[i] = static_cast<std::uint8_t>(seed + i * 7);
  }
  return packet;
}

// A file in memory that holds `bytes`, read from its beginning.
inline Fd file_of(Bytes bytes) {
  Fd fd(::memfd_create("savefile", MFD_CLOEXEC));
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t count = ::write(fd.get(), bytes.data() + done, bytes.size() - done);
    if (count <= 0) {
      return Fd();
    }
    done += static_cast<std::size_t>(count);
  }
  ::lseek(fd.get(), 0, SEEK_SET);
  return fd;
}

// Everything that is in the file behind a descriptor, from its beginning.
inline std::vector<std::uint8_t> contents_of(int fd) {
  std::vector<std::uint8_t> all;
  std::uint8_t block[65536];
  ssize_t count = 0;
  while ((count = ::pread(fd, block, sizeof block, static_cast<off_t>(all.size()))) > 0) {
    all.insert(all.end(), block, block + count);
  }
  return all;
}

// A packet as it was read, with bytes of its own.
struct ReadPacket {
  std::vector<std::uint8_t> captured;
  std::uint32_t wire_length = 0;
  std::uint64_t timestamp = 0;
  int link_type = 0;
  std::uint32_t interface = 0;
  friend bool operator==(const ReadPacket&, const ReadPacket&) = default;
};

// All a file gives: its packets, the bytes of its batches, and the error that ended it.
struct ReadFile {
  std::vector<ReadPacket> packets;
  std::vector<std::uint8_t> bytes;
  std::string error;  // Empty: the file came to a clean end.
};

inline void add_batch(ReadFile& file, const Batch& batch) {
  file.bytes.insert(file.bytes.end(), batch.bytes.begin(), batch.bytes.end());
  for (std::size_t i = 0; i < batch.packets.size(); ++i) {
    const Packet packet = batch.packet(i);
    file.packets.push_back({.captured = {packet.captured.begin(), packet.captured.end()},
                            .wire_length = packet.wire_length,
                            .timestamp = batch.timestamp(i),
                            .link_type = batch.link_type,
                            .interface = batch.interface(i)});
  }
}

inline ReadFile read_all(SavefileReader& reader) {
  ReadFile file;
  for (;;) {
    const auto batch = reader.next_batch();
    if (!batch) {
      file.error = to_string(batch.error());
      return file;
    }
    if (batch->done()) {
      return file;
    }
    add_batch(file, *batch);
  }
}

inline ReadFile read_all(Bytes bytes) {
  auto reader = SavefileReader::from_fd(file_of(bytes), "test.pcap");
  if (!reader) {
    return {.packets = {}, .bytes = {}, .error = to_string(reader.error())};
  }
  return read_all(*reader);
}

}  // namespace weir::cbpf::test
