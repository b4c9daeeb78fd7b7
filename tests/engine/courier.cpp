#include "engine/courier.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace flow::engine {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

/// A batch that a destination has and has not reported on.
struct pending {
  std::vector<delivery> batch;
  flow::destination::report done;
  bool checked = false;
  bool abandoned = false;

  std::vector<std::string> values() const {
    std::vector<std::string> all;
    for (const auto& each : batch) all.push_back(each.value.str());
    return all;
  }
  void report(const receipt& how) const { done(std::vector<receipt>(batch.size(), how)); }
};

class held_destination final : public flow::destination {
 public:
  explicit held_destination(std::deque<pending>& into) : into_{into} {}
  void deliver(std::span<const delivery> batch, report done) override {
    into_.push_back({.batch = {batch.begin(), batch.end()}, .done = std::move(done)});
  }

 private:
  std::deque<pending>& into_;
};

/// Nothing but a sink.
class lone_sink final : public plan {
 public:
  const std::string& application() const override { return name_; }
  const std::vector<source_spec>& sources() const override { return sources_; }
  const std::vector<sink_spec>& sinks() const override { return sinks_; }
  const std::vector<node_spec>& nodes() const override { return nodes_; }
  const std::vector<dedup_spec>& dedups() const override { return dedups_; }
  const std::vector<process_spec>& processes() const override { return processes_; }
  const std::vector<std::vector<std::uint32_t>>& co_partitioned() const override { return co_partitioned_; }
  const std::vector<parking_spec>& parking() const override { return parking_; }
  std::unique_ptr<graph> open() const override { return nullptr; }

  sink_spec& spec() { return sinks_.front(); }

 private:
  std::string name_ = "sync";
  std::vector<source_spec> sources_;
  std::vector<sink_spec> sinks_{1};
  std::vector<node_spec> nodes_;
  std::vector<dedup_spec> dedups_;
  std::vector<process_spec> processes_;
  std::vector<std::vector<std::uint32_t>> co_partitioned_;
  std::vector<parking_spec> parking_;
};

/// A courier between source partitions that the test plays and a destination that it answers for.
class couriers : public ::testing::Test, public courier::owner {
 protected:
  struct posted {
    std::int64_t offset;
    std::string value;
    bool operator==(const posted&) const = default;
  };
  struct stop_notice {
    std::int64_t offset;
    std::string why;
    bool operator==(const stop_notice&) const = default;
  };

  couriers() {
    spec.name = "crm";
    spec.names = sink_spec::naming::outside;
    spec.letters = 1;
    for (std::int32_t number = 0; number < 3; ++number) {
      auto& made = sources.emplace_back();
      made.id = static_cast<source_id>(number);
      made.where = {"orders", number};
      made.task = number;
      made.entries = {{0, "home", "orders", number}};
    }
  }

  courier& it() {
    if (!courier_) {
      courier_.emplace(courier::surroundings{.loop = loop,
                                             .topology = topology,
                                             .number = 0,
                                             .application = "sync",
                                             .room = room,
                                             .wall_clock = [] { return std::int64_t{1}; },
                                             .reached = [](std::string_view) { return true; },
                                             .log = [](severity, std::string_view) {},
                                             .name = "home/crm",
                                             .counted = counted,
                                             .by = *this},
                       std::make_unique<held_destination>(under_way));
      for (const auto& each : sources) courier_->own(each.task, 7);
    }
    return *courier_;
  }

  /// What was read is overwritten at once, as a client's buffer is.
  void take(std::int32_t partition, std::int64_t offset, std::optional<std::string> key, std::string value) {
    std::string kept_key = key.value_or(""), kept_value = value;
    fetched_record record;
    record.offset = offset;
    record.timestamp = 5;
    record.value = bytes{kept_value};
    if (key) record.key = bytes{kept_key};
    const emission what{.sink = 0, .timestamp = 5, .key = record.key, .value = record.value};
    course by;
    by.from = &source_of(partition);
    by.last.offset = last_taken[partition];
    last_taken[partition] = offset;
    it().take(by, record, what);
    kept_key.assign(kept_key.size(), '#'), kept_value.assign(kept_value.size(), '#');
    run();
  }

