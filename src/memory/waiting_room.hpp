#pragma once

#include <functional>
#include <utility>
#include <variant>
#include <vector>

#include <flow/failure.hpp>

namespace flow::memory {

/// Where requests stay that cannot be answered yet.
class waiting_room {
 public:
  /// Runs `again` once, at the next `wake`; it may come back.
  void wait(std::function<void()> again) { waiting_.push_back(std::move(again)); }
  /// Lets everybody try again, in the order in which they came.
  void wake() {
    for (auto& again : std::exchange(waiting_, {})) again();
  }

 private:
  std::vector<std::function<void()>> waiting_;
};

/// Ask again once this room is woken.
struct later {
  waiting_room* where;
};

/// What a cluster says to a request.
template <typename T>
using outcome = std::variant<result<T>, later>;

/// The failure in `what`, if it is one.
template <typename T>
const failure* failure_of(const outcome<T>& what) {
  const auto* answer = std::get_if<result<T>>(&what);
  return answer && !*answer ? &answer->error() : nullptr;
}

}  // namespace flow::memory
