#include <ranges>
#include <sstream>
#include <stdexcept>

#include <range/v3/range/conversion.hpp>
#include <range/v3/view/split.hpp>
#include <range/v3/view/transform.hpp>

#include "running.hpp"

namespace flow {
namespace {

std::vector<std::string> words(const std::string& line) {
  std::istringstream in{line};
  return {std::istream_iterator<std::string>{in}, {}};
}

TEST(flat_map, makes_a_record_of_each_element) {
  auto r = stage<bytes, std::string>([](auto s) { return s | flat_map("words", words); });
  EXPECT_FALSE(r.push({.key = "k", .value = "to be or", .partition = 4, .timestamp = 9, .headers = {{"h", "x"}}}));
  EXPECT_FALSE(r.push(value("")));
  const auto sent = r.take();
  ASSERT_EQ(sent.size(), 3u);
  for (const auto& each : sent) {
    EXPECT_EQ(each.key, "k");
    EXPECT_EQ(each.timestamp, 9);
    EXPECT_EQ(each.partition, 4);
    EXPECT_EQ(each.headers.size(), 1u);
  }
  EXPECT_EQ(sent[2].value, "or");
  EXPECT_EQ(r.counts("words").dropped, 1u);
}

TEST(flat_map, takes_lazy_ranges_of_the_standard_library_and_of_range_v3) {
  auto standard = stage<bytes, std::int32_t>([](auto s) {
    return s | flat_map([](int n) { return std::views::iota(0, n); }) | map([](int n) { return std::to_string(n); });
  });
  EXPECT_FALSE(standard.push(value({"\0\0\0\3", 4})));
  EXPECT_THAT(standard.values(), testing::ElementsAre("0", "1", "2"));

  auto split = stage<bytes, std::string>([](auto s) {
    return s | flat_map([](const std::string& l) {
             return l | ranges::views::split(' ') | ranges::views::transform(ranges::to<std::string>());
           });
  });
  EXPECT_FALSE(split.push(value("to be")));
  EXPECT_THAT(split.values(), testing::ElementsAre("to", "be"));
}

TEST(flat_map, emits_nothing_if_a_later_element_fails) {
  auto r = stage<bytes, std::int32_t>([](auto s) {
    return s | flat_map("elements", [](int n) {
                 return std::views::iota(0, n) | std::views::transform([](int i) {
                          if (i == 2) throw std::runtime_error{"no third one"};
                          return i;
                        });
               }).on_failure(skip);
  });
  EXPECT_FALSE(r.push(value({"\0\0\0\2", 4})));
  EXPECT_FALSE(r.push(value({"\0\0\0\3", 4})));
  EXPECT_EQ(r.take().size(), 2u);
  EXPECT_EQ(r.counts("elements").skipped, 1u);
}

TEST(flat_map, takes_keyed_elements) {
  auto r = stage<bytes, std::string>([](auto s) {
    return s | flat_map([](const std::string& v) { return std::vector{keyed{v, 1}, keyed{v + v, 2}}; });
  });
  EXPECT_FALSE(r.push(value("a")));
  const auto sent = r.take();
  ASSERT_EQ(sent.size(), 2u);
  EXPECT_EQ(sent[1].key, "aa");
  EXPECT_TRUE(sent[1].is_hashed);
}

TEST(flat_map, elements_may_look_at_the_argument) {
  auto r = stage<bytes, std::string>([](auto s) {
    return s | map([](const std::string& v) { return v + "."; }) | flat_map([](const std::string& v) {
             return std::vector<std::string_view>{v, std::string_view{v}.substr(1)};
           });
  });
  EXPECT_FALSE(r.push(value("ab")));
  EXPECT_THAT(r.values(), testing::ElementsAre("ab.", "b."));
}

}  // namespace
}  // namespace flow
