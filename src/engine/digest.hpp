#pragma once

#include <cstdint>
#include <span>
#include <string>

#include <flow/wire.hpp>

namespace flow::engine {

/// What a record says, to tell it from others; null is not the same as empty. Nothing here keeps anybody from making
/// two records of one digest on purpose.
struct digest {
  std::uint64_t key = 0, value = 0, headers = 0;
  std::int64_t timestamp = 0;

  bool operator==(const digest&) const = default;
};

digest digest_of(bytes key, bytes value, std::int64_t timestamp, std::span<const header> headers);
/// The digest of several, in this order, as that of a header.
std::uint64_t digest_of(std::span<const bytes> parts);

/// What many records say: the same for the same ones, whatever their order.
class digest_sum {
 public:
  void add(const digest& what);
  std::uint64_t count() const { return count_; }
  /// 32 hexadecimal digits.
  std::string text() const;

 private:
  std::uint64_t count_ = 0, high_ = 0, low_ = 0;
};

}  // namespace flow::engine
