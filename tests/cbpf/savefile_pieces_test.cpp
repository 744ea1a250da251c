// Savefiles read in pieces by several threads, and savefiles read as memory: what one reader gives
// who copies, whatever the file is.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "cbpf/savefile/parallel_reader.h"
#include "tests/cbpf/savefile_bytes.h"
#include "tests/random/choices.h"

namespace weir::cbpf {
namespace {

using test::FileBytes;
using test::ReadFile;
using test::some_packet;

// All that the pieces give, in their order, read by so many threads.
ReadFile read_in_pieces(SavefileReader& reader, int threads, SigbusGuard* guard = nullptr) {
  SavefileParallelReader pieces(reader, guard);
  std::mutex mutex;
  std::vector<ReadFile> parts;  // By number.
  std::vector<std::uint64_t> packet_numbers;
  const auto work = [&] {
    SavefilePiece piece;
    while (pieces.next(piece)) {
      ReadFile part;
      for (const Batch& batch : piece.batches()) {
        test::add_batch(part, batch);
      }
      part.error = piece.end() ? "" : to_string(piece.end().error());
      const std::scoped_lock lock(mutex);
      parts.resize(std::max<std::size_t>(parts.size(), piece.number() + 1));
      packet_numbers.resize(parts.size());
      parts[piece.number()] = std::move(part);
      packet_numbers[piece.number()] = piece.batches().empty() ? 0 : piece.batches().front().number;
    }
  };
  std::vector<std::thread> workers;
  for (int i = 0; i < threads; ++i) {
    workers.emplace_back(work);
  }
  for (std::thread& worker : workers) {
    worker.join();
  }
  ReadFile all;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    EXPECT_EQ(all.error, "") << "a piece behind the end";
    if (packet_numbers[i] != 0) {
      EXPECT_EQ(packet_numbers[i], all.packets.size() + 1);
    }
    all.packets.insert(all.packets.end(), parts[i].packets.begin(), parts[i].packets.end());
    all.bytes.insert(all.bytes.end(), parts[i].bytes.begin(), parts[i].bytes.end());
    all.error = parts[i].error;
  }
  EXPECT_TRUE(pieces.intact());
  return all;
}

// A descriptor the bytes come out of: a file, or a pipe that somebody fills.
enum class Source { kFile, kMappedFile, kPipe };

class Opened {
 public:
  Opened(const std::vector<std::uint8_t>& bytes, Source source) {
    if (source != Source::kPipe) {
      fd_ = test::file_of(bytes);
      return;
    }
    std::signal(SIGPIPE, SIG_IGN);  // The reader may leave early.
    int ends[2];
    EXPECT_EQ(::pipe(ends), 0);
    fd_ = Fd(ends[0]);
    writer_ = std::thread([&bytes, end = ends[1]] {
      const Fd fd(end);
      for (std::size_t done = 0; done < bytes.size();) {
        const ssize_t count = ::write(fd.get(), bytes.data() + done, bytes.size() - done);
        if (count <= 0) {
          break;
        }
        done += static_cast<std::size_t>(count);
      }
    });
  }
  ~Opened() {
    if (writer_.joinable()) {
      writer_.join();
    }
  }
  Fd take() { return std::move(fd_); }

