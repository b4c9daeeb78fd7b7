#include <utility>

#include "running.hpp"

namespace flow {
namespace {

/// Lets every n-th value through twice: an operator as users write them.
struct echo : op<echo> {
  static constexpr std::string_view verb = "echo";

  explicit echo(int times) : times{times} {}
  echo(label name, int times) : op<echo>{name}, times{times} {}

  template <typename In>
  static consteval auto out() {
    return In{};
  }

  void operator()(auto&& r, auto& next) const {
    for (int i = 1; i < times; ++i) next(std::remove_cvref_t<decltype(r)>{r});
    if (times > 0) next(std::move(r));
  }

  int times;
};

TEST(an_operator_of_ones_own, stands_beside_the_others) {
  topology t{"test"};
  t.from(topic<bytes, bytes>{"in"}) | echo("three-times", 3) | filter([](bytes) { return true; }) | echo{2} | to("out");
  running r{t};
  EXPECT_FALSE(r.push(value("v")));
  EXPECT_EQ(r.take().size(), 6u);
  EXPECT_EQ(r.counts("echo-1").received, 3u);
}

/// Changes what flows: a length instead of a text.
struct length : op<length> {
  static constexpr std::string_view verb = "length";

  template <typename In>
  static consteval auto out() {
    constexpr bool is_text = std::is_same_v<typename In::value_type, std::string>;
    static_assert(is_text, "length needs a stream of texts");
    if constexpr (is_text) {
      return shape<typename In::key_type, std::int64_t, In::placed>{};
    } else {
      return poisoned{};
    }
  }

  template <typename K>
  void operator()(record<K, std::string>&& r, auto& next) const {
    if (r.value() == "fail") throw std::runtime_error{"failed as asked"};
    const auto size = static_cast<std::int64_t>(r.value().size());
    next(std::move(r).with_value(size));
  }
};

TEST(an_operator_of_ones_own, has_a_policy_and_is_counted) {
  topology t{"test"};
  t.from(topic<bytes, std::string>{"in"}) | length{}.on_failure(skip) |
      map([](std::int64_t n) { return std::to_string(n); }) | to("out");
  running r{t};
  EXPECT_FALSE(r.push(value("four")));
  EXPECT_FALSE(r.push(value("fail")));
  EXPECT_THAT(r.values(), testing::ElementsAre("4"));
  EXPECT_EQ(r.counts("length-1").skipped, 1u);
}

TEST(a_stage, is_a_function_from_stream_to_stream) {
  const auto twice = [](auto s) { return s | echo{2}; };
  auto r = stage<bytes, bytes>([&](auto s) { return s | twice | twice; });
  EXPECT_FALSE(r.push(value("v")));
  EXPECT_EQ(r.take().size(), 4u);
}

}  // namespace
}  // namespace flow
