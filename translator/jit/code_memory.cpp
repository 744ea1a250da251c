#include "translator/jit/code_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace weir::jit {
namespace {

tl::unexpected<Error> refused(const char* what) {
  return fail(ErrorCode::kSystem, std::string(what) + ": " + std::strerror(errno));
}

std::size_t page_bytes() { return static_cast<std::size_t>(sysconf(_SC_PAGESIZE)); }

}  // namespace

CodePool::Pages CodePool::fresh(std::size_t bytes) {
  const std::size_t guard = page_bytes();
  void* all = mmap(nullptr, bytes + 2 * guard, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (all == MAP_FAILED) {
    return {};
  }
  const Pages pages{.address = static_cast<std::uint8_t*>(all) + guard, .bytes = bytes};
  if (mprotect(pages.address, bytes, PROT_READ | PROT_WRITE) != 0) {
    const int why = errno;
    release(pages);
    errno = why;
    return {};
  }
  return pages;
}

void CodePool::release(Pages pages) {
  const std::size_t guard = page_bytes();
  munmap(pages.address - guard, pages.bytes + 2 * guard);
}

CodePool::~CodePool() {
  for (const Pages& pages : kept_) {
    release(pages);
  }
}

CodePool::Pages CodePool::take(std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(kept_.begin(), kept_.end(),
                                  [bytes](const Pages& pages) { return pages.bytes >= bytes; });
  if (found == kept_.end()) {
    return {};
  }
  const Pages pages = *found;
  *found = kept_.back();
  kept_.pop_back();
  return pages;
}

void CodePool::give(Pages pages) {
  // Out of reach of a stray jump before it is anyone's again.
  if (mprotect(pages.address, pages.bytes, PROT_READ | PROT_WRITE) == 0) {
    const std::lock_guard lock(mutex_);
    if (kept_.size() < kKept) {
      kept_.push_back(pages);
      return;
    }
  }
  release(pages);
}

Result<CodeMemory> CodeMemory::make(Bytes code, std::shared_ptr<CodePool> pool) {
  const std::size_t page = page_bytes();
  const std::size_t bytes = std::max<std::size_t>((code.size() + page - 1) / page, 1) * page;
  CodePool::Pages pages = pool != nullptr ? pool->take(bytes) : CodePool::Pages{};
  if (pages.address == nullptr) {
    pages = CodePool::fresh(bytes);
    if (pages.address == nullptr) {
      return refused("no memory for machine code");
    }
  }
  CodeMemory memory(pages, code.size(), std::move(pool));
  if (!code.empty()) {
    std::memcpy(pages.address, code.data(), code.size());
  }
  if (mprotect(pages.address, pages.bytes, PROT_READ | PROT_EXEC) != 0) {
    return refused("memory cannot be made executable");
  }
  // Where the processor fetches instructions past its data caches, it has to be told of new ones.
  auto* const code_begin = reinterpret_cast<char*>(pages.address);
  __builtin___clear_cache(code_begin, code_begin + code.size());
  return memory;
}

CodeMemory::CodeMemory(CodePool::Pages pages, std::size_t code_bytes,
                       std::shared_ptr<CodePool> pool)
    : pages_(pages), code_bytes_(code_bytes), pool_(std::move(pool)) {}

CodeMemory::CodeMemory(CodeMemory&& other) noexcept
    : pages_(std::exchange(other.pages_, {})),
      code_bytes_(other.code_bytes_),
      pool_(std::move(other.pool_)) {}

CodeMemory& CodeMemory::operator=(CodeMemory&& other) noexcept {
  std::swap(pages_, other.pages_);
  std::swap(code_bytes_, other.code_bytes_);
  std::swap(pool_, other.pool_);
  return *this;
}

CodeMemory::~CodeMemory() {
  if (pages_.address == nullptr) {
    return;
  }
  if (pool_ != nullptr) {
    pool_->give(pages_);
  } else {
    CodePool::release(pages_);
  }
}

}  // namespace weir::jit
