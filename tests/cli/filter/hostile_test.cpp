// `weir filter` on savefiles that claim or unpack to more than they should, with little memory, and
// on packed ones that are damaged.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cbpf/compression/decompress.h"
#include "tests/cli/cli.h"

namespace weir::cli {
namespace {

using cbpf::Compression;
using nlohmann::json;

std::string le32(std::uint32_t v) {
  return {static_cast<char>(v), static_cast<char>(v >> 8), static_cast<char>(v >> 16),
          static_cast<char>(v >> 24)};
}
std::string le16(std::size_t v) { return le32(static_cast<std::uint32_t>(v)).substr(0, 2); }

std::string block(std::uint32_t type, const std::string& body) {
  const std::string length = le32(static_cast<std::uint32_t>(12 + body.size()));
  return le32(type) + length + body + length;
}

std::string section() {
  return block(0x0a0d0d0a, le32(0x1a2b3c4d) + std::string("\1\0\0\0", 4) + std::string(8, '\xff'));
}

std::string option(std::size_t code, const std::string& value) {
  return le16(code) + le16(value.size()) + value + std::string((4 - value.size() % 4) % 4, '\0');
}

std::string interface(const std::string& options = {}) {
  return block(1, le32(1) + le32(0) + options);
}

std::string packet(std::uint32_t of) {
  const std::string bytes =
      std::string(12, '\2') + std::string("\x08\x00\x45", 3) + std::string(45, '\0');
  return block(6, le32(of) + le32(0) + le32(0) + le32(60) + le32(60) + bytes);
}

std::string pcap_header(std::uint32_t link_type) {
  return le32(0xa1b2c3d4) + std::string("\2\0\4\0", 4) + std::string(8, '\0') + le32(0x7fffffff) +
         le32(link_type);
}

std::string pcap_record(const std::string& bytes) {
  const std::string length = le32(static_cast<std::uint32_t>(bytes.size()));
  return le32(0) + le32(0) + length + length + bytes;
}

// Packs parts, each so many times.
class Packer {
 public:
  explicit Packer(Compression compression) : compressor_(cbpf::make_compressor(compression)) {}

  Packer& add(const std::string& part, int times = 1) {
    const Bytes bytes(reinterpret_cast<const std::uint8_t*>(part.data()), part.size());
    for (int i = 0; i < times; ++i) {
      EXPECT_TRUE(compressor_->add(bytes, packed_));
    }
    return *this;
  }
  std::string finish() {
    EXPECT_TRUE(compressor_->finish(packed_));
    return {packed_.begin(), packed_.end()};
  }

