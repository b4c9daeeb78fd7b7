#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>

#include "world.hpp"

namespace flow {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

/// Takes down what an app tells.
class notes {
 public:
  std::function<void(const app_status&)> taker() {
    return [this](const app_status& now) {
      const std::lock_guard lock{mutex_};
      all_.push_back(now);
    };
  }
  std::vector<app_status> all() const {
    const std::lock_guard lock{mutex_};
    return all_;
  }
  bool any(const std::function<bool(const app_status&)>& of) const { return std::ranges::any_of(all(), of); }

 private:
  mutable std::mutex mutex_;
  std::vector<app_status> all_;
};

TEST(status, tells_the_phase) {
  world w;
  app one{copies(), w.options()};
  EXPECT_EQ(one.status().phase, app_phase::created);
  EXPECT_FALSE(one.status().ready());
  w.clusters.cut("tokyo");
  ASSERT_TRUE(one.start());
  EXPECT_EQ(one.status().phase, app_phase::running);
  EXPECT_FALSE(one.status().ready());
  w.clusters.heal("tokyo");
  EXPECT_TRUE(eventually([&] { return one.status().ready(); }));
  EXPECT_TRUE(one.stop(10s));
  EXPECT_EQ(one.status().phase, app_phase::stopped);
  EXPECT_FALSE(one.status().ready());
}

TEST(status, is_not_ready_as_long_as_a_worker_has_told_nothing) {
  app_status now{.phase = app_phase::running, .workers = {}, .ended = {}};
  EXPECT_FALSE(now.ready());
  target_status tokyo;
  tokyo.ready = true;
  now.workers.emplace_back().targets.push_back(tokyo);
  EXPECT_TRUE(now.ready());
  now.workers.emplace_back();
  EXPECT_FALSE(now.ready());
}

TEST(status, tells_what_was_read_and_written) {
  world w{2};
  w.write("large");
  w.write("a");
  w.write("large", 1);
  topology t{"copies"};
  t.from("orders", topic<bytes, bytes>{"orders"}) | filter("large", [](bytes value) { return value.size() > 1; }) |
      fan_out("regions", {"tokyo", "oregon"});
  app one{t, w.options()};
  ASSERT_TRUE(one.start());
  EXPECT_TRUE(eventually([&] {
    const auto now = one.status();
    return now.ready() && target_named("tokyo", now).records_written == 2 &&
           target_named("oregon", now).records_written == 2;
  }));
  const auto now = one.status();
  ASSERT_THAT(now.workers, SizeIs(1));
  EXPECT_EQ(now.workers[0].instance, "one-0");
  ASSERT_THAT(now.workers[0].nodes, SizeIs(3));
  EXPECT_EQ(now.workers[0].nodes[0].received, 3u);
  EXPECT_EQ(now.workers[0].nodes[1].received, 3u);
  EXPECT_EQ(now.workers[0].nodes[1].dropped, 1u);
  EXPECT_EQ(now.workers[0].nodes[2].received, 2u);
  for (const auto& target : now.workers[0].targets) {
    EXPECT_THAT(target.lanes, ElementsAre(0, 1, 2, 3, 4, 5)) << target.cluster;
    EXPECT_EQ(target.bytes_written, 2 * std::string{"klarge"}.size()) << target.cluster;
    EXPECT_GE(target.commits, 1u) << target.cluster;
    EXPECT_EQ(target.rebalances, 1u) << target.cluster;
    EXPECT_THAT(target.halted, IsEmpty()) << target.cluster;
  }
}

TEST(status, is_a_value_that_nothing_changes_any_more) {
  world w;
  w.write("one");
  app one{copies(), w.options()};
  ASSERT_TRUE(one.start());
  ASSERT_TRUE(eventually([&] {
    const auto now = one.status();
    return now.ready() && target_named("tokyo", now).records_written == 1;
  }));
  const auto before = one.status();
  w.write("two");
  ASSERT_TRUE(eventually([&] { return target_named("tokyo", one.status()).records_written == 2; }));
  ASSERT_TRUE(one.stop(10s));
  EXPECT_TRUE(before.ready());
  EXPECT_EQ(target_named("tokyo", before).records_written, 1u);
}

TEST(status, names_the_partition_that_stopped_at_a_failing_record_while_the_others_go_on) {
  world w{2};
  w.write("good", 0);
  w.write("bad", 0);
  w.write("behind it", 0);
  w.write("good", 1);
  app one{checked_copies(stop), w.options()};
  ASSERT_TRUE(one.start());
  ASSERT_TRUE(eventually([&] { return w.values("tokyo") == contents{{"good"}, {"good"}}; }));
  ASSERT_TRUE(eventually([&] { return target_named("tokyo", one.status()).halted.size() == 1; }));
  const auto now = one.status();
  EXPECT_FALSE(now.ready());
  EXPECT_EQ(now.phase, app_phase::running);
  const auto halted = target_named("tokyo", now).halted[0];
  EXPECT_EQ(halted.where, (topic_partition{"orders", 0}));
  EXPECT_EQ(halted.offset, 1);
  EXPECT_THAT(halted.why, HasSubstr("check: a bad order"));
  w.write("still alive", 1);
  EXPECT_TRUE(eventually([&] { return w.values("tokyo") == contents{{"good"}, {"good", "still alive"}}; }));
}

TEST(status, is_mended_by_a_start_that_gets_past_the_failing_record) {
  world w;
  w.write("good");
  w.write("bad");
  w.write("behind it");
  {
    app one{checked_copies(stop), w.options()};
    ASSERT_TRUE(one.start());
    ASSERT_TRUE(eventually([&] {
      return w.count("tokyo") == 1 && !target_named("tokyo", one.status()).halted.empty();
    }));
  }
  app one{copies(), w.options()};
  ASSERT_TRUE(one.start());
  EXPECT_TRUE(eventually([&] { return w.values("tokyo") == w.written && one.status().ready(); }));
}

TEST(status, counts_what_was_skipped) {
  world w;
  for (const auto* value : {"good", "bad", "bad", "behind them"}) w.write(value);
  app one{checked_copies(skip), w.options()};
  ASSERT_TRUE(one.start());
  EXPECT_TRUE(eventually([&] { return w.values("tokyo") == contents{{"good", "behind them"}}; }));
  EXPECT_TRUE(eventually([&] { return one.status().ready() && one.status().workers[0].nodes[1].received == 4; }));
  EXPECT_EQ(one.status().workers[0].nodes[1].skipped, 2u);
}

TEST(status, counts_what_a_cluster_refused_and_was_passed_over) {
  world w;
  w.clusters.create_topic("tokyo", "orders", 1, {{"max.message.bytes", "200"}});
  w.write("small");
  w.write(std::string(300, 'x'));
  w.write("behind it");
  topology t{"copies"};
  t.from(topic<bytes, bytes>{"orders"}) | fan_out("regions", {"tokyo", "oregon"}).on_failure(skip);
  app one{t, w.options()};
  ASSERT_TRUE(one.start());
  EXPECT_TRUE(eventually([&] {
    return w.values("tokyo") == contents{{"small", "behind it"}} && w.values("oregon") == w.written &&
           target_named("tokyo", one.status()).records_refused == 1;
  }));
  EXPECT_EQ(target_named("oregon", one.status()).records_refused, 0u);
}

TEST(status, shows_one_target_that_is_cut_off_and_the_others_go_on) {
  world w;
  app one{copies({"tokyo", "oregon"}), w.options()};
  ASSERT_TRUE(one.start());
  ASSERT_TRUE(eventually([&] { return one.status().ready(); }));
  w.clusters.cut("tokyo");
  w.write_many(10);
  EXPECT_TRUE(eventually([&] { return target_named("oregon", one.status()).records_written == 10; }));
  EXPECT_TRUE(eventually([&] { return w.values("oregon") == w.written; }));
  EXPECT_EQ(w.count("tokyo"), 0u);
  EXPECT_TRUE(target_named("oregon", one.status()).ready);
  w.clusters.heal("tokyo");
  EXPECT_TRUE(eventually([&] { return w.values("tokyo") == w.written && one.status().ready(); }));
}

TEST(status, says_that_there_is_nothing_to_read) {
  world w;
  topology t{"copies"};
  t.from(topic<bytes, bytes>{"ordres"}) | fan_out("regions", {"tokyo"});
  app one{t, w.options()};
  ASSERT_TRUE(one.start());
  EXPECT_TRUE(eventually([&] { return one.status().workers[0].trouble.has_value(); }));
  EXPECT_FALSE(one.status().ready());
  EXPECT_THAT(one.status().workers[0].trouble->text, HasSubstr("ordres"));
  EXPECT_FALSE(one.status().workers[0].trouble->remedy.empty());
}

TEST(on_change, tells_phases_and_readiness_in_their_order) {
  world w;
  notes told;
  app one{copies(), w.options()};
  one.on_change(told.taker());
  EXPECT_THAT(told.all(), IsEmpty());
  ASSERT_TRUE(one.start());
  ASSERT_TRUE(eventually([&] { return told.any([](const auto& now) { return now.ready(); }); }));
  w.clusters.cut("tokyo");  // so that stopping takes a while
  one.request_stop();
  ASSERT_TRUE(eventually([&] { return told.any([](const auto& now) { return now.phase == app_phase::stopping; }); }));
  w.clusters.heal("tokyo");
  ASSERT_TRUE(one.wait());

  const auto all = told.all();
  EXPECT_EQ(all.front().phase, app_phase::running);
  EXPECT_FALSE(all.front().ready());
  EXPECT_EQ(all.back().phase, app_phase::stopped);
  EXPECT_TRUE(std::ranges::is_sorted(all, {}, [](const auto& now) { return now.phase; }));
}

TEST(on_change, is_told_of_a_stop_however_quick_it_is) {
  world w;
  notes told;
  app one{copies(), w.options()};
  one.on_change(told.taker());
  ASSERT_TRUE(one.start());
  ASSERT_TRUE(eventually([&] { return told.any([](const auto& now) { return now.ready(); }); }));
  ASSERT_TRUE(one.stop(10s));
  EXPECT_TRUE(told.any([](const auto& now) { return now.phase == app_phase::stopping; }));
  EXPECT_EQ(told.all().back().phase, app_phase::stopped);
}

TEST(on_change, is_not_called_for_figures_alone) {
  world w;
  notes told;
  app one{copies(), w.options()};
  one.on_change(told.taker());
  ASSERT_TRUE(one.start());
  ASSERT_TRUE(eventually([&] { return told.any([](const auto& now) { return now.ready(); }); }));
  const auto before = told.all().size();
  w.write("one");
  ASSERT_TRUE(eventually([&] { return target_named("tokyo", one.status()).records_written == 1; }));
  EXPECT_THAT(told.all(), SizeIs(before));
}

TEST(on_change, may_throw_and_that_is_all) {
  world w;
  app one{copies(), w.options()};
  std::atomic<int> calls{0};
  one.on_change([&](const app_status&) {
    ++calls;
    throw std::runtime_error{"nobody listens"};
  });
  ASSERT_TRUE(one.start());
  w.write("one");
  EXPECT_TRUE(eventually([&] { return w.values("tokyo") == w.written; }));
  EXPECT_GT(calls, 0);
}

TEST(on_change, tells_of_a_partition_that_stops) {
  world w;
  w.write("bad");
  notes told;
  app one{checked_copies(stop), w.options()};
  one.on_change(told.taker());
  ASSERT_TRUE(one.start());
  EXPECT_TRUE(eventually([&] {
    return told.any([](const auto& now) { return !target_named("tokyo", now).halted.empty(); });
  }));
}

TEST(on_change, tells_why_it_ended) {
  world w;
  w.clusters.create_topic("tokyo", "orders");
  w.clusters.write("tokyo", "orders", 0, {.value = "somebody else's", .timestamp = 1});
  notes told;
  app one{copies(), w.options()};
  one.on_change(told.taker());
  ASSERT_TRUE(one.start());
  const auto ended = one.wait();
  ASSERT_FALSE(ended);
  EXPECT_EQ(told.all().back().phase, app_phase::failed);
  EXPECT_EQ(told.all().back().ended, ended.error());
}

TEST(status, tells_what_dedups_have_in_memory_and_on_disk) {
  world w;
  const scratch_directory directory;
  w.write("a"), w.write("b");
  topology t{"copies"};
  t.from(topic<bytes, std::string>{"orders"}) | dedup("seen", std::identity{}, 1h) | fan_out("regions", {"tokyo"});
  const auto run = [&](const std::string& instance, const std::filesystem::path& state, std::size_t memory) {
    auto options = w.options(instance);
    options.application = instance;
    options.state = state;
    options.dedup_memory = memory;
    auto made = std::make_unique<app>(t, options);
    EXPECT_TRUE(made->start());
    return made;
  };
  // Wherever the files lie, and where none are needed.
  const auto kept = run("kept", directory.path(), 0), unkept = run("unkept", "", 0), small = run("small", "", 1 << 20);
  const auto on_disk = [](const auto& each) { return each->status().workers.at(0).seen_on_disk; };
  EXPECT_TRUE(eventually([&] {
    return on_disk(kept) > 0 && on_disk(unkept) > 0 && small->status().workers.at(0).seen_in_memory > 0;
  }));
  EXPECT_EQ(on_disk(small), 0u);
}

TEST(on_change, is_called_once_at_a_time) {
  world w{6};
  std::atomic<int> at_once = 0;
  std::atomic<bool> overlapped = false;
  std::atomic<int> calls = 0;
  auto options = w.options();
  options.threads = 6;
  app all{copies({"tokyo", "oregon"}), options};
  all.on_change([&](const app_status&) {
    if (++at_once > 1) overlapped = true;
    ++calls;
    std::this_thread::yield();
    --at_once;
  });
  ASSERT_TRUE(all.start());
  ASSERT_TRUE(eventually([&] { return all.status().ready(); }));
  ASSERT_TRUE(all.stop(10s));
  EXPECT_GE(calls, 7) << "each worker has become ready, and all have stopped";
  EXPECT_FALSE(overlapped);
}

TEST(on_change, may_look_at_the_app_and_ask_it_to_stop) {
  world w;
  app one{copies(), w.options()};
  one.on_change([&](const app_status& now) {
    EXPECT_EQ(one.status().phase, now.phase);
    if (now.ready()) one.request_stop();
  });
  ASSERT_TRUE(one.start());
  EXPECT_TRUE(one.wait());
}

}  // namespace
}  // namespace flow
