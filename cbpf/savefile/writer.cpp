#include "cbpf/savefile/writer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

#include "cbpf/link_type.h"
#include "cbpf/savefile/scan.h"

namespace weir::cbpf {
namespace {

constexpr std::size_t kCapacity = std::size_t{256} << 10;
constexpr std::size_t kMostParts = 1024;  // IOV_MAX of Linux.
// From this length on a run is written from where it is: shorter ones are copied faster than the
// kernel takes a part more.
constexpr std::size_t kLeastBorrowed = 512;
constexpr std::uint64_t kNanoseconds = 1'000'000'000;
constexpr std::array<std::uint8_t, 4> kZeros{};

constexpr std::uint32_t padded(std::uint32_t length) { return (length + 3) / 4 * 4; }

// The fraction of a second in a pcap record, in the unit that is wanted. A record may hold any 32
// bits there. libpcap takes them for a signed number in a file of this machine's byte order and for
// an unsigned one in the other, which shows when it divides; so it is here.
std::uint32_t converted_fraction(std::uint32_t fraction, RecordLayout layout, bool nanoseconds) {
  if (is_nano(layout) == nanoseconds) {
    return fraction;
  }
  if (nanoseconds) {
    return fraction * 1000;
  }
  return is_swapped(layout)
             ? fraction / 1000
             : static_cast<std::uint32_t>(static_cast<std::int32_t>(fraction) / 1000);
}

}  // namespace

SavefileWriterOptions options_like(const SavefileHeader& header, SavefileFormat format) {
  const bool to_pcapng = format == SavefileFormat::kPcapng;
  const int link_type = header.link_type.value_or(1);
  // Readers cut the packets of a pcap file at its snapshot length. In a pcapng file another
  // interface may have a larger one, and a packet may be longer than its interface says.
  const bool unlimited = header.format == SavefileFormat::kPcapng && !to_pcapng;
  return {.format = format,
          .link_type = link_type,
          .snaplen = unlimited ? max_captured_length(link_type) : header.snaplen,
          .nanoseconds = to_pcapng && header.nanoseconds,
          .link_type_bits = header.link_type_bits,
          .copied_blocks = to_pcapng && header.format == SavefileFormat::kPcapng};
}

Result<SavefileWriter> SavefileWriter::create(const std::string& path,
                                              const SavefileWriterOptions& options) {
  if (path == "-") {
    return to_fd(Fd(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0)), "standard output", options);
  }
  Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
  if (!fd.valid()) {
    return fail(ErrorCode::kSystem, fmt::format("cannot create: {}", std::strerror(errno)),
                {.file = path});
  }
  return to_fd(std::move(fd), path, options);
}

Result<SavefileWriter> SavefileWriter::to_fd(Fd fd, std::string name,
                                             const SavefileWriterOptions& options) {
  SavefileWriter writer(std::move(fd), std::move(name), options);
  if (options.compression != Compression::kNone) {
    writer.compressor_ = make_compressor(options.compression);
    if (writer.compressor_ == nullptr) {
      return fail(ErrorCode::kSystem,
                  fmt::format("no memory to pack {}", compression_name(options.compression)),
                  {.file = writer.name_});
    }
  }
  writer.write_header();
  return writer;
}

SavefileWriter::SavefileWriter(Fd fd, std::string name, const SavefileWriterOptions& options)
    : fd_(std::move(fd)),
      name_(std::move(name)),
      options_(options),
      buffer_(std::make_unique_for_overwrite<std::uint8_t[]>(kCapacity)) {}

SavefileWriter::~SavefileWriter() {
  if (fd_.valid()) {
    finish();
  }
}

void SavefileWriter::write_header() {
  if (options_.copied_blocks) {
    return;
  }
  if (options_.format == SavefileFormat::kPcap) {
    put32(options_.nanoseconds ? 0xa1b23c4d : 0xa1b2c3d4);
    put16(2);
    put16(4);
    put32(0);  // Time zone and accuracy, which nobody uses.
    put32(0);
    put32(options_.snaplen);
    put32(linktype_of_dlt(options_.link_type) | options_.link_type_bits);
    return;
  }
  put_section(options_.link_type);
}

