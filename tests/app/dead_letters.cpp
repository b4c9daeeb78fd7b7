#include <flow/dead_letters.hpp>

#include <algorithm>
#include <atomic>
#include <memory>
#include <set>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <flow/main.hpp>

#include "borrowed_cluster.hpp"
#include "world.hpp"

namespace flow {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// Copies what is not among the bad ones, at which its one operator, "check", fails.
topology checking(std::set<std::string> bad) {
  topology t{"copies"};
  t.from(topic<bytes, std::string>{"orders"}) |
      peek("check",
           [bad = std::move(bad)](const std::string& value) {
             if (bad.contains(value)) throw std::runtime_error{"a bad order"};
           })
          .on_failure(dead_letter("{topic}.dlq")) |
      fan_out("regions", {"tokyo", "oregon"}).on_failure(dead_letter("{topic}.dlq"));
  return t;
}

/// "b" and "d" of five orders have failed, and lie at home.
class letters : public testing::Test {
 protected:
  letters() {
    for (const auto* each : {"a", "b", "c", "d", "e"}) world_.write(each);
    run(checking({"b", "d"}), [&] {
      return world_.count("tokyo") == 3 && world_.count("oregon") == 3 && world_.count("home") == 5 &&
             world_.values("home", "orders.dlq") == contents{{"b", "d"}};
    });
  }

  /// Runs the program until something holds.
  void run(const topology& what, const std::function<bool()>& holds) {
    app running{what, options()};
    ASSERT_TRUE(running.start());
    ASSERT_TRUE(eventually(holds));
    ASSERT_TRUE(running.stop(10s));
  }
  app_options options() { return world_.options(); }
  contents at(const std::string& cluster) { return world_.values(cluster); }

  world world_;
};

TEST_F(letters, are_counted_by_where_they_lie_and_why) {
  const auto found = dead_letters{checking({}), options()}.list();
  ASSERT_TRUE(found) << to_string(found.error());
  const letters_alike two{.node = "check", .reason = letter_reason::failed, .topic = "orders", .letters = 2};
  EXPECT_THAT(*found, ElementsAre(letters_in{"home", "orders.dlq", {two}}, letters_in{"oregon", "orders.dlq"},
                                  letters_in{"tokyo", "orders.dlq"}));
}

TEST_F(letters, are_shown_as_the_records_that_they_were) {
  std::vector<shown_letter> seen;
  const auto shown = dead_letters{checking({}), options()}.show({.topic = "orders.dlq"},
                                                                [&](const auto& each) { seen.push_back(each); });
  ASSERT_TRUE(shown) << to_string(shown.error());
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[0].cluster, "home");
  EXPECT_EQ(seen[0].where, (topic_partition{"orders.dlq", 0}));
  EXPECT_EQ(seen[0].node, "check");
  EXPECT_EQ(seen[0].text, "a bad order");
  EXPECT_EQ(seen[0].from, (topic_partition{"orders", 0}));
  EXPECT_EQ(seen[0].from_offset, 1);
  EXPECT_EQ(seen[0].attempts, 1);
  EXPECT_EQ(seen[0].what.value, "b");
  EXPECT_EQ(seen[0].what.timestamp, 1'700'000'000'000);
  EXPECT_THAT(seen[0].what.headers, IsEmpty());
  EXPECT_EQ(seen[1].what.value, "d");
}

TEST_F(letters, are_shown_as_far_as_they_are_wanted) {
  const dead_letters all{checking({}), options()};
  const auto values_of = [&](const letters_wanted& which) {
    std::vector<std::string> values;
    EXPECT_TRUE(all.show(which, [&](const auto& each) { values.push_back(*each.what.value); }));
    return values;
  };
  EXPECT_THAT(values_of({.topic = "orders.dlq", .limit = 1}), ElementsAre("b"));
  EXPECT_THAT(values_of({.topic = "orders.dlq", .offset = 1}), ElementsAre("d"));
  EXPECT_THAT(values_of({.topic = "orders.dlq", .cluster = "tokyo"}), IsEmpty());
  EXPECT_THAT(values_of({.topic = "orders.dlq", .reason = letter_reason::refused}), IsEmpty());
  EXPECT_THAT(values_of({.topic = "orders.dlq", .node = "check", .key = "k"}), ElementsAre("b", "d"));
  EXPECT_THAT(values_of({.topic = "orders.dlq", .key = "other"}), IsEmpty());
  const auto missing = all.show({.topic = "orders"}, [](const auto&) {});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind, failure_kind::missing);
}

