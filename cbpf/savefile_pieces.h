// A savefile read by several threads.
//
// The file is cut into pieces of one size. Threads read pieces at the same time, each into memory
// of its own. Where the records of a piece begin is known only when those before it have been
// found, so that is done in the order of the file; it takes a fifth of the time of reading, and
// nobody has to guess a boundary. What cannot be read at any place (a pipe, a compressed file) is
// read in that order too.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "cbpf/base/turns.h"
#include "cbpf/savefile.h"
#include "cbpf/savefile_source.h"

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
  friend class SavefilePieces;
  std::uint8_t* area() { return memory_.get() + area_; }
  void make_memory();
  SavefileWindow place_before(Bytes left, std::size_t read);

  std::uint64_t number_ = 0;
  std::vector<Batch> batches_;
  Status end_;
  std::uint64_t bytes_read_ = 0;
  Pages memory_;
  std::size_t area_ = 0;  // Where in the memory the piece is read to.
  SavefileFound found_;
  // Of a mapped file, the range that only this piece needs.
  std::size_t held_begin_ = 0;
  std::size_t held_end_ = 0;
};

class SavefilePieces {
 public:
  // Takes over a reader of which no batch has been read. It must outlive this object and is not
  // asked for batches any more.
  explicit SavefilePieces(SavefileReader& reader);

  // The next piece; false when there is none. Any thread may call. Numbers are given out in the
  // order of the calls, and a call returns when the pieces before its own have been found.
  bool next(SavefilePiece& piece);

 private:
  std::uint64_t position_of(const SavefilePiece& piece) const {
    return position_ + (piece.number_ - 1) * size_;
  }
  std::size_t bring(SavefilePiece& piece) const;
  SavefileWindow mapped_window(SavefilePiece& piece, std::size_t brought) const;
  Result<std::size_t> read_at(std::uint64_t position, std::uint8_t* to) const;
  Result<std::size_t> read_on(SavefilePiece& piece);
  void find_first(SavefilePiece& piece);
  void find(SavefilePiece& piece, Result<std::size_t> read);
  void find_batches(SavefilePiece& piece);
  void keep_rest();

  SavefileSource& source_;
  bool at_any_place_ = false;
  const SavefileMap* map_ = nullptr;  // Of a file that is mapped.
  std::size_t size_ = 0;              // Of a piece.
  std::uint64_t position_ = 0;        // In the file, of piece 1.
  std::uint64_t origin_ = 0;          // In the file, where the savefile begins.
  std::atomic<std::uint64_t> numbers_{0};

  // Of whoever has the turn.
  Turns turns_;
  std::vector<std::uint8_t> rest_;  // Of the last piece, behind its last whole record.
  std::uint64_t rest_offset_ = 0;   // Where in the file it begins.
  std::uint64_t bytes_read_ = 0;
  bool ended_ = false;
};

}  // namespace weir::cbpf
