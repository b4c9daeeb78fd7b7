#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>
#include <optional>

#include "world.hpp"

namespace flow {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

bool is_in_use(const result<void>& started) {
  return !started && started.error().kind == failure_kind::refused;
}

/// Asks a cluster one question at a time, as a worker of its own.
class inquirer {
 public:
  inquirer(memory_clusters& clusters, const std::string& name)
      : cluster_{clusters.connect()(name, {}, "inquirer", box_, {})} {}

  std::size_t members(const std::string& group) {
    std::optional<result<std::vector<port::group_member>>> answer;
    cluster_->group_members(group, [&](auto found) { answer = std::move(found); });
    EXPECT_TRUE(eventually([&] { return box_->open(), answer.has_value(); }));
    return (*answer)->size();
  }

 private:
  class letter_box : public port::mailbox {
   public:
    void post(std::function<void()> letter) override {
      const std::lock_guard lock{mutex_};
      letters_.push_back(std::move(letter));
    }
    void open() {
      std::unique_lock lock{mutex_};
      const auto come = std::exchange(letters_, {});
      lock.unlock();
      for (const auto& letter : come) letter();
    }

   private:
    std::mutex mutex_;
    std::vector<std::function<void()>> letters_;
  };

  std::shared_ptr<letter_box> box_ = std::make_shared<letter_box>();
  std::unique_ptr<port::cluster> cluster_;
};

TEST(start, brings_every_record_to_every_target_in_order) {
  world w{3};
  w.write_many(30);
  app one{copies({"tokyo", "oregon"}), w.options()};
  ASSERT_TRUE(one.start());
  EXPECT_TRUE(eventually([&] { return w.values("tokyo") == w.written && w.values("oregon") == w.written; }));
}

TEST(start, follows_what_is_written_later) {
  world w;
  app one{copies(), w.options()};
  ASSERT_TRUE(one.start());
  ASSERT_TRUE(eventually([&] { return one.status().ready(); }));
  w.write("late");
  EXPECT_TRUE(eventually([&] { return w.values("tokyo") == w.written; }));
}

TEST(start, delivers_everything_in_order_at_least_once_as_well) {
  world w{3};
  w.write_many(30);
  auto options = w.options();
  options.promised = guarantee::at_least_once;
  app one{copies(), options};
  ASSERT_TRUE(one.start());
  EXPECT_TRUE(eventually([&] { return w.values("tokyo") == w.written; }));
}

TEST(start, is_refused_the_second_time) {
  world w;
  app one{copies(), w.options()};
  ASSERT_TRUE(one.start());
  const auto again = one.start();
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().kind, failure_kind::refused);
  EXPECT_EQ(to_string(again.error()), "the app has been started already (make a new one to run it again)");
  w.write("still running");
  EXPECT_TRUE(eventually([&] { return w.values("tokyo") == w.written; }));
}

TEST(start, is_refused_after_a_stop) {
  world w;
  app one{copies(), w.options()};
  ASSERT_TRUE(one.start());
  ASSERT_TRUE(one.stop(10s));
  const auto again = one.start();
  ASSERT_FALSE(again);
  EXPECT_THAT(again.error().text, HasSubstr("started already"));
  EXPECT_EQ(one.status().phase, app_phase::stopped);
}

TEST(start, says_why_a_cluster_could_not_be_opened_and_leaves_no_worker_behind) {
  world w{6};
  const scratch_directory directory;
  auto options = w.options();
  options.threads = 3;
  options.state = directory.path();
  options.connect = [connect = w.clusters.connect()](const auto& name, const auto& properties, const auto& client_id,
                                                     auto&&... rest) {
    if (client_id.ends_with("-2")) throw std::runtime_error{"no more descriptors"};
    return connect(name, properties, client_id, rest...);
  };
  app three{copies(), options};
  const auto started = three.start();
  ASSERT_FALSE(started);
  EXPECT_THAT(to_string(started.error()), HasSubstr("no more descriptors"));
  const auto ended = three.wait();
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error(), started.error());
  EXPECT_EQ(three.status().phase, app_phase::failed);

  options.threads = 2;
  app two{copies(), options};
  ASSERT_TRUE(two.start());
  w.write_many(60);
  EXPECT_TRUE(eventually([&] { return w.values("tokyo") == w.written; }));
}

