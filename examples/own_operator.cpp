// An operator of one's own: a struct that says what comes out, and moves records on.
#include <concepts>
#include <iostream>
#include <string>

#include <flow/flow.hpp>
#include <flow/testing/drive.hpp>

/// Lets values between two limits through, both included.
template <typename T>
struct between_op : flow::op<between_op<T>> {
  static constexpr std::string_view verb = "between";

  between_op(T low, T high) : low{low}, high{high} {}

  // What comes out is what goes in, if it can be compared; if not, the compiler says this one sentence.
  template <typename In>
  static consteval auto out() {
    constexpr bool fits = std::totally_ordered_with<T, typename In::value_type>;
    static_assert(fits, "between needs a stream of values that can be compared with its limits");
    if constexpr (fits) {
      return In{};
    } else {
      return flow::poisoned{};
    }
  }

  void operator()(auto&& record, auto& next) const {
    if (low <= record.value() && record.value() <= high) next(std::move(record));
  }

  T low;
  T high;
};

template <typename T>
between_op<T> between(T low, T high) {
  return {low, high};
}

int main() {
  auto stage = flow::testing::drive<std::string, int>([](auto degrees) { return degrees | between(-40, 60); });
  for (const int measured : {21, 19, 9999, -41, 60}) stage.push("sensor", measured);
  const auto kept = stage.take();
  std::cout << kept.size() << " of 5 are plausible\n";
  return kept.size() == 3 ? 0 : 1;
}
