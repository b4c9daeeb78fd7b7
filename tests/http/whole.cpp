#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <flow/app.hpp>
#include <flow/flow.hpp>
#include <flow/http.hpp>
#include <flow/memory_clusters.hpp>

#include "server.hpp"

namespace flow {
namespace {

using namespace std::chrono_literals;
using testing::SizeIs;

bool eventually(const std::function<bool()>& holds, std::chrono::milliseconds limit = 30s) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(5ms);
  }
  return true;
}

/// An app that delivers orders of some keys to the server.
class deliveries : public ::testing::Test {
 protected:
  deliveries() { clusters.create_topic("home", "orders", 3); }

  topology delivers(policy on_failure = retry(forever, {1ms, 50ms}), delivery_options how = {}) {
    topology t{"sync"};
    t.from(topic<bytes, bytes>{"orders"}) |
        ordered_sink("crm", http::post{.url = server.url("/s"), .timeout = 2s}, how).on_failure(std::move(on_failure));
    return t;
  }
  app_options options() {
    return {.instance = "one",
            .clusters = {{"home", {}}},
            .state = "",
            .lanes = 3,
            .session = 2s,
            .connect = clusters.connect()};
  }
  void write(int count) {
    for (const int end = written_ + count; written_ < end; ++written_) {
      const auto key = "k" + std::to_string(written_ % 7);
      const auto value = std::to_string(written_);
      clusters.write("home", "orders", written_ % 7 % 3, {.key = key, .value = value, .timestamp = 1'700'000'000'000});
      expected[key].push_back(value);
    }
  }
  /// What the server got, where it first did, by key.
  std::map<std::string, std::vector<std::string>> first() {
    std::map<std::string, std::vector<std::string>> all;
    std::set<std::string> known;
    for (const auto& each : seen())
      if (known.insert(each.headers.at("idempotency-key")).second)
        all[each.headers.at("flow-key")].push_back(each.body);
    return all;
  }
  std::vector<got> seen() const { return server.requests(); }

  http_server server;
  memory_clusters clusters;
  std::map<std::string, std::vector<std::string>> expected;

 private:
  int written_ = 0;
};

TEST_F(deliveries, arrive_once_and_in_the_order_of_their_keys) {
  write(300);
  app running{delivers(), options()};
  ASSERT_TRUE(running.start());
  ASSERT_TRUE(eventually([&] { return seen().size() >= 300; }));
  EXPECT_TRUE(running.stop(10s));
  EXPECT_THAT(seen(), SizeIs(300));
  EXPECT_EQ(first(), expected);
}

TEST_F(deliveries, get_through_a_server_that_fails_drops_and_wants_to_be_left_alone) {
  server.script("/s", "200 503 drop 200 429:1 200 half 500 200 408 drop 200 slow:0.2:200 425 200");
  write(100);
  app running{delivers(), options()};
  ASSERT_TRUE(running.start());
  ASSERT_TRUE(eventually([&] { return first() == expected; }));
  // Of one key nothing follows what was not taken: the next request is the same one again, or the next one.
  std::map<std::string, std::vector<std::string>> in_order;
  for (const auto& each : seen()) {
    auto& line = in_order[each.headers.at("flow-key")];
    if (line.empty() || line.back() != each.body) line.push_back(each.body);
  }
  EXPECT_EQ(in_order, expected);
  EXPECT_TRUE(running.stop(10s));
}

TEST_F(deliveries, get_through_a_server_that_dies_half_way) {
  write(200);
  app running{delivers(), options()};
  ASSERT_TRUE(running.start());
  for (int i = 0; i < 3; ++i) {
    const auto there = seen().size();
    ASSERT_TRUE(eventually([&] { return seen().size() > there; }));
    server.kill();
    ASSERT_TRUE(eventually([&] { return !running.status().ready(); }));
    server.start();
    write(100);
  }
  EXPECT_TRUE(eventually([&] { return first() == expected; }));
  EXPECT_TRUE(eventually([&] { return running.status().ready(); }));
  EXPECT_TRUE(running.stop(10s));
}