  const source& source_of(std::int32_t partition) const { return sources[static_cast<std::size_t>(partition)]; }
  void run() { loop.run(now); }
  void pass(duration time) {
    now += time;
    run();
  }
  /// Reports on the batch that has been under way for the longest time.
  void report(const receipt& how) {
    const auto first = under_way.front();
    under_way.pop_front();
    first.report(how);
    run();
  }
  void report(std::vector<receipt> how) {
    const auto first = under_way.front();
    under_way.pop_front();
    first.done(std::move(how));
    run();
  }
  std::vector<std::vector<std::string>> batches() const {
    std::vector<std::vector<std::string>> all;
    for (const auto& each : under_way) all.push_back(each.values());
    return all;
  }
  using values = std::vector<std::string>;

  std::optional<std::int64_t> undone(std::int32_t partition) {
    const auto* at = it().undone(source_of(partition));
    return at ? std::optional{at->next} : std::nullopt;
  }
  void advance() {
    it().advance([&](const source&, std::int64_t offset, const std::vector<kept_emission>& all) {
      if (!takes_letters) return false;
      for (const auto& each : all) letters.push_back({offset, each.what.value.str()});
      return true;
    });
  }

  place here(const course& at) const override { return {at.next, at.last, at.now, at.look_back_to}; }
  std::string unwritable(const source&, const emission&) const override { return {}; }
  void stopped(const source& from, const place& at, const std::string& reason) override {
    stops[from.where.partition].push_back({at.next, reason});
  }
  void passed_over(std::uint32_t, const source&, std::int64_t offset, const std::string&) override {
    skipped.push_back(offset);
  }

  engine::loop loop;
  time_point now{};
  std::size_t room = 1u << 20;
  lone_sink topology;
  sink_spec& spec = topology.spec();
  std::deque<source> sources;
  std::deque<pending> under_way;
  target_status counted;
  std::map<std::int32_t, std::int64_t> last_taken;
  std::map<std::int32_t, std::vector<stop_notice>> stops;
  std::vector<std::int64_t> skipped;
  std::vector<posted> letters;
  bool takes_letters = true;
  std::optional<courier> courier_;
};

const receipt done = receipt::done();
const receipt busy = receipt::retriable("busy");
const receipt never = receipt::permanent("no such customer");

TEST_F(couriers, deliver_one_after_the_other_what_is_of_one_key) {
  take(0, 0, "a", "a0");
  take(0, 1, "a", "a1");
  take(0, 2, "a", "a2");
  EXPECT_THAT(batches(), ElementsAre(values{"a0"}));
  report(done);
  EXPECT_THAT(batches(), ElementsAre(values{"a1"}));
  report(done);
  report(done);
  EXPECT_THAT(batches(), IsEmpty());
  EXPECT_EQ(counted.records_written, 3u);
}

TEST_F(couriers, deliver_different_keys_side_by_side_up_to_a_bound) {
  spec.to.how.in_flight = 2;
  take(0, 0, "a", "a");
  take(0, 1, "b", "b");
  take(0, 2, "c", "c");
  EXPECT_THAT(batches(), ElementsAre(values{"a"}, values{"b"}));
  report(done);
  EXPECT_THAT(batches(), ElementsAre(values{"b"}, values{"c"}));
}

TEST_F(couriers, keep_the_order_of_the_partition_where_there_is_no_key) {
  take(0, 0, {}, "0");
  take(0, 1, {}, "1");
  take(1, 0, {}, "other");
  take(0, 2, "", "empty is a key");
  EXPECT_THAT(batches(), ElementsAre(values{"0"}, values{"other"}, values{"empty is a key"}));
}

TEST_F(couriers, say_who_is_delivered_and_by_which_right) {
  take(1, 41, "a", "first");
  it().own(1, 9);
  take(1, 42, "b", "second");
  const auto& first = under_way[0].batch[0];
  EXPECT_EQ(first.idempotency_key, "sync/crm/home/orders/1/41/0");
  EXPECT_EQ(first.fencing_token, 7);
  EXPECT_EQ(first.timestamp, 5);
  EXPECT_EQ(first.key, "a");
  EXPECT_EQ(first.attempt, 1);
  EXPECT_EQ(under_way[1].batch[0].fencing_token, 9);
}