// A section with one interface.
void SavefileWriter::put_section(int link_type) {
  interfaces_.clear();
  put32(0x0a0d0d0a);
  put32(28);
  put32(0x1a2b3c4d);
  put16(1);
  put16(0);
  put32(0xffffffff);  // The length of the section is not known.
  put32(0xffffffff);
  put32(28);
  put_interface(
      {.link_type = link_type, .snaplen = options_.snaplen, .name = options_.interface_name});
}

void SavefileWriter::put_interface(const SavefileInterface& interface) {
  constexpr std::uint16_t kName = 2;
  constexpr std::uint16_t kResolution = 9;
  const std::string name = interface.name.substr(0, 0xffff);
  const auto name_length = static_cast<std::uint32_t>(name.size());
  const std::uint32_t name_option = name.empty() ? 0 : 4 + padded(name_length);
  const std::uint32_t length = 20 + name_option + 8 + 4;
  put32(1);
  put32(length);
  put16(static_cast<std::uint16_t>(linktype_of_dlt(interface.link_type)));
  put16(0);
  put32(interface.snaplen);
  if (!name.empty()) {
    put16(kName);
    put16(static_cast<std::uint16_t>(name_length));
    put(name.data(), name.size());
    put(kZeros.data(), padded(name_length) - name_length);
  }
  put16(kResolution);
  put16(1);
  const std::array<std::uint8_t, 4> resolution = {options_.nanoseconds ? std::uint8_t{9}
                                                                       : std::uint8_t{6}};
  put(resolution.data(), resolution.size());
  put32(0);  // The end of the options.
  put32(length);
  interfaces_.push_back(interface);
}

Result<std::uint32_t> SavefileWriter::add_interface(const SavefileInterface& interface) {
  if (options_.format == SavefileFormat::kPcap || options_.copied_blocks) {
    return fail(ErrorCode::kUnsupported, "this savefile cannot have another interface",
                {.file = name_});
  }
  put_interface(interface);
  if (error_) {
    return tl::make_unexpected(*error_);
  }
  return static_cast<std::uint32_t>(interfaces_.size() - 1);
}

void SavefileWriter::put_packet(const Packet& packet, std::uint64_t timestamp,
                                std::uint32_t interface) {
  const auto captured = static_cast<std::uint32_t>(packet.captured.size());
  const std::uint64_t ticks = options_.nanoseconds ? timestamp : timestamp / 1000;
  cut_timestamps_ |= !options_.nanoseconds && timestamp % 1000 != 0;
  if (options_.format == SavefileFormat::kPcap) {
    const std::uint64_t per_second = options_.nanoseconds ? kNanoseconds : kNanoseconds / 1000;
    put32(static_cast<std::uint32_t>(ticks / per_second));
    put32(static_cast<std::uint32_t>(ticks % per_second));
    put32(captured);
    put32(packet.wire_length);
    put(packet.captured.data(), captured);
    return;
  }
  const std::uint32_t length = 32 + padded(captured);
  put32(6);
  put32(length);
  put32(interface);
  put32(static_cast<std::uint32_t>(ticks >> 32));
  put32(static_cast<std::uint32_t>(ticks));
  put32(captured);
  put32(packet.wire_length);
  put(packet.captured.data(), captured);
  put(kZeros.data(), padded(captured) - captured);
  put32(length);
}

Status SavefileWriter::write(const Packet& packet, std::uint64_t timestamp,
                             std::uint32_t interface) {
  if (options_.copied_blocks ||
      (options_.format == SavefileFormat::kPcapng && interface >= interfaces_.size())) {
    return fail(ErrorCode::kUnsupported, "this savefile has no such interface", {.file = name_});
  }
  put_packet(packet, timestamp, interface);
  ++packets_;
  return status();
}

bool SavefileWriter::same_layout(const Batch& batch) const {
  if (options_.format == SavefileFormat::kPcapng) {
    return batch.layout == RecordLayout::kPcapng;
  }
  const RecordLayout own = options_.nanoseconds ? RecordLayout::kPcapNano : RecordLayout::kPcap;
  return batch.layout == own && !batch.altered;
}

Status SavefileWriter::copy(const Batch& batch, std::span<const std::uint32_t> accept_lengths) {
  if (options_.format == SavefileFormat::kPcap && !batch.packets.empty() &&
      batch.link_type != options_.link_type) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("packets of link type {} do not go into a file of link type {}; only a "
                            "pcapng file holds both",
                            batch.link_type, options_.link_type),
                {.file = name_});
  }
  try {
    copy_all(batch, accept_lengths);
  } catch (const std::bad_alloc&) {
    give_up();
  }
  return status();
}

