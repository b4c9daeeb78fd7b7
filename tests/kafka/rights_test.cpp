#include <gmock/gmock.h>
#include <kafka_fixture.hpp>

#include <array>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "../app/world.hpp"
#include "client.hpp"

namespace flow {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

/// What everybody may do with something on a cluster, for as long as this lives: all but `forbidden`. Whoever may not see
/// a topic is told that it is not there.
class ban {
 public:
  ban(const std::string& cluster, rd_kafka_ResourceType_t what, std::string name, rd_kafka_AclOperation_t forbidden)
      : brokers_{kafka_fixture::bootstrap(cluster)}, what_{what}, name_{std::move(name)} {
    add(RD_KAFKA_ACL_OPERATION_ALL, RD_KAFKA_ACL_PERMISSION_TYPE_ALLOW);
    add(forbidden, RD_KAFKA_ACL_PERMISSION_TYPE_DENY);
  }
  ban(const ban&) = delete;
  ban& operator=(const ban&) = delete;
  ~ban() {
    std::array<char, 512> text{};
    auto* rules = rd_kafka_AclBindingFilter_new(what_, name_.c_str(), RD_KAFKA_RESOURCE_PATTERN_LITERAL, nullptr, nullptr,
                                                RD_KAFKA_ACL_OPERATION_ANY, RD_KAFKA_ACL_PERMISSION_TYPE_ANY,
                                                text.data(), text.size());
    plain::detail::administer(brokers_, [&](rd_kafka_t* client, rd_kafka_queue_t* answers) {
      rd_kafka_DeleteAcls(client, &rules, 1, nullptr, answers);
    });
    rd_kafka_AclBinding_destroy(rules);
  }

 private:
  void add(rd_kafka_AclOperation_t operation, rd_kafka_AclPermissionType_t permission) {
    std::array<char, 512> text{};
    auto* rule = rd_kafka_AclBinding_new(what_, name_.c_str(), RD_KAFKA_RESOURCE_PATTERN_LITERAL, "User:ANONYMOUS", "*",
                                         operation, permission, text.data(), text.size());
    plain::detail::administer(brokers_, [&](rd_kafka_t* client, rd_kafka_queue_t* answers) {
      rd_kafka_CreateAcls(client, &rule, 1, nullptr, answers);
    });
    rd_kafka_AclBinding_destroy(rule);
  }

  std::string brokers_;
  rd_kafka_ResourceType_t what_;
  std::string name_;
};

/// An application that copies two topics from home to tokyo, and may not do everything that it has to.
class missing_rights : public ::testing::Test {
 protected:
  missing_rights() {
    for (const auto& topic : {open_, closed_}) {
      plain::create_topic(home_, topic, 1);
      plain::create_topic(tokyo_, topic, 1);
      write(topic);
    }
    options_.instance = "one";
    options_.state = directory_.path();
    options_.clusters["home"]["bootstrap.servers"] = home_;
    options_.clusters["tokyo"]["bootstrap.servers"] = tokyo_;
    options_.fresh = true;
  }

  void write(const std::string& topic) {
    plain::producer to{{{"bootstrap.servers", home_}}};
    const auto handle = to.topic(topic);
    to.send(handle.get(), {.partition = 0, .key = "key", .value = "value", .timestamp = 1, .headers = nullptr});
    to.flush(30s);
    ++written_[topic];
  }

  topology copies() const {
    topology t{name_};
    t.from(flow::topic<bytes, bytes>{open_}) | fan_out("open", {"tokyo"});
    t.from(flow::topic<bytes, bytes>{closed_}) | fan_out("closed", {"tokyo"});
    return t;
  }