TEST_F(couriers, number_what_was_made_of_one_record) {
  take(0, 3, "a", "one");
  take(0, 3, "b", "two");
  take(0, 4, "c", "three");
  EXPECT_EQ(under_way[1].batch[0].idempotency_key, "sync/crm/home/orders/0/3/1");
  EXPECT_EQ(under_way[1].batch[0].number, 1u);
  EXPECT_EQ(under_way[2].batch[0].idempotency_key, "sync/crm/home/orders/0/4/0");
  report(done);
  advance();
  EXPECT_EQ(undone(0), 3);
  report(done);
  advance();
  EXPECT_EQ(undone(0), 4);
}

TEST_F(couriers, know_how_far_a_partition_is_done) {
  take(0, 10, "a", "a");
  take(0, 11, "b", "b");
  take(0, 14, "c", "c");
  EXPECT_EQ(undone(0), 10);
  under_way[1].report(done);
  run();
  advance();
  EXPECT_EQ(undone(0), 10);
  under_way[0].report(done);
  run();
  advance();
  EXPECT_EQ(undone(0), 14);
  EXPECT_EQ(it().undone(source_of(0))->last.offset, 11);
  under_way[2].report(done);
  run();
  advance();
  EXPECT_EQ(undone(0), std::nullopt);
  EXPECT_TRUE(it().idle());
}

TEST_F(couriers, fill_batches_with_what_waits) {
  spec.to.how = {.in_flight = 1, .batch = 4};
  take(0, 0, "x", "x");
  take(0, 1, "a", "a1");
  take(0, 2, "b", "b1");
  take(0, 3, "a", "a2");
  take(0, 4, "a", "a3");
  take(0, 5, "b", "b2");
  report(done);
  EXPECT_THAT(batches(), ElementsAre(values{"a1", "a2", "a3", "b1"}));
  report(done);
  EXPECT_THAT(batches(), ElementsAre(values{"b2"}));
}

TEST_F(couriers, deliver_again_what_stands_behind_a_failure_of_its_key_whatever_is_said_of_it) {
  spec.to.how = {.in_flight = 1, .batch = 4};
  take(0, 0, "x", "x");
  for (const auto* value : {"a1", "a2", "a3"}) take(0, value[1] - '0', "a", value);
  take(0, 4, "b", "b1");
  report(done);
  report({done, busy, done, done});
  advance();
  EXPECT_EQ(undone(0), 2);
  EXPECT_EQ(counted.records_written, 3u);
  pass(1s);
  EXPECT_THAT(batches(), ElementsAre(values{"a2", "a3"}));
  EXPECT_EQ(under_way[0].batch[0].attempt, 2);
  EXPECT_EQ(under_way[0].batch[1].attempt, 1);
}

TEST_F(couriers, take_a_batch_apart_until_it_is_known_what_is_refused) {
  spec.to.how = {.in_flight = 1, .batch = 8};
  spec.on_failure = skip;
  take(0, 0, "x", "x");
  for (int i = 1; i <= 8; ++i) take(0, i, std::to_string(i), std::to_string(i));
  report(done);
  int asked = 0;
  while (!under_way.empty()) {
    const auto values = under_way.front().values();
    const bool has_it = std::ranges::count(values, "6") > 0;
    report(has_it ? receipt::apart("one of them") : done);
    ASSERT_LT(++asked, 9);
  }
  EXPECT_THAT(skipped, ElementsAre(6));
  EXPECT_EQ(counted.records_written, 8u);
  EXPECT_EQ(counted.retried, 0u);
}