void SavefileWriter::copy_all(const Batch& batch, std::span<const std::uint32_t> accept_lengths) {
  if (same_layout(batch)) {
    batch.layout == RecordLayout::kPcapng ? copy_blocks(batch, accept_lengths)
                                          : copy_runs(batch, accept_lengths);
    if (borrowed_) {
      write_out();
    }
    return;
  }
  if (options_.format == SavefileFormat::kPcapng) {
    need_section(batch);
  }
  for (std::size_t i = 0; i < batch.packets.size(); ++i) {
    if (accept_lengths[i] != 0) {
      copy_record(batch, i);
      ++packets_;
    }
  }
}

// Makes the last section one that takes the packets of a pcap file.
void SavefileWriter::need_section(const Batch& batch) {
  const bool nanoseconds = options_.nanoseconds || is_nano(batch.layout);
  if (interfaces_.empty() || interfaces_.front().link_type != batch.link_type ||
      nanoseconds != options_.nanoseconds) {
    options_.nanoseconds = nanoseconds;
    put_section(batch.link_type);
  }
}

// Records of pcap: each run of accepted ones is one piece of the batch.
void SavefileWriter::copy_runs(const Batch& batch, std::span<const std::uint32_t> accept_lengths) {
  const std::size_t count = batch.packets.size();
  edges_.resize(count + 1);
  std::size_t edges = 0;
  bool before = false;
  // A branch on what the filter says of unseen packets would be mispredicted every few packets.
  for (std::size_t i = 0; i < count; ++i) {
    const bool accepted = accept_lengths[i] != 0;
    edges_[edges] = static_cast<std::uint32_t>(i);
    edges += static_cast<std::size_t>(accepted != before);
    before = accepted;
  }
  if (before) {
    edges_[edges++] = static_cast<std::uint32_t>(count);
  }
  const auto record = [&](std::size_t index) {
    return index < count ? batch.packets[index].data - kPcapRecordHeader
                         : batch.bytes.data() + batch.bytes.size();
  };
  for (std::size_t i = 0; i < edges; i += 2) {
    packets_ += edges_[i + 1] - edges_[i];
    put_run(record(edges_[i]), record(edges_[i + 1]));
  }
}

// Blocks of pcapng: everything is kept but the rejected packets.
void SavefileWriter::copy_blocks(const Batch& batch,
                                 std::span<const std::uint32_t> accept_lengths) {
  interfaces_.clear();
  const std::uint8_t* run = batch.bytes.data();
  for (std::size_t i = 0; i < batch.blocks.size(); ++i) {
    if (accept_lengths[i] != 0) {
      ++packets_;
      continue;
    }
    const PacketBlock& rejected = batch.blocks[i];
    if (run != rejected.begin) {
      put_run(run, rejected.begin);
    }
    run = rejected.begin + rejected.length;
  }
  put_run(run, batch.bytes.data() + batch.bytes.size());
}

void SavefileWriter::copy_record(const Batch& batch, std::size_t index) {
  if (options_.format == SavefileFormat::kPcapng || batch.layout == RecordLayout::kPcapng) {
    put_packet(batch.packet(index), batch.timestamp(index), 0);
    return;
  }
  const bool swapped = is_swapped(batch.layout);
  const PacketBytes& packet = batch.packets[index];
  const std::uint8_t* const record = packet.data - record_header(batch.layout);
  const std::uint32_t fraction = load_file32(record + 4, swapped);
  cut_timestamps_ |= is_nano(batch.layout) && !options_.nanoseconds && fraction % 1000 != 0;
  put32(load_file32(record, swapped));
  put32(converted_fraction(fraction, batch.layout, options_.nanoseconds));
  put32(packet.captured);
  put32(packet.length);
  put(packet.data, packet.captured);
}

void SavefileWriter::put(const void* data, std::size_t size) {
  const auto* from = static_cast<const std::uint8_t*>(data);
  bytes_ += size;
  while (size > kCapacity - filled_) {
    const std::size_t fits = kCapacity - filled_;
    std::memcpy(buffer_.get() + filled_, from, fits);
    filled_ += fits;
    from += fits;
    size -= fits;
    write_out();
  }
  if (size != 0) {
    std::memcpy(buffer_.get() + filled_, from, size);
    filled_ += size;
  }
}

