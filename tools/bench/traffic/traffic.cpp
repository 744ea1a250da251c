#include "tools/bench/traffic/traffic.h"

#include <fmt/format.h>

#include <numeric>
#include <optional>
#include <utility>

#include "cbpf/compile.h"
#include "cbpf/savefile/reader.h"
#include "tools/bench/traffic/random.h"

namespace weir::bench {

std::uint64_t Traffic::bytes() const {
  return std::accumulate(
      packets.begin(), packets.end(), std::uint64_t{0},
      [](std::uint64_t sum, const cbpf::Packet& packet) { return sum + packet.wire_length; });
}

void TrafficBuilder::add(Bytes captured, std::uint32_t wire_length) {
  memory_.insert(memory_.end(), captured.begin(), captured.end());
  ends_.push_back(memory_.size());
  wire_lengths_.push_back(wire_length);
}

Traffic TrafficBuilder::finish(std::string source, int link_type) && {
  Traffic traffic;
  traffic.source = std::move(source);
  traffic.link_type = link_type;
  traffic.memory = std::move(memory_);
  traffic.packets.reserve(ends_.size());
  std::size_t begin = 0;
  for (std::size_t i = 0; i < ends_.size(); ++i) {
    traffic.packets.push_back(
        {Bytes(traffic.memory).subspan(begin, ends_[i] - begin), wire_lengths_[i], nullptr});
    begin = ends_[i];
  }
  return traffic;
}

namespace {

// The name a traffic of several files goes by.
std::string source_name(const std::vector<std::string>& files) {
  std::string name = files.empty() ? "" : files.front();
  if (files.size() > 1) {
    name += fmt::format(" and {} more", files.size() - 1);
  }
  return name;
}

}  // namespace

Result<Traffic> read_traffic(const std::vector<std::string>& files, std::size_t most) {
  TrafficBuilder traffic;
  std::optional<int> link_type;
  for (const std::string& file : files) {
    auto reader = cbpf::SavefileReader::open(file);
    if (!reader) {
      return tl::make_unexpected(reader.error());
    }
    while (traffic.size() < most) {
      const auto batch = reader->next_batch();
      if (!batch) {
        return tl::make_unexpected(batch.error());
      }
      if (batch->done()) {
        break;
      }
      if (batch->packets.empty()) {
        continue;
      }
      if (link_type.value_or(batch->link_type) != batch->link_type) {
        return fail(
            ErrorCode::kUnsupported,
            fmt::format("packets of link type {} follow packets of link type {}; measure "
                        "them apart",
                        cbpf::link_type_name(batch->link_type), cbpf::link_type_name(*link_type)),
            {.file = file});
      }
      link_type = batch->link_type;
      for (const PacketBytes& packet : batch->packets) {
        if (traffic.size() < most) {
          traffic.add(packet.bytes(), packet.length);
        }
      }
    }
  }
  return std::move(traffic).finish(source_name(files), link_type.value_or(cbpf::kLinkTypeEthernet));
}

Result<Traffic> as_link_type(const Traffic& ethernet, int link_type) {
  constexpr int kRaw = 12;
  constexpr int kLinuxSll = 113;
  constexpr std::size_t kEthernetHeader = 14;
  constexpr std::size_t kProtocol = 12;  // Offset in that header.
  TrafficBuilder traffic;
  for (const cbpf::Packet& packet : ethernet.packets) {
    const Bytes bytes = packet.captured;
    if (bytes.size() <= kEthernetHeader) {
      continue;
    }
    const std::uint32_t protocol = load_be16(bytes.data() + kProtocol);
    const Bytes payload = bytes.subspan(kEthernetHeader);
    const auto length = static_cast<std::uint32_t>(packet.wire_length - kEthernetHeader);
    if (link_type == kRaw) {
      if (protocol == 0x0800 || protocol == 0x86dd) {
        traffic.add(payload, length);
      }
    } else if (link_type == kLinuxSll) {
      // Sent to this host, ARPHRD_ETHER, 6 bytes of address in a field of 8.
      std::vector<std::uint8_t> sll = {0, 0, 0, 1, 0, 6};
      sll.insert(sll.end(), bytes.begin() + 6, bytes.begin() + 12);
      sll.insert(sll.end(), {0, 0, static_cast<std::uint8_t>(protocol >> 8),
                             static_cast<std::uint8_t>(protocol)});
      const auto header = static_cast<std::uint32_t>(sll.size());
      sll.insert(sll.end(), payload.begin(), payload.end());
      traffic.add(sll, length + header);
    } else {
      return fail(ErrorCode::kUnsupported,
                  fmt::format("there is no traffic of link type {} to measure with",
                              cbpf::link_type_name(link_type)));
    }
  }
  return std::move(traffic).finish(
      fmt::format("{} as {}", ethernet.source, cbpf::link_type_name(link_type)), link_type);
}

Traffic with_hosts(const Traffic& traffic, std::span<const std::uint32_t> hosts,
                   std::uint32_t percent, std::uint64_t seed) {
  constexpr std::size_t kSource = 26;  // Offset of the address in an untagged frame.
  Random random(seed);
  TrafficBuilder builder;
  std::vector<std::uint8_t> bytes;
  for (const cbpf::Packet& packet : traffic.packets) {
    bytes.assign(packet.captured.begin(), packet.captured.end());
    if (bytes.size() >= kSource + 8 && load_be16(bytes.data() + 12) == 0x0800 && percent != 0 &&
        percent != 0 && random.chance(percent)) {
      const std::uint32_t host = hosts[random.below(static_cast<std::uint32_t>(hosts.size()))];
      const std::size_t at = kSource + (random.chance(50) ? 4 : 0);
      for (std::size_t i = 0; i < 4; ++i) {
        bytes[at + i] = static_cast<std::uint8_t>(host >> (24 - 8 * i));
      }
    }
    builder.add(bytes, packet.wire_length);
  }
  return std::move(builder).finish(
      percent == 0 ? traffic.source
                   : fmt::format("{}, {}% with hosts of the filter", traffic.source, percent),
      traffic.link_type);
}

}  // namespace weir::bench