  static plain::owned<rd_kafka_event_t> ask(
      const std::string& brokers, const std::string& topic,
      const std::function<void(rd_kafka_t*, rd_kafka_ConfigResource_t*, rd_kafka_queue_t*)>& question) {
    const auto client = plain::make_client(RD_KAFKA_PRODUCER, {{"bootstrap.servers", brokers}});
    const plain::owned<rd_kafka_queue_t> answers{rd_kafka_queue_new(client.get())};
    auto* about = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.c_str());
    question(client.get(), about, answers.get());
    plain::owned<rd_kafka_event_t> answer{rd_kafka_queue_poll(answers.get(), 30'000)};
    rd_kafka_ConfigResource_destroy(about);
    if (!answer) throw plain::kafka_error{"no answer from " + brokers};
    plain::check(rd_kafka_event_error(answer.get()), topic);
    return answer;
  }
  static void set_retention(const std::string& brokers, const std::string& topic, const std::string& to) {
    ask(brokers, topic, [&](auto* client, auto* about, auto* answers) {
      rd_kafka_ConfigResource_set_config(about, "retention.ms", to.c_str());
      rd_kafka_AlterConfigs(client, &about, 1, nullptr, answers);
    });
  }
  static std::string retention(const std::string& brokers, const std::string& topic) {
    const auto answer = ask(brokers, topic, [&](auto* client, auto* about, auto* answers) {
      rd_kafka_DescribeConfigs(client, &about, 1, nullptr, answers);
    });
    std::size_t count = 0, entries = 0;
    const auto* found =
        rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(answer.get()), &count);
    const auto* settings = rd_kafka_ConfigResource_configs(found[0], &entries);
    for (std::size_t i = 0; i < entries; ++i)
      if (std::string{"retention.ms"} == rd_kafka_ConfigEntry_name(settings[i]))
        return rd_kafka_ConfigEntry_value(settings[i]);
    return {};
  }

  static target_status tokyo(const app& of) {
    const auto now = of.status();
    return now.workers.empty() || now.workers[0].targets.empty() ? target_status{} : now.workers[0].targets[0];
  }

  static bool says(const app& of, const std::string& text) {
    const auto trouble = tokyo(of).trouble;
    return trouble && to_string(*trouble).find(text) != std::string::npos;
  }

  bool arrives(const std::string& topic) {
    const auto reader = plain::make_reader(tokyo_, "read_committed", {});
    return eventually([&] { return visible(reader.get(), topic) == written_[topic]; }, 60s);
  }

  static int visible(rd_kafka_t* reader, const std::string& topic) {
    const auto [low, high] = plain::watermarks(reader, topic, 0);
    plain::assign(reader, topic, {low});
    int count = 0;
    for (auto position = low; position < high;) {
      const plain::owned<rd_kafka_message_t> message{rd_kafka_consumer_poll(reader, 200)};
      if (!message) break;
      if (!message->err) ++count, position = message->offset + 1;
    }
    return count;
  }