 private:
  std::unique_ptr<cbpf::Compressor> compressor_;
  std::vector<std::uint8_t> packed_;
};

// Runs the command with at most so many KiB of address space.
Answer weir_within(long kib, const std::vector<std::string>& arguments) {
  const TemporaryFolder folder;
  std::string command = "ulimit -c 0; ulimit -v " + std::to_string(kib) + "; exec " + kWeirInShell;
  for (const std::string& argument : arguments) {
    command += " '" + argument + "'";
  }
  command += " > '" + folder.path("out") + "' 2> '" + folder.path("err") + "'";
  const int status = std::system(command.c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
          read_file(folder.path("out")), read_file(folder.path("err")), 0};
}

// The least address space in which the command starts, in KiB, but for 1 MiB.
long least_memory() {
  long kib = 8L << 10;
  for (long step = 8L << 10; step >= 1024;) {
    const bool starts = weir_within(kib + step, {"help"}).status == 0;
    kib += starts ? 0 : step;
    step /= starts ? 2 : 1;
  }
  return kib + 1024;
}

// What hostile files have in common: a few KiB that unpack to much.
std::vector<std::string> hostile_files(const TemporaryFolder& folder) {
  const std::string name(0xffff, 'n');
  const std::string mebibyte(1U << 20, '\0');
  const std::string options = option(2, name) + option(3, name) + option(1, name);
  return {
      // Interfaces with long names, and options that nothing uses.
      folder.file("names", Packer(Compression::kZstd)
                               .add(section())
                               .add(interface(options), 300)
                               .add(packet(299))
                               .finish()),
      // As many interfaces as there may be.
      folder.file("interfaces", Packer(Compression::kZstd)
                                    .add(section())
                                    .add(interface(option(2, std::string(255, 'n'))), 65536)
                                    .add(packet(65535))
                                    .finish()),
      // A long block and a long record.
      folder.file("block", Packer(Compression::kZstd)
                               .add(section() + interface())
                               .add(le32(0xbad) + le32((15U << 20) + 12))
                               .add(mebibyte, 15)
                               .add(le32((15U << 20) + 12))
                               .add(packet(0))
                               .finish()),
      folder.file("record", Packer(Compression::kZstd)
                                .add(pcap_header(231))  // D-Bus: 128 MiB.
                                .add(le32(0) + le32(0) + le32(48U << 20) + le32(48U << 20))
                                .add(mebibyte, 48)
                                .finish()),
      folder.file("lz4", Packer(Compression::kLz4)
                             .add(section() + interface())
                             .add(interface(options), 300)
                             .add(packet(0))
                             .finish()),
  };
}

// The end is a count that is right or a sentence. Whether it is a count.
bool counts_or_says(long kib, const std::vector<std::string>& arguments, int packets) {
  const Answer answer = weir_within(kib, arguments);
  EXPECT_EQ(answer.err.find("bad_alloc"), std::string::npos) << answer.err;
  if (answer.status == 0) {
    EXPECT_EQ(answer.err, "");
    EXPECT_EQ(json::parse(answer.out)["packets"], packets);
    return true;
  }
  EXPECT_EQ(answer.status, 1);
  EXPECT_TRUE(answer.err.starts_with("weir: ") && answer.err.ends_with("\n")) << answer.err;
  EXPECT_TRUE(answer.err.find("memory") != std::string::npos ||
              answer.err.find("cannot begin a thread: ") != std::string::npos)
      << answer.err;
  return false;
}

TEST(FilterHostile, WithoutMemoryASentenceComesAndWithSomeTheCount) {
  if (std::string_view(WEIR_SANITIZE) != "") {
    GTEST_SKIP() << "sanitizers take the address space";
  }
  const TemporaryFolder folder;
  const long least = least_memory();
  for (const std::string& file : hostile_files(folder)) {
    const std::string out = folder.path("out.zst");
    int counted = 0;
    int runs = 0;
    // 60 MB of names and options, and 65,536 interfaces, take little: what is kept is bounded. A
    // record is in memory as it is, and its copy while the room for it grows.
    const bool long_record = file.ends_with("block") || file.ends_with("record");
    for (const long more : {2L, 6L, 16L, long_record ? 300L : 48L}) {
      SCOPED_TRACE(file + " " + std::to_string(more));
      ++runs;
      counted += counts_or_says(least + (more << 10),
                                {"filter", "-r", file, "-w", out, "-j", "len > 0"}, 1)
                     ? 1
                     : 0;
    }
    EXPECT_GT(counted, 0) << file;
    EXPECT_LT(counted, runs) << file;
  }
}

TEST(FilterHostile, NeitherDoThreadsEndInTerminate) {
  if (std::string_view(WEIR_SANITIZE) != "") {
    GTEST_SKIP() << "sanitizers take the address space";
  }
  const TemporaryFolder folder;
  std::string plain = section() + interface();
  for (int i = 0; i < 50'000; ++i) {
    plain += packet(0);
  }
  const std::string file = folder.file("plain", plain);
  const long least = least_memory();
  int counted = 0;
  for (long more = 6; more < 128; more += more / 2) {
    SCOPED_TRACE(more);
    counted += counts_or_says(least + (more << 10),
                              {"filter", "-r", file, "-w", folder.path("out.gz"), "--threads", "4",
                               "-j", "len > 0"},
                              50'000)
                   ? 1
                   : 0;
  }
  EXPECT_GT(counted, 0);
}

// Packets of which half is new and half is a copy, so that they fill many blocks of codes and
// matches. Their number is their time.
std::string many_packets(int count) {
  std::string all = pcap_header(1);
  std::uint32_t state = 1993;
  for (int i = 0; i < count; ++i) {
    std::string bytes(700, '\0');
    for (std::size_t at = 0; at < bytes.size(); ++at) {
      state = state * 1664525 + 1013904223;
      const bool copy = at % 32 >= 16;
      bytes[at] = copy && i > 2 ? all[all.size() - 800 + at] : static_cast<char>(state >> 24);
    }
    all += pcap_record(bytes).replace(0, 4, le32(static_cast<std::uint32_t>(i)));
  }
  return all;
}

constexpr int kPackets = 3000;     // 2.1 MB.
constexpr int kRecord = 16 + 700;  // Bytes.

struct Damaged {
  Answer answer;
  int packets = 0;
  std::string written;
};

// Filters a packed file and says what was counted and written.
Damaged filter_damaged(const TemporaryFolder& folder, const std::string& bytes) {
  Damaged damaged;
  const std::string out = folder.path("out");
  std::filesystem::remove(out);
  damaged.answer = weir({"filter", "-r", folder.file("damaged", bytes), "-w", out, "-j"});
  if (damaged.answer.out.starts_with("{\"bytes")) {
    damaged.packets =
        json::parse(damaged.answer.out.substr(0, damaged.answer.out.find('\n')))["packets"];
  }
  damaged.written = read_file(out);
  return damaged;
}

// From the middle of the file on, which is the middle of a block, bytes are flipped: all packets of
// the blocks before it are counted and written as they were, and the sentence says what is damaged.
TEST(FilterDamaged, WhatWasWholeBeforeTheDamageIsCountedAndWritten) {
  constexpr std::size_t kDamage = 200'000;
  const TemporaryFolder folder;
  const std::string plain = many_packets(kPackets);
  // The most that one block holds; gzip is unpacked byte by byte, as far as its window reaches.
  const std::pair<Compression, int> blocks[] = {{Compression::kGzip, 32 << 10},
                                                {Compression::kZstd, 128 << 10},
                                                {Compression::kLz4, 256 << 10}};
  for (const auto& [compression, block] : blocks) {
    std::string packed = Packer(compression).add(plain).finish();
    for (std::size_t i = 0; i < kDamage; ++i) {
      packed[packed.size() / 2 + i] ^= 0x55;
    }
    const Damaged damaged = filter_damaged(folder, packed);
    SCOPED_TRACE(std::string(cbpf::compression_name(compression)) + " " + damaged.answer.err);
    EXPECT_EQ(damaged.answer.status, 1);
    // Damaged gzip may unpack to other bytes, which are then no record.
    EXPECT_NE(damaged.answer.err.find(compression == Compression::kGzip ? "weir: " : "damaged"),
              std::string::npos);
    const int whole = (static_cast<int>(plain.size()) * 49 / 100 - block) / kRecord;
    EXPECT_GE(damaged.packets, whole);
    EXPECT_LT(damaged.packets, kPackets);
    const std::size_t same = 24 + static_cast<std::size_t>(whole) * kRecord;
    EXPECT_TRUE(damaged.written.substr(0, same) == plain.substr(0, same));
    ASSERT_EQ(damaged.written.size(), 24U + static_cast<std::size_t>(damaged.packets) * kRecord);
  }
}

// Wherever a bit is flipped: never more packets than there were, and no end but a sentence.
TEST(FilterDamaged, AnyFlipIsSurvived) {
  const TemporaryFolder folder;
  const std::string plain = many_packets(300);
  std::uint32_t state = 7;
  for (const Compression compression :
       {Compression::kGzip, Compression::kZstd, Compression::kLz4}) {
    const std::string packed = Packer(compression).add(plain).finish();
    const std::string clean = filter_damaged(folder, packed).written;
    ASSERT_EQ(clean.size(), plain.size());
    int refused = 0;
    for (int i = 0; i < 12; ++i) {
      state = state * 1664525 + 1013904223;
      std::string flipped = packed;
      const std::size_t at = (state >> 4) % packed.size();
      flipped[at] = static_cast<char>(flipped[at] ^ 1 << (state >> 29));
      const Damaged damaged = filter_damaged(folder, flipped);
      SCOPED_TRACE(std::string(cbpf::compression_name(compression)) + " byte " +
                   std::to_string(at) + ": " + damaged.answer.err);
      EXPECT_LE(damaged.packets, 300);
      EXPECT_EQ(damaged.written.size(),
                damaged.packets == 0 ? damaged.written.size()
                                     : 24U + static_cast<std::size_t>(damaged.packets) * kRecord);
      ASSERT_LE(damaged.answer.status, 1);
      if (damaged.answer.status == 1) {
        ++refused;
        EXPECT_TRUE(damaged.answer.err.starts_with("weir: ")) << damaged.answer.err;
      } else {
        EXPECT_EQ(damaged.packets, 300);
        EXPECT_TRUE(damaged.written == clean) << "the checksum tells";
      }
    }
    EXPECT_GT(refused, 6);
  }
}

}  // namespace
}  // namespace weir::cli
