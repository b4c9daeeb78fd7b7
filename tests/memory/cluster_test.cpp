#include <gmock/gmock.h>

#include <condition_variable>
#include <mutex>
#include <sstream>

#include "stage.hpp"

namespace flow::memory {
namespace {

using namespace std::chrono_literals;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using kind = port::group_event::kind;

// ---- one seed, one history

/// What two members and their transactions go through under all kinds of faults, with the time of every step.
std::string history(std::uint64_t seed) {
  faults with;
  with.request = {0us, 20ms};
  with.answer = {0us, 20ms};
  with.marker = {0us, 300ms};
  with.late_ends = 0.3;
  with.lost_commits = 0.1;
  stage on{seed, with};
  on.cluster.create_topic("lanes", 4);
  on.cluster.create_topic("out", 2);
  std::ostringstream told;
  const auto tell = [&](const std::string& what) {
    told << on.time.now().time_since_epoch().count() << ' ' << what << '\n';
  };

  struct worker {
    std::unique_ptr<port::cluster> at;
    std::unique_ptr<port::member> member;
    std::unique_ptr<port::producer> producer;
  };
  std::vector<worker> workers(2);
  for (worker& each : workers) {
    each.at = on.connect();
    each.member = each.at->join({"group", "lanes", {}, 2s, 30s}, [] {});
    each.producer = each.at->open_producer({"writer", 1s});
  }
  for (int round = 0; round < 30; ++round) {
    for (worker& each : workers) {
      each.producer->init([&](const result<void>& done) { tell(done ? "init" : done.error().text); });
      each.producer->begin();
      for (const std::int32_t partition : {0, 1})
        each.producer->send(batch(each.producer->topic("out"), partition, {std::to_string(round)}));
      each.producer->commit([&](const result<port::committed>& done) { tell(done ? "committed" : done.error().text); });
      if (const auto event = each.member->poll()) {
        tell("event " + std::to_string(static_cast<int>(event->what)) + " " + event->as.member_id);
        each.member->release();
      }
    }
    const auto until = on.time.now() + 100ms;
    while (on.time.next() && *on.time.next() <= until) {
      on.time.run_next();
      on.letters->open_all();
    }
    on.time.advance_to(until);
  }
  on.time.advance(1min);
  for (const auto& partition : on.cluster.contents("out"))
    for (const record& each : partition) tell(std::to_string(each.offset) + "=" + *each.value);
  return told.str();
}

TEST(simulation, follows_from_its_seed) {
  const std::string once = history(42);
  EXPECT_EQ(once, history(42));
  EXPECT_NE(once, history(43));
}

// ---- views

class reading : public ::testing::Test {
 protected:
  reading() {
    on_.cluster.create_topic("in");
    at_ = on_.connect();
  }

  void write(int count, const std::string& value) {
    for (int i = 0; i < count; ++i) on_.cluster.append({"in", 0}, {.value = value, .headers = {{"h", value}}});
  }

  fetched next(port::reader& from) {
    fetched got;
    on_.run_until([&] { return from.poll(got, 1000) && !got.records.empty(); });
    return got;
  }

