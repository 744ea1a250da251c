// Memory for machine code: written, then made executable, never both at once.
//
// Every program has pages of its own, private to the process, between two that cannot be touched at
// all. What runs off a program's end stops there; and to change what may be done with pages takes
// the kernel half the time where it need not join or part its records of neighbours (1 us and not
// 2). A file in memory, mapped to be executed and written another way, would save that too; but a
// forked process, perhaps with fewer rights, would share it and could write what its parent runs.
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
    std::uint8_t* address = nullptr;  // Behind the first guard.
    std::size_t bytes = 0;            // Without the guards.
  };
  static constexpr std::size_t kKept = 64;  // More than these are given back to the kernel.

  static Pages fresh(std::size_t bytes);  // Of the kernel; no address when it has none.
  static void release(Pages pages);       // To the kernel.
  Pages take(std::size_t bytes);          // At least so many; no address when none are kept.
  void give(Pages pages);

  std::mutex mutex_;
  std::vector<Pages> kept_;
};

// Executable pages with a program's code at their start. Move-only; the last of them gives the
// pages back. Linux lets a process have some 30,000 of them at a time (vm.max_map_count).
class CodeMemory {
 public:
  // Copies the code into pages of the pool, or of its own without one. kSystem when the kernel
  // refuses memory or to make it executable. One system call where the pool has pages, else three.
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
