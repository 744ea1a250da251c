#include "tools/filter/output.h"

#include <algorithm>
#include <utility>

namespace weir::filter {
namespace {

constexpr std::size_t kRecordHeader = 16;

}  // namespace

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

Status Output::next_file() {
  if (auto closed = writer_->close(); !closed) {
    return closed;
  }
  return open();
}

Status Output::rotate_by_time() {
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
  return next_file();
}

Status Output::rotate_by_size() {
  ++file_number_;
  if (rotation_.max_files != 0 && file_number_ >= rotation_.max_files) {
    file_number_ = 0;
  }
  return next_file();
}

Status Output::copy(const cbpf::Batch& batch, std::span<const std::uint32_t> accept_lengths) {
  if (!rotation_.any()) {
    return writer_->copy(batch, accept_lengths);
  }
  if (std::all_of(accept_lengths.begin(), accept_lengths.end(),
                  [](std::uint32_t length) { return length == 0; })) {
    return {};
  }
  if (rotation_.seconds != 0) {
    if (auto rotated = rotate_by_time(); !rotated || full_) {
      return rotated;
    }
  }
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
      if (auto rotated = rotate_by_size(); !rotated) {
        return rotated;
      }
      std::fill(part_.begin(), part_.end(), 0);
      bytes = writer_->bytes();
    }
    part_[i] = accept_lengths[i];
    bytes += kRecordHeader + batch.packets[i].captured;
  }
  return writer_->copy(batch, part_);
}

}  // namespace weir::filter