  const std::string home_ = kafka_fixture::bootstrap("home"), tokyo_ = kafka_fixture::bootstrap("tokyo");
  const std::string name_ = kafka_fixture::fresh_name("rights");
  const std::string open_ = kafka_fixture::fresh_name("open"), closed_ = kafka_fixture::fresh_name("closed");
  scratch_directory directory_;
  app_options options_;
  std::map<std::string, int> written_;
};

TEST_F(missing_rights, to_read_a_topic_stop_its_partitions_and_no_others) {
  const ban rule{"home", RD_KAFKA_RESOURCE_TOPIC, closed_, RD_KAFKA_ACL_OPERATION_READ};
  app copying{copies(), options_};
  ASSERT_TRUE(copying.start());
  EXPECT_TRUE(arrives(open_));
  ASSERT_TRUE(eventually([&] { return !tokyo(copying).halted.empty(); }));
  const auto halted = tokyo(copying).halted.front();
  EXPECT_EQ(halted.where.topic, closed_);
  EXPECT_THAT(halted.why, HasSubstr("grant this user the rights on the topic"));
  write(open_);
  EXPECT_TRUE(arrives(open_));
}

TEST_F(missing_rights, to_write_a_topic_are_told_and_waited_for) {
  app copying{copies(), options_};
  {
    const ban rule{"tokyo", RD_KAFKA_RESOURCE_TOPIC, closed_, RD_KAFKA_ACL_OPERATION_WRITE};
    ASSERT_TRUE(copying.start());
    // What the client notices first may be a consequence.
    EXPECT_TRUE(eventually([&] { return says(copying, "grant this user the rights on the topic"); }, 60s));
    EXPECT_FALSE(copying.status().ready());
  }
  EXPECT_TRUE(arrives(open_));
  EXPECT_TRUE(arrives(closed_));
}

TEST_F(missing_rights, to_share_what_dedups_have_seen_hold_nothing_up) {
  topology t{name_};
  t.from(flow::topic<bytes, std::string>{open_}) | dedup("seen", std::identity{}, 1h) | fan_out("open", {"tokyo"});
  for (const auto operation : {RD_KAFKA_ACL_OPERATION_CREATE, RD_KAFKA_ACL_OPERATION_WRITE}) {
    const ban rule{"home", RD_KAFKA_RESOURCE_TOPIC, name_ + ".home.seen.internal", operation};
    app copying{t, options_};
    ASSERT_TRUE(copying.start());
    EXPECT_TRUE(arrives(open_));
    EXPECT_TRUE(eventually([&] { return copying.status().ready(); }, 60s));
    EXPECT_TRUE(copying.stop(30s));
  }
}

TEST_F(missing_rights, to_see_a_topic_that_is_read_are_told_and_waited_for) {
  app copying{copies(), options_};
  {
    const ban rule{"home", RD_KAFKA_RESOURCE_TOPIC, closed_, RD_KAFKA_ACL_OPERATION_DESCRIBE};
    ASSERT_TRUE(copying.start());
    EXPECT_TRUE(arrives(open_));
    const auto trouble = copying.status().workers.at(0).trouble;
    ASSERT_TRUE(trouble.has_value());
    EXPECT_THAT(to_string(*trouble), AllOf(HasSubstr(closed_), HasSubstr("DESCRIBE")));
  }
  EXPECT_TRUE(arrives(closed_));
}

TEST_F(missing_rights, to_see_a_topic_that_is_written_are_told_and_waited_for) {
  app copying{copies(), options_};
  {
    const ban rule{"tokyo", RD_KAFKA_RESOURCE_TOPIC, closed_, RD_KAFKA_ACL_OPERATION_DESCRIBE};
    ASSERT_TRUE(copying.start());
    EXPECT_TRUE(eventually([&] { return says(copying, "DESCRIBE"); }, 60s));
  }
  EXPECT_TRUE(arrives(open_));
  EXPECT_TRUE(arrives(closed_));
}

TEST_F(missing_rights, to_change_a_topic_are_told_once_and_hold_nothing_up) {
  const ban rule{"tokyo", RD_KAFKA_RESOURCE_TOPIC, closed_, RD_KAFKA_ACL_OPERATION_ALTER_CONFIGS};
  for (const auto& topic : {open_, closed_}) set_retention(home_, topic, "123456789");
  topology t{name_};
  t.from(topics<bytes, bytes>{{open_, closed_}}) | fan_out("copies", {"tokyo"}, {.sync_settings = {"retention.ms"}});
  app copying{t, options_};
  ASSERT_TRUE(copying.start());
  EXPECT_TRUE(arrives(closed_));
  EXPECT_TRUE(arrives(open_));
  EXPECT_TRUE(eventually([&] { return retention(tokyo_, open_) == "123456789"; }, 60s));
  EXPECT_NE(retention(tokyo_, closed_), "123456789");
  EXPECT_TRUE(copying.status().ready());
}

TEST_F(missing_rights, to_use_the_group_are_told_and_waited_for) {
  app copying{copies(), options_};
  {
    const ban rule{"tokyo", RD_KAFKA_RESOURCE_GROUP, name_ + ".home.lanes", RD_KAFKA_ACL_OPERATION_READ};
    ASSERT_TRUE(copying.start());
    EXPECT_TRUE(eventually([&] { return says(copying, "grant this user READ on the group"); }, 60s));
  }
  EXPECT_TRUE(arrives(open_));
  EXPECT_TRUE(arrives(closed_));
}

}  // namespace
}  // namespace flow
