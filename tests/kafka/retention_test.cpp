#include <gmock/gmock.h>
#include <kafka_fixture.hpp>

#include <array>
#include <functional>
#include <string>

#include "../app/world.hpp"
#include "client.hpp"

namespace flow {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::SizeIs;

/// Orders on two partitions, copied from home to tokyo and oregon, of which some are deleted before they are read.
class retention : public ::testing::Test {
 protected:
  retention() {
    plain::create_topic(home_, orders_, 2);
    write_to_both(3);
    options_.instance = "one";
    options_.state = directory_.path();
    options_.clusters["home"]["bootstrap.servers"] = home_;
    for (const auto* target : {"tokyo", "oregon"})
      options_.clusters[target]["bootstrap.servers"] = kafka_fixture::bootstrap(target);
  }

  void write(std::int32_t partition, int count) {
    plain::producer to{{{"bootstrap.servers", home_}}};
    const auto handle = to.topic(orders_);
    for (; count > 0; --count) {
      const auto value = std::to_string(written_[static_cast<std::size_t>(partition)]++);
      to.send(handle.get(), {.partition = partition, .key = "k", .value = value, .timestamp = 1, .headers = nullptr});
    }
    to.flush(30s);
  }
  void write_again(std::int32_t partition, int number) {
    plain::producer to{{{"bootstrap.servers", home_}}};
    const auto handle = to.topic(orders_);
    const auto value = std::to_string(number);
    to.send(handle.get(), {.partition = partition, .key = "k", .value = value, .timestamp = 1, .headers = nullptr});
    to.flush(30s);
  }
  void write_to_both(int count) {
    for (const int32_t partition : {0, 1}) write(partition, count);
  }
  /// As retention does it, but now.
  void delete_first_partition_below(std::int64_t end) { plain::delete_records(home_, orders_, 0, end); }

  topology copies() const {
    topology t{name_};
    t.from(topic<bytes, bytes>{orders_}) | fan_out("regions", {"tokyo", "oregon"});
    return t;
  }

  topology copies_without_repetitions() const {
    topology t{name_};
    t.from(topic<bytes, std::string>{orders_}) | dedup("seen", std::identity{}, 1h) | fan_out("regions", {"tokyo", "oregon"});
    return t;
  }
  /// Records in the topic by which dedups share what they have seen, the first of which only offers a key.
  std::int64_t shared() const {
    const auto reader = plain::make_reader(home_, "read_committed", {});
    std::int64_t all = 0;
    for (std::int32_t p = 0; p < options_.lanes; ++p)
      all += plain::watermarks(reader.get(), name_ + ".home.seen.internal", p).second;
    return all;
  }

