#include <gtest/gtest.h>

#include <stdexcept>

#include <flow/topic.hpp>
#include <flow/topic_selection.hpp>

namespace flow {
namespace {

TEST(topic_selection, takes_an_entry_that_could_be_a_name_for_one) {
  const topic_selection names{{"orders.eu"}, {}};
  EXPECT_TRUE(names.contains("orders.eu"));
  EXPECT_FALSE(names.contains("orders-eu"));
}

TEST(topic_selection, matches_expressions_whole_and_leaves_out_what_is_excluded) {
  const topic_selection patterns{{"orders\\..*", "payments"}, {".*\\.test", "orders.old"}};
  EXPECT_TRUE(patterns.contains("orders.eu"));
  EXPECT_TRUE(patterns.contains("payments"));
  EXPECT_FALSE(patterns.contains("my.orders.eu"));
  EXPECT_FALSE(patterns.contains("payments2"));
  EXPECT_FALSE(patterns.contains("orders.test"));
  EXPECT_FALSE(patterns.contains("orders.old"));
}

TEST(topic_selection, never_has_internal_topics) {
  const topic_selection all{{".*"}, {}};
  EXPECT_TRUE(all.contains("orders"));
  EXPECT_FALSE(all.contains("app.home.lanes.internal"));
  EXPECT_FALSE(all.contains("__consumer_offsets"));
}

TEST(topic_selection, names_what_is_no_expression) {
  for (const std::string entry : {"orders(", "my orders"}) {
    try {
      const topic_selection broken{{entry}, {}};
      FAIL() << "accepted";
    } catch (const std::invalid_argument& e) {
      EXPECT_EQ(e.what(), "'" + entry + "' is neither the name of a topic nor a regular expression");
    }
  }
}

// Whoever may create topics chooses their names.
TEST(topic_selection, takes_no_longer_for_a_name_that_is_made_for_it) {
  const topic_selection chosen{{"([a-z0-9]+[-.]?)+\\.events"}, {}};
  EXPECT_FALSE(chosen.contains("genai-demo-customer-notification-settings-and-much-more-that-does-not-end-so"));
  EXPECT_TRUE(chosen.contains("genai-demo-customer-notification-settings.events"));
  EXPECT_THROW((topic_selection{{"a(?=b)"}, {}}), std::invalid_argument);
}

TEST(topic_names, are_kafkas) {
  for (const char* good : {"a", "A-1_b.c", "..."}) EXPECT_TRUE(is_topic_name(good)) << good;
  for (const char* bad : {"", ".", "..", "a b", "a/b", "\xc3\xa4"}) EXPECT_FALSE(is_topic_name(bad)) << bad;
  EXPECT_TRUE(is_topic_name(std::string(249, 'x')));
  EXPECT_FALSE(is_topic_name(std::string(250, 'x')));
}

TEST(topic_patterns, know_topic_and_source) {
  EXPECT_EQ(topic_by_pattern("{source}.{topic}", "orders", "eu"), "eu.orders");
  EXPECT_EQ(topic_by_pattern("{topic}", "{source}", "eu"), "{source}");
  EXPECT_EQ(topic_by_pattern("{other}", "orders", "eu"), "{other}");
}

}  // namespace
}  // namespace flow
