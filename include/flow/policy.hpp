#pragma once

#include <string_view>

namespace flow {

/// What becomes of a record for which user code or a codec failed.
class policy {
 public:
  enum class kind {
    stop,  ///< its partition goes no further, and nothing of the record is emitted
    skip   ///< it ends at that node and is counted
  };

  constexpr explicit policy(kind what) : kind_{what} {}
  constexpr kind what() const { return kind_; }
  constexpr std::string_view text() const { return kind_ == kind::stop ? "stop" : "skip"; }

  bool operator==(const policy&) const = default;

 private:
  kind kind_;
};

inline constexpr policy stop{policy::kind::stop};
inline constexpr policy skip{policy::kind::skip};

}  // namespace flow