TEST_F(letters, are_replayed_once_and_the_replay_returns) {
  const dead_letters all{checking({}), options()};
  const auto done = all.replay();
  ASSERT_TRUE(done) << to_string(done.error());
  EXPECT_EQ(done->replayed, 2u);
  EXPECT_EQ(done->failed, 0u);
  EXPECT_EQ(at("tokyo"), (contents{{"a", "c", "e", "b", "d"}}));
  EXPECT_EQ(at("oregon"), (contents{{"a", "c", "e", "b", "d"}}));

  const auto again = all.replay();
  ASSERT_TRUE(again) << to_string(again.error());
  EXPECT_EQ(again->replayed, 0u);
  EXPECT_EQ(at("tokyo"), (contents{{"a", "c", "e", "b", "d"}}));
  const auto found = all.list();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->front().letters.front().replayed, 2u);
}

TEST_F(letters, that_fail_again_are_counted_and_do_not_keep_it_from_returning) {
  const auto done = dead_letters{checking({"d"}), options()}.replay();
  ASSERT_TRUE(done) << to_string(done.error());
  EXPECT_EQ(done->replayed, 2u);
  EXPECT_EQ(done->failed, 1u);
  EXPECT_EQ(at("tokyo"), (contents{{"a", "c", "e", "b"}}));
  EXPECT_EQ(world_.values("home", "orders.dlq"), (contents{{"b", "d", "d"}}));
}

TEST_F(letters, are_replayed_beside_the_running_program) {
  app running{checking({}), options()};
  ASSERT_TRUE(running.start());
  const auto done = dead_letters{checking({}), options()}.replay();
  ASSERT_TRUE(done) << to_string(done.error());
  world_.write("f");
  EXPECT_TRUE(eventually([&] { return world_.count("tokyo") == 6 && world_.count("oregon") == 6; }));
  EXPECT_EQ(at("oregon"), (contents{{"a", "c", "e", "b", "d", "f"}}));
  EXPECT_TRUE(running.stop(10s));
}

TEST_F(letters, of_a_node_that_is_gone_are_a_failure_unless_they_are_to_be_passed_over) {
  const auto stopped =
      dead_letters{copies({"tokyo", "oregon"}).on_failure(dead_letter("{topic}.dlq")), options()}.replay();
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().kind, failure_kind::refused);
  EXPECT_THAT(to_string(stopped.error()), AllOf(HasSubstr("orders.dlq/0 stops at offset 0"), HasSubstr("'check'")));

  const auto passed =
      dead_letters{copies({"tokyo", "oregon"}).on_failure(dead_letter("{topic}.dlq")), options()}.replay(
          {.pass_over_strangers = true});
  ASSERT_TRUE(passed) << to_string(passed.error());
  EXPECT_EQ(passed->passed_over, 2u);
  EXPECT_EQ(at("tokyo"), (contents{{"a", "c", "e"}}));
}

TEST_F(letters, go_on_where_a_replay_was_broken_off) {
  topology losing_oregon{"copies"};
  losing_oregon.from(topic<bytes, std::string>{"orders"}) |
      peek("check", [&](const std::string&) { world_.clusters.cut("oregon"); }).on_failure(dead_letter("{topic}.dlq")) |
      fan_out("regions", {"tokyo", "oregon"}).on_failure(dead_letter("{topic}.dlq"));
  std::stop_source told;
  std::jthread teller{[&] {
    eventually([&] { return world_.count("tokyo") == 5; });
    told.request_stop();
  }};
  const auto broken = dead_letters{losing_oregon, options()}.replay({.cluster = "home"}, told.get_token());
  ASSERT_FALSE(broken);
  EXPECT_THAT(to_string(broken.error()), HasSubstr("it goes on where it was"));
  world_.clusters.heal("oregon");
  const auto done = dead_letters{checking({}), options()}.replay();
  ASSERT_TRUE(done) << to_string(done.error());
  EXPECT_EQ(at("tokyo"), (contents{{"a", "c", "e", "b", "d"}}));
  EXPECT_EQ(at("oregon"), (contents{{"a", "c", "e", "b", "d"}}));
}

