#include "tests/engines/packets.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "cbpf/savefile/reader.h"

namespace weir::judge {
namespace {

void add_file(const std::string& file, std::map<int, PacketSet>& sets) {
  auto reader = cbpf::SavefileReader::open(file);
  ASSERT_TRUE(reader) << to_string(reader.error());
  while (true) {
    const auto batch = reader->next_batch();
    ASSERT_TRUE(batch) << to_string(batch.error());
    if (batch->done()) {
      return;
    }
    for (const PacketBytes& packet : batch->packets) {
      sets[batch->link_type].add(packet.bytes(), packet.length);
    }
  }
}

}  // namespace

void PacketSet::add(Bytes captured, std::uint32_t wire_length) {
  memory.emplace_back(captured.begin(), captured.end());
  wire_lengths.push_back(wire_length);
}

std::vector<cbpf::Packet> PacketSet::view() const {
  std::vector<cbpf::Packet> packets;
  packets.reserve(memory.size());
  for (std::size_t i = 0; i < memory.size(); ++i) {
    packets.push_back({memory[i], wire_lengths[i]});
  }
  return packets;
}

std::map<int, PacketSet> all_captures() {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(WEIR_PCAPS_DIR)) {
    const std::string extension = entry.path().extension().string();
    if (extension == ".pcap" || extension == ".pcapng") {
      files.push_back(entry.path().string());
    }
  }
  std::sort(files.begin(), files.end());
  std::map<int, PacketSet> sets;
  for (const std::string& file : files) {
    add_file(file, sets);
  }
  EXPECT_FALSE(sets.empty()) << "no captures in " << WEIR_PCAPS_DIR;
  return sets;
}

PacketSet all_prefixes(const std::vector<cbpf::Packet>& packets) {
  PacketSet prefixes;
  for (const cbpf::Packet& packet : packets) {
    for (std::size_t length = 0; length <= packet.captured.size(); ++length) {
      const Bytes captured = packet.captured.first(length);
      prefixes.add(captured, packet.wire_length);
      prefixes.add(captured, static_cast<std::uint32_t>(length));
    }
  }
  return prefixes;
}

}  // namespace weir::judge
