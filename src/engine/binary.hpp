#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

/// How what the engine writes for itself lies in topics: a version byte, then fields in order; integers big-endian, texts
/// with their length in front.
namespace flow::engine {

class encoder {
 public:
  explicit encoder(char version) { data_.push_back(version); }

  template <std::integral T>
  encoder& operator<<(T value) {
    const auto bits = static_cast<std::make_unsigned_t<T>>(value);
    for (int shift = 8 * (static_cast<int>(sizeof(T)) - 1); shift >= 0; shift -= 8)
      data_.push_back(static_cast<char>(bits >> shift & 0xff));
    return *this;
  }
  encoder& operator<<(std::string_view text) {
    *this << static_cast<std::uint32_t>(text.size());
    data_ += text;
    return *this;
  }
  encoder& operator<<(const std::string& text) { return *this << std::string_view{text}; }

  std::string take() { return std::move(data_); }

 private:
  std::string data_;
};

/// What does not make sense leaves what it reads unset, and `good` false from there on.
class decoder {
 public:
  decoder(std::string_view data, char newest) : data_{data} {
    const auto first = take(1);
    if (good_) version_ = first.front();
    newer_ = version_ > newest;
    good_ = good_ && version_ > 0 && !newer_;
  }

  template <std::integral T>
  decoder& operator>>(T& value) {
    std::make_unsigned_t<T> bits = 0;
    for (const char c : take(sizeof(T))) bits = static_cast<decltype(bits)>(bits << 8 | static_cast<unsigned char>(c));
    value = static_cast<T>(bits);
    return *this;
  }
  decoder& operator>>(std::string& text) {
    std::uint32_t size = 0;
    *this >> size;
    text = take(size);
    return *this;
  }

  char version() const { return version_; }
  bool is_newer() const { return newer_; }
  bool good() const { return good_; }
  /// All made sense, and nothing is left over.
  bool is_whole() const { return good_ && data_.empty(); }
  std::size_t left() const { return data_.size(); }

 private:
  std::string_view take(std::size_t size) {
    if (size > data_.size()) {
      good_ = false;
      data_ = {};
      return {};
    }
    const auto taken = data_.substr(0, size);
    data_.remove_prefix(size);
    return taken;
  }

  std::string_view data_;
  char version_ = 0;
  bool good_ = true;
  bool newer_ = false;
};

}  // namespace flow::engine
