#include <gmock/gmock.h>
#include <kafka_fixture.hpp>

#include <chrono>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "cluster.hpp"

namespace flow::kafka {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

MATCHER(succeeds, "is a success") {
  if (!arg) *result_listener << arg.error().text;
  return arg.has_value();
}

/// Opens every letter where it is written.
class open_counter : public port::mailbox {
 public:
  void post(std::function<void()> letter) override { letter(); }
};

/// What a worker asks of a cluster of three brokers of which some go away and come back.
class outage : public ::testing::Test {
 protected:
  template <typename T, typename Ask>
  static result<T> answer_to(Ask ask) {
    std::promise<result<T>> answer;
    ask([&](result<T> got) { answer.set_value(std::move(got)); });
    return answer.get_future().get();
  }

  /// A topic with a partition for each broker to lead.
  std::vector<topic_partition> fresh_partitions(std::int16_t copies = -1) {
    const std::string topic = kafka_fixture::fresh_name("outage");
    const auto made = answer_to<void>([&](auto done) {
      trio_->create_topics({{.name = topic, .partitions = 3, .replicas = copies}}, std::move(done));
    });
    if (!made) throw std::runtime_error{made.error().text};
    return {{topic, 0}, {topic, 1}, {topic, 2}};
  }

  result<std::vector<std::int64_t>> ends_of(const std::vector<topic_partition>& where) {
    return answer_to<std::vector<std::int64_t>>([&](auto done) {
      trio_->find_offsets(where, {port::offset_query::kind::high_watermark}, std::move(done));
    });
  }

  result<std::vector<port::group_offset>> offsets_of(const std::string& group, const topic_partition& where,
                                                     port::milliseconds limit) {
    return answer_to<std::vector<port::group_offset>>([&](auto done) {
      trio_->group_offsets(group, {where}, port::isolation::read_committed, limit, std::move(done));
    });
  }

  /// A transaction of one record for each of these partitions, up to its commit.
  static result<port::committed> write(port::producer& by, const std::vector<topic_partition>& where) {
    by.begin();
    outgoing batch;
    for (const auto& each : where)
      batch.records.push_back({.topic = by.topic(each.topic),
                               .partition = each.partition,
                               .timestamp = 1,
                               .key = "key",
                               .value = "value",
                               .headers = {}});
    by.send(std::move(batch));
    return answer_to<port::committed>([&](auto done) { by.commit(std::move(done)); });
  }

  static result<void> begin_anew(port::producer& by) {
    return answer_to<void>([&](auto done) { by.init(std::move(done)); });
  }

  const std::unique_ptr<port::cluster> trio_ =
      connect({"trio", {{"bootstrap.servers", kafka_fixture::bootstrap("trio")}}, "outage"},
              std::make_shared<open_counter>(), [](severity, std::string_view) {});
};

/// A client that cannot connect, and what it comes to.
class stranger {
 public:
  explicit stranger(std::map<std::string, std::string> properties) {
    properties["bootstrap.servers"] = kafka_fixture::bootstrap("hub");
    hub_ = connect({"hub", std::move(properties), "stranger"}, std::make_shared<open_counter>(),
                   [this](severity how, std::string_view line) {
                     const std::lock_guard lock{mutex_};
                     if (how >= severity::info) lines_.emplace_back(line);
                   });
    hub_->list_topics([this](auto got) { answer_.set_value(std::move(got)); });
  }

  result<std::vector<port::topic_description>> answer() { return answer_.get_future().get(); }
  std::vector<std::string> lines() {
    const std::lock_guard lock{mutex_};
    return lines_;
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> lines_;
  std::promise<result<std::vector<port::topic_description>>> answer_;
  std::unique_ptr<port::cluster> hub_;
};

TEST(connecting, by_a_protocol_that_the_listener_does_not_speak_says_what_to_check) {
  stranger with_tls{{{"security.protocol", "ssl"}}};
  stranger with_password{{{"security.protocol", "sasl_plaintext"},
                          {"sasl.mechanism", "PLAIN"},
                          {"sasl.username", "alice"},
                          {"sasl.password", "in wonderland"}}};
  for (stranger* each : {&with_tls, &with_password}) {
    const auto answer = each->answer();
    ASSERT_FALSE(answer);
    EXPECT_THAT(answer.error().remedy, HasSubstr("security.protocol"));
    EXPECT_THAT(each->lines(), AllOf(Not(IsEmpty()), Each(HasSubstr("security.protocol"))));
    EXPECT_THAT(each->lines(), Each(Not(HasSubstr("wonderland"))));
  }
}

TEST_F(outage, of_a_leader_sends_those_who_ask_for_offsets_to_the_next_one) {
  const auto where = fresh_partitions();
  ASSERT_THAT(ends_of(where), succeeds()) << "from now on the client knows who leads";
  auto down = kafka_fixture::kill("trio", 1);
  EXPECT_THAT(ends_of(where).value_or(std::vector<std::int64_t>{}), AllOf(SizeIs(3), Each(0)));
  down.end();
  EXPECT_THAT(ends_of(where), succeeds());
}

// Its only copy is on the broker that is away, so that not even the abort can be finished before it is back.
TEST_F(outage, of_a_partition_is_told_apart_from_its_neighbours_which_another_producer_can_write) {
  auto neighbours = fresh_partitions(1);
  const auto sick = trio_->open_producer({.transactional_id = kafka_fixture::fresh_name("sick")});
  const auto healthy = trio_->open_producer({.transactional_id = kafka_fixture::fresh_name("healthy")});
  auto down = kafka_fixture::kill("trio", 2);
  ASSERT_THAT(begin_anew(*sick), succeeds());
  ASSERT_THAT(begin_anew(*healthy), succeeds());
  const auto failed = write(*sick, neighbours);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().kind, failure_kind::abortable) << failed.error().text;
  ASSERT_THAT(failed.error().where, SizeIs(1)) << failed.error().text;

  std::promise<result<int>> aborted;
  sick->abort([&](result<int> how) { aborted.set_value(std::move(how)); });
  std::erase(neighbours, failed.error().where.front());
  EXPECT_THAT(write(*healthy, neighbours), succeeds());

  down.end();
  if (!aborted.get_future().get()) {
    EXPECT_THAT(begin_anew(*sick), succeeds());
  }
  EXPECT_THAT(write(*sick, failed.error().where), succeeds());
}

TEST_F(outage, of_a_coordinator_leaves_nothing_behind_of_questions_that_nobody_waited_for) {
  const auto where = fresh_partitions().front();
  const std::string group = kafka_fixture::fresh_name("group");
  ASSERT_THAT(offsets_of(group, where, 15s), succeeds());
  auto down = kafka_fixture::kill("trio");
  for (int i = 0; i < 3; ++i) {
    const auto none = offsets_of(group, where, 500ms);
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().kind, failure_kind::timed_out);
  }
  down.end();
  EXPECT_THAT(offsets_of(group, where, 15s), succeeds());
}

}  // namespace
}  // namespace flow::kafka
