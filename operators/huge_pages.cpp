#include "huge_pages.hpp"

#include <sys/mman.h>

#include <cstdint>
#include <new>

namespace flow {
namespace {

constexpr std::size_t huge = 2u << 20;

class huge_page_resource final : public std::pmr::memory_resource {
  void* do_allocate(std::size_t size, std::size_t) override { return allocate_pages(size); }
  void do_deallocate(void* begin, std::size_t size, std::size_t) override { give_back_pages(begin, size); }
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override { return this == &other; }
};

}  // namespace

void* allocate_pages(std::size_t size) {
  if (size < huge) return ::operator new(size);
  // Somewhere in there a huge page begins; what lies before and behind goes back.
  auto* const found = ::mmap(nullptr, size + huge, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (found == MAP_FAILED) throw std::bad_alloc{};
  auto* const first = static_cast<std::byte*>(found);
  const auto before = -reinterpret_cast<std::uintptr_t>(first) % huge;
  constexpr std::size_t small = 4u << 10;
  const auto used = (size + small - 1) / small * small;
  if (before > 0) ::munmap(first, before);
  if (before + used < size + huge) ::munmap(first + before + used, size + huge - before - used);
  // Where there are none it does without.
  ::madvise(first + before, used, MADV_HUGEPAGE);
  return first + before;
}

std::pmr::memory_resource& huge_page_memory() {
  static huge_page_resource all;
  return all;
}

void give_back_pages(void* begin, std::size_t size) {
  if (size < huge) {
    ::operator delete(begin);
  } else {
    ::munmap(begin, size);
  }
}

}  // namespace flow