TEST_F(couriers, try_again_after_pauses_that_grow) {
  spec.on_failure = retry(forever, {100ms, 1s});
  take(0, 0, "a", "a");
  std::vector<duration> pauses;
  for (int i = 0; i < 40; ++i) {
    report(busy);
    const auto began = now;
    while (under_way.empty()) {
      ASSERT_NE(loop.next(), time_point::max());
      now = loop.next();
      run();
    }
    pauses.push_back(now - began);
    const auto bound = std::min<duration>(1s, 100ms * (1 << std::min(i, 10)));
    EXPECT_LE(pauses.back(), bound) << i;
  }
  EXPECT_GT(*std::ranges::max_element(pauses), 500ms);
  EXPECT_EQ(under_way[0].batch[0].attempt, 41);
  EXPECT_EQ(counted.retried, 40u);
}

TEST_F(couriers, try_again_for_as_long_as_it_takes_unless_something_else_was_said) {
  spec.on_failure = skip;
  take(0, 0, "a", "a");
  for (int i = 0; i < 100; ++i) {
    ASSERT_FALSE(under_way.empty());
    report(busy);
    pass(30s);
  }
  EXPECT_THAT(skipped, IsEmpty());
}

TEST_F(couriers, give_up_after_so_many_tries) {
  spec.on_failure = retry(2, {1ms, 1ms}).then(skip);
  take(0, 0, "a", "a0");
  take(0, 1, "a", "a1");
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(batches(), ElementsAre(values{"a0"}));
    report(busy);
    pass(1ms);
  }
  EXPECT_THAT(skipped, ElementsAre(0));
  EXPECT_THAT(batches(), ElementsAre(values{"a1"}));
}

TEST_F(couriers, give_up_after_a_time) {
  spec.on_failure = retry(10s, {1s, 1s}).then(skip);
  take(0, 0, "a", "a0");
  for (int second = 0; second < 10; ++second) {
    ASSERT_THAT(batches(), ElementsAre(values{"a0"}));
    report(busy);
    pass(1s);
  }
  EXPECT_THAT(skipped, IsEmpty());
  report(busy);
  EXPECT_THAT(skipped, ElementsAre(0));
}

TEST_F(couriers, do_not_try_again_what_will_never_do) {
  spec.on_failure = retry(forever).then(skip);
  take(0, 0, "a", "a0");
  report(never);
  EXPECT_THAT(skipped, ElementsAre(0));
  EXPECT_EQ(counted.retried, 0u);
}

TEST_F(couriers, leave_a_destination_alone_for_as_long_as_it_wants) {
  take(0, 0, "a", "a");
  report(receipt::retriable("too many requests", 20s));
  take(0, 1, "b", "b");
  pass(19s);
  EXPECT_THAT(batches(), IsEmpty());
  EXPECT_LE(loop.next(), now + 1s);
  pass(1s);
  EXPECT_EQ(under_way.size(), 2u);
}

TEST_F(couriers, leave_no_destination_alone_for_ever) {
  take(0, 0, "a", "a");
  report(receipt::retriable("too many requests", std::chrono::hours{24 * 365}));
  pass(10min);
  EXPECT_EQ(under_way.size(), 1u);
}

TEST_F(couriers, say_what_holds_them_up_and_when_that_is_over) {
  take(0, 0, "a", "a");
  take(0, 1, "b", "b");
  report(busy);
  ASSERT_TRUE(it().trouble());
  EXPECT_EQ(it().trouble()->text, "busy");
  report(done);
  EXPECT_TRUE(it().trouble());
  pass(1s);
  report(done);
  EXPECT_FALSE(it().trouble());
}

TEST_F(couriers, say_that_a_destination_does_not_answer) {
  take(0, 0, "a", "a");
  pass(59s);
  EXPECT_FALSE(it().trouble());
  EXPECT_LE(loop.next(), now + 1s);
  pass(1s);
  ASSERT_TRUE(it().trouble());
  EXPECT_EQ(it().trouble()->text, "a delivery has not been answered for a minute");
  report(done);
  EXPECT_FALSE(it().trouble());
}

