// Any bytes as a savefile: what is read is what libpcap reads, record by record as from many places
// at once, and a copy reads back the same.
#include <pcap/pcap.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "cbpf/savefile/parallel_reader.h"
#include "cbpf/savefile/writer.h"
#include "tests/cbpf/savefile_bytes.h"
#include "tests/fuzz/require.h"

namespace weir::cbpf {
namespace {

using test::ReadFile;
using test::ReadPacket;

// Packets as libpcap reads them, compared with ours as far as both go. Gives how many there were,
// and whether libpcap came to a clean end.
struct Compared {
  std::size_t packets = 0;
  bool clean = false;
};
Compared compare(pcap_t* pcap, const ReadFile& file) {
  Compared compared;
  pcap_pkthdr* header = nullptr;
  const u_char* data = nullptr;
  int result = 0;
  while ((result = pcap_next_ex(pcap, &header, &data)) == 1) {
    if (compared.packets < file.packets.size()) {
      const ReadPacket& ours = file.packets[compared.packets];
      require(ours.wire_length == header->len, "the wire length is libpcap's");
      require(ours.captured.size() == header->caplen, "the captured length is libpcap's");
      require(std::equal(ours.captured.begin(), ours.captured.end(), data),
              "the packet is libpcap's");
    }
    ++compared.packets;
  }
  compared.clean = result == PCAP_ERROR_BREAK;
  return compared;
}

void compare_with_libpcap(Bytes bytes, const SavefileReader& reader, const ReadFile& file) {
  std::FILE* const stream = ::fmemopen(const_cast<std::uint8_t*>(bytes.data()), bytes.size(), "rb");
  char why[PCAP_ERRBUF_SIZE] = {};
  pcap_t* const pcap = pcap_fopen_offline(stream, why);
  const bool is_pcap = reader.header().format == SavefileFormat::kPcap;
  require(pcap != nullptr || !is_pcap, "libpcap opens what is opened here", why);
  if (pcap == nullptr) {
    std::fclose(stream);
    return;
  }
  const Compared compared = compare(pcap, file);
  // Of pcapng libpcap takes less: one link type, one snapshot length.
  if (is_pcap) {
    require(compared.packets == file.packets.size(), "there are as many packets as in libpcap");
    require(compared.clean == file.error.empty(), "the file ends as in libpcap", file.error);
  }
  pcap_close(pcap);
}

// The file after a copy that takes every packet, and whether the writer could make it.
bool copy(Bytes bytes, SavefileFormat format, std::vector<std::uint8_t>& out) {
  auto reader = SavefileReader::from_fd(test::file_of(bytes), "in");
  const Fd file = test::file_of({});
  SavefileWriterOptions options = options_like(reader->header(), format);
  options.nanoseconds = true;
  auto writer = SavefileWriter::to_fd(Fd(::dup(file.get())), "out", options);
  const std::vector<std::uint32_t> accept(kMaxBatch, 1);
  bool whole = true;
  for (;;) {
    const auto batch = reader->next_batch();
    if (!batch || batch->done()) {
      break;
    }
    require(batch->packets.size() <= kMaxBatch, "a batch has no more packets than it may");
    whole = whole && writer->copy(*batch, std::span(accept).first(batch->packets.size()));
  }
  require(writer->close().has_value(), "a file in memory takes what is written");
  out = test::contents_of(file.get());
  return whole;
}

void check_copies(Bytes bytes, const SavefileReader& reader, const ReadFile& file) {
  std::vector<std::uint8_t> out;
  const SavefileFormat own = reader.header().format;
  require(copy(bytes, own, out), "a file can be copied in its own format");
  if (own == SavefileFormat::kPcapng) {
    require(out == file.bytes, "a copy of a pcapng file is what was read of it");
  }
  for (const SavefileFormat format : {SavefileFormat::kPcap, SavefileFormat::kPcapng}) {
    if (!copy(bytes, format, out)) {
      continue;  // Several link types in pcap.
    }
    const ReadFile again = test::read_all(out);
    require(again.error.empty() || out.empty(), "a copy can be read", again.error);
    require(again.packets.size() == file.packets.size(), "a copy has the packets of the file");
    for (std::size_t i = 0; i < file.packets.size(); ++i) {
      require(again.packets[i].captured == file.packets[i].captured, "a packet is copied whole");
      require(again.packets[i].wire_length == file.packets[i].wire_length,
              "a copy has the wire length");
    }
  }
}

// In pieces whose records are guessed at many places.
void check_pieces(Bytes bytes, const ReadFile& file) {
  for (const std::size_t part : {std::size_t{32}, std::size_t{100}}) {
    auto reader = SavefileReader::from_fd(test::file_of(bytes), "in");
    SavefileParallelReader pieces(*reader, nullptr,
                                  {.least_piece = 4096, .most_piece = 4096, .least_part = part});
    SavefilePiece piece;
    ReadFile found;
    while (pieces.next(piece)) {
      for (const Batch& batch : piece.batches()) {
        test::add_batch(found, batch);
      }
      found.error = piece.end() ? "" : to_string(piece.end().error());
    }
    require(found.packets == file.packets, "pieces have the packets of the file");
    require(found.bytes == file.bytes, "pieces have the bytes of the file");
    require(found.error == file.error, "pieces end as the file does", found.error);
  }
}

// Of a compressed file, which libpcap does not read, and which may be small and hold very much.
void read_some(SavefileReader& reader) {
  std::size_t bytes = 0;
  while (bytes < (std::size_t{1} << 20)) {
    const auto batch = reader.next_batch();
    if (!batch) {
      require(!batch.error().message.empty(), "an error says something");
      return;
    }
    if (batch->done()) {
      return;
    }
    bytes += batch->bytes.size();
  }
}

}  // namespace
}  // namespace weir::cbpf

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace weir;
  const Bytes bytes(data, size);
  auto reader = cbpf::SavefileReader::from_fd(cbpf::test::file_of(bytes), "in");
  if (!reader) {
    require(!reader.error().message.empty(), "an error says something");
    return 0;
  }
  if (reader->compressed()) {
    cbpf::read_some(*reader);
    return 0;
  }
  const cbpf::test::ReadFile file = cbpf::test::read_all(*reader);
  cbpf::check_pieces(bytes, file);
  require(file.bytes.size() <= size, "no more is handed out than there is");
  cbpf::compare_with_libpcap(bytes, *reader, file);
  cbpf::check_copies(bytes, *reader, file);
  return 0;
}
