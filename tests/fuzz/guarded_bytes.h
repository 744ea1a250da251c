// Memory behind which nothing can be read, for code that no sanitizer watches.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "cbpf/base/bytes.h"
#include "tests/fuzz/require.h"

namespace weir {

// Room for up to a page of bytes; the last one given stands before a page that cannot be touched.
class GuardedBytes {
 public:
  GuardedBytes() : page_(static_cast<std::size_t>(sysconf(_SC_PAGESIZE))) {
    void* pages =
        mmap(nullptr, 2 * page_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    require(pages != MAP_FAILED, "there are two pages to be had");
    begin_ = static_cast<std::uint8_t*>(pages);
    require(mprotect(begin_ + page_, page_, PROT_NONE) == 0, "a page can be closed");
  }
  ~GuardedBytes() { munmap(begin_, 2 * page_); }
  GuardedBytes(const GuardedBytes&) = delete;
  GuardedBytes& operator=(const GuardedBytes&) = delete;

  // A copy of the first bytes, as many as there is room for; good until the next.
  Bytes hold(Bytes bytes) {
    const std::size_t size = std::min(bytes.size(), page_);
    std::uint8_t* const at = begin_ + page_ - size;
    if (size != 0) {
      std::memcpy(at, bytes.data(), size);
    }
    return {at, size};
  }

 private:
  std::size_t page_ = 0;
  std::uint8_t* begin_ = nullptr;
};

}  // namespace weir
