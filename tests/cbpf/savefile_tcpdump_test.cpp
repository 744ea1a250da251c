// Savefiles against the others who read and write them: libpcap's own reader, and tcpdump.
#include <gtest/gtest.h>
#include <pcap/pcap.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "cbpf/savefile/writer.h"
#include "tests/cbpf/savefile_bytes.h"

namespace weir::cbpf {
namespace {

using test::FileBytes;
using test::some_packet;

struct Sample {
  std::string name;
  std::vector<std::uint8_t> bytes;
};

// Packets of a file with what is strange in savefiles: fractions of more than a second, packets
// without bytes, packets longer than the snapshot length or than they were on the wire.
void add_records(FileBytes& file) {
  file.pcap_record(1000, 123456789, some_packet(60, 1), 60);
  file.pcap_record(0xffffffff, 4000000000, some_packet(20, 2), 40);
  file.pcap_record(1, 999999, some_packet(0), 0);
  file.pcap_record(1, 999, some_packet(200, 3), 1500);
  file.pcap_record(1, 0xffffffff, some_packet(30, 4), 20);
}

std::vector<Sample> samples() {
  std::vector<Sample> all;
  const FileBytes::PcapHeader headers[] = {
      {.snaplen = 0},     {.snaplen = 100},  {.snaplen = 0x80000000}, {.snaplen = 0x7fffffff},
      {.link_type = 101}, {.link_type = 12}, {.link_type = 113},      {.link_type = 0x24000001},
  };
  for (const bool big : {false, true}) {
    for (const bool nano : {false, true}) {
      for (FileBytes::PcapHeader header : headers) {
        header.nanoseconds = nano;
        FileBytes file(big);
        add_records(file.pcap_header(header));
        all.push_back({"big " + std::to_string(big) + " nano " + std::to_string(nano) +
                           " snaplen " + std::to_string(header.snaplen) + " link type " +
                           std::to_string(header.link_type),
                       file.get()});
      }
    }
  }
  for (const std::uint32_t minor : {0U, 2U, 3U}) {
    FileBytes file;
    file.pcap_header({.minor = minor}).u32(1).u32(1).u32(60).u32(20).bytes(some_packet(20));
    all.push_back({"version 2." + std::to_string(minor), file.get()});
  }
  for (const bool big : {false, true}) {
    for (const std::uint32_t resolution : {0U, 3U, 6U, 9U, 12U, 0x80U | 10U, 0x80U | 20U}) {
      FileBytes file(big);
      const std::uint8_t value[] = {static_cast<std::uint8_t>(resolution)};
      const FileBytes options = file.body().option(9, value).option(0, {});
      file.section().interface(1, 64, options).block(99, file.body().text("unknown"));
      file.interface(1, 64, options).enhanced(1, 0x3456'789a, some_packet(21), 60);
      file.simple(some_packet(64), 70).obsolete(0, 12'345'678, some_packet(50), 50);
      all.push_back(
          {"pcapng big " + std::to_string(big) + " resolution " + std::to_string(resolution),
           file.get()});
    }
  }
  for (const bool big : {false, true}) {
    FileBytes file(big);
    file.u32(0xa1b2cd34).u16(2).u16(4).u64(0).u32(65535).u32(1);
    for (std::uint32_t i = 0; i < 3; ++i) {
      file.u32(i).u32(5).u32(40).u32(60).u64(0x1234).bytes(some_packet(40));
    }
    all.push_back({"modified pcap, big " + std::to_string(big), file.get()});
  }
  // Headers in the byte order of the machine that captured, whole and cut off everywhere.
  for (const std::uint32_t link_type : {113U, 117U, 189U, 220U, 239U, 276U}) {
    FileBytes file(true);
    FileBytes blocks(true);
    file.pcap_header({.link_type = link_type});
    blocks.section().interface(link_type);
    for (std::uint32_t length = 0; length < 130; ++length) {
      auto packet = some_packet(130);
      packet[0] = link_type == 117 ? static_cast<std::uint8_t>(length) : 0;
      packet[1] = link_type == 276 ? 12 : 0;
      if (link_type == 113) {
        packet[14] = 0;
        packet[15] = 13;
      } else if (link_type == 239) {
        packet[4] = 0;
        packet[5] = 8;
        packet[12] = 0;
        packet[13] = 7;
      } else {
        packet[9] = static_cast<std::uint8_t>(length % 2);
        packet[60] = packet[61] = packet[62] = 0;
        packet[63] = 3;
      }
      const std::uint32_t wire = length % 3 == 0 ? 200 : length;
      file.pcap_record(length, 1, Bytes(packet).first(length), wire);
      blocks.enhanced(0, length, Bytes(packet).first(length), wire);
    }
    all.push_back({"host order, link type " + std::to_string(link_type), file.get()});
    all.push_back({"host order, pcapng, link type " + std::to_string(link_type), blocks.get()});
  }
  // Broken at the end: what is whole is kept.
  FileBytes cut;
  cut.pcap_header({});
  add_records(cut);
  cut.pcap_record(1, 1, some_packet(10), 10).u32(1).u32(1).u32(20).u32(20).u32(7);
  all.push_back({"cut", cut.get()});
  FileBytes absurd;
  absurd.pcap_header({}).pcap_record(1, 1, some_packet(10), 10).u32(1).u32(1).u32(262145).u32(7);
  all.push_back({"absurd", absurd.bytes(some_packet(262145)).get()});
  return all;
}

class SavefileTcpdump : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "weir-savefile-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
  }
  void TearDown() override {
    for (const char* name : {"/in", "/out", "/tcpdump"}) {
      std::remove((directory_ + name).c_str());
    }
    std::remove(directory_.c_str());
  }
  std::string path(const std::string& name) const { return directory_ + "/" + name; }

