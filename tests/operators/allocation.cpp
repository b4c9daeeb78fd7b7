#include <gtest/gtest.h>

#include <cstddef>
#include <cstdlib>
#include <vector>

#include <flow/flow.hpp>

/// In counting_new.cpp: how often memory has been asked for.
extern std::size_t allocations;

namespace flow {
namespace {

TEST(a_record, that_passes_through_allocates_nothing) {
  topology t{"test"};
  auto s = t.from(topics<bytes, bytes>{{".*"}}) | filter([](bytes value) { return value.size() > 1; });
  auto [large, rest] = s | split(when("large", [](bytes value) { return value.size() > 5; }), otherwise("rest"));
  large | fan_out("regions", {"tokyo", "oregon"});
  rest | to("rest", {.cluster = "tokyo", .partition = by_key});
  s | peek([](bytes) {}) | for_each([](bytes) {});
  const auto plan = t.build();
  const auto graph = plan->open();
  arena written;
  std::vector<emission> out;
  out.reserve(3000);
  const source_partition from{0, "home", "orders", 3};

  const std::size_t before = allocations;
  for (int i = 0; i < 1000; ++i)
    for (const char* value : {"", "some", "something"})
      if (graph->push(from, {.key = "k", .value = value, .headers = {}}, {.written = written, .out = out})) std::abort();
  EXPECT_EQ(allocations, before);
  EXPECT_EQ(out.size(), 2000u);
  EXPECT_EQ(written.capacity(), 0u);
}

}  // namespace
}  // namespace flow