  /// How many records of a partition a `read_committed` reader finds, of which each holds its own number.
  int arrived(const std::string& cluster, std::int32_t partition) const {
    const auto reader = plain::make_reader(kafka_fixture::bootstrap(cluster), "read_committed",
                                           {{"enable.partition.eof", "true"}, {"auto.offset.reset", "earliest"}});
    const plain::owned<rd_kafka_topic_partition_list_t> where{rd_kafka_topic_partition_list_new(1)};
    rd_kafka_topic_partition_list_add(where.get(), orders_.c_str(), partition)->offset = RD_KAFKA_OFFSET_BEGINNING;
    plain::check(rd_kafka_assign(reader.get(), where.get()), "assign");
    for (int count = 0;;) {
      const plain::owned<rd_kafka_message_t> message{rd_kafka_consumer_poll(reader.get(), 30'000)};
      if (!message || message->err) return count;
      const std::string value{static_cast<const char*>(message->payload), message->len};
      EXPECT_EQ(value, std::to_string(count++)) << "on " << cluster;
    }
  }
  bool arrives(const std::string& cluster, std::int32_t partition, int count) const {
    return eventually([&] { return arrived(cluster, partition) == count; }, 60s);
  }
  bool all_arrive(const std::string& cluster) const {
    return arrives(cluster, 0, written_[0]) && arrives(cluster, 1, written_[1]);
  }

  void run_until_all_is_copied() {
    app copying{copies(), options_};
    ASSERT_TRUE(copying.start());
    ASSERT_TRUE(all_arrive("tokyo") && all_arrive("oregon"));
    ASSERT_TRUE(copying.stop(30s));
  }

  /// The target has stopped the first partition, at these offsets, and nothing else.
  void expect_stop(const app& of, const std::string& target, const std::string& offsets) {
    ASSERT_TRUE(eventually([&] { return !target_named(target, of.status()).halted.empty(); }, 60s));
    const auto halted = target_named(target, of.status()).halted;
    ASSERT_THAT(halted, SizeIs(1));
    EXPECT_EQ(halted[0].where, (topic_partition{orders_, 0}));
    EXPECT_EQ(halted[0].offset, 3);
    EXPECT_THAT(halted[0].why, AllOf(HasSubstr("offsets " + offsets + " are gone from home"),
                                     HasSubstr("under another application name")));
    EXPECT_FALSE(of.status().ready());
  }

  const std::string home_ = kafka_fixture::bootstrap("home");
  const std::string name_ = kafka_fixture::fresh_name("retention");
  const std::string orders_ = kafka_fixture::fresh_name("orders");
  const scratch_directory directory_;
  app_options options_;
  std::array<int, 2> written_{};
};

TEST_F(retention, that_overtakes_a_stopped_program_stops_that_partition_and_says_which_offsets_are_gone) {
  run_until_all_is_copied();
  write_to_both(5);
  delete_first_partition_below(7);
  app copying{copies(), options_};
  ASSERT_TRUE(copying.start());
  for (const auto* target : {"tokyo", "oregon"}) {
    expect_stop(copying, target, "3..6");
    EXPECT_TRUE(arrives(target, 1, 8));
    EXPECT_EQ(arrived(target, 0), 3) << "nothing may come behind a gap";
  }
  EXPECT_TRUE(copying.stop(30s));
}

TEST_F(retention, that_overtakes_a_paused_target_stops_that_partition_for_it_alone) {
  app copying{copies(), options_};
  ASSERT_TRUE(copying.start());
  ASSERT_TRUE(all_arrive("tokyo") && all_arrive("oregon"));
  ASSERT_TRUE(copying.pause("tokyo"));
  ASSERT_TRUE(eventually([&] { return target_named("tokyo", copying.status()).paused; }));
  write_to_both(5);
  ASSERT_TRUE(all_arrive("oregon"));
  delete_first_partition_below(7);
  ASSERT_TRUE(copying.resume("tokyo"));
  expect_stop(copying, "tokyo", "3..6");
  write_to_both(1);
  EXPECT_TRUE(all_arrive("oregon"));
  EXPECT_TRUE(arrives("tokyo", 1, 9));
  EXPECT_EQ(arrived("tokyo", 0), 3) << "nothing may come behind a gap";
  EXPECT_TRUE(copying.stop(30s));
}

TEST_F(retention, of_what_a_dedup_has_seen_is_made_up_for_by_what_another_has_shared) {
  {
    app copying{copies_without_repetitions(), options_};
    ASSERT_TRUE(copying.start());
    ASSERT_TRUE(all_arrive("tokyo") && all_arrive("oregon"));
    ASSERT_TRUE(eventually([&] { return shared() >= 3; }, 60s));
    ASSERT_TRUE(copying.stop(30s));
  }
  delete_first_partition_below(2);
  for (const auto again : {0, 2, 1}) write_again(0, again), write_again(1, again);
  write_to_both(2);
  const scratch_directory elsewhere;
  options_.state = elsewhere.path();
  app copying{copies_without_repetitions(), options_};
  ASSERT_TRUE(copying.start());
  EXPECT_TRUE(all_arrive("tokyo"));
  EXPECT_TRUE(all_arrive("oregon"));
  EXPECT_TRUE(copying.stop(30s));
}

TEST_F(retention, of_what_has_been_read_stops_nothing) {
  run_until_all_is_copied();
  delete_first_partition_below(3);
  write_to_both(2);
  app copying{copies(), options_};
  ASSERT_TRUE(copying.start());
  EXPECT_TRUE(all_arrive("tokyo"));
  EXPECT_TRUE(all_arrive("oregon"));
  EXPECT_TRUE(eventually([&] { return copying.status().ready(); }, 60s));
  EXPECT_TRUE(copying.stop(30s));
}

}  // namespace
}  // namespace flow
