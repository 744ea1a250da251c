// Arrays of which only what is written takes memory.
#pragma once

#include <cstddef>
#include <memory>
#include <type_traits>

namespace weir {

template <typename T>
struct UninitializedDelete {
  void operator()(T* array) const { ::operator delete(array); }
};
template <typename T>
using UninitializedArray = std::unique_ptr<T[], UninitializedDelete<T>>;

// Room for so many, of which each has to be written before it is read. Where T has defaults,
// make_unique_for_overwrite() would write them, and the kernel would have to find a page for each.
template <typename T>
UninitializedArray<T> make_uninitialized(std::size_t count) {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);
  return UninitializedArray<T>(static_cast<T*>(::operator new(count * sizeof(T))));
}

}  // namespace weir