TEST_F(couriers, stop_a_partition_and_deliver_what_stands_before) {
  take(0, 3, "a", "a");
  take(0, 4, "b", "b");
  take(0, 5, "c", "c");
  take(0, 6, "b", "b2");
  take(1, 0, "b", "other");
  report(busy);   // a
  report(never);  // b
  EXPECT_THAT(stops[0], ElementsAre(stop_notice{4, "crm: no such customer"}));
  EXPECT_EQ(undone(0), 3);
  report(done);  // c, of which nobody wants to know any more
  advance();
  EXPECT_EQ(undone(0), 3);
  report(done);  // the other partition's
  pass(1s);
  EXPECT_THAT(batches(), ElementsAre(values{"a"}));
  report(done);
  advance();
  EXPECT_EQ(undone(0), std::nullopt);
  EXPECT_TRUE(stops[1].empty());
  EXPECT_TRUE(it().idle());
}

TEST_F(couriers, write_a_letter_when_the_partition_has_come_that_far) {
  spec.on_failure = dead_letter("dlq");
  take(0, 0, "a", "a");
  take(0, 1, "b", "b");
  under_way[1].report(never);
  run();
  advance();
  EXPECT_THAT(letters, IsEmpty());
  under_way[0].report(done);
  run();
  takes_letters = false;
  advance();
  EXPECT_EQ(undone(0), 1);
  takes_letters = true;
  advance();
  EXPECT_EQ(undone(0), std::nullopt);
  EXPECT_THAT(letters, ElementsAre(posted{1, "b"}));
  EXPECT_THAT(skipped, ElementsAre(1));
}

TEST_F(couriers, write_a_letter_for_each_part_of_a_record_that_is_given_up) {
  spec.on_failure = dead_letter("dlq");
  take(0, 0, "a", "one");
  take(0, 0, "b", "two");
  report(never);
  report(never);
  advance();
  EXPECT_EQ(letters.size(), 2u);
  EXPECT_TRUE(it().idle());
}

TEST_F(couriers, let_nothing_overtake_what_was_abandoned) {
  take(0, 0, "a", "a0");
  take(0, 1, "a", "a1");
  take(0, 2, "b", "b");
  it().abandon();
  take(0, 0, "a", "a0 again");
  take(0, 2, "b", "b again");
  take(0, 3, "c", "c");
  EXPECT_THAT(batches(), ElementsAre(values{"a0"}, values{"b"}, values{"c"}));
  report(busy);
  EXPECT_THAT(batches(), ElementsAre(values{"b"}, values{"c"}, values{"a0 again"}));
  report(done);
  EXPECT_THAT(batches(), ElementsAre(values{"c"}, values{"a0 again"}, values{"b again"}));
  EXPECT_EQ(undone(0), 0);
  EXPECT_EQ(counted.records_written, 0u);
}

TEST_F(couriers, begin_nothing_while_they_pause) {
  take(0, 0, "a", "a0");
  it().pause();
  take(0, 1, "b", "b");
  report(done);
  EXPECT_EQ(it().under_way(), 0u);
  EXPECT_THAT(batches(), IsEmpty());
  it().resume();
  run();
  EXPECT_THAT(batches(), ElementsAre(values{"b"}));
}

TEST_F(couriers, close_the_gaps_while_they_pause) {
  take(0, 0, "a", "a0");
  take(0, 1, "a", "a1");
  take(0, 2, "b", "b2");
  take(0, 3, "a", "a3");
  it().pause();
  report(done);
  EXPECT_THAT(batches(), ElementsAre(values{"b2"}, values{"a1"}));
  report(done);
  report(done);
  advance();
  EXPECT_EQ(undone(0), 3);
  EXPECT_EQ(it().under_way(), 0u);
}

TEST_F(couriers, want_no_more_of_a_partition_that_is_far_ahead) {
  spec.to.how.ahead = 4;
  for (int i = 0; i < 3; ++i) take(0, i, std::to_string(i), "v");
  EXPECT_FALSE(it().full());
  take(0, 3, "3", "v");
  EXPECT_TRUE(it().full());
  EXPECT_TRUE(it().crowded(source_of(0)));
  EXPECT_FALSE(it().crowded(source_of(1)));
  it().relieved();
  EXPECT_FALSE(it().full());
  for (int i = 3; i > 0; --i) under_way[static_cast<std::size_t>(i)].report(done);
  run();
  advance();
  EXPECT_TRUE(it().crowded(source_of(0)));
  under_way[0].report(done);
  run();
  advance();
  EXPECT_FALSE(it().crowded(source_of(0)));
}