TEST(start, can_be_tried_again_where_nothing_was_started) {
  world w;
  const scratch_directory directory;
  auto options = w.options();
  options.state = directory.path();
  std::optional<app> first{std::in_place, copies(), options};
  ASSERT_TRUE(first->start());
  options.instance = "two";
  app second{copies(), options};
  ASSERT_TRUE(is_in_use(second.start()));
  EXPECT_EQ(second.status().phase, app_phase::created);
  first.reset();
  ASSERT_TRUE(second.start());
  w.write("one");
  EXPECT_TRUE(eventually([&] { return w.values("tokyo") == w.written; }));
}

TEST(start, goes_on_where_the_last_run_stopped) {
  const scratch_directory directory;
  for (const auto& state : {std::filesystem::path{}, directory.path()}) {
    world w{3};
    auto options = w.options();
    options.state = state;
    for (int run = 0; run < 3; ++run) {
      app one{copies(), options};
      w.write_many(9);
      ASSERT_TRUE(one.start());
      EXPECT_TRUE(eventually([&] { return w.values("tokyo") == w.written; })) << "run " << run;
      EXPECT_TRUE(one.stop(10s));
    }
    EXPECT_EQ(w.values("tokyo"), w.written);
  }
}

TEST(start, refuses_to_begin_beside_records_that_no_position_explains) {
  world w;
  w.write("one");
  w.clusters.create_topic("tokyo", "orders");
  w.clusters.write("tokyo", "orders", 0, {.value = "somebody else's", .timestamp = 1});
  auto options = w.options();
  {
    app one{copies(), options};
    ASSERT_TRUE(one.start());
    EXPECT_FALSE(one.wait());
  }
  options.fresh = true;
  app one{copies(), options};
  ASSERT_TRUE(one.start());
  EXPECT_TRUE(eventually([&] { return w.values("tokyo") == contents{{"somebody else's", "one"}}; }));
}

TEST(stop, commits_what_is_under_way_and_leaves) {
  world w{3};
  auto options = w.options();
  options.commit_every = 5s;
  app one{copies(), options};
  ASSERT_TRUE(one.start());
  ASSERT_TRUE(eventually([&] { return one.status().ready(); }));
  w.write_many(300);
  ASSERT_TRUE(eventually([&] { return one.status().workers[0].nodes[0].received == 300; }));
  EXPECT_TRUE(one.stop(10s));
  EXPECT_EQ(w.values("tokyo"), w.written);
  EXPECT_EQ(one.status().phase, app_phase::stopped);
  EXPECT_EQ(inquirer(w.clusters, "tokyo").members("copies.home.lanes"), 0u);
}

TEST(stop, abandons_at_the_deadline_what_cannot_be_finished) {
  world w;
  std::optional<app> one{std::in_place, copies({"tokyo", "oregon"}), w.options()};
  ASSERT_TRUE(one->start());
  ASSERT_TRUE(eventually([&] { return one->status().ready(); }));
  w.clusters.cut("tokyo");
  w.write("one");
  ASSERT_TRUE(eventually([&] { return w.values("oregon") == w.written; }));
  EXPECT_FALSE(one->stop(50ms));
  EXPECT_EQ(one->status().phase, app_phase::stopped);
  w.clusters.heal("tokyo");

  one.emplace(copies({"tokyo", "oregon"}), w.options());
  ASSERT_TRUE(one->start());
  w.write("two");
  EXPECT_TRUE(eventually([&] { return w.values("oregon") == w.written && w.values("tokyo") == w.written; }));
}

TEST(stop, without_any_time_is_what_a_crash_is) {
  world w;
  app one{copies(), w.options()};
  ASSERT_TRUE(one.start());
  ASSERT_TRUE(eventually([&] { return one.status().ready(); }));
  EXPECT_FALSE(one.stop(0ms));
  // A process that crashed has said goodbye to nobody.
  EXPECT_EQ(inquirer(w.clusters, "tokyo").members("copies.home.lanes"), 1u);
}

