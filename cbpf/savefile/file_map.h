// A savefile as memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "cbpf/base/sigbus_guard.h"

namespace weir::cbpf {

// A file mapped from its first byte to its last. Pages are brought in and given back in steps, so
// that memory does not grow with the file. Where the kernel keeps the file in large folios a page
// costs a quarter of copying it; where every page has to be found for itself (tmpfs, say) nearly as
// much.
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
  static std::optional<SavefileMap> of_file(int fd, SigbusGuard& guard);

  std::uint8_t* data() const { return data_; }
  std::size_t size() const { return size_; }

  // Brings in the pages of a range; where that is not done before they are read, they come one by
  // one. Any thread may call.
  void bring(std::size_t begin, std::size_t end) const;

  // Gives back the pages that lie wholly in the range.
  void give_back(std::size_t begin, std::size_t end) const;

  // Whether something that was read is not what the file holds.
  bool broken() const { return guard_ != nullptr && guard_->broken(); }

 private:
  void swap(SavefileMap& other) noexcept;

  SigbusGuard* guard_ = nullptr;
  std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace weir::cbpf
