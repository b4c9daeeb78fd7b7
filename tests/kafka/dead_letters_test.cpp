#include <flow/dead_letters.hpp>

#include <gmock/gmock.h>
#include <kafka_fixture.hpp>

#include <string>
#include <vector>

#include "../app/world.hpp"
#include "client.hpp"

namespace flow {
namespace {

/// Orders of which every third fails, on two real clusters.
class dead_letters_on_kafka : public ::testing::Test {
 protected:
  dead_letters_on_kafka() {
    plain::create_topic(home_, orders_, 2);
    plain::producer to{{{"bootstrap.servers", home_}}};
    const auto handle = to.topic(orders_);
    for (int i = 0; i < 30; ++i) {
      const auto value = std::to_string(i);
      to.send(handle.get(), {.partition = i % 2, .key = "k", .value = value, .timestamp = 1'700'000'000'000 + i});
    }
    to.flush(30s);
    options_.instance = "one";
    options_.state = "";
    options_.lanes = 2;
    options_.clusters["home"]["bootstrap.servers"] = home_;
    options_.clusters["tokyo"]["bootstrap.servers"] = tokyo_;
  }

  topology checking(int bad) const {
    topology t{name_};
    t.from(topic<bytes, std::string>{orders_}) |
        peek("check",
             [bad](const std::string& value) {
               if (std::stoi(value) % bad == 0) throw std::runtime_error{"a bad order"};
             })
            .on_failure(dead_letter("{topic}.dlq")) |
        fan_out("regions", {"tokyo"});
    return t;
  }

  /// What a `read_committed` reader finds on tokyo, in no order.
  std::vector<int> arrived() const {
    std::vector<int> all;
    const auto reader = plain::make_reader(tokyo_, "read_committed", {});
    for (const int32_t partition : {0, 1}) {
      const auto [low, high] = plain::watermarks(reader.get(), orders_, partition);
      plain::assign(reader.get(), orders_, partition == 0 ? std::vector<int64_t>{low} : std::vector<int64_t>{0, low});
      while (const auto message = plain::owned<rd_kafka_message_t>{rd_kafka_consumer_poll(reader.get(), 2000)})
        if (!message->err && message->partition == partition)
          all.push_back(std::stoi(std::string{static_cast<const char*>(message->payload), message->len}));
    }
    return all;
  }

  const std::string home_ = kafka_fixture::bootstrap("home");
  const std::string tokyo_ = kafka_fixture::bootstrap("tokyo");
  const std::string name_ = kafka_fixture::fresh_name("letters");
  const std::string orders_ = kafka_fixture::fresh_name("orders");
  app_options options_;
};

TEST_F(dead_letters_on_kafka, are_listed_and_shown_and_replayed_once_beside_the_running_program) {
  app running{checking(3), options_};
  ASSERT_TRUE(running.start());
  ASSERT_TRUE(eventually([&] { return target_named("tokyo", running.status()).records_written == 20; }, 60s));
  const auto letters_written = [&] { return target_named("home", running.status()).records_written; };
  ASSERT_TRUE(eventually([&] { return letters_written() == 10; }, 60s));

  const dead_letters mended{checking(9), options_};
  const auto before = mended.list();
  ASSERT_TRUE(before) << to_string(before.error());
  EXPECT_THAT(*before, ::testing::ElementsAre(
                           letters_in{"home", orders_ + ".dlq", {{"check", letter_reason::failed, orders_, 10, 0}}}));
  int shown = 0;
  ASSERT_TRUE(mended.show({.topic = orders_ + ".dlq"}, [&](const shown_letter& each) {
    ++shown;
    EXPECT_EQ(each.from.topic, orders_);
    EXPECT_EQ(std::stoi(*each.what.value) % 3, 0);
  }));
  EXPECT_EQ(shown, 10);

  const auto first = mended.replay();
  ASSERT_TRUE(first) << to_string(first.error());
  EXPECT_EQ(first->replayed, 10u);
  EXPECT_EQ(first->failed, 4u);  // 0, 9, 18, 27
  const auto second = dead_letters{checking(100), options_}.replay();
  ASSERT_TRUE(second) << to_string(second.error());
  EXPECT_EQ(second->replayed, 4u);
  EXPECT_EQ(second->failed, 1u);  // 0
  const auto after = mended.list();
  ASSERT_TRUE(after) << to_string(after.error());
  EXPECT_EQ(after->at(0).letters.at(0), (letters_alike{"check", letter_reason::failed, orders_, 15, 14}));
  EXPECT_TRUE(running.stop(30s));

  std::vector<int> expected(29);
  for (int i = 1; i < 30; ++i) expected[static_cast<std::size_t>(i - 1)] = i;
  EXPECT_THAT(arrived(), ::testing::UnorderedElementsAreArray(expected));
}

}  // namespace
}  // namespace flow