TEST(stop, loses_and_repeats_nothing_of_what_it_abandons) {
  const scratch_directory directory;
  for (const auto& state : {std::filesystem::path{}, directory.path()}) {
    world w{3};
    auto options = w.options();
    options.state = state;
    for (int crash = 0; crash < 15; ++crash) {
      app one{copies(), options};
      ASSERT_TRUE(one.start());
      // Each time a little further on its way from the first question to the last commit.
      const auto there = w.count("tokyo");
      w.write_many(500);
      ASSERT_TRUE(eventually([&] { return w.count("tokyo") >= there + static_cast<std::size_t>(crash % 5) * 100; }));
      EXPECT_FALSE(one.stop(0ms));
    }
    app last{copies(), options};
    ASSERT_TRUE(last.start());
    EXPECT_TRUE(eventually([&] { return w.count("tokyo") >= 7'500; }));
    EXPECT_TRUE(last.stop(10s));
    EXPECT_EQ(w.values("tokyo"), w.written);
  }
}

TEST(stop, may_take_as_long_as_it_needs) {
  world w;
  app one{copies(), w.options()};
  ASSERT_TRUE(one.start());
  ASSERT_TRUE(eventually([&] { return one.status().ready(); }));
  EXPECT_TRUE(one.stop(std::chrono::milliseconds::max()));
}

TEST(stop, of_what_never_ran_has_nothing_to_abandon) {
  world w;
  app one{copies(), w.options()};
  EXPECT_TRUE(one.stop(0ms));
  EXPECT_TRUE(one.wait());
}

TEST(stop, says_the_same_however_often_it_is_asked) {
  world w;
  app in_time{copies(), w.options("one")}, abandoned{copies(), w.options("two")};
  ASSERT_TRUE(in_time.start());
  ASSERT_TRUE(abandoned.start());
  for (int time = 0; time < 2; ++time) {
    EXPECT_TRUE(in_time.stop(10s));
    EXPECT_FALSE(abandoned.stop(0ms));
  }
}

TEST(stop, may_be_asked_for_by_several_threads_at_once) {
  world w;
  std::stop_source source;
  app one{copies(), w.options()};
  ASSERT_TRUE(one.start(source.get_token()));
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] { EXPECT_TRUE(one.stop(10s)); });
    threads.emplace_back([&] { EXPECT_TRUE(one.wait()); });
    threads.emplace_back([&] { source.request_stop(); });
  }
}

TEST(stop, comes_by_a_token) {
  world w;
  w.write("one");
  std::stop_source source;
  app one{copies(), w.options()};
  ASSERT_TRUE(one.start(source.get_token()));
  ASSERT_TRUE(eventually([&] { return w.values("tokyo") == w.written; }));
  source.request_stop();
  EXPECT_TRUE(one.wait());
  EXPECT_EQ(one.status().phase, app_phase::stopped);
}

TEST(stop, comes_by_a_token_that_was_there_before_the_start) {
  world w;
  std::stop_source source;
  source.request_stop();
  app one{copies(), w.options()};
  ASSERT_TRUE(one.start(source.get_token()));
  EXPECT_TRUE(one.wait());
}

TEST(stop, does_not_heed_the_token_of_an_app_that_is_gone) {
  world w;
  std::stop_source source;
  {
    app one{copies(), w.options()};
    ASSERT_TRUE(one.start(source.get_token()));
  }
  EXPECT_TRUE(source.request_stop());
}

TEST(stop, can_be_requested_without_waiting_for_it) {
  world w;
  w.clusters.cut("tokyo");
  app one{copies(), w.options()};
  ASSERT_TRUE(one.start());
  one.request_stop();
  EXPECT_NE(one.status().phase, app_phase::running);
  w.clusters.heal("tokyo");
  EXPECT_TRUE(one.wait());
  EXPECT_EQ(one.status().phase, app_phase::stopped);
}

