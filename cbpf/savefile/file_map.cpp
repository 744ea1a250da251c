#include "cbpf/savefile/file_map.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <utility>

namespace weir::cbpf {
namespace {

constexpr std::size_t kPage = 4096;

// A fault brings in what the kernel holds of so much around it (fault_around_bytes). That is five
// times faster than MADV_POPULATE_READ, which looks at every page again.
constexpr std::size_t kFaultAround = 65536;

}  // namespace

SavefileMap::SavefileMap(SavefileMap&& other) noexcept { swap(other); }

SavefileMap& SavefileMap::operator=(SavefileMap&& other) noexcept {
  swap(other);
  return *this;
}

void SavefileMap::swap(SavefileMap& other) noexcept {
  std::swap(guard_, other.guard_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
}

SavefileMap::~SavefileMap() {
  if (data_ != nullptr) {
    guard_->forget();
    ::munmap(data_, size_);
  }
}

std::optional<SavefileMap> SavefileMap::of_file(int fd, SigbusGuard& guard) {
  struct stat file {};
  if (::fstat(fd, &file) != 0 || !S_ISREG(file.st_mode) || file.st_size <= 0) {
    return std::nullopt;
  }
  SavefileMap map;
  map.size_ = static_cast<std::size_t>(file.st_size);
  // Private, since readers correct what they have read (the length of a pcapng section).
  void* const data =
      ::mmap(nullptr, map.size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, fd, 0);
  if (data == MAP_FAILED) {
    return std::nullopt;
  }
  ::madvise(data, map.size_, MADV_SEQUENTIAL);
  map.data_ = static_cast<std::uint8_t*>(data);
  map.guard_ = &guard;
  guard.watch(map.data_, map.size_);
  return map;
}

void SavefileMap::bring(std::size_t begin, std::size_t end) const {
  for (std::size_t at = begin; at < end; at = at / kFaultAround * kFaultAround + kFaultAround) {
    static_cast<void>(*static_cast<const volatile std::uint8_t*>(data_ + at));
  }
}

void SavefileMap::give_back(std::size_t begin, std::size_t end) const {
  begin = (begin + kPage - 1) / kPage * kPage;
  end = end / kPage * kPage;
  if (begin < end) {
    ::madvise(data_ + begin, end - begin, MADV_DONTNEED);
  }
}

}  // namespace weir::cbpf
