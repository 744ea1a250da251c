#include "tools/filter/output.h"

#include <algorithm>
#include <utility>

namespace weir::filter {
namespace {

// Of a packet that is written anew.
std::uint64_t record_size(cbpf::SavefileFormat format, std::uint32_t captured) {
  return format == cbpf::SavefileFormat::kPcapng ? 32 + (std::uint64_t{captured} + 3) / 4 * 4
                                                 : 16 + std::uint64_t{captured};
}

}  // namespace

std::optional<cbpf::SavefileFormat> format_of_name(std::string_view path) {
  if (cbpf::compression_of_name(path) != cbpf::Compression::kNone) {
    path = path.substr(0, path.rfind('.'));
  }
  if (path.ends_with(".pcapng")) {
    return cbpf::SavefileFormat::kPcapng;
  }
  return path.ends_with(".pcap") ? std::optional(cbpf::SavefileFormat::kPcap) : std::nullopt;
}

Output::Output(std::string path, const cbpf::SavefileWriterOptions& options,
               const Rotation& rotation, Clock clock, const ReadFiles* read)
    : path_(std::move(path)),
      options_(options),
      rotation_(rotation),
      clock_(std::move(clock)),
      read_(read),
      begun_(rotation.seconds != 0 ? clock_() : 0) {}

Result<Output> Output::create(const std::string& path, cbpf::SavefileWriterOptions options,
                              const Rotation& rotation, Clock clock, const ReadFiles* read) {
  options.compression = cbpf::compression_of_name(path);
  Output output(path, options, rotation, std::move(clock), read);
  if (auto opened = output.open(); !opened) {
    return tl::make_unexpected(opened.error());
  }
  return output;
}

Status Output::open() {
  const std::string name =
      rotation_.any() ? rotated_name(path_, rotation_, begun_, file_number_) : path_;
  if (read_ != nullptr) {
    if (auto checked = read_->check_output(name); !checked) {
      return checked;
    }
  }
  auto writer = cbpf::SavefileWriter::create(name, options_);
  if (!writer) {
    return tl::make_unexpected(writer.error());
  }
  writer_.reset();
  writer_.emplace(std::move(*writer));
  return {};
}

Status Output::next_file(Bytes next) {
  cut_timestamps_ = cut_timestamps();
  if (auto closed = writer_->close(); !closed) {
    return closed;
  }
  // What comes next brings its section.
  options_.copied_blocks = options_.format == cbpf::SavefileFormat::kPcapng;
  if (auto opened = open(); !opened) {
    return opened;
  }
  if (section_.bytes().empty() || SectionStart::begins_section(next)) {
    return {};
  }
  cbpf::Batch start;
  start.bytes = section_.bytes();
  start.layout = cbpf::RecordLayout::kPcapng;
  return writer_->copy(start, {});
}

Status Output::rotate_by_time(Bytes next) {
  const std::time_t now = clock_();
  if (now - begun_ < static_cast<std::time_t>(rotation_.seconds)) {
    return {};
  }
  begun_ = now;
  ++periods_;
  if (rotation_.max_bytes == 0 && rotation_.max_files != 0 && periods_ >= rotation_.max_files) {
    full_ = true;
    return {};
  }
  file_number_ = 0;
  return next_file(next);
}

Status Output::rotate_by_size(Bytes next) {
  ++file_number_;
  if (rotation_.max_files != 0 && file_number_ >= rotation_.max_files) {
    file_number_ = 0;
  }
  return next_file(next);
}

Status Output::copy(const cbpf::Batch& batch, std::span<const std::uint32_t> accept_lengths) {
  if (!rotation_.any()) {
    return writer_->copy(batch, accept_lengths);
  }
  const bool copies_blocks = options_.format == cbpf::SavefileFormat::kPcapng &&
                             batch.layout == cbpf::RecordLayout::kPcapng;
  if (!copies_blocks) {
    section_ = {};
  }
  if (std::any_of(accept_lengths.begin(), accept_lengths.end(),
                  [](std::uint32_t length) { return length != 0; })) {
    if (rotation_.seconds != 0) {
      if (auto rotated = rotate_by_time(batch.bytes); !rotated) {
        return rotated;
      }
    }
  } else if (!copies_blocks) {
    return {};
  }
  if (full_) {
    return {};
  }
  return copies_blocks ? copy_blocks(batch, accept_lengths) : copy_records(batch, accept_lengths);
}

// Packets alone, each as a record of its own.
Status Output::copy_records(const cbpf::Batch& batch,
                            std::span<const std::uint32_t> accept_lengths) {
  if (rotation_.max_bytes == 0) {
    return writer_->copy(batch, accept_lengths);
  }
  part_.assign(accept_lengths.size(), 0);
  std::uint64_t bytes = writer_->bytes();
  for (std::size_t i = 0; i < accept_lengths.size(); ++i) {
    if (accept_lengths[i] == 0) {
      continue;
    }
    if (bytes > rotation_.max_bytes) {
      if (auto copied = writer_->copy(batch, part_); !copied) {
        return copied;
      }
      if (auto rotated = rotate_by_size(batch.raw(i)); !rotated) {
        return rotated;
      }
      std::fill(part_.begin(), part_.end(), 0);
      bytes = writer_->bytes();
    }
    part_[i] = accept_lengths[i];
    bytes += record_size(options_.format, batch.packets[i].captured);
  }
  return writer_->copy(batch, part_);
}

// Everything but the packets that are not accepted. A file ends after a packet, and what comes
// between it and the next one belongs to the next file.
Status Output::copy_blocks(const cbpf::Batch& batch,
                           std::span<const std::uint32_t> accept_lengths) {
  const std::uint8_t* const end = batch.bytes.data() + batch.bytes.size();
  const std::uint8_t* at = batch.bytes.data();
  std::size_t copied = 0;  // Packets.
  const std::uint8_t* from = at;
  const auto copy_part = [&](std::size_t packets, const std::uint8_t* to) {
    cbpf::Batch part = batch;
    part.packets = batch.packets.subspan(copied, packets - copied);
    part.blocks = batch.blocks.subspan(copied, packets - copied);
    part.bytes = Bytes(from, to);
    const auto lengths = accept_lengths.subspan(copied, packets - copied);
    copied = packets;
    from = to;
    return writer_->copy(part, lengths);
  };
  std::uint64_t bytes = writer_->bytes();
  for (std::size_t i = 0; i < batch.blocks.size(); ++i) {
    const cbpf::PacketBlock& block = batch.blocks[i];
    if (accept_lengths[i] != 0 && rotation_.max_bytes != 0 && bytes > rotation_.max_bytes) {
      if (auto done = copy_part(i, at); !done) {
        return done;
      }
      if (auto rotated = rotate_by_size(Bytes(at, end)); !rotated) {
        return rotated;
      }
      bytes = writer_->bytes();
    }
    if (auto taken = section_.take(Bytes(at, block.begin)); !taken) {
      return taken;
    }
    bytes += static_cast<std::uint64_t>(block.begin - at);
    bytes += accept_lengths[i] != 0 ? block.length : 0;
    at = block.begin + block.length;
  }
  if (auto taken = section_.take(Bytes(at, end)); !taken) {
    return taken;
  }
  return copy_part(batch.blocks.size(), end);
}

}  // namespace weir::filter