  stage on_;
  std::unique_ptr<port::cluster> at_;
};

TEST_F(reading, gives_views_that_hold_as_long_as_their_buffers_and_show_when_they_are_kept_longer) {
  const auto reader = at_->open_reader({}, [] {});
  reader->assign(0, {"in", 0}, 0);
  write(1, "first");
  fetched first = next(*reader);
  write(1, "second");
  const fetched second = next(*reader);
  const bytes value = first.records[0].value;
  EXPECT_EQ(value.view(), "first") << "a later poll does not touch it";

  auto also = first.buffers;
  first.buffers.reset();
  EXPECT_EQ(value.view(), "first") << "somebody still holds it";
  also.reset();
  EXPECT_THAT(value.view(), Each('\xDD'));
  EXPECT_EQ(second.records[0].value.view(), "second");
  EXPECT_EQ(values(on_.cluster.contents("in")[0]), (std::vector<std::string>{"first", "second"}));
}

TEST_F(reading, leaves_at_the_cluster_what_does_not_fit_into_its_buffer) {
  const auto reader = at_->open_reader({port::isolation::read_committed, 2'000'000}, [] {});
  write(100, std::string(100'000, 'x'));
  reader->assign(0, {"in", 0}, 0);
  on_.time.advance(10s);
  std::size_t at_once = 0;
  fetched got;
  // Whatever is fetched meanwhile is still on its way.
  while (reader->poll(got, 1)) at_once += got.records.size();
  EXPECT_GE(at_once, 10u);
  EXPECT_LT(at_once, 50u);
  std::size_t all = at_once;
  on_.run_until([&] {
    if (reader->poll(got, 7)) all += got.records.size();
    return all == 100;
  });
}

// ---- processes that die, and networks that do not answer

class writing : public ::testing::Test {
 protected:
  writing() {
    on_.cluster.create_topic("out", 2);
    at_ = on_.connect();
  }

  std::unique_ptr<port::producer> writer(const std::string& id = "writer", port::milliseconds timeout = 2s) {
    auto one = at_->open_producer({id, timeout});
    EXPECT_TRUE(on_.init(*one));
    return one;
  }

  stage on_;
  std::unique_ptr<port::cluster> at_;
};

TEST_F(writing, of_a_process_that_dies_arrives_and_is_aborted_by_time) {
  auto dead = writer();
  dead->begin();
  dead->send(batch(dead->topic("out"), 0, {"in flight"}));
  dead.reset();
  on_.run_until([&] { return on_.cluster.high_watermark({"out", 0}) == 1; });
  EXPECT_EQ(on_.cluster.last_stable({"out", 0}), 0);
  on_.run_until([&] { return on_.cluster.last_stable({"out", 0}) == 2; });
  EXPECT_THAT(on_.cluster.contents("out")[0], IsEmpty());
}

TEST_F(writing, a_commit_of_a_process_that_dies_may_still_take_place) {
  auto dead = writer();
  dead->begin();
  dead->send(batch(dead->topic("out"), 0, {"kept"}));
  on_.run_until([&] { return on_.cluster.high_watermark({"out", 0}) == 1; });
  on_.time.advance(1ms);
  dead->commit([](const auto&) { FAIL() << "nobody is there"; });
  dead.reset();
  on_.run_until([&] { return on_.cluster.last_stable({"out", 0}) == 2; });
  EXPECT_THAT(values(on_.cluster.contents("out")[0]), ElementsAre("kept"));
}

TEST_F(writing, counts_how_often_a_commit_was_sent_while_the_cluster_was_away) {
  const auto one = writer("writer", 10s);
  one->begin();
  one->send(batch(one->topic("out"), 0, {"late"}));
  on_.run_until([&] { return on_.cluster.high_watermark({"out", 0}) == 1; });
  on_.time.advance(1ms);
  std::optional<result<port::committed>> answer;
  on_.cluster.cut();
  one->commit([&](result<port::committed> got) { answer = std::move(got); });
  on_.time.advance(1200ms);
  on_.cluster.heal();
  on_.run_until([&] { return answer.has_value(); });
  EXPECT_EQ((*answer)->end_requests, 3);
  EXPECT_THAT(values(on_.cluster.contents("out")[0]), ElementsAre("late"));
}

TEST_F(writing, what_was_sent_across_a_cut_arrives_once_and_in_order) {
  const auto one = writer("writer", 10s);
  one->begin();
  for (int i = 0; i < 20; ++i) {
    if (i == 5) on_.cluster.cut();
    if (i == 15) on_.cluster.heal();
    one->send(batch(one->topic("out"), 0, {std::to_string(i)}));
    on_.time.advance(60us);
  }
  EXPECT_TRUE(on_.commit(*one));
  std::vector<std::string> expected;
  for (int i = 0; i < 20; ++i) expected.push_back(std::to_string(i));
  on_.run_until([&] { return on_.cluster.last_stable({"out", 0}) == 21; });
  EXPECT_EQ(values(on_.cluster.contents("out")[0]), expected);
}

TEST_F(writing, a_hanging_transaction_cannot_come_about) {
  faults with;
  with.late_ends = 1;
  on_.cluster.set_faults(with);
  const auto one = writer();
  one->begin();
  one->send(batch(one->topic("out"), 0, {"1"}));
  ASSERT_EQ(on_.commit(*one)->end_requests, 2);
  on_.cluster.set_faults({});
  one->begin();
  one->send(batch(one->topic("out"), 0, {"2"}));
  // The late EndTxn has ended this transaction: a third batch belongs to nothing that the cluster knows.
  on_.run_until([&] { return on_.cluster.high_watermark({"out", 0}) == 4; });
  one->send(batch(one->topic("out"), 0, {"3"}));
  EXPECT_EQ(on_.commit(*one).error().kind, failure_kind::abortable);
  EXPECT_EQ(on_.cluster.last_stable({"out", 0}), on_.cluster.high_watermark({"out", 0}));
}

TEST_F(writing, commits_beyond_its_lost_answer) {
  faults with;
  with.lost_commits = 1;
  on_.cluster.set_faults(with);
  const auto one = writer("writer", 1min);
  one->begin();
  one->send(batch(one->topic("out"), 1, {"there"}));
  const auto before = on_.time.now();
  EXPECT_EQ(on_.commit(*one).error().kind, failure_kind::timed_out);
  EXPECT_GE(on_.time.now() - before, with.request_limit);
  EXPECT_THAT(values(on_.cluster.contents("out")[1]), ElementsAre("there"));
}

// ---- groups

class membership : public ::testing::Test {
 protected:
  membership() {
    on_.cluster.create_topic("lanes", 4);
    at_ = on_.connect();
  }

  std::unique_ptr<port::member> join(const std::string& instance_id = {}, port::milliseconds max_poll = 30s) {
    return at_->join({"group", "lanes", instance_id, 3s, max_poll}, [] {});
  }

  port::group_event next(port::member& of, const std::vector<port::member*>& alive = {}) {
    std::optional<port::group_event> event;
    on_.run_until([&] {
      for (port::member* each : alive) EXPECT_FALSE(each->poll());
      return (event = of.poll()).has_value();
    });
    return *event;
  }

  stage on_;
  std::unique_ptr<port::cluster> at_;
};

TEST_F(membership, goes_on_without_a_dynamic_member_that_does_not_release_in_time) {
  const auto slow = join({}, 5s);
  EXPECT_EQ(next(*slow).what, kind::assigned);
  const auto other = join({}, 5s);
  EXPECT_EQ(next(*slow).what, kind::revoked);
  const auto alone = next(*other, {slow.get()});
  EXPECT_THAT(alone.partitions, ElementsAre(0, 1, 2, 3));
  slow->release();
  EXPECT_EQ(next(*other).what, kind::revoked) << "it is let in again as a new member";
}

TEST_F(membership, keeps_the_lanes_of_a_hung_static_member_until_its_session_ends) {
  const auto hung = join("a", 1s);
  const auto before = next(*hung);
  const auto other = join("b");
  EXPECT_EQ(next(*hung).what, kind::revoked);
  hung->release();
  EXPECT_THAT(next(*hung).partitions, ElementsAre(0, 2));
  EXPECT_THAT(next(*other).partitions, ElementsAre(1, 3));
  const auto silent_since = on_.time.now();
  EXPECT_EQ(next(*other).what, kind::revoked);
  EXPECT_GE(on_.time.now() - silent_since, 3s);
  other->release();
  EXPECT_THAT(next(*other).partitions, ElementsAre(0, 1, 2, 3));
  const auto lost = next(*hung);
  EXPECT_EQ(lost.what, kind::lost);
  EXPECT_EQ(lost.as.member_id, before.as.member_id) << "the place that it lost";
}

TEST_F(membership, is_lost_on_the_far_side_of_a_cut) {
  const auto one = join();
  EXPECT_EQ(next(*one).what, kind::assigned);
  on_.cluster.cut();
  EXPECT_EQ(next(*one).what, kind::lost);
  one->release();
  on_.cluster.heal();
  EXPECT_EQ(next(*one).what, kind::assigned);
}

TEST_F(membership, follows_the_partitions_of_its_topic) {
  const auto one = join();
  EXPECT_EQ(next(*one).partitions.size(), 4u);
  on_.cluster.add_partitions("lanes", 6);
  EXPECT_EQ(next(*one).what, kind::revoked);
  one->release();
  EXPECT_EQ(next(*one).partitions.size(), 6u);
}

// ---- real time

TEST(real_time, works_with_threads) {
  real_scheduler time;
  broker cluster{"home", time};
  cluster.create_topic("out");
  struct box : port::mailbox {
    void post(std::function<void()> letter) override {
      const std::scoped_lock lock{mutex};
      letters.push_back(std::move(letter));
      changed.notify_one();
    }
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<std::function<void()>> letters;
  };
  const auto letters = std::make_shared<box>();
  const auto at = connect(cluster, letters);
  const auto writer = at->open_producer({"writer"});
  const auto reader = at->open_reader({}, [letters] { letters->post([] {}); });
  reader->assign(0, {"out", 0}, 0);
  int committed = 0;
  writer->init([](const result<void>& done) { EXPECT_TRUE(done); });
  for (int i = 0; i < 50; ++i) {
    writer->begin();
    writer->send(batch(writer->topic("out"), 0, {std::to_string(i)}));
    writer->commit([&](const result<port::committed>& done) { committed += done.has_value(); });
  }
  std::vector<std::string> seen;
  fetched got;
  while (committed < 50 || seen.size() < 50) {
    std::unique_lock lock{letters->mutex};
    ASSERT_TRUE(letters->changed.wait_for(lock, 30s, [&] { return !letters->letters.empty(); }));
    const auto come = std::exchange(letters->letters, {});
    lock.unlock();
    for (const auto& letter : come) letter();
    while (reader->poll(got, 10))
      for (const fetched_record& each : got.records) seen.push_back(each.value.str());
  }
  EXPECT_EQ(seen, values(cluster.contents("out")[0]));
}

}  // namespace
}  // namespace flow::memory
