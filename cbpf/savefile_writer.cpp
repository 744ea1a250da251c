#include "cbpf/savefile_writer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "cbpf/savefile_link_type.h"
#include "cbpf/savefile_source.h"

namespace weir::cbpf {
namespace {

constexpr std::size_t kCapacity = std::size_t{256} << 10;
constexpr std::uint64_t kNanoseconds = 1'000'000'000;
constexpr std::array<std::uint8_t, 4> kZeros{};

constexpr std::uint32_t padded(std::uint32_t length) { return (length + 3) / 4 * 4; }

bool is_swapped(RecordLayout layout) {
  return layout == RecordLayout::kPcapSwapped || layout == RecordLayout::kPcapSwappedNano;
}
bool is_nano(RecordLayout layout) {
  return layout == RecordLayout::kPcapNano || layout == RecordLayout::kPcapSwappedNano;
}

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
  put32(0x0a0d0d0a);
  put32(28);
  put32(0x1a2b3c4d);
  put16(1);
  put16(0);
  put32(0xffffffff);  // The length of the section is not known.
  put32(0xffffffff);
  put32(28);
  put_interface({.link_type = options_.link_type,
                 .snaplen = options_.snaplen,
                 .name = options_.interface_name});
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
    return batch.layout == RecordLayout::kPcapng && options_.copied_blocks;
  }
  const RecordLayout own = options_.nanoseconds ? RecordLayout::kPcapNano : RecordLayout::kPcap;
  return batch.layout == own && !batch.altered;
}

Status SavefileWriter::copy(const Batch& batch, std::span<const std::uint32_t> accept_lengths) {
  if (options_.format == SavefileFormat::kPcap && !batch.packets.empty() &&
      batch.link_type != options_.link_type) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("packets of link type {} do not go into a file of link type {}",
                            batch.link_type, options_.link_type),
                {.file = name_});
  }
  if (same_layout(batch)) {
    copy_runs(batch, accept_lengths);
    return status();
  }
  if (options_.copied_blocks) {
    return fail(ErrorCode::kUnsupported, "pcap records do not go into a copy of pcapng blocks",
                {.file = name_});
  }
  for (std::size_t i = 0; i < batch.packets.size(); ++i) {
    if (accept_lengths[i] != 0) {
      copy_record(batch, i);
      ++packets_;
    }
  }
  return status();
}

void SavefileWriter::copy_runs(const Batch& batch, std::span<const std::uint32_t> accept_lengths) {
  const std::uint8_t* run = batch.bytes.data();
  const auto put_run = [&](const std::uint8_t* end) {
    put(run, static_cast<std::size_t>(end - run));
  };
  for (std::size_t i = 0; i < batch.records.size(); ++i) {
    if (accept_lengths[i] != 0) {
      ++packets_;
      continue;
    }
    const Bytes rejected = batch.records[i].raw;
    put_run(rejected.data());
    run = rejected.data() + rejected.size();
  }
  put_run(batch.bytes.data() + batch.bytes.size());
}

void SavefileWriter::copy_record(const Batch& batch, std::size_t index) {
  const Record& record = batch.records[index];
  if (options_.format == SavefileFormat::kPcapng || batch.layout == RecordLayout::kPcapng) {
    put_packet(batch.packets[index], record.timestamp, 0);
    return;
  }
  const bool swapped = is_swapped(batch.layout);
  const Bytes captured = batch.packets[index].captured;
  put32(load_file32(record.raw.data(), swapped));
  put32(converted_fraction(load_file32(record.raw.data() + 4, swapped), batch.layout,
                           options_.nanoseconds));
  put32(static_cast<std::uint32_t>(captured.size()));
  put32(batch.packets[index].wire_length);
  put(captured.data(), captured.size());
}

void SavefileWriter::put(const void* data, std::size_t size) {
  if (size == 0) {
    return;
  }
  bytes_ += size;
  if (size > kCapacity - filled_) {
    if (size >= kCapacity / 2) {
      write_out({static_cast<const std::uint8_t*>(data), size});
      return;
    }
    write_out({});
  }
  std::memcpy(buffer_.get() + filled_, data, size);
  filled_ += size;
}

void SavefileWriter::write_out(Bytes more) {
  const Bytes gathered(buffer_.get(), std::exchange(filled_, 0));
  if (compressor_ == nullptr) {
    write_parts(gathered, more);
    return;
  }
  if (auto added = compressor_->add(gathered, packed_); !added) {
    write_packed(added);
    return;
  }
  write_packed(compressor_->add(more, packed_));
}

// Writes what the compressor has given out, and remembers it when it has failed.
void SavefileWriter::write_packed(Status status) {
  write_parts(packed_, {});
  packed_.clear();
  if (!status && !error_) {
    error_ = Error{status.error().code, status.error().message, {.file = name_}, {}};
  }
}

void SavefileWriter::write_parts(Bytes first, Bytes second) {
  std::array<iovec, 2> parts = {
      iovec{.iov_base = const_cast<std::uint8_t*>(first.data()), .iov_len = first.size()},
      iovec{.iov_base = const_cast<std::uint8_t*>(second.data()), .iov_len = second.size()}};
  while (!error_ && parts[0].iov_len + parts[1].iov_len > 0) {
    const ssize_t count = ::writev(fd_.get(), parts.data(), static_cast<int>(parts.size()));
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
    for (iovec& part : parts) {
      const std::size_t step = std::min(done, part.iov_len);
      part.iov_base = static_cast<std::uint8_t*>(part.iov_base) + step;
      part.iov_len -= step;
      done -= step;
    }
  }
}

Status SavefileWriter::status() const {
  if (error_) {
    return tl::make_unexpected(*error_);
  }
  return {};
}

Status SavefileWriter::flush() {
  write_out({});
  if (compressor_ != nullptr) {
    write_packed(compressor_->flush(packed_));
  }
  return status();
}

void SavefileWriter::finish() {
  write_out({});
  if (compressor_ != nullptr) {
    write_packed(compressor_->finish(packed_));
    compressor_.reset();
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