  void write_input(const std::vector<std::uint8_t>& bytes) const {
    std::ofstream(path("in"), std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
  }
  std::vector<char> contents(const std::string& name) const {
    std::ifstream in(path(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  std::string directory_;
};

// Every packet as libpcap gives it, and an end or an error where libpcap has one.
TEST_F(SavefileTcpdump, ReadsWhatLibpcapReads) {
  for (const Sample& sample : samples()) {
    SCOPED_TRACE(sample.name);
    write_input(sample.bytes);
    char why[PCAP_ERRBUF_SIZE] = {};
    pcap_t* const pcap = pcap_open_offline_with_tstamp_precision(path("in").c_str(),
                                                                 PCAP_TSTAMP_PRECISION_NANO, why);
    ASSERT_NE(pcap, nullptr) << why;
    auto reader = SavefileReader::open(path("in"));
    ASSERT_TRUE(reader);
    EXPECT_EQ(reader->header().link_type, pcap_datalink(pcap));
    EXPECT_EQ(reader->header().snaplen, static_cast<std::uint32_t>(pcap_snapshot(pcap)));
    const test::ReadFile read = test::read_all(*reader);
    pcap_pkthdr* header = nullptr;
    const u_char* data = nullptr;
    std::size_t count = 0;
    int result = 0;
    while ((result = pcap_next_ex(pcap, &header, &data)) == 1 && count < read.packets.size()) {
      const test::ReadPacket& packet = read.packets[count++];
      EXPECT_EQ(packet.captured, std::vector<std::uint8_t>(data, data + header->caplen));
      EXPECT_EQ(packet.wire_length, header->len);
      // Fractions of more than a second are as they are in libpcap, and carried over here.
      const auto seconds = static_cast<std::uint32_t>(header->ts.tv_sec);
      if (packet.timestamp % 1'000'000'000 == static_cast<std::uint64_t>(header->ts.tv_usec)) {
        EXPECT_EQ(packet.timestamp / 1'000'000'000, seconds);
      } else {
        EXPECT_GE(static_cast<std::uint64_t>(header->ts.tv_usec), 1'000'000'000U);
      }
    }
    EXPECT_EQ(count, read.packets.size());
    EXPECT_EQ(result, read.error.empty() ? PCAP_ERROR_BREAK : PCAP_ERROR);
    pcap_close(pcap);
  }
}

// A copy is, byte for byte, what tcpdump writes, the snapshot length of a pcapng file apart.
TEST_F(SavefileTcpdump, CopiesAsTcpdumpDoes) {
  if (std::system("tcpdump --version >/dev/null 2>&1") != 0) {
    GTEST_SKIP() << "tcpdump is not installed";
  }
  for (const Sample& sample : samples()) {
    SCOPED_TRACE(sample.name);
    write_input(sample.bytes);
    for (const bool nanoseconds : {false, true}) {
      const std::string command = "tcpdump -r " + path("in") + " -w " + path("tcpdump") +
                                  (nanoseconds ? " --nano" : "") + " 'len > 20' >/dev/null 2>&1";
      EXPECT_GE(std::system(command.c_str()), 0);
      auto reader = SavefileReader::open(path("in"));
      ASSERT_TRUE(reader);
      SavefileWriterOptions options = options_like(reader->header(), SavefileFormat::kPcap);
      options.nanoseconds = nanoseconds;
      // What tcpdump makes of a pcapng file may say less than its packets have.
      options.snaplen = reader->header().snaplen;
      auto writer = SavefileWriter::create(path("out"), options);
      ASSERT_TRUE(writer);
      for (;;) {
        const auto batch = reader->next_batch();
        if (!batch || batch->done()) {
          break;
        }
        std::vector<std::uint32_t> accept;
        for (const PacketBytes& packet : batch->packets) {
          accept.push_back(packet.length > 20 ? 262144 : 0);
        }
        ASSERT_TRUE(writer->copy(*batch, accept));
      }
      ASSERT_TRUE(writer->close());
      EXPECT_EQ(contents("out"), contents("tcpdump"));
    }
  }
}

}  // namespace
}  // namespace weir::cbpf