TEST(wait, returns_the_failure_that_ended_it) {
  world w;
  w.clusters.create_topic("tokyo", "orders");
  w.clusters.write("tokyo", "orders", 0, {.value = "somebody else's", .timestamp = 1});
  app one{copies(), w.options()};
  ASSERT_TRUE(one.start());
  const auto ended = one.wait();
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().kind, failure_kind::refused);
  EXPECT_THAT(ended.error().text, HasSubstr("the output topics on tokyo hold records"));
  EXPECT_FALSE(ended.error().remedy.empty());
  EXPECT_EQ(one.status().phase, app_phase::failed);
  EXPECT_EQ(one.status().ended, ended.error());
  EXPECT_EQ(one.wait().error(), ended.error());
}

TEST(wait, returns_for_the_loser_of_two_with_the_same_instance) {
  world w;
  auto options = w.options();
  options.session = 1s;
  app first{copies(), options};
  ASSERT_TRUE(first.start());
  ASSERT_TRUE(eventually([&] { return first.status().ready(); }));
  app second{copies(), w.options()};
  ASSERT_TRUE(second.start());
  const auto ended = first.wait();
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().kind, failure_kind::fenced_member);
  EXPECT_THAT(to_string(ended.error()), HasSubstr("instance one-0 runs twice"));
  w.write("one");
  EXPECT_TRUE(eventually([&] { return w.values("tokyo") == w.written; }));
}

TEST(wait, ends_all_workers_when_one_of_them_cannot_go_on) {
  world w{3};
  auto options = w.options();
  options.threads = 3;
  options.session = 1s;
  app all{copies(), options};
  ASSERT_TRUE(all.start());
  ASSERT_TRUE(eventually([&] { return all.status().ready(); }));
  app one{copies(), w.options()};  // its only worker takes the place of the first of three
  ASSERT_TRUE(one.start());
  const auto ended = all.wait();
  ASSERT_FALSE(ended);
  EXPECT_THAT(ended.error().text, HasSubstr("one-0"));
  w.write_many(30);
  EXPECT_TRUE(eventually([&] { return w.values("tokyo") == w.written; }));
}

TEST(wait, leaves_nothing_open) {
  world w;
  const scratch_directory directory;
  auto options = w.options();
  options.state = directory.path();
  app first{copies(), options}, second{copies(), options};
  ASSERT_TRUE(first.start());
  first.request_stop();
  ASSERT_TRUE(first.wait());
  EXPECT_TRUE(second.start()) << "the state directory is still in use";
}

TEST(destructor, stops) {
  world w{3};
  const scratch_directory directory;
  auto options = w.options();
  options.state = directory.path();
  options.commit_every = 5s;
  {
    app one{copies(), options};
    ASSERT_TRUE(one.start());
    ASSERT_TRUE(eventually([&] { return one.status().ready(); }));
    w.write_many(300);
    ASSERT_TRUE(eventually([&] { return one.status().workers[0].nodes[0].received == 300; }));
  }
  EXPECT_EQ(w.values("tokyo"), w.written);
  EXPECT_EQ(inquirer(w.clusters, "tokyo").members("copies.home.lanes"), 0u);
  app next{copies(), options};
  EXPECT_TRUE(next.start());
}

TEST(moving, takes_what_runs_along) {
  world w;
  app one{copies(), w.options()};
  ASSERT_TRUE(one.start());
  app other{std::move(one)};
  w.write("one");
  EXPECT_TRUE(eventually([&] { return w.values("tokyo") == w.written; }));
  EXPECT_EQ(other.status().phase, app_phase::running);
  EXPECT_TRUE(other.stop(10s));
}

TEST(moving, over_an_app_stops_it_and_gives_new_life_to_one_that_was_moved_from) {
  world w;
  const scratch_directory directory;
  auto options = w.options();
  options.state = directory.path();
  app one{copies(), options};
  ASSERT_TRUE(one.start());
  one = app{copies(), options};
  ASSERT_TRUE(one.start()) << "the state directory is still in use";
  app other{std::move(one)};
  one = std::move(other);
  w.write("one");
  EXPECT_TRUE(eventually([&] { return w.values("tokyo") == w.written; }));
}

}  // namespace
}  // namespace flow
