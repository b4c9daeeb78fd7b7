#pragma once

#include <cstddef>
#include <memory_resource>
#include <utility>

namespace flow {

/// Memory straight from the system from two megabytes on, in huge pages where it has them: a search in it waits for one
/// cache line, and not for the tables of the pages too. Given back it leaves no hole in the heap.
void* allocate_pages(std::size_t size);
void give_back_pages(void* begin, std::size_t size);

/// The same as a resource.
std::pmr::memory_resource& huge_page_memory();

/// For vectors; what is not given a value has none.
template <typename T>
struct huge_pages {
  using value_type = T;

  huge_pages() = default;
  template <typename U>
  huge_pages(const huge_pages<U>&) {}

  T* allocate(std::size_t count) { return static_cast<T*>(allocate_pages(count * sizeof(T))); }
  void deallocate(T* begin, std::size_t count) { give_back_pages(begin, count * sizeof(T)); }
  template <typename U, typename... Args>
  void construct(U* place, Args&&... args) {
    if constexpr (sizeof...(Args) == 0) {
      ::new (place) U;
    } else {
      ::new (place) U(std::forward<Args>(args)...);
    }
  }

  bool operator==(const huge_pages&) const = default;
};

}  // namespace flow