TEST_F(letters, are_not_replayed_while_a_target_is_away) {
  world_.clusters.cut("oregon");
  const auto done = dead_letters{checking({}), options()}.replay({.cluster = "home"});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind, failure_kind::timed_out);
  EXPECT_THAT(done.error().text, HasSubstr("oregon cannot be reached"));
  EXPECT_EQ(at("tokyo"), (contents{{"a", "c", "e"}}));
}

TEST_F(letters, are_not_waited_for_where_a_target_is_refused) {
  world_.clusters.create_topic("tokyo", "copies.home.replay.home.lanes.internal", 3,
                               {{"cleanup.policy", "compact"}, {"message.timestamp.type", "LogAppendTime"}});
  const auto done = dead_letters{checking({}), options()}.replay();
  ASSERT_FALSE(done);
  EXPECT_THAT(to_string(done.error()), AllOf(HasSubstr("on tokyo has 3 lanes"), HasSubstr("set lanes: 3")));
  EXPECT_EQ(at("oregon"), (contents{{"a", "c", "e", "b", "d"}}));
}

TEST_F(letters, are_counted_while_a_target_is_away) {
  world_.clusters.cut("oregon");
  const auto found = dead_letters{checking({}), options()}.list("home");
  ASSERT_TRUE(found) << to_string(found.error());
  ASSERT_EQ(found->size(), 1u);
  EXPECT_EQ(found->front().letters.front().letters, 2u);
  EXPECT_EQ(found->front().letters.front().replayed, std::nullopt);
}

TEST_F(letters, are_found_by_their_topics_once_no_policy_puts_them_there) {
  topology mended{"copies"};
  mended.from(topic<bytes, std::string>{"orders"}) | peek("check", [](const std::string&) {}) |
      fan_out("regions", {"tokyo", "oregon"});
  const auto unknown = dead_letters{mended, options()}.replay();
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().kind, failure_kind::missing);
  const auto done = dead_letters{mended, options(), {"{topic}.dlq"}}.replay();
  ASSERT_TRUE(done) << to_string(done.error());
  EXPECT_EQ(done->replayed, 2u);
  EXPECT_EQ(at("tokyo"), (contents{{"a", "c", "e", "b", "d"}}));
  EXPECT_EQ(at("oregon"), (contents{{"a", "c", "e", "b", "d"}}));
  // Nor are they new to the program of before.
  const auto before = dead_letters{checking({"b", "d"}), options()}.replay();
  ASSERT_TRUE(before) << to_string(before.error());
  EXPECT_EQ(before->replayed, 0u);
}

/// The same by the verbs of a program.
class letters_on_the_command_line : public letters {
 protected:
  template <typename Options>
  int call(int (*verb)(const verbs::builder&, app_options, const Options&, invocation&), const Options& how,
           std::set<std::string> bad = {}) {
    out_.str({});
    err_.str({});
    invocation as{{}, {}, {}, out_, err_};
    return verb([&] { return checking(bad); }, options(), how, as);
  }
  std::ostringstream out_, err_;
};

TEST_F(letters_on_the_command_line, are_listed) {
  EXPECT_EQ(call(&verbs::list_letters, verbs::list_options{}), 0) << err_.str();
  EXPECT_EQ(out_.str(), "home: orders.dlq\n  2 letters of check, failed, from orders\n");
  EXPECT_EQ(call(&verbs::list_letters, {.format = verbs::listing::json}), 0);
  EXPECT_EQ(
      out_.str(),
      R"({"cluster":"home","topic":"orders.dlq","node":"check","reason":"failed","from":"orders","letters":2,"replayed":0})"
      "\n");
}

