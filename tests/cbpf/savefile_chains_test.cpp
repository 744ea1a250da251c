// Records guessed at many places at once: right for ordinary files, and never believed where
// packets imitate records, lengths are wrong or times leap. Wherever pieces are cut, what comes out
// is what one reader gives who walks from record to record.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "cbpf/savefile/parallel_reader.h"
#include "cbpf/savefile/record_finder.h"
#include "tests/cbpf/savefile_bytes.h"
#include "tests/random/choices.h"

namespace weir::cbpf {
namespace {

using test::FileBytes;
using test::ReadFile;
using test::some_packet;

constexpr std::uint32_t kSeconds = 0x65fffff0;
constexpr std::uint32_t kSnaplen = 3000;

SavefileRecordRules rules_of(bool big_endian) {
  return {
      .swapped = big_endian, .most_captured = kSnaplen, .ticks = 1'000'000, .seconds = kSeconds};
}

// Records of these lengths, a microsecond apart, without the header of a file.
FileBytes records(bool big_endian, const std::vector<std::size_t>& lengths) {
  FileBytes file(big_endian);
  std::uint32_t fraction = 0;
  for (const std::size_t length : lengths) {
    ++fraction;
    file.pcap_record(kSeconds, fraction, some_packet(length, static_cast<std::uint8_t>(fraction)),
                     1500);
  }
  return file;
}

std::vector<std::size_t> many_lengths(std::size_t count) {
  std::vector<std::size_t> lengths;
  for (std::size_t i = 0; i < count; ++i) {
    lengths.push_back(1 + i * 37 % 1400);
  }
  return lengths;
}

TEST(SavefileRecordFinder, AreOneForAnOrdinaryFile) {
  for (const bool big : {false, true}) {
    const auto lengths = many_lengths(1000);
    const FileBytes file = records(big, lengths);
    const Bytes bytes(file.get());
    SavefileRecordFinder chains;
    for (const std::size_t part : {std::size_t{4096}, std::size_t{20'000}, bytes.size()}) {
      chains.find(bytes, rules_of(big), part);
      ASSERT_EQ(chains.chains().size(), 1U);
      const SavefileRecordFinder::Chain& chain = chains.chains().front();
      EXPECT_EQ(chain.begin, bytes.data());
      EXPECT_EQ(chain.end, bytes.data() + bytes.size());
      ASSERT_EQ(chain.packets.size(), lengths.size());
      const std::uint8_t* record = bytes.data();
      for (std::size_t i = 0; i < lengths.size(); ++i) {
        EXPECT_EQ(chain.packets[i].data, record + 16);
        EXPECT_EQ(chain.packets[i].captured, lengths[i]);
        EXPECT_EQ(chain.packets[i].length, 1500U);
        record += 16 + lengths[i];
      }
    }
  }
}

// Bytes that begin and end in the middle of a record.
TEST(SavefileRecordFinder, BeginAndEndWithWholeRecords) {
  const auto lengths = many_lengths(200);
  const FileBytes file = records(false, lengths);
  for (std::size_t cut = 1; cut < 1500; cut += 13) {
    const Bytes bytes = Bytes(file.get()).subspan(cut, file.get().size() - 2 * cut);
    SavefileRecordFinder chains;
    chains.find(bytes, rules_of(false), 4096);
    ASSERT_EQ(chains.chains().size(), 1U);
    const SavefileRecordFinder::Chain& chain = chains.chains().front();
    std::size_t begin = 0;
    std::size_t first = 0;
    while (begin < cut) {
      begin += 16 + lengths[first++];
    }
    EXPECT_EQ(chain.begin, file.get().data() + begin);
    EXPECT_EQ(chain.packets.front().captured, lengths[first]);
    EXPECT_LE(chain.end, bytes.data() + bytes.size());
    EXPECT_GT(chain.end, bytes.data() + bytes.size() - 1416);
  }
}

TEST(SavefileRecordFinder, AreNotGuessedWhereTimesAreOthers) {
  const FileBytes file = records(false, many_lengths(500));
  SavefileRecordRules rules = rules_of(false);
  rules.seconds += 1U << 20;
  SavefileRecordFinder chains;
  chains.find(file.get(), rules, 4096);
  EXPECT_TRUE(chains.chains().empty());
}

// A bad guess costs time, so it is not made again at once.
TEST(SavefileRecordFinder, RestWhenTheyWereWrong) {
  const FileBytes file = records(false, many_lengths(500));
  SavefileRecordFinder chains;
  chains.find(file.get(), rules_of(false), 4096);
  EXPECT_FALSE(chains.chains().empty());
  chains.distrust();
  int calls = 0;
  do {
    chains.find(file.get(), rules_of(false), 4096);
    ++calls;
  } while (chains.chains().empty() && calls < 1000);
  EXPECT_GT(calls, 1);
  EXPECT_LT(calls, 100);
}

// A packet that holds records, as a packet of a transfer of a savefile does. What seems to be the
// last of them ends with the packet, in it, or somewhere behind.
std::vector<std::uint8_t> imitation(random::Choices& choices, bool big_endian) {
  FileBytes packet(big_endian);
  packet.bytes(some_packet(choices.below(60)));
  for (std::uint32_t i = choices.below(20); i > 0; --i) {
    packet.pcap_record(kSeconds + choices.below(5), choices.below(1'000'000),
                       some_packet(choices.below(100)), 1500);
  }
  if (choices.chance(60)) {
    packet.u32(kSeconds).u32(7).u32(choices.below(2900)).u32(2900);
    packet.bytes(some_packet(choices.below(40)));
  }
  return packet.get();
}

struct MadeFile {
  std::vector<std::uint8_t> bytes;
  bool big_endian = false;
};

// `imitating` of a hundred packets imitate records.
MadeFile make_file(random::Choices& choices, std::uint32_t imitating, std::size_t least) {
  const bool big = choices.chance(50);
  FileBytes file(big);
  file.pcap_header({.nanoseconds = choices.chance(30), .snaplen = kSnaplen});
  std::uint32_t seconds = kSeconds;
  while (file.get().size() < least) {
    seconds += choices.chance(5) ? choices.below(100) : 0;
    if (choices.chance(imitating)) {
      file.pcap_record(seconds, choices.below(1000), imitation(choices, big), 65535);
    } else if (choices.chance(3)) {
      // All zeros, and longer than the snapshot length now and then.
      file.pcap_record(seconds, 0, std::vector<std::uint8_t>(choices.below(3100)), 3100);
    } else {
      file.pcap_record(seconds, choices.below(1'000'000), some_packet(choices.below(1500)), 1500);
    }
  }
  return {.bytes = file.get(), .big_endian = big};
}

// All that the pieces give, in their order.
ReadFile read_in_pieces(const std::vector<std::uint8_t>& bytes, SavefileCut cut, bool mapped,
                        int threads) {
  SigbusGuard guard;
  auto reader = SavefileReader::from_fd(test::file_of(bytes), "test.pcap");
  EXPECT_TRUE(reader);
  SavefileParallelReader pieces(*reader, mapped ? &guard : nullptr, cut);
  std::vector<ReadFile> parts(bytes.size() / cut.least_piece + 100);
  const auto work = [&] {
    SavefilePiece piece;
    while (pieces.next(piece)) {
      ReadFile& part = parts.at(piece.number());
      for (const Batch& batch : piece.batches()) {
        EXPECT_LE(batch.packets.size(), kMaxBatch);
        test::add_batch(part, batch);
      }
      part.error = piece.end() ? "" : to_string(piece.end().error());
    }
  };
  std::vector<std::thread> workers;
  for (int i = 1; i < threads; ++i) {
    workers.emplace_back(work);
  }
  work();
  for (std::thread& worker : workers) {
    worker.join();
  }
  ReadFile all;
  for (const ReadFile& part : parts) {
    all.packets.insert(all.packets.end(), part.packets.begin(), part.packets.end());
    all.bytes.insert(all.bytes.end(), part.bytes.begin(), part.bytes.end());
    all.error += part.error;
  }
  return all;
}

void expect_the_same(random::Choices& choices, const std::vector<std::uint8_t>& bytes) {
  const ReadFile wanted = test::read_all(Bytes(bytes));
  for (const bool mapped : {false, true}) {
    // Edges of pieces and parts come to lie everywhere.
    const std::size_t piece = 8192 + choices.below(40'000);
    const SavefileCut cut = {
        .least_piece = piece, .most_piece = piece, .least_part = choices.pick({64U, 700U, 4096U})};
    const int threads = choices.pick({1, 2, 3});
    SCOPED_TRACE(std::to_string(threads) + " threads, mapped " + std::to_string(mapped) +
                 ", pieces of " + std::to_string(piece) + ", parts of " +
                 std::to_string(cut.least_part));
    const ReadFile read = read_in_pieces(bytes, cut, mapped, threads);
    EXPECT_EQ(read.error, wanted.error);
    EXPECT_TRUE(read.bytes == wanted.bytes);
    EXPECT_TRUE(read.packets == wanted.packets);
  }
}

TEST(SavefileRecordFinder, AreNeverBelievedUnseen) {
  const std::uint64_t seed = random::seed_or(1);
  SCOPED_TRACE("WEIR_SEED=" + std::to_string(seed));
  random::Choices choices(seed);
  for (std::uint32_t i = 0; i < random::share_of(40); ++i) {
    for (const std::uint32_t imitating : {0U, 3U, 50U, 100U}) {
      expect_the_same(choices, make_file(choices, imitating, 700'000).bytes);
    }
  }
}

TEST(SavefileRecordFinder, LeaveErrorsWhereTheyAre) {
  const std::uint64_t seed = random::seed_or(2);
  SCOPED_TRACE("WEIR_SEED=" + std::to_string(seed));
  random::Choices choices(seed);
  for (std::uint32_t i = 0; i < random::share_of(80); ++i) {
    MadeFile file = make_file(choices, choices.pick({0U, 20U}), 700'000);
    if (choices.chance(50)) {
      file.bytes.resize(file.bytes.size() - 1 - choices.below(200'000));
    } else {
      // A length, or what is taken for one, that is too large, wrong, or none.
      const std::size_t at = 24 + choices.below(690'000);
      FileBytes wrong(file.big_endian);
      wrong.u32(choices.pick({0xffffffffU, 262145U, 3001U, 3000U, 0U}));
      std::copy(wrong.get().begin(), wrong.get().end(),
                file.bytes.begin() + static_cast<std::ptrdiff_t>(at));
    }
    expect_the_same(choices, file.bytes);
  }
}

// A record of which every byte in turn is the first of a piece.
TEST(SavefileRecordFinder, MeetAnyEdge) {
  std::vector<std::size_t> lengths = many_lengths(700);
  FileBytes file;
  file.pcap_header({.snaplen = kSnaplen}).bytes(records(false, lengths).get());
  while (file.get().size() < 530'000) {
    file.pcap_record(kSeconds, 1, some_packet(40), 40);
  }
  // The reader has taken what comes before: pieces begin here.
  constexpr std::size_t kFirstRead = std::size_t{512} << 10;
  ASSERT_GT(file.get().size(), kFirstRead);
  const ReadFile wanted = test::read_all(Bytes(file.get()));
  for (std::size_t piece = 700; piece < 700 + 60; ++piece) {
    const SavefileCut cut = {.least_piece = piece, .most_piece = piece, .least_part = 64};
    for (const bool mapped : {false, true}) {
      const ReadFile read = read_in_pieces(file.get(), cut, mapped, 1);
      EXPECT_EQ(read.error, "");
      EXPECT_TRUE(read.packets == wanted.packets) << piece;
    }
  }
}

}  // namespace
}  // namespace weir::cbpf