TEST_F(couriers, leave_room_for_those_that_get_on) {
  room = 100'000;
  const auto fill = [&](std::int32_t partition) {
    for (int i = 0; !it().crowded(source_of(partition)); ++i) take(partition, i, "stuck", std::string(500, 'x'));
    it().relieved();
  };
  fill(0);
  EXPECT_LT(it().size(), room * 6 / 10);
  fill(1);
  EXPECT_LT(it().size(), room * 8 / 10);
  take(2, 0, "gets on", "v");
  EXPECT_FALSE(it().crowded(source_of(2)));
}

TEST_F(couriers, take_a_wrong_number_of_receipts_for_a_failure) {
  take(0, 0, "a", "a");
  report(std::vector<receipt>{});
  ASSERT_TRUE(it().trouble());
  EXPECT_EQ(it().trouble()->text, "gave 0 receipts for 1 deliveries");
  pass(1s);
  EXPECT_THAT(batches(), ElementsAre(values{"a"}));
}

/// What a courier has to do, as a list of all records that were taken and a look at every one of them each time.
class model {
 public:
  struct row {
    std::int64_t offset;
    std::optional<std::string> key;
    std::string value;
    bool hopeless = false;  ///< the destination refuses it
    bool is_over = false;
    bool is_lettered = false;
    int failed = 0;
  };
  std::vector<row> rows;
  std::size_t taken = 0;
  std::optional<std::int64_t> ends;  ///< where it was stopped

  std::int64_t position() const {
    for (std::size_t i = 0; i < taken; ++i)
      if (!rows[i].is_over) return rows[i].offset;
    return taken == 0 ? 0 : rows[taken - 1].offset + 1;
  }
  bool is_over() const { return ends ? position() >= *ends : taken == rows.size() && position() > rows.back().offset; }
  row& at(std::int64_t offset) { return *std::ranges::find(rows, offset, &row::offset); }
  bool concerns(std::int64_t offset) const { return !ends || offset < *ends; }

  /// Whether `batch` is what may be delivered now, as far as it is of this partition.
  std::string wrong_with(const pending& batch, std::int32_t partition) {
    std::set<std::int64_t> before;
    for (const auto& each : batch.batch) {
      if (each.from.partition != partition) continue;
      const auto& it = at(each.from.offset);
      if (it.is_over) return it.value + " is over";
      if (each.attempt != it.failed + 1) return it.value + " was tried another number of times";
      for (std::size_t i = 0; i < taken && rows[i].offset < it.offset; ++i)
        if (rows[i].key == it.key && !rows[i].is_over && !before.contains(rows[i].offset))
          return it.value + " overtakes " + rows[i].value;
      before.insert(it.offset);
    }
    return {};
  }

  void settle(const pending& batch, const std::vector<receipt>& how, std::int32_t partition, const policy& rule) {
    std::set<std::optional<std::string>> held_up;
    for (std::size_t i = 0; i < how.size(); ++i) {
      const auto& each = batch.batch[i];
      if (each.from.partition != partition || !concerns(each.from.offset)) continue;
      auto& it = at(each.from.offset);
      if (held_up.contains(it.key)) continue;
      if (how[i].what == receipt::kind::apart) {
        held_up.insert(it.key);
      } else if (how[i].what == receipt::kind::done) {
        it.is_over = true;
      } else if (how[i].what == receipt::kind::retriable &&
                 (rule.tries().times == 0 || it.failed < rule.tries().times)) {
        ++it.failed;
        held_up.insert(it.key);
      } else if (rule.what() == policy::kind::stop) {
        ends = it.offset;
      } else {
        it.is_over = true;
        it.is_lettered = rule.what() == policy::kind::dead_letter;
      }
    }
  }

  void abandon() {
    const auto first = position();
    ends.reset();
    for (auto& each : rows)
      if (each.offset >= first) each.is_over = each.is_lettered = false, each.failed = 0;
    taken =
        static_cast<std::size_t>(std::ranges::count_if(rows, [&](const auto& each) { return each.offset < first; }));
  }
};