TEST_F(letters_on_the_command_line, are_shown) {
  world_.clusters.write("home", "orders", 0,
                        {.key = "k\xff", .value = "d", .headers = {{"trace", "\x1b[2J"}, {"empty", std::nullopt}}});
  run(checking({"d"}), [&] { return world_.values("home", "orders.dlq").front().size() == 3; });
  EXPECT_EQ(call(&verbs::show_letters, {.topic = "orders.dlq", .offset = 1}), 0) << err_.str();
  EXPECT_THAT(out_.str(),
              AllOf(HasSubstr("home: orders.dlq/0 offset "), HasSubstr("\n  check, failed, 1 attempt, last at 20"),
                    HasSubstr(": a bad order\n  from home: orders/0 offset 3, of 2023-11-14T22:13:20Z\n"
                              "  key \"k\"\n  value \"d\"\n"),
                    HasSubstr("\n  key base64 a/8=\n  value \"d\"\n  header \"trace\": \"\\u001b[2J\"\n"
                              "  header \"empty\": null\n")));
  EXPECT_EQ(call(&verbs::show_letters, {.topic = "orders.dlq", .limit = 1, .format = verbs::listing::json}), 0);
  EXPECT_THAT(out_.str(), AllOf(HasSubstr(R"({"cluster":"home","topic":"orders.dlq","partition":0,"offset":0,)"),
                                HasSubstr(R"("from":{"cluster":"home","topic":"orders","partition":0,"offset":1},)"),
                                HasSubstr(R"("timestamp":1700000000000,"key":"k","value":"b","headers":[]})"
                                          "\n")));
  EXPECT_EQ(call(&verbs::show_letters, {.topic = "order.dlq"}), 2);
  EXPECT_EQ(err_.str(),
            "error: order.dlq is no topic of dead letters on any cluster (list names those that there are)\n");
  EXPECT_THROW(call(&verbs::show_letters, {.topic = "orders.dlq", .on = "tokio"}), configuration_error);
  EXPECT_EQ(call(&verbs::show_letters, {.topic = "orders.dlq", .node = "regions"}), 0) << err_.str();
  EXPECT_EQ(call(&verbs::show_letters, {.topic = "orders.dlq", .node = "chekc"}), 2);
  EXPECT_EQ(err_.str(), "error: the topology has no node chekc, and there is no letter of one (did you mean check?)\n");
}

TEST_F(letters_on_the_command_line, lie_in_topics_that_there_are) {
  for (const auto& named : {std::vector<std::string>{"order.dlq"}, {"{topic}.dlq", "order.dlq"}}) {
    EXPECT_EQ(call(&verbs::replay_letters, {.letters = named}), 2);
    EXPECT_EQ(err_.str(), "error: order.dlq is no topic on any cluster that was asked (did you mean orders.dlq?)\n");
    EXPECT_EQ(call(&verbs::list_letters, {.letters = named}), 2);
    EXPECT_THAT(err_.str(), HasSubstr("order.dlq is no topic on any cluster"));
  }
  EXPECT_EQ(call(&verbs::replay_letters, {.letters = {"nix"}}), 2);
  EXPECT_EQ(at("tokyo"), (contents{{"a", "c", "e"}}));
  EXPECT_EQ(call(&verbs::replay_letters, {.letters = {"orders.dlq"}}), 0) << err_.str();
}

TEST_F(letters_on_the_command_line, are_replayed) {
  EXPECT_EQ(call(&verbs::replay_letters, verbs::replay_options{}, {"d"}), 0) << err_.str();
  EXPECT_EQ(out_.str(), "replayed 2 letters; 1 of them failed again\n");
  EXPECT_EQ(call(&verbs::replay_letters, verbs::replay_options{}), 0) << err_.str();
  EXPECT_EQ(out_.str(), "replayed 1 letter\n");
  EXPECT_EQ(at("tokyo"), (contents{{"a", "c", "e", "b", "d"}}));
  EXPECT_EQ(call(&verbs::list_letters, verbs::list_options{}), 0);
  EXPECT_EQ(out_.str(), "home: orders.dlq\n  3 letters of check, failed, from orders, 3 replayed\n");
}

/// Parks the key of what is not wanted now, on both targets.
class parked_letters : public testing::Test {
 protected:
  parked_letters() {
    for (const auto* each : {"a", "b", "c"}) world_.write(each);
    EXPECT_TRUE(running_.start());
    EXPECT_TRUE(eventually([&] { return has("tokyo", "orders.dlq", 2) && has("oregon", "orders.dlq", 2); }));
  }

  static topology parking(std::shared_ptr<std::atomic<bool>> mended) {
    topology t{"copies"};
    t.from(topic<bytes, std::string>{"orders"}) |
        peek("check",
             [mended](const std::string& value) {
               if (!*mended && value == "b") throw std::runtime_error{"a bad order"};
             })
            .on_failure(park_key("{topic}.dlq")) |
        fan_out("regions", {"tokyo", "oregon"});
    return t;
  }
  bool has(const std::string& cluster, const std::string& topic, std::size_t count) {
    const auto all = world_.values(cluster, topic);
    return all.size() == 1 && all[0].size() == count;
  }
  std::string call(auto verb, auto which) {
    std::ostringstream out, err;
    invocation how{{}, {}, {}, out, err};
    EXPECT_EQ(verb([&] { return parking(mended_); }, world_.options("asking"), which, how), 0) << err.str();
    return out.str();
  }

