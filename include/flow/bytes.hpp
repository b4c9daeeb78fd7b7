#pragma once

#include <compare>
#include <cstddef>
#include <string>
#include <string_view>

namespace flow {

/// A view on bytes as they stand in a client's buffer, or null; null and empty are different, as they are in Kafka.
///
/// The view is valid until the call that received it returns. Whatever keeps it longer copies it (`str()`).
class bytes {
 public:
  constexpr bytes() = default;
  constexpr bytes(std::nullptr_t) {}
  constexpr bytes(const char* data, std::size_t size) : data_{data}, size_{size} {}
  constexpr bytes(std::string_view text) : data_{text.data() ? text.data() : ""}, size_{text.size()} {}
  constexpr bytes(const char* text) : bytes{std::string_view{text}} {}
  bytes(const std::string& text) : bytes{std::string_view{text}} {}

  constexpr bool is_null() const { return data_ == nullptr; }
  constexpr bool empty() const { return size_ == 0; }
  constexpr const char* data() const { return data_; }
  constexpr std::size_t size() const { return size_; }
  constexpr std::string_view view() const { return {data_, size_}; }
  std::string str() const { return std::string{view()}; }

  friend constexpr bool operator==(bytes a, bytes b) { return a.is_null() == b.is_null() && a.view() == b.view(); }
  friend constexpr std::strong_ordering operator<=>(bytes a, bytes b) {
    if (a.is_null() != b.is_null()) return a.is_null() ? std::strong_ordering::less : std::strong_ordering::greater;
    return a.view() <=> b.view();
  }

 private:
  const char* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace flow
