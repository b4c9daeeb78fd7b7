#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "world.hpp"

namespace flow {
namespace {

using testing::AllOf;
using testing::Each;
using testing::Ge;
using testing::HasSubstr;
using testing::SizeIs;

/// A destination that a test looks into, from several threads.
class inbox {
 public:
  void put(const delivery& what) {
    const std::lock_guard lock{mutex_};
    values_[what.key.str()].push_back(what.value.str());
    char name[16] = {};
    pthread_getname_np(pthread_self(), name, sizeof name);
    threads_.insert(name);
  }
  std::size_t size() const {
    const std::lock_guard lock{mutex_};
    std::size_t sum = 0;
    for (const auto& [key, values] : values_) sum += values.size();
    return sum;
  }
  std::map<std::string, std::vector<std::string>> values() const {
    const std::lock_guard lock{mutex_};
    return values_;
  }
  std::set<std::string> threads() const {
    const std::lock_guard lock{mutex_};
    return threads_;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::vector<std::string>> values_;
  std::set<std::string> threads_;
};

template <typename D>
topology delivers(D where, delivery_options how = {}, policy on_failure = retry(forever, {1ms, 10ms})) {
  topology t{"orders"};
  t.from(topic<bytes, bytes>{"orders"}) | ordered_sink("crm", std::move(where), how).on_failure(std::move(on_failure));
  return t;
}

/// Numbered values of several keys.
std::map<std::string, std::vector<std::string>> write_keys(world& w, int count) {
  std::map<std::string, std::vector<std::string>> all;
  for (int i = 0; i < count; ++i) {
    const auto key = std::string(1, static_cast<char>('a' + i % 7));
    const auto value = std::to_string(i);
    const auto partition = static_cast<std::int32_t>(static_cast<std::size_t>(i % 7) % w.written.size());
    w.clusters.write("home", "orders", partition, {.key = key, .value = value, .timestamp = 1});
    all[key].push_back(value);
  }
  return all;
}

TEST(ordered_sink, calls_its_function_once_for_each_record_in_the_order_of_its_key) {
  world w{3};
  inbox crm;
  const auto expected = write_keys(w, 700);
  auto options = w.options();
  options.threads = 2;
  app running{delivers([&crm](const delivery& what) { crm.put(what); }), options};
  ASSERT_TRUE(running.start());
  ASSERT_TRUE(eventually([&] { return crm.size() >= 700; }));
  EXPECT_TRUE(running.stop(10s));
  EXPECT_EQ(crm.values(), expected);
  EXPECT_THAT(crm.threads(), Each("flow-crm"));
}

TEST(ordered_sink, calls_its_function_for_different_keys_at_once_and_never_twice_for_one) {
  world w;
  std::mutex mutex;
  std::condition_variable changed;
  std::multiset<std::string> inside;
  std::size_t most = 0;
  bool twice = false;
  std::atomic<int> done = 0;
  const auto meet = [&](const delivery& what) {
    {
      std::unique_lock lock{mutex};
      inside.insert(what.key.str());
      twice = twice || inside.count(what.key.str()) > 1;
      most = std::max(most, inside.size());
      changed.notify_all();
      // Each waits until four have met, or it is clear that they do not.
      changed.wait_for(lock, 5s, [&] { return most >= 4; });
      inside.erase(inside.find(what.key.str()));
    }
    ++done;
  };
  write_keys(w, 70);
  app running{delivers(meet, {.in_flight = 4}), w.options()};
  ASSERT_TRUE(running.start());
  ASSERT_TRUE(eventually([&] { return done == 70; }));
  EXPECT_FALSE(twice);
  EXPECT_EQ(most, 4u);
}

TEST(ordered_sink, tries_again_what_its_function_throws_at) {
  world w;
  inbox crm;
  std::atomic<int> calls = 0;
  const auto expected = write_keys(w, 20);
  app running{delivers([&](const delivery& what) {
                if (++calls % 3 != 0) throw std::runtime_error{"away"};
                crm.put(what);
              }),
              w.options()};
  ASSERT_TRUE(running.start());
  ASSERT_TRUE(eventually([&] { return crm.size() == 20; }));
  EXPECT_EQ(crm.values(), expected);
}

TEST(ordered_sink, gives_batches_to_a_function_that_takes_them) {
  world w;
  inbox crm;
  std::atomic<std::size_t> largest = 0;
  const auto expected = write_keys(w, 500);
  app running{delivers(
                  [&](std::span<const delivery> batch) {
                    largest = std::max(largest.load(), batch.size());
                    for (const auto& each : batch) crm.put(each);
                  },
                  {.in_flight = 1, .batch = 50}),
              w.options()};
  ASSERT_TRUE(running.start());
  ASSERT_TRUE(eventually([&] { return crm.size() == 500; }));
  EXPECT_EQ(crm.values(), expected);
  EXPECT_THAT(largest.load(), AllOf(Ge(2u), testing::Le(50u)));
}

TEST(ordered_sink, says_what_stopped_a_partition) {
  world w;
  write_keys(w, 3);
  app running{delivers([](const delivery&) { throw permanent_error{"no such customer"}; }), w.options()};
  ASSERT_TRUE(running.start());
  const auto halted = [&] {
    const auto now = running.status();
    for (const auto& each : now.workers[0].targets)
      if (each.sink == "crm" && !each.halted.empty()) return each.halted[0].why;
    return std::string{};
  };
  ASSERT_TRUE(eventually([&] { return !halted().empty(); }));
  EXPECT_THAT(halted(), HasSubstr("crm: no such customer"));
  EXPECT_FALSE(running.status().ready());
}

TEST(ordered_sink, waits_at_a_stop_for_the_call_that_is_running) {
  world w;
  write_keys(w, 1);
  std::atomic<bool> inside = false, goes_on = false, returned = false;
  app running{delivers([&](const delivery&) {
                inside = true;
                while (!goes_on) std::this_thread::sleep_for(1ms);
                returned = true;
              }),
              w.options()};
  ASSERT_TRUE(running.start());
  ASSERT_TRUE(eventually([&] { return inside.load(); }));
  std::jthread later{[&] { goes_on = true; }};
  running.stop(0ms);
  EXPECT_TRUE(returned);
}

/// Lives on the thread of its worker and answers from another, or at once.
class counted_destination final : public destination {
 public:
  counted_destination(inbox& into, std::atomic<int>& alive) : into_{into}, alive_{alive} { ++alive_; }
  ~counted_destination() override { --alive_; }