class random_couriers : public couriers, public ::testing::WithParamInterface<int> {
 protected:
  using line_key = std::pair<std::int32_t, std::optional<std::string>>;

  std::uint64_t below(std::uint64_t bound) { return dice() % bound; }
  bool one_in(std::uint64_t bound) { return below(bound) == 0; }

  void choose() {
    courier_.reset();
    under_way.clear(), letters.clear();
    models = std::vector<model>(3);
    spec.to.how = {.in_flight = 1 + static_cast<int>(below(6)),
                   .batch = one_in(2) ? 1 : 1 + static_cast<int>(below(6)),
                   .ahead = 1 + static_cast<int>(below(30))};
    const policy lasts[] = {stop, skip, dead_letter("dlq")};
    const auto& last = lasts[below(3)];
    spec.on_failure = one_in(2) ? policy{retry(1 + static_cast<int>(below(4)), {1ms, 50ms}).then(last)} : last;
    const auto hopeless_in = 10 + below(200);
    std::int32_t number = 0;
    for (auto& each : models) {
      const auto count = 1 + below(60);
      for (std::int64_t offset = 0; each.rows.size() < count; offset += 1 + static_cast<std::int64_t>(below(3))) {
        std::optional<std::string> key;
        if (!one_in(6)) key = std::string(1, static_cast<char>('a' + below(4)));
        each.rows.push_back({offset, key, std::to_string(number) + "@" + std::to_string(offset), one_in(hopeless_in)});
      }
      ++number;
    }
  }

  void take_one(std::int32_t partition) {
    auto& of = models[static_cast<std::size_t>(partition)];
    if (of.taken == of.rows.size() || of.ends || it().crowded(source_of(partition))) return;
    const auto& next = of.rows[of.taken++];
    take(partition, next.offset, next.key, next.value);
    it().relieved();
  }

  void answer_one() {
    if (under_way.empty()) return;
    const auto at = under_way.begin() + static_cast<std::ptrdiff_t>(below(under_way.size()));
    const auto answered = *at;
    under_way.erase(at);
    std::vector<receipt> how;
    const bool refuses = std::ranges::any_of(answered.batch, [&](const auto& each) {
      return models[static_cast<std::size_t>(each.from.partition)].at(each.from.offset).hopeless;
    });
    const bool all_fail = one_in(8);
    for (std::size_t i = 0; i < answered.batch.size(); ++i)
      how.push_back(refuses                 ? answered.batch.size() > 1 ? receipt::apart("one of them") : never
                    : all_fail || one_in(5) ? busy
                                            : done);
    if (!answered.abandoned)
      for (std::int32_t partition = 0; partition < 3; ++partition)
        models[static_cast<std::size_t>(partition)].settle(answered, how, partition, spec.on_failure);
    answered.done(how);
    run();
  }

  void abandon() {
    it().abandon();
    for (auto& each : models) each.abandon();
    for (auto& each : under_way) each.abandoned = true;
  }

  void check() {
    ASSERT_LE(under_way.size(), static_cast<std::size_t>(spec.to.how.in_flight));
    std::set<line_key> busy_lines;
    for (auto& each : under_way) {
      ASSERT_LE(each.batch.size(), static_cast<std::size_t>(spec.to.how.batch));
      std::set<line_key> lines;
      for (const auto& one : each.batch)
        lines.emplace(one.from.partition, one.key.is_null() ? std::nullopt : std::optional{one.key.str()});
      for (const auto& line : lines) ASSERT_TRUE(busy_lines.insert(line).second) << "two batches of one key";
      if (std::exchange(each.checked, true)) continue;
      for (std::int32_t partition = 0; partition < 3; ++partition)
        ASSERT_EQ(models[static_cast<std::size_t>(partition)].wrong_with(each, partition), "");
    }
    advance();
    for (std::int32_t partition = 0; partition < 3; ++partition) {
      const auto& expected = models[static_cast<std::size_t>(partition)];
      const auto end = expected.taken == 0 ? 0 : expected.rows[expected.taken - 1].offset + 1;
      const bool is_done = expected.position() >= expected.ends.value_or(end);
      ASSERT_EQ(undone(partition), is_done ? std::nullopt : std::optional{expected.position()}) << partition;
    }
  }

