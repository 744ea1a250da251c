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

}  // namespace

CodePool::~CodePool() {
  for (const Pages& pages : kept_) {
    munmap(pages.address, pages.bytes);
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
  munmap(pages.address, pages.bytes);
}

Result<CodeMemory> CodeMemory::make(Bytes code, std::shared_ptr<CodePool> pool) {
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  const std::size_t bytes = std::max<std::size_t>((code.size() + page - 1) / page, 1) * page;
  CodePool::Pages pages = pool != nullptr ? pool->take(bytes) : CodePool::Pages{};
  if (pages.address == nullptr) {
    void* address = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (address == MAP_FAILED) {
      return refused("no memory for machine code");
    }
    pages = {.address = address, .bytes = bytes};
  }
  CodeMemory memory(pages, code.size(), std::move(pool));
  if (!code.empty()) {
    std::memcpy(pages.address, code.data(), code.size());
  }
  if (mprotect(pages.address, pages.bytes, PROT_READ | PROT_EXEC) != 0) {
    return refused("memory cannot be made executable");
  }
  // Where the processor fetches instructions past its data caches, it has to be told of new ones.
  auto* const code_begin = static_cast<char*>(pages.address);
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
    munmap(pages_.address, pages_.bytes);
  }
}

}  // namespace weir::jit
