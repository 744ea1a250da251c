// A savefile as memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "cbpf/base/map_guard.h"
#include "cbpf/base/result.h"

namespace weir::cbpf {

// A file mapped from its first byte to its last. Pages are brought in and given back in steps, so
// that memory does not grow with the file. Where the kernel keeps the file in large folios a page
// costs a tenth of copying it; where every page has to be found for itself (tmpfs, say, or a disk
// that has yet to be read) a mapping is the slower way.
//
// Writes stay in this process and last until their page is given back.
class SavefileMap {
 public:
  SavefileMap() = default;
  SavefileMap(SavefileMap&& other) noexcept;
  SavefileMap& operator=(SavefileMap&& other) noexcept;
  ~SavefileMap();

  // Nothing where the descriptor is no regular file or the kernel refuses. `guard` must outlive the
  // map and watches it from now on.
  static std::optional<SavefileMap> of_file(int fd, MapGuard& guard);

  std::uint8_t* data() const { return data_; }
  std::size_t size() const { return size_; }

  // Brings in the pages of a range; where that is not done before they are read, they come one by
  // one. Any thread may call.
  void bring(std::size_t begin, std::size_t end) const;
  // The same, and remembers how long that took. False when they cannot be read.
  bool try_to_bring(std::size_t begin, std::size_t end);

  // Whether trying has taken longer so far than copying the pages would have.
  bool slow() const { return nanoseconds_ > kMostPerPage * pages_; }

  // Gives back the pages that lie wholly in the range.
  void give_back(std::size_t begin, std::size_t end) const;

  // Whether something that was read is not what the file holds.
  bool broken() const { return guard_ != nullptr && guard_->broken(); }

 private:
  void swap(SavefileMap& other) noexcept;

  // Copying a page takes some 200 ns, and where folios are small 300 to 400; the rest of the way is
  // shorter through a map.
  static constexpr std::uint64_t kMostPerPage = 300;
  static constexpr std::uint64_t kPagesOnTrial = 1024;

  MapGuard* guard_ = nullptr;
  std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
  std::uint64_t pages_ = kPagesOnTrial;  // That were brought in, and some of no cost.
  std::uint64_t nanoseconds_ = 0;
};

}  // namespace weir::cbpf