 private:
  Fd fd_;
  std::thread writer_;
};

void expect_the_same(const std::vector<std::uint8_t>& bytes) {
  const ReadFile wanted = test::read_all(Bytes(bytes));
  for (const Source source : {Source::kFile, Source::kMappedFile, Source::kPipe}) {
    for (const int threads : {0, 1, 2, 5}) {
      SCOPED_TRACE(std::to_string(threads) + " threads, source " +
                   std::to_string(static_cast<int>(source)));
      Opened opened(bytes, source);
      SigbusGuard guard;
      auto reader = SavefileReader::from_fd(opened.take(), "test.pcap");
      ASSERT_TRUE(reader);
      const ReadFile read =
          threads == 0
              ? test::read_all(*reader)
              : read_in_pieces(*reader, threads, source == Source::kMappedFile ? &guard : nullptr);
      EXPECT_EQ(read.error, wanted.error);
      EXPECT_TRUE(read.bytes == wanted.bytes);
      EXPECT_TRUE(read.packets == wanted.packets);
    }
  }
}

std::vector<std::uint8_t> large_pcap(random::Choices& choices, std::uint32_t longest,
                                     std::size_t least) {
  FileBytes file(choices.chance(50));
  file.pcap_header({.snaplen = 262144});
  while (file.get().size() < least) {
    file.pcap_record(choices.any(), choices.any(), some_packet(choices.below(longest)), 70'000);
  }
  return file.get();
}

std::vector<std::uint8_t> large_pcapng(random::Choices& choices, std::size_t least) {
  FileBytes file(choices.chance(50));
  file.section().interface(1).interface(101).interface(1);
  std::uint32_t interfaces = 3;
  while (file.get().size() < least) {
    const auto packet = some_packet(choices.below(1500));
    switch (choices.below(20)) {
      case 0:
        file.block(99, file.body().bytes(packet));
        break;
      case 1:
        file.interface(choices.pick({1U, 113U}));
        ++interfaces;
        break;
      case 2:
        file.section().interface(1);
        interfaces = 1;
        break;
      case 3:
        file.simple(packet, static_cast<std::uint32_t>(packet.size()));
        break;
      default:
        file.enhanced(choices.chance(90) ? 0 : choices.below(interfaces), choices.any(), packet,
                      1500);
        break;
    }
  }
  return file.get();
}

TEST(SavefileParallelReader, GiveWhatOneReaderGives) {
  random::Choices choices(std::uint64_t{1});
  for (const std::uint32_t longest : {2U, 1500U, 200'000U}) {
    expect_the_same(large_pcap(choices, longest, 3'500'000));
  }
  expect_the_same(large_pcapng(choices, 3'500'000));
  FileBytes small;
  small.pcap_header({});
  expect_the_same(small.get());
  expect_the_same(small.pcap_record(1, 1, some_packet(60), 60).get());
  expect_the_same(FileBytes().section().get());
}

TEST(SavefileParallelReader, EndWhereTheFileBreaks) {
  random::Choices choices(std::uint64_t{2});
  for (int i = 0; i < 6; ++i) {
    auto bytes =
        i % 2 == 0 ? large_pcap(choices, 1500, 2'500'000) : large_pcapng(choices, 2'500'000);
    auto broken = bytes;
    bytes.resize(bytes.size() - 1 - choices.below(2'000'000));
    expect_the_same(bytes);
    // Some bytes that make no record, somewhere.
    const std::size_t at = 100 + choices.below(2'400'000);
    std::fill_n(broken.begin() + static_cast<std::ptrdiff_t>(at), 40, std::uint8_t{0xff});
    expect_the_same(broken);
  }
}

TEST(SavefileParallelReader, HoldRecordsLargerThanAPiece) {
  FileBytes bytes;
  bytes.pcap_header({.link_type = 279});
  for (const std::size_t size : {10U, 8U << 20, 0U, 3'000'001U, 700U, 1'048'560U, 5U}) {
    bytes.pcap_record(1, 1, some_packet(size, static_cast<std::uint8_t>(size)), 9U << 20);
  }
  expect_the_same(bytes.get());
}

// A pipe gives 64 KiB at a time; what is copied of a record grows with its length alone.
TEST(SavefileParallelReader, CopyALongRecordFromAPipeOnlySomeTimes) {
  FileBytes bytes;
  bytes.pcap_header({.link_type = 231});
  for (int i = 0; i < 2; ++i) {
    bytes.pcap_record(1, 1, some_packet(24U << 20), 24U << 20);
  }
  Opened opened(bytes.get(), Source::kPipe);
  auto reader = SavefileReader::from_fd(opened.take(), "test.pcap");
  ASSERT_TRUE(reader);
  SavefileParallelReader pieces(*reader);
  SavefilePiece piece;
  std::size_t packets = 0;
  while (pieces.next(piece)) {
    for (const Batch& batch : piece.batches()) {
      packets += batch.packets.size();
    }
  }
  EXPECT_EQ(packets, 2U);
  EXPECT_LE(pieces.bytes_copied(), 6 * bytes.get().size());
}

// Nobody is killed by a file that somebody makes shorter, and nothing is made up for what is gone.
TEST(SavefileParallelReader, SayThatAMappedFileBecameShorter) {
  random::Choices choices(std::uint64_t{4});
  const auto bytes = large_pcap(choices, 1500, 8'000'000);
  const ReadFile wanted = test::read_all(Bytes(bytes));
  SigbusGuard guard;
  const Fd file = test::file_of(bytes);
  auto reader = SavefileReader::from_fd(Fd(::dup(file.get())), "x");
  ASSERT_TRUE(reader);
  SavefileParallelReader pieces(*reader, &guard);
  SavefilePiece piece;
  ReadFile read;
  // So far that the file is read as memory.
  while (read.bytes.size() < 1'000'000 && pieces.next(piece)) {
    for (const Batch& batch : piece.batches()) {
      test::add_batch(read, batch);
    }
  }
  ASSERT_EQ(::ftruncate(file.get(), 2'000'000), 0);
  while (pieces.next(piece) && pieces.intact()) {
    for (const Batch& batch : piece.batches()) {
      test::add_batch(read, batch);
    }
  }
  ASSERT_FALSE(pieces.intact());
  EXPECT_EQ(to_string(pieces.intact().error()), "x: the file became shorter while it was read");
  ASSERT_LT(read.packets.size(), wanted.packets.size());
  EXPECT_TRUE(std::equal(read.packets.begin(), read.packets.end(), wanted.packets.begin()));
}

TEST(SavefileParallelReader, UnpackInTheOrderOfTheFile) {
  random::Choices choices(std::uint64_t{3});
  const auto plain = large_pcap(choices, 1500, 3'000'000);
  const ReadFile wanted = test::read_all(Bytes(plain));
  for (const Compression compression :
       {Compression::kGzip, Compression::kZstd, Compression::kLz4}) {
    std::vector<std::uint8_t> packed;
    const auto compressor = make_compressor(compression);
    ASSERT_TRUE(compressor->add(plain, packed) && compressor->finish(packed));
    for (const std::size_t cut : {std::size_t{0}, packed.size() / 2}) {
      packed.resize(packed.size() - cut);
      const ReadFile alone = test::read_all(Bytes(packed));
      auto reader = SavefileReader::from_fd(test::file_of(packed), "test.pcap");
      ASSERT_TRUE(reader);
      const ReadFile read = read_in_pieces(*reader, 3);
      EXPECT_EQ(read.error, alone.error);
      EXPECT_TRUE(read.packets == alone.packets);
      EXPECT_EQ(read.packets.size() == wanted.packets.size(), cut == 0);
    }
  }
}

}  // namespace
}  // namespace weir::cbpf