  world world_;
  std::shared_ptr<std::atomic<bool>> mended_ = std::make_shared<std::atomic<bool>>(false);
  app running_{parking(mended_), world_.options()};
};

TEST_F(parked_letters, go_through_in_order_when_they_are_replayed) {
  EXPECT_EQ(call(&verbs::list_letters, verbs::list_options{.on = "tokyo"}),
            "tokyo: orders.dlq\n  1 letter of check, failed, from orders\n  1 letter of check, parked, from orders\n");
  EXPECT_EQ(call(&verbs::replay_letters, verbs::replay_options{}), "replayed 0 letters; parked are 2 keys\n");
  *mended_ = true;
  EXPECT_EQ(call(&verbs::replay_letters, verbs::replay_options{}), "replayed 0 letters; released 2 parked keys\n");
  for (const auto* each : {"tokyo", "oregon"}) EXPECT_EQ(world_.values(each), (contents{{"a", "b", "c"}}));
  EXPECT_EQ(call(&verbs::list_letters, verbs::list_options{.on = "tokyo"}),
            "tokyo: orders.dlq\n  2 letters of check, failed, from orders, 2 replayed\n"
            "  2 letters of check, parked, from orders, 2 replayed\n");
}

/// Stores what it is given, and does not know where.
class forgetful_producer final : public port::producer {
 public:
  explicit forgetful_producer(std::unique_ptr<port::producer> from) : from_{std::move(from)} {}

  void init(port::reply<void> done) override { from_->init(std::move(done)); }
  void limit_batches(std::size_t bytes) override { from_->limit_batches(bytes); }
  topic_id topic(std::string_view name) override { return from_->topic(name); }
  void begin() override { from_->begin(); }
  void send(outgoing batch) override { from_->send(std::move(batch)); }
  void send_offsets(std::vector<port::group_offset> offsets, const port::membership& as,
                    port::reply<void> done) override {
    from_->send_offsets(std::move(offsets), as, std::move(done));
  }
  void commit(port::reply<port::committed> done) override { from_->commit(std::move(done)); }
  void abort(port::reply<int> done) override { from_->abort(std::move(done)); }
  void flush(port::reply<port::committed> done) override {
    from_->flush([done = std::move(done)](result<port::committed> stored) {
      if (stored) std::ranges::fill(stored->offsets, -1);
      done(std::move(stored));
    });
  }

 private:
  std::unique_ptr<port::producer> from_;
};

class forgetful_cluster final : public borrowed_cluster {
 public:
  using borrowed_cluster::borrowed_cluster;
  std::unique_ptr<port::producer> open_producer(port::producer_options options) override {
    return std::make_unique<forgetful_producer>(borrowed_cluster::open_producer(std::move(options)));
  }
};

TEST_F(parked_letters, are_waited_for_where_it_is_not_known_which_command_was_theirs) {
  *mended_ = true;
  auto options = world_.options("asking");
  options.connect = [connect = world_.clusters.connect()](const auto&... how) {
    return std::make_unique<forgetful_cluster>(connect(how...));
  };
  const auto done = dead_letters{parking(mended_), options}.replay();
  ASSERT_TRUE(done) << to_string(done.error());
  EXPECT_EQ(done->released, 2u);
  EXPECT_EQ(done->parked, 0u);
}

TEST_F(parked_letters, wait_for_the_application) {
  ASSERT_TRUE(running_.stop(10s));
  *mended_ = true;
  const auto done = dead_letters{parking(mended_), world_.options("asking")}.replay();
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().text, HasSubstr("nobody works on the lanes on "));
  app later{parking(mended_), world_.options()};
  ASSERT_TRUE(later.start());
  EXPECT_TRUE(eventually([&] { return has("tokyo", "orders", 3) && has("oregon", "orders", 3); }));
  ASSERT_TRUE(later.stop(10s));
}

}  // namespace
}  // namespace flow
