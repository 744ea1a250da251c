#include "cbpf/savefile/reader.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

#include "cbpf/link_type.h"
#include "cbpf/savefile/scan.h"

namespace weir::cbpf {
namespace {

constexpr std::uint32_t kMaxSnaplen = 0x7fffffff;

enum class Magic : std::uint8_t { kPcap, kPcapng, kNavtelPcap, kUnknown };

Magic magic_of(const std::uint8_t* bytes) {
  switch (load_be32(bytes)) {
    case 0xa1b2c3d4:
    case 0xd4c3b2a1:
    case 0xa1b23c4d:
    case 0x4d3cb2a1:
    case kModifiedPcapMagic:
    case 0x34cdb2a1:
      return Magic::kPcap;
    case 0x0a0d0d0a:
      return Magic::kPcapng;
    case 0xa12b3c4d:
    case 0x4d3c2ba1:
      return Magic::kNavtelPcap;
    default:
      return Magic::kUnknown;
  }
}

}  // namespace

Batch Batch::prefix(std::size_t count) const {
  const Bytes last = raw(count - 1);
  Batch part = *this;
  part.packets = packets.first(count);
  part.blocks = blocks.empty() ? blocks : blocks.first(count);
  part.bytes = {bytes.data(), last.data() + last.size()};
  return part;
}

Bytes Batch::raw(std::size_t index) const {
  if (!blocks.empty()) {
    return {blocks[index].begin, blocks[index].length};
  }
  const std::size_t header = record_header(layout);
  const std::uint8_t* const begin = packets[index].data - header;
  const std::uint8_t* const end =
      index + 1 < packets.size() ? packets[index + 1].data - header : bytes.data() + bytes.size();
  return {begin, end};
}

std::uint64_t Batch::timestamp(std::size_t index) const {
  if (!blocks.empty()) {
    return blocks[index].timestamp;
  }
  const std::uint8_t* const record = packets[index].data - record_header(layout);
  return load_file32(record, swapped) * std::uint64_t{1'000'000'000} +
         load_file32(record + 4, swapped) * std::uint64_t{is_nano(layout) ? 1U : 1000U};
}

std::uint32_t adjusted_snaplen(std::uint32_t snaplen, int link_type) {
  return snaplen == 0 || snaplen > kMaxSnaplen ? max_captured_length(link_type) : snaplen;
}

// Reads until the window holds a magic number or the file has ended.
Status SavefileSource::read_magic() {
  while (scan_.window.size < 4) {
    const auto more = scan_.fill();
    if (!more) {
      return tl::make_unexpected(more.error());
    }
    if (!*more) {
      break;
    }
  }
  return {};
}

Status SavefileSource::choose_format() {
  if (auto read = read_magic(); !read) {
    return read;
  }
  bool skipped = false;
  if (scan_.window.size >= 4 && is_skippable_magic(scan_.window.bytes())) {
    const auto any = scan_.input.skip_frames();
    if (!any) {
      return tl::make_unexpected(any.error());
    }
    skipped = *any;
    scan_.window = scan_.input.window();
  }
  const auto compression = compression_of_magic(scan_.window.bytes());
  if (skipped && compression != Compression::kZstd && compression != Compression::kLz4) {
    return scan_.invalid("no zstd or lz4 data come after the skippable frame at the beginning");
  }
  if (compression != Compression::kNone) {
    if (auto begun = scan_.input.decompress(compression); !begun) {
      return begun;
    }
    scan_.window = scan_.input.window();
    if (auto read = read_magic(); !read) {
      return read;
    }
  }
  if (scan_.window.size == 0) {
    return scan_.invalid("the file is empty");
  }
  if (scan_.window.size < 4) {
    return scan_.invalid(
        fmt::format("neither pcap nor pcapng: the file has only {} bytes", scan_.window.size));
  }
  switch (magic_of(scan_.window.data)) {
    case Magic::kPcap:
      format_ = make_pcap_reader(scan_);
      return {};
    case Magic::kPcapng:
      scan_.header.format = SavefileFormat::kPcapng;
      format_ = make_pcapng_reader(scan_);
      return {};
    case Magic::kNavtelPcap:
      return scan_.invalid("a Navtel pcap file (magic number a12b3c4d) cannot be read");
    case Magic::kUnknown:
      break;
  }
  return scan_.invalid(fmt::format("neither pcap nor pcapng: the file begins with the bytes {}",
                                   to_hex(scan_.window.bytes().first(4))));
}

void SavefileFound::reserve(std::size_t size, SavefileFormat format) {
  if (capacity >= size) {
    return;
  }
  capacity = 0;
  packets = make_uninitialized<PacketBytes>(size);
  if (format == SavefileFormat::kPcapng) {
    blocks = make_uninitialized<PacketBlock>(size);
  }
  capacity = size;
}

Batch SavefileScan::batch() const {
  Batch batch{.link_type = link_type,
              .number = packets_before + first + 1,
              .packets = {found->packets.get() + first, packets()},
              .blocks = {},
              .bytes = window.bytes().subspan(begin, scanned - begin),
              .layout = layout,
              .altered = altered,
              .swapped = swapped};
  if (layout == RecordLayout::kPcapng) {
    batch.blocks = {found->blocks.get() + first, packets()};
  }
  return batch;
}

void SavefileScan::next() {
  first = found->count;
  begin = scanned;
  altered = false;
}

std::uint8_t* SavefileFound::keep(Bytes packet) {
  std::uint8_t* const copy =
      turned.emplace_back(std::make_unique_for_overwrite<std::uint8_t[]>(packet.size())).get();
  std::copy(packet.begin(), packet.end(), copy);
  return copy;
}

Status SavefileSource::open() {
  try {
    return open_format();
  } catch (const std::bad_alloc&) {
    return scan_.no_memory();
  }
}

Status SavefileSource::open_format() {
  scan_.found = &found_;
  if (auto status = choose_format(); !status) {
    return status;
  }
  found_.reserve(kMaxBatch, scan_.header.format);
  return format_->open();
}

void SavefileSource::begin_batch() {
  scan_.input.consume(scan_.scanned);
  scan_.window = scan_.input.window();
  scan_.packets_before += found_.count;
  scan_.scanned = 0;
  found_.count = 0;
  found_.turned.clear();
  scan_.next();
}

Result<Batch> SavefileSource::next_batch() {
  try {
    return find_batch();
  } catch (const std::bad_alloc&) {
    return scan_.no_memory();
  }
}

Result<Batch> SavefileSource::find_batch() {
  if (!std::exchange(begun_, false)) {
    begin_batch();
  }
  for (;;) {
    Status status = format_->find_records();
    // What was found before a break is handed out first; the next call meets the break again.
    if (scan_.scanned > 0) {
      break;
    }
    if (!status) {
      return tl::make_unexpected(std::move(status.error()));
    }
    auto more = scan_.fill();
    if (!more) {
      return tl::make_unexpected(std::move(more.error()));
    }
    if (!*more) {
      if (scan_.window.size > 0) {
        return format_->cut_off();
      }
      break;
    }
  }
  return scan_.batch();
}

SavefileReader::SavefileReader(std::unique_ptr<SavefileSource> source)
    : source_(std::move(source)) {}
SavefileReader::SavefileReader(SavefileReader&&) noexcept = default;
SavefileReader& SavefileReader::operator=(SavefileReader&&) noexcept = default;
SavefileReader::~SavefileReader() = default;

Result<SavefileReader> SavefileReader::open(const std::string& path) {
  if (path == "-") {
    return from_fd(Fd(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)), "standard input");
  }
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) {
    return fail(ErrorCode::kSystem, fmt::format("cannot open: {}", std::strerror(errno)),
                {.file = path});
  }
  return from_fd(std::move(fd), path);
}

Result<SavefileReader> SavefileReader::from_fd(Fd fd, std::string name) {
  auto source = std::make_unique<SavefileSource>(SavefileInput(std::move(fd), std::move(name)));
  if (auto status = source->open(); !status) {
    return tl::make_unexpected(std::move(status.error()));
  }
  return SavefileReader(std::move(source));
}

const SavefileHeader& SavefileReader::header() const { return source_->header(); }

const std::vector<SavefileInterface>& SavefileReader::interfaces() const {
  return source_->interfaces();
}

bool SavefileReader::compressed() const { return source_->scan().input.compressed(); }

Result<Batch> SavefileReader::next_batch() { return source_->next_batch(); }

std::uint64_t SavefileReader::bytes_read() const { return source_->bytes_read(); }

}  // namespace weir::cbpf
