#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <type_traits>
#include <vector>

#include <flow/bytes.hpp>

namespace flow {

/// Memory that is handed out piece by piece and given back as a whole. What operators write lives here until the batch
/// that it belongs to has left. Pieces never move. Not for use by two threads at once.
class arena {
 public:
  static constexpr std::size_t chunk_size = 64 * 1024;

  /// Uninitialised room for `size` bytes, aligned for any scalar; never null.
  char* allocate(std::size_t size) {
    constexpr std::size_t alignment = alignof(std::max_align_t);
    size = (size + alignment - 1) / alignment * alignment;
    if (size > left_) grow(size);
    char* piece = next_;
    next_ += size;
    left_ -= size;
    return piece;
  }

  /// A copy that lives as long as the arena; null stays null.
  bytes keep(bytes data) {
    if (data.is_null()) return data;
    char* piece = allocate(data.size() + 1);
    if (!data.empty()) std::memcpy(piece, data.data(), data.size());
    return {piece, data.size()};
  }

  template <typename T>
    requires std::is_trivially_copyable_v<T>
  std::span<T> keep(std::span<const T> items) {
    if (items.empty()) return {};
    T* piece = new (allocate(items.size_bytes())) T[items.size()];
    std::memcpy(static_cast<void*>(piece), items.data(), items.size_bytes());
    return {piece, items.size()};
  }

  /// Bytes held from the system.
  std::size_t capacity() const { return capacity_; }

 private:
  void grow(std::size_t at_least) {
    const std::size_t size = at_least > chunk_size ? at_least : chunk_size;
    chunks_.push_back(std::make_unique_for_overwrite<char[]>(size));
    next_ = chunks_.back().get();
    left_ = size;
    capacity_ += size;
  }

  std::vector<std::unique_ptr<char[]>> chunks_;
  char* next_ = nullptr;
  std::size_t left_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace flow