  void deliver(std::span<const delivery> batch, report done) override {
    for (const auto& each : batch) into_.put(each);
    if (++calls_ % 2 == 0) return done(std::vector<receipt>(batch.size()));
    answering_ = std::jthread{[size = batch.size(), done] { done(std::vector<receipt>(size)); }};
  }

 private:
  inbox& into_;
  std::atomic<int>& alive_;
  int calls_ = 0;
  std::jthread answering_;
};

TEST(ordered_sink, opens_a_destination_for_each_worker_and_closes_it) {
  world w{2};
  inbox crm;
  std::atomic<int> alive = 0;
  const auto expected = write_keys(w, 100);
  auto options = w.options();
  options.threads = 3;
  app running{delivers([&](const delivery_options&) { return std::make_unique<counted_destination>(crm, alive); }),
              options};
  ASSERT_TRUE(running.start());
  EXPECT_EQ(alive, 3);
  ASSERT_TRUE(eventually([&] { return crm.size() == 100; }));
  EXPECT_TRUE(running.stop(10s));
  EXPECT_EQ(alive, 0);
  EXPECT_EQ(crm.values(), expected);
}

TEST(ordered_sink, takes_what_its_destination_throws_for_a_failure) {
  struct throws : destination {
    void deliver(std::span<const delivery>, report) override { throw permanent_error{"not this one"}; }
  };
  world w;
  write_keys(w, 3);
  app running{delivers([](const delivery_options&) { return std::make_unique<throws>(); }, {}, skip), w.options()};
  ASSERT_TRUE(running.start());
  EXPECT_TRUE(eventually([&] {
    const auto now = running.status();
    return std::ranges::any_of(now.workers[0].targets, [](const auto& each) { return each.records_refused == 3; });
  }));
}

TEST(ordered_sink, says_why_its_destination_could_not_be_opened) {
  world w;
  app running{
      delivers([](const delivery_options&) -> std::unique_ptr<destination> { throw std::runtime_error{"no socket"}; }),
      w.options()};
  const auto started = running.start();
  ASSERT_FALSE(started);
  EXPECT_THAT(started.error().text, HasSubstr("no socket"));
}

}  // namespace
}  // namespace flow