  std::mt19937_64 dice;
  std::vector<model> models;
};
INSTANTIATE_TEST_SUITE_P(seed, random_couriers, ::testing::Range(0, 40));

TEST_P(random_couriers, do_what_a_list_of_all_records_says) {
  for (std::uint64_t round = 0; round < 50 && !HasFatalFailure(); ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    dice.seed(static_cast<std::uint64_t>(GetParam()) * 1000 + round);
    choose();
    for (int step = 0; !std::ranges::all_of(models, &model::is_over); ++step) {
      ASSERT_LT(step, 50'000) << "it does not come to its end";
      switch (below(8)) {
        case 0:
        case 1:
        case 2:
          take_one(static_cast<std::int32_t>(below(3)));
          break;
        case 3:
        case 4:
          answer_one();
          break;
        case 5:
          if (one_in(50)) abandon();
          break;
        default:
          pass(1ms * below(40));
      }
      check();
      if (HasFatalFailure()) return;
    }
    std::vector<posted> expected;
    for (const auto& each : models)
      for (const auto& row : each.rows)
        if (row.is_lettered) expected.push_back({row.offset, row.value});
    EXPECT_THAT(letters, ::testing::UnorderedElementsAreArray(expected));
    for (; !under_way.empty(); answer_one()) pass(1s);
    EXPECT_TRUE(it().idle());
    EXPECT_EQ(it().size(), 0u);
  }
}

// ---- answers

TEST_F(couriers, answers_wait_for_those_before_them) {
  spec.to.how.wants_answers = true;
  spec.answers = 1;
  take(0, 1, "a", "x");
  take(0, 2, "b", "y");
  std::swap(under_way[0], under_way[1]);
  report(receipt::answered("to y"));
  advance();
  EXPECT_THAT(letters, IsEmpty());
  report(receipt::answered("to x"));
  takes_letters = false;
  advance();
  EXPECT_EQ(undone(0), 1) << "its answer has not been written yet";
  EXPECT_GT(it().size(), 0u);
  takes_letters = true;
  advance();
  EXPECT_THAT(letters, ElementsAre(posted{1, "to x"}, posted{2, "to y"}));
  EXPECT_EQ(undone(0), std::nullopt);
  EXPECT_EQ(it().size(), 0u);
}

TEST_F(couriers, answers_that_wait_fill_the_room) {
  spec.to.how.wants_answers = true;
  spec.answers = 1;
  room = 10'000;
  take(0, 1, "stuck", "x");
  take(0, 2, "b", "y");
  std::swap(under_way[0], under_way[1]);
  EXPECT_FALSE(it().crowded(source_of(0)));
  report(receipt::answered(std::string(10'000, 'y')));
  take(0, 3, "c", "z");
  EXPECT_TRUE(it().crowded(source_of(0)));
}

TEST_F(couriers, what_is_late_comes_again_and_what_it_says_then_counts_for_nothing) {
  spec.to.how.timeout = 1s;
  spec.to.how.in_flight = 1;
  take(0, 1, "a", "x");
  pass(999ms);
  EXPECT_EQ(counted.retried, 0u);
  pass(1ms);
  EXPECT_EQ(counted.retried, 1u);
  pass(1min);
  EXPECT_THAT(batches(), ElementsAre(values{"x"})) << "a call that has not returned takes a place";
  report(done);
  EXPECT_EQ(undone(0), 1);
  EXPECT_EQ(counted.records_written, 0u);
  ASSERT_THAT(batches(), ElementsAre(values{"x"}));
  EXPECT_EQ(under_way.front().batch.front().attempt, 2);
  report(done);
  advance();
  EXPECT_EQ(undone(0), std::nullopt);
  EXPECT_EQ(counted.records_written, 1u);
}

}  // namespace
}  // namespace flow::engine
