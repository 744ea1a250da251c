// A savefile read by several threads.
//
// The file is cut into pieces of one size. Threads read pieces at the same time, each into memory
// of its own or as memory of the file, whatever is cheaper, and guess where their records are
// (record_finder.h). Where they really begin is known only when those before have been found, so
// that is done in the order of the file, and takes no time where the guesses were right. What
// cannot be read at any place (a pipe, a compressed file) is read in that order too.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "cbpf/base/sequencer.h"
#include "cbpf/base/sigbus_guard.h"
#include "cbpf/savefile/map_or_read.h"
#include "cbpf/savefile/reader.h"
#include "cbpf/savefile/scan.h"

namespace weir::cbpf {

// What one thread has in hand. It may be used again for the next piece, whose records then take the
// place of these.
class SavefilePiece {
 public:
  // Of this piece among all, from 0.
  std::uint64_t number() const { return number_; }
  // As next_batch() would give them one after the other. Their spans point into this piece.
  const std::vector<Batch>& batches() const { return batches_; }
  // The error that comes behind the batches; no piece comes behind it.
  const Status& end() const { return end_; }
  // Bytes of the file that had been read when this piece was cut.
  std::uint64_t bytes_read() const { return bytes_read_; }

 private:
  friend class SavefileParallelReader;
  std::uint8_t* area() { return memory_.get() + area_; }
  bool has_memory(std::size_t size) const { return memory_ != nullptr && size_ == size; }
  bool make_memory(std::size_t size);
  // A window on nothing without memory.
  SavefileWindow place_before(Bytes left, std::size_t read);

  std::uint64_t number_ = 0;
  std::vector<Batch> batches_;
  Status end_;
  std::uint64_t bytes_read_ = 0;
  MapOrRead way_ = MapOrRead::kRead;
  bool used_ = false;  // Memory has been found for it.
  Pages memory_;
  std::size_t area_ = 0;  // Where in the memory the piece is read to.
  std::size_t size_ = 0;  // Of what can be read there.
  SavefileRecordFinder chains_;
  SavefileFound found_;  // What was not in a chain.
  // Of a mapped file, the range that only this piece needs.
  std::size_t held_begin_ = 0;
  std::size_t held_end_ = 0;
};

// Sizes that tests make small.
struct SavefileCut {
  std::size_t least_piece = std::size_t{1} << 20;
  std::size_t most_piece = std::size_t{4} << 20;
  std::size_t least_part = SavefileRecordFinder::kLeastPart;  // Of a piece, see there.
};

class SavefileParallelReader {
 public:
  // Takes over a reader of which no batch has been read. It must outlive this object and is not
  // asked for batches any more.
  //
  // With a guard, which has to outlive this object, a file may be read as memory; the caller then
  // asks intact() before it believes what it has made of a piece.
  explicit SavefileParallelReader(SavefileReader& reader, SigbusGuard* guard = nullptr,
                                  SavefileCut cut = {});

  // The next piece; false when there is none. Any thread may call. Numbers are given out in the
  // order of the calls, and a call returns when the pieces before its own have been found.
  bool next(SavefilePiece& piece);

  // kInvalidFile when bytes of the pieces may not be those of the file, because it became shorter
  // while it was read. Any thread may ask.
  Status intact() const;

  // Bytes that were copied from one buffer to another so far, reading and unpacking apart: at most
  // some times those of the file, however long its records are. Not for use beside next().
  std::uint64_t bytes_copied() const { return bytes_copied_; }

 private:
  std::uint64_t position_of(const SavefilePiece& piece) const {
    return position_ + (piece.number_ - 1) * size_;
  }
  Result<std::size_t> read_ahead(SavefilePiece& piece);
  std::size_t bring(const SavefilePiece& piece) const;
  SavefileWindow mapped_window(SavefilePiece& piece, std::size_t brought) const;
  Result<SavefileWindow> window(SavefilePiece& piece, std::size_t read);
  bool gather(SavefilePiece& piece, std::size_t read);
  bool keep(Bytes more);
  tl::unexpected<Error> no_memory() const;
  Result<std::size_t> read_at(std::uint64_t position, SavefilePiece& piece) const;
  Result<std::size_t> read_on(SavefilePiece& piece);
  void find_first(SavefilePiece& piece);
  void find(SavefilePiece& piece, Result<std::size_t> read);
  void guess(SavefilePiece& piece, Bytes bytes) const;
  void find_batches(SavefilePiece& piece);
  bool find_up_to(SavefilePiece& piece, std::size_t end);
  void take_chain(SavefilePiece& piece, const SavefileRecordFinder::Chain& chain);
  void keep_rest(SavefilePiece& piece);

  SavefileSource& source_;
  SavefileCut cut_;
  bool at_any_place_ = false;
  std::optional<SavefileMap> map_;
  MapOrReadCosts costs_;
  std::atomic<bool> shorter_{false};  // Than the map.
  std::size_t size_ = 0;              // Of a piece.
  std::uint64_t position_ = 0;        // In the file, of piece 1.
  std::uint64_t origin_ = 0;          // In the file, where the savefile begins.
  std::optional<SavefileRecordRules> rules_;
  std::atomic<std::uint32_t> seconds_{0};  // The time of some packet.
  std::atomic<std::uint64_t> numbers_{0};

  // Of whoever has the turn.
  Sequencer turns_;
  // What is left of the pieces before, from the end of their last whole record.
  Pages rest_;
  std::size_t rest_size_ = 0;
  std::size_t rest_capacity_ = 0;
  bool rest_in_map_ = false;         // It is there, and not here.
  std::uint64_t rest_offset_ = 0;    // Where in the savefile it begins.
  std::uint64_t record_length_ = 0;  // Of the record it begins with; 0: not known.
  std::uint64_t bytes_copied_ = 0;
  std::uint64_t bytes_read_ = 0;
  bool ended_ = false;
};

}  // namespace weir::cbpf
