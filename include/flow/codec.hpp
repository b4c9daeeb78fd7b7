#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

#include <flow/bytes.hpp>

/// How values stand in a topic as bytes.
namespace flow {

/// Thrown by a codec for bytes that are no `T`. Anything else that a codec throws counts as the same.
class malformed : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The codec of a type: `T decode(bytes) const` and `bytes encode(const T&, std::string& room) const`, callable from
/// any thread. What `encode` returns may look at the value or at `room`, which is empty at first. Specialise it for
/// your own types; only what is used has to be there.
///
/// A codec never sees null: it becomes `std::nullopt` of an optional, and for other types the record is malformed;
/// a codec that says `static constexpr bool nullable = true` sees it all the same.
template <typename T>
struct codec;

/// As they are; null is one of them.
template <>
struct codec<bytes> {
  static constexpr bool nullable = true;
  static bytes decode(bytes raw) { return raw; }
  static bytes encode(bytes value, std::string&) { return value; }
};

/// The bytes as they are, whatever they hold.
template <>
struct codec<std::string> {
  static std::string decode(bytes raw) { return raw.str(); }
  static bytes encode(const std::string& value, std::string&) { return value; }
};

/// A look at the record's own bytes: valid as long as those are.
template <>
struct codec<std::string_view> {
  static std::string_view decode(bytes raw) { return raw.view(); }
  static bytes encode(std::string_view value, std::string&) { return value; }
};

[[noreturn]] void throw_wrong_size(std::size_t expected, std::size_t actual);

/// Big-endian, as Kafka's own serializers write integers, in as many bytes as the type has.
template <std::integral T>
struct codec<T> {
  static T decode(bytes raw) {
    if (raw.size() != sizeof(T)) throw_wrong_size(sizeof(T), raw.size());
    std::make_unsigned_t<T> value = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i)
      value = static_cast<std::make_unsigned_t<T>>(static_cast<std::uint64_t>(value) << 8 |
                                                   static_cast<unsigned char>(raw.data()[i]));
    return static_cast<T>(value);
  }
  static bytes encode(T value, std::string& room) {
    auto left = static_cast<std::make_unsigned_t<T>>(value);
    room.resize(sizeof(T));
    for (std::size_t i = sizeof(T); i-- > 0; left = static_cast<decltype(left)>(static_cast<std::uint64_t>(left) >> 8))
      room[i] = static_cast<char>(left & 0xff);
    return room;
  }
};

/// One byte, as Kafka's BooleanSerializer writes it: 1 or 0, and nothing else is read.
template <>
struct codec<bool> {
  static bool decode(bytes raw) {
    if (raw.size() != 1) throw_wrong_size(1, raw.size());
    if (raw.data()[0] != 0 && raw.data()[0] != 1) throw malformed{"is neither 0 nor 1"};
    return raw.data()[0] == 1;
  }
  static bytes encode(bool value, std::string&) { return {value ? "\1" : "\0", 1}; }
};

/// The bits of IEEE 754, big-endian.
template <>
struct codec<double> {
  static double decode(bytes raw) { return std::bit_cast<double>(codec<std::uint64_t>::decode(raw)); }
  static bytes encode(double value, std::string& room) {
    return codec<std::uint64_t>::encode(std::bit_cast<std::uint64_t>(value), room);
  }
};

template <>
struct codec<float> {
  static float decode(bytes raw) { return std::bit_cast<float>(codec<std::uint32_t>::decode(raw)); }
  static bytes encode(float value, std::string& room) {
    return codec<std::uint32_t>::encode(std::bit_cast<std::uint32_t>(value), room);
  }
};

/// What `codec<T>` reads and writes, or null.
template <typename T>
struct codec<std::optional<T>> : codec<T> {};

/// A codec whose own type is out of sight: what a topic hands to its source or sink. Throws what the codec throws.
template <typename T>
class coding {
 public:
  virtual ~coding() = default;
  virtual T decode(bytes raw) const = 0;
  virtual bytes encode(const T& value, std::string& room) const = 0;
};

template <typename T>
inline constexpr bool is_optional = false;
template <typename T>
inline constexpr bool is_optional<std::optional<T>> = true;

template <typename Codec>
inline constexpr bool is_nullable = requires {
  requires Codec::nullable;
};

/// What of `T` a codec has to deal with: optionals are unpacked first.
template <typename T>
struct coded {
  using type = T;
};
template <typename T>
struct coded<std::optional<T>> {
  using type = T;
};

/// Whether a codec is found by the type alone.
template <typename T>
inline constexpr bool has_codec = requires {
  sizeof(codec<typename coded<T>::type>);
};

template <typename Codec, typename T>
inline constexpr bool can_decode = requires(const Codec& codec, bytes raw) {
  { codec.decode(raw) } -> std::convertible_to<T>;
};
template <typename Codec, typename T>
inline constexpr bool can_encode = requires(const Codec& codec, const typename coded<T>::type& value,
                                            std::string& room) {
  { codec.encode(value, room) } -> std::convertible_to<bytes>;
};

/// The coding that a codec makes. Shared by all threads.
template <typename T, typename Codec>
class coding_by final : public coding<T> {
 public:
  constexpr coding_by() = default;
  explicit coding_by(Codec how) : codec_{std::move(how)} {}

  T decode([[maybe_unused]] bytes raw) const override {
    if constexpr (can_decode<Codec, T>) {
      if (!is_nullable<Codec> && raw.is_null()) return null();
      return codec_.decode(raw);
    } else {
      throw std::logic_error{"a codec that only writes was asked to read"};
    }
  }

  bytes encode([[maybe_unused]] const T& value, [[maybe_unused]] std::string& room) const override {
    if constexpr (!can_encode<Codec, T>) {
      throw std::logic_error{"a codec that only reads was asked to write"};
    } else if constexpr (is_optional<T>) {
      return value ? bytes{codec_.encode(*value, room)} : bytes{};
    } else {
      return codec_.encode(value, room);
    }
  }

 private:
  static T null() {
    if constexpr (is_optional<T>) return std::nullopt;
    throw malformed{"is null"};
  }

  Codec codec_{};
};

/// A value as the codec of its type writes it, null for `std::nullopt`. Lives as long as both.
template <typename T>
bytes encoded(const T& value, std::string& room) {
  return coding_by<T, codec<typename coded<T>::type>>{}.encode(value, room);
}

/// The coding of a type whose codec is found by the type alone.
template <typename T>
inline constinit const coding_by<T, codec<T>> default_coding{};

}  // namespace flow
