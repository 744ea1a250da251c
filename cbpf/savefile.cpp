#include "cbpf/savefile.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "cbpf/savefile_link_type.h"
#include "cbpf/savefile_source.h"

namespace weir::cbpf {
namespace {

constexpr std::uint32_t kMaxSnaplen = 0x7fffffff;

enum class Magic : std::uint8_t { kPcap, kPcapng, kModifiedPcap, kNavtelPcap, kUnknown };

Magic magic_of(const std::uint8_t* bytes) {
  switch (load_be32(bytes)) {
    case 0xa1b2c3d4:
    case 0xd4c3b2a1:
    case 0xa1b23c4d:
    case 0x4d3cb2a1:
      return Magic::kPcap;
    case 0x0a0d0d0a:
      return Magic::kPcapng;
    case 0xa1b2cd34:
    case 0x34cdb2a1:
      return Magic::kModifiedPcap;
    case 0xa12b3c4d:
    case 0x4d3c2ba1:
      return Magic::kNavtelPcap;
    default:
      return Magic::kUnknown;
  }
}

}  // namespace

std::uint32_t adjusted_snaplen(std::uint32_t snaplen, int link_type) {
  return snaplen == 0 || snaplen > kMaxSnaplen ? max_captured_length(link_type) : snaplen;
}

// Reads until the window holds a magic number or the file has ended.
Status SavefileSource::read_magic() {
  while (scan_.input.size() < 4) {
    const auto more = scan_.input.fill();
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
  SavefileInput& input = scan_.input;
  if (auto read = read_magic(); !read) {
    return read;
  }
  if (const auto compression = compression_of_magic(input.bytes());
      compression != Compression::kNone) {
    if (auto begun = input.decompress(compression); !begun) {
      return begun;
    }
    if (auto read = read_magic(); !read) {
      return read;
    }
  }
  if (input.size() == 0) {
    return scan_.invalid("the file is empty");
  }
  if (input.size() < 4) {
    return scan_.invalid(
        fmt::format("neither pcap nor pcapng: the file has only {} bytes", input.size()));
  }
  switch (magic_of(input.data())) {
    case Magic::kPcap:
      format_ = make_pcap_reader(scan_);
      return {};
    case Magic::kPcapng:
      format_ = make_pcapng_reader(scan_);
      return {};
    case Magic::kModifiedPcap:
      return scan_.invalid("a modified pcap file (magic number a1b2cd34) cannot be read");
    case Magic::kNavtelPcap:
      return scan_.invalid("a Navtel pcap file (magic number a12b3c4d) cannot be read");
    case Magic::kUnknown:
      break;
  }
  return scan_.invalid(fmt::format("neither pcap nor pcapng: the file begins with the bytes {}",
                                   to_hex(input.bytes().first(4))));
}

Status SavefileSource::open() {
  scan_.packets.reserve(kMaxBatch);
  scan_.records.reserve(kMaxBatch);
  if (auto status = choose_format(); !status) {
    return status;
  }
  return format_->open();
}

void SavefileSource::begin_batch() {
  scan_.input.consume(scan_.scanned);
  scan_.packets_before += scan_.packets.size();
  scan_.scanned = 0;
  scan_.packets.clear();
  scan_.records.clear();
  scan_.altered = false;
}

Result<Batch> SavefileSource::next_batch() {
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
    auto more = scan_.input.fill();
    if (!more) {
      return tl::make_unexpected(std::move(more.error()));
    }
    if (!*more) {
      if (scan_.input.size() > 0) {
        return format_->cut_off();
      }
      break;
    }
  }
  return Batch{.link_type = scan_.link_type,
               .packets = scan_.packets,
               .records = scan_.records,
               .bytes = scan_.input.bytes().first(scan_.scanned),
               .layout = scan_.layout,
               .altered = scan_.altered};
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

Result<Batch> SavefileReader::next_batch() { return source_->next_batch(); }

std::uint64_t SavefileReader::bytes_read() const { return source_->bytes_read(); }

bool SavefileReader::is_reading(const std::string& path) const { return source_->is_reading(path); }

}  // namespace weir::cbpf
