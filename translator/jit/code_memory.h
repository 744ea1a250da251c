// Memory for machine code: written, then made executable, never both at once.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "cbpf/base/bytes.h"
#include "cbpf/base/result.h"

namespace weir::jit {

// Whole pages that are given back to be written again, so that many short-lived programs do not ask
// the kernel for memory each. May be shared by threads.
class CodePool {
 public:
  CodePool() = default;
  CodePool(const CodePool&) = delete;
  CodePool& operator=(const CodePool&) = delete;
  ~CodePool();

 private:
  friend class CodeMemory;
  struct Pages {
    void* address = nullptr;
    std::size_t bytes = 0;
  };
  static constexpr std::size_t kKept = 64;  // More than these are given back to the kernel.

  Pages take(std::size_t bytes);  // At least so many; no address when none are kept.
  void give(Pages pages);

  std::mutex mutex_;
  std::vector<Pages> kept_;
};

// Executable pages with a program's code at their start. Move-only; the last of them gives the
// pages back.
class CodeMemory {
 public:
  // Copies the code into pages of the pool, or of its own without one. kSystem when the kernel
  // refuses memory or to make it executable. One system call where the pool has pages, else two.
  static Result<CodeMemory> make(Bytes code, std::shared_ptr<CodePool> pool = nullptr);

  CodeMemory(CodeMemory&& other) noexcept;
  CodeMemory& operator=(CodeMemory&& other) noexcept;
  ~CodeMemory();

  const void* address() const { return pages_.address; }
  std::size_t code_bytes() const { return code_bytes_; }

 private:
  CodeMemory(CodePool::Pages pages, std::size_t code_bytes, std::shared_ptr<CodePool> pool);

  CodePool::Pages pages_;
  std::size_t code_bytes_ = 0;
  std::shared_ptr<CodePool> pool_;
};

}  // namespace weir::jit