// Puts bytes that stay where they are until write_out().
void SavefileWriter::put_run(const std::uint8_t* begin, const std::uint8_t* end) {
  const auto size = static_cast<std::size_t>(end - begin);
  if (size < kLeastBorrowed) {
    put(begin, size);
    return;
  }
  bytes_ += size;
  end_part();
  parts_.push_back({.iov_base = const_cast<std::uint8_t*>(begin), .iov_len = size});
  borrowed_ = true;
  if (parts_.size() >= kMostParts) {
    write_out();
  }
}

// What was put into the buffer becomes a part.
void SavefileWriter::end_part() {
  if (filled_ > part_begin_) {
    parts_.push_back({.iov_base = buffer_.get() + part_begin_, .iov_len = filled_ - part_begin_});
    part_begin_ = filled_;
  }
}

void SavefileWriter::write_out() {
  end_part();
  if (compressor_ == nullptr) {
    write_parts(parts_);
  } else {
    Status added;
    for (const iovec& part : parts_) {
      added = compressor_->add({static_cast<const std::uint8_t*>(part.iov_base), part.iov_len},
                               packed_);
      if (!added) {
        break;
      }
    }
    write_packed(added);
  }
  parts_.clear();
  borrowed_ = false;
  part_begin_ = filled_ = 0;
}

// Writes what the compressor has given out, and remembers it when it has failed.
void SavefileWriter::write_packed(Status status) {
  iovec all = {.iov_base = packed_.data(), .iov_len = packed_.size()};
  if (!packed_.empty()) {
    write_parts(std::span(&all, 1));
  }
  packed_.clear();
  if (!status && !error_) {
    error_ = Error{status.error().code, status.error().message, {.file = name_}, {}};
  }
}

void SavefileWriter::write_parts(std::span<iovec> parts) {
  while (!error_ && !parts.empty()) {
    const ssize_t count =
        ::writev(fd_.get(), parts.data(), static_cast<int>(std::min(parts.size(), kMostParts)));
    if (count < 0) {
      if (errno == EAGAIN) {
        // Somebody who shares the descriptor has made it non-blocking.
        pollfd writable = {.fd = fd_.get(), .events = POLLOUT, .revents = 0};
        ::poll(&writable, 1, -1);
      } else if (errno != EINTR) {
        error_ = Error{.code = ErrorCode::kSystem,
                       .message = fmt::format("cannot write: {}", std::strerror(errno)),
                       .place = {.file = name_},
                       .detail = {}};
      }
      continue;
    }
    auto done = static_cast<std::size_t>(count);
    while (!parts.empty() && done >= parts.front().iov_len) {
      done -= parts.front().iov_len;
      parts = parts.subspan(1);
    }
    if (done != 0) {
      iovec& part = parts.front();
      part.iov_base = static_cast<std::uint8_t*>(part.iov_base) + done;
      part.iov_len -= done;
    }
  }
}

Status SavefileWriter::status() const {
  if (error_) {
    return tl::make_unexpected(*error_);
  }
  return {};
}

// Without memory nothing more is written: the batch that parts lie in may be gone soon.
void SavefileWriter::give_up() {
  parts_.clear();
  borrowed_ = false;
  part_begin_ = filled_ = 0;
  compressor_.reset();
  if (!error_) {
    error_ = Error{.code = ErrorCode::kSystem,
                   .message = "no memory to write it",
                   .place = {.file = name_},
                   .detail = {}};
  }
}

Status SavefileWriter::flush() {
  try {
    write_out();
    if (compressor_ != nullptr) {
      write_packed(compressor_->flush(packed_));
    }
  } catch (const std::bad_alloc&) {
    give_up();
  }
  return status();
}

void SavefileWriter::finish() {
  try {
    write_out();
    if (compressor_ != nullptr) {
      write_packed(compressor_->finish(packed_));
      compressor_.reset();
    }
  } catch (const std::bad_alloc&) {
    give_up();
  }
}

Status SavefileWriter::close() {
  finish();
  if (fd_.valid() && ::close(fd_.release()) != 0 && errno != EINTR && !error_) {
    error_ = Error{.code = ErrorCode::kSystem,
                   .message = fmt::format("cannot write: {}", std::strerror(errno)),
                   .place = {.file = name_},
                   .detail = {}};
  }
  return status();
}

}  // namespace weir::cbpf