TEST_F(deliveries, are_repeated_under_the_same_name_after_a_crash) {
  write(200);
  for (int i = 0; i < 4; ++i) {
    app running{delivers(), options()};
    ASSERT_TRUE(running.start());
    const auto there = seen().size();
    ASSERT_TRUE(eventually([&] { return seen().size() > there; }));
    EXPECT_FALSE(running.stop(0ms));
    write(50);
  }
  app running{delivers(), options()};
  ASSERT_TRUE(running.start());
  ASSERT_TRUE(eventually([&] { return first() == expected; }));
  EXPECT_TRUE(running.stop(10s));
  std::map<std::string, std::string> names;
  std::map<std::string, long> tokens;
  for (const auto& each : seen()) {
    EXPECT_EQ(names.emplace(each.body, each.headers.at("idempotency-key")).first->second,
              each.headers.at("idempotency-key"));
    const auto name = each.headers.at("idempotency-key");
    const auto partition = name.substr(0, name.find('/', std::string{"sync/crm/home/orders/"}.size()));
    const auto token = std::stol(each.headers.at("fencing-token"));
    EXPECT_GE(token, tokens[partition]);
    tokens[partition] = token;
  }
}

TEST_F(deliveries, in_batches_lose_only_what_is_refused) {
  for (int i = 0; i < 60; ++i)
    clusters.write("home", "orders", i % 3,
                   {.key = "k" + std::to_string(i % 5),
                    .value = i == 33 ? "no JSON" : std::to_string(i),
                    .timestamp = 1'700'000'000'000});
  app running{delivers(retry(forever, {1ms, 50ms}).then(dead_letter("{topic}.dlq")), {.in_flight = 2, .batch = 10}),
              options()};
  ASSERT_TRUE(running.start());
  const auto letters = [&] {
    std::vector<std::string> all;
    try {
      for (const auto& partition : clusters.read("home", "orders.dlq"))
        for (const auto& each : partition) all.push_back(*each.value);
    } catch (const std::out_of_range&) {
      // The topic has not been made yet.
    }
    return all;
  };
  EXPECT_TRUE(eventually([&] { return letters() == std::vector<std::string>{"no JSON"}; }));
  const auto is_complete = [&] {
    const auto now = running.status();
    return std::ranges::any_of(now.workers[0].targets, [](const auto& each) { return each.records_written >= 59; });
  };
  EXPECT_TRUE(eventually(is_complete));
  EXPECT_LT(seen().size(), 59u);
  EXPECT_TRUE(running.stop(10s));
}

TEST_F(deliveries, that_are_questions_have_their_answers_on_every_target) {
  server.script("/s", "200 503 drop 200 half 500 200 slow:0.2:200 200");
  topology t{"sync"};
  t.from(topic<std::string, std::string>{"orders"}) |
      async_map("ask", http::post{.url = server.url("/s"), .timeout = 2s}).on_failure(retry(forever, {1ms, 50ms})) |
      fan_out("regions", {"tokyo", "oregon"}, {.rename = "answers"});
  auto how = options();
  how.clusters = {{"home", {}}, {"tokyo", {}}, {"oregon", {}}};
  write(100);
  app running{t, how};
  ASSERT_TRUE(running.start());
  const auto is_complete = [&](const std::string& target) {
    std::vector<std::vector<std::string>> wanted(3), found;
    for (int i = 0; i < 100; ++i) wanted[static_cast<std::size_t>(i % 7 % 3)].push_back("ok " + std::to_string(i));
    try {
      for (const auto& partition : clusters.read(target, "answers")) {
        found.emplace_back();
        for (const auto& each : partition) found.back().push_back(*each.value);
      }
    } catch (const std::out_of_range&) {
      // The topic has not been made yet.
    }
    return found == wanted;
  };
  EXPECT_TRUE(eventually([&] { return is_complete("tokyo") && is_complete("oregon"); }));
  EXPECT_TRUE(running.stop(10s));
}

}  // namespace
}  // namespace flow
