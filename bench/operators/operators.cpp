#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include <flow/flow.hpp>

// Nanoseconds per record of the graph alone: no cluster, no engine, one thread. A line's figure is the whole way from
// `push` or `pull` to the sink; the difference between two lines is what the further operators cost.

namespace {

using flow::bytes;
using flow::keyed;
using flow::topic;
using flow::topology;

constexpr std::uint64_t all_sinks = ~std::uint64_t{0};
constexpr int rounds = 101;

struct order {
  std::int64_t customer = 0;
  std::int64_t cents = 0;
};

/// The best of several rounds, so that other work on the machine does not count.
double best_of(std::int64_t records, auto round) {
  double best = 1e9;
  for (int i = 0; i < rounds; ++i) {
    const auto start = std::chrono::steady_clock::now();
    round();
    const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - start;
    best = std::min(best, took.count() / static_cast<double>(records));
  }
  return best;
}

void report(const char* what, double nanoseconds) {
  std::printf("%-44s %7.1f ns\n", what, nanoseconds);
}

/// Records of 100 bytes from a topic.
void push(const char* what, auto build) {
  constexpr std::int64_t records = 20'000;
  topology t{"bench"};
  build(t);
  const auto plan = t.build();
  const auto graph = plan->open();
  const flow::source_partition from{0, "home", "orders", 3};
  const std::string value(100, 'v');
  report(what, best_of(records, [&] {
           std::vector<flow::emission> out;
           out.reserve(1024);
           for (std::int64_t i = 0; i < records;) {
             flow::arena written;
             out.clear();
             for (int batch = 0; batch < 1000; ++batch, ++i)
               graph->push(from, {.offset = i, .timestamp = i, .key = "customer-42", .value = value, .headers = {}},
                           {.active = all_sinks, .written = written, .out = out});
           }
         }));
}

/// Orders from a range.
void pull(const char* what, auto build) {
  constexpr std::int64_t records = 20'000;
  std::vector<order> orders;
  for (std::int64_t i = 0; i < records; ++i) orders.push_back({i % 1000, i});
  topology t{"bench"};
  build(t, orders);
  const auto plan = t.build();
  report(what, best_of(records, [&] {
           const auto graph = plan->open();
           flow::arena written;
           std::vector<flow::emission> out;
           while (*graph->pull(0, {.active = all_sinks, .written = written, .out = out}) == flow::graph::pulled::record) {
           }
         }));
}

}  // namespace

int main() {
  const auto is_full = [](bytes value) { return value.size() == 100; };
  const auto drop = [](bytes value) { return value.empty(); };
  const auto count = [](const auto&) {};

  push("topic, for_each", [&](topology& t) { t.from(topic<bytes, bytes>{"orders"}) | flow::for_each(count); });
  push("topic, filter, for_each",
       [&](topology& t) { t.from(topic<bytes, bytes>{"orders"}) | flow::filter(is_full) | flow::for_each(count); });
  push("topic, filter x 5, for_each", [&](topology& t) {
    t.from(topic<bytes, bytes>{"orders"}) | flow::filter(is_full) | flow::filter(is_full) | flow::filter(is_full) |
        flow::filter(is_full) | flow::filter(is_full) | flow::for_each(count);
  });
  push("topic, filter that drops",
       [&](topology& t) { t.from(topic<bytes, bytes>{"orders"}) | flow::filter(drop) | flow::to("copy"); });
  push("topic, to", [&](topology& t) { t.from(topic<bytes, bytes>{"orders"}) | flow::to("copy"); });
  push("topic, to by key",
       [&](topology& t) { t.from(topic<bytes, bytes>{"orders"}) | flow::to("copy", {.partition = flow::by_key}); });
  push("topic, filter, fan_out to 3", [&](topology& t) {
    t.from(topic<bytes, bytes>{"orders"}) | flow::filter(is_full) | flow::fan_out("regions", {"a", "b", "c"});
  });

  push("topic, peek, for_each",
       [&](topology& t) { t.from(topic<bytes, bytes>{"orders"}) | flow::peek(count) | flow::for_each(count); });
  push("topic, flat_map to two, for_each", [&](topology& t) {
    t.from(topic<bytes, bytes>{"orders"}) | flow::flat_map([](bytes value) {
      return std::array{value, value};
    }) | flow::for_each(count);
  });
  push("topic, split, for_each", [&](topology& t) {
    auto [full, rest] =
        t.from(topic<bytes, bytes>{"orders"}) | flow::split(flow::when("full", is_full), flow::otherwise("rest"));
    full | flow::for_each(count);
    rest | flow::for_each(count);
  });
  push("topic, as, for_each", [&](topology& t) {
    t.from(topic<bytes, bytes>{"orders"}) | flow::as<std::string_view>() | flow::for_each(count);
  });
  push("topic, with_header, to", [&](topology& t) {
    t.from(topic<bytes, bytes>{"orders"}) | flow::with_header("region", "eu") | flow::to("copy");
  });
  push("topic at a time of its own, to", [&](topology& t) {
    t.from(topic<bytes, bytes>{"orders"}, {.time = [](bytes value) { return value.size(); }}) | flow::to("copy");
  });

  pull("range, for_each", [&](topology& t, const auto& orders) { t.from(orders) | flow::for_each(count); });
  pull("range, filter, map, key_by, for_each", [&](topology& t, const auto& orders) {
    t.from(orders) | flow::filter([](const order& o) { return o.cents >= 0; }) | flow::map([](const order& o) {
      return order{o.customer, o.cents + 1};
    }) | flow::key_by(&order::customer) |
        flow::for_each([](std::int64_t, const order&) {});
  });
  pull("range, map to keyed, for_each", [&](topology& t, const auto& orders) {
    t.from(orders) | flow::map([](const order& o) {
      return keyed{o.customer, o.cents};
    }) | flow::for_each([](std::int64_t, std::int64_t) {});
  });
}
