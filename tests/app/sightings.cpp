#include <flow/sightings.hpp>

#include <fstream>
#include <functional>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <flow/json.hpp>
#include <flow/main.hpp>

#include "world.hpp"

namespace flow {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

TEST(ids_of, a_text_are_as_a_dedup_has_them) {
  EXPECT_THAT(ids_of("4711", id_form::text), ElementsAre("4711"));
  EXPECT_THAT(ids_of("\xff", id_form::text), ElementsAre("\xff"));
  EXPECT_THAT(ids_of("258", id_form::integer),
              ElementsAre("\1\2", std::string("\0\0\1\2", 4), std::string("\0\0\0\0\0\0\1\2", 8)));
  EXPECT_THAT(ids_of("-1", id_form::integer),
              ElementsAre("\xff", "\xff\xff", "\xff\xff\xff\xff", std::string(8, '\xff')));
  EXPECT_THAT(ids_of("18446744073709551615", id_form::integer), ElementsAre(std::string(8, '\xff')));
  for (const auto* none : {"", "1.5", "x", "1x", "18446744073709551616"})
    EXPECT_THAT(ids_of(none, id_form::integer), IsEmpty()) << none;
  for (const auto form : {id_form::text, id_form::json, id_form::part, id_form::json_text})
    EXPECT_THAT(ids_of("", form), IsEmpty());
  for (const auto* none : {"null", "[1]", "{}", "\"\""}) EXPECT_THAT(ids_of(none, id_form::json), IsEmpty()) << none;
  EXPECT_EQ(ids_of("3", id_form::json_text), ids_of("\"3\"", id_form::json));
  EXPECT_EQ(ids_of("null", id_form::json_text), ids_of("\"null\"", id_form::json));
}

/// Events whose ids are dropped within an hour: what `id` finds of them in "seen", their values in "again".
class where_an_id_was : public testing::Test {
 protected:
  where_an_id_was() { options_.state = directory_.path(); }

  template <typename Id>
  topology once(Id id) const {
    topology t{"once"};
    t.from(topic<bytes, std::string>{"orders"}) | dedup("seen", std::move(id), 1h) |
        dedup("again", std::identity{}, 1h) | fan_out("regions", {"tokyo"});
    return t;
  }
  void given(const std::string& value, std::chrono::milliseconds at = 0ms, std::int32_t partition = 0,
             std::optional<std::string> key = "k") {
    world_.clusters.write("home", "orders", partition,
                          {.key = std::move(key), .value = value, .timestamp = start + at.count()});
    ++given_;
  }
  /// Runs it until all that is given has been judged.
  void run(const topology& what) {
    app running{what, options_};
    ASSERT_TRUE(running.start());
    ASSERT_TRUE(eventually([&] {
      const auto now = running.status();
      return !now.workers.at(0).nodes.empty() && now.workers[0].nodes.at(1).received == given_;
    }));
    ASSERT_TRUE(running.stop(10s));
  }
  template <typename Id>
  std::vector<sightings> found(const std::string& text, id_form as, Id id, const std::string& node = "seen") const {
    const auto all = sightings_of(ids_of(text, as), once(std::move(id)), options_, node);
    EXPECT_TRUE(all) << to_string(all.error());
    return all.value_or(std::vector<sightings>{});
  }
  /// How often it is known, all in all.
  template <typename Id>
  std::size_t count(const std::string& text, id_form as, Id id) const {
    std::size_t sum = 0;
    for (const auto& each : found(text, as, std::move(id))) sum += each.all.size();
    return sum;
  }

  static constexpr std::int64_t start = 1'700'000'000'000;
  world world_{2};
  scratch_directory directory_;
  app_options options_ = world_.options();

 private:
  std::uint64_t given_ = 0;
};

TEST_F(where_an_id_was, is_told_with_what_each_repeats) {
  given("a"), given("b"), given("a", 1h), given("b", 10min, 1), given("a", 3h), given("a", 150min);
  run(once(std::identity{}));
  const auto all = found("a", id_form::text, std::identity{});
  EXPECT_THAT(all, ElementsAre(sightings{"seen",
                                         {"orders", 0},
                                         0,
                                         5,
                                         {{0, start, {}},
                                          {2, start + 3'600'000, 0},
                                          {3, start + 3 * 3'600'000, {}},
                                          {4, start + 150 * 60'000, 3}}},
                               sightings{"seen", {"orders", 1}, 0, 1, {}}));
  EXPECT_THAT(found("b", id_form::text, std::identity{}).at(1).all, ElementsAre(sighting{0, start + 600'000, {}}));
  EXPECT_EQ(count("c", id_form::text, std::identity{}), 0u);
  // What the first has dropped never came to the second.
  EXPECT_THAT(found("a", id_form::text, std::identity{}, "again").at(0).all, SizeIs(2));
  const auto both = sightings_of({"a"}, once(std::identity{}), options_);
  ASSERT_TRUE(both);
  EXPECT_THAT(*both, SizeIs(4));
}

TEST_F(where_an_id_was, knows_what_stands_in_json_by_its_kind) {
  const auto id = json::at("/id");
  for (const auto* each : {R"({"id":1})", R"({"id":"1"})", R"({"id":"1","n":2})", R"({"id":"a\u0062"})",
                           R"({"id":true})", R"({"id":"Z\"ü"})"})
    given(each);
  run(once(id));
  EXPECT_EQ(count("1", id_form::json, id), 1u);
  EXPECT_EQ(count(R"("1")", id_form::json, id), 2u);
  EXPECT_EQ(count("ab", id_form::json, id), 1u);
  EXPECT_EQ(count(R"("a\u0062")", id_form::json, id), 1u);
  EXPECT_EQ(count("true", id_form::json, id), 1u);
  EXPECT_EQ(count(R"("true")", id_form::json, id), 0u);
  EXPECT_EQ(count(R"(Z"ü)", id_form::json, id), 1u);
  EXPECT_EQ(count("1", id_form::text, id), 0u);
}

TEST_F(where_an_id_was, knows_keys_and_integers) {
  given("x", 0ms, 0, "k1"), given("y", 0ms, 0, "k2"), given("z", 0ms, 0, "k1");
  run(once(key_bytes()));
  EXPECT_EQ(count("k1", id_form::part, key_bytes()), 2u);
  EXPECT_EQ(count("k1", id_form::text, key_bytes()), 0u);
}

TEST_F(where_an_id_was, knows_integers_of_the_size_that_they_have) {
  const auto length = [](const std::string& value) { return static_cast<std::int32_t>(value.size()); };
  given("one"), given("two"), given("three");
  run(once(length));
  EXPECT_EQ(count("3", id_form::integer, length), 2u);
  EXPECT_EQ(count("5", id_form::integer, length), 1u);
  EXPECT_EQ(count("4", id_form::integer, length), 0u);
}

TEST_F(where_an_id_was, is_told_beside_the_running_program) {
  given("a"), given("a");
  app running{once(std::identity{}), options_};
  ASSERT_TRUE(running.start());
  const auto known = [&](std::size_t times) {
    return eventually([&] {
      const auto all = sightings_of({"a"}, once(std::identity{}), options_, "seen");
      return all && !all->empty() && all->front().all.size() == times;
    });
  };
  EXPECT_TRUE(known(2));
  given("a");
  EXPECT_TRUE(known(3));
  EXPECT_TRUE(running.status().ready());
  ASSERT_TRUE(running.stop(10s));
}

TEST_F(where_an_id_was, is_not_told_where_nothing_is_kept) {
  const auto failed = [&](const std::optional<std::string>& node = {}) {
    const auto all = sightings_of({"a"}, once(std::identity{}), options_, node);
    EXPECT_FALSE(all);
    return all ? failure{} : all.error();
  };
  EXPECT_EQ(failed("sene"), (failure{failure_kind::missing, "node sene is no dedup of once", "did you mean seen?"}));
  EXPECT_EQ(failed("regions").remedy, "known are seen or again");
  EXPECT_EQ(failed().text, "the state directory '" + directory_.path().string() + "' does not exist");
  run(once(std::identity{}));
  options_.application = "twice";
  EXPECT_EQ(failed().kind, failure_kind::refused);
  options_.state = "";
  EXPECT_EQ(failed(), (failure{failure_kind::missing, "the application has no state directory",
                               "name the one of the running program"}));
}

struct nothing_to_set {
  void bind(auto&) {}
};

/// The same by the verb of a program.
class where_an_id_was_on_the_command_line : public where_an_id_was {
 protected:
  where_an_id_was_on_the_command_line() {
    std::ofstream{file_} << "application: once\nstate: " << options_.state << "\nclusters:\n  home: {bootstrap.servers: \"127.0.0.1:1\"}\n"
                         << "  tokyo: {bootstrap.servers: \"127.0.0.1:1\"}\n";
  }

  int call(std::vector<std::string> words) {
    out_.str({});
    err_.str({});
    words.insert(words.begin(), "seen");
    words.insert(words.end(), {"--config", file_});
    auto line = command_line_of<nothing_to_set>({.name = "once"}, [&](const auto&) { return once(json::at("/id")); });
    return line.variables([](const char*) { return nullptr; }).run(words, out_, err_);
  }

  const std::string file_ = directory_.path().parent_path() / "once.yaml";
  std::ostringstream out_, err_;
};

TEST_F(where_an_id_was_on_the_command_line, is_printed) {
  given(R"({"id":"a"})"), given(R"({"id":"a"})", 90min), given(R"({"id":"a"})", 2h), given(R"({"id":7})", 0ms, 1);
  run(once(json::at("/id")));
  EXPECT_EQ(call({"a"}), 0) << err_.str();
  EXPECT_EQ(out_.str(),
            "seen: orders/0 from offset 0 to 3, as json\n"
            "  offset 0 of 2023-11-14T22:13:20Z, the first that is known\n"
            "  offset 1 of 2023-11-14T23:43:20Z, no other within the window before it\n"
            "  offset 2 of 2023-11-15T00:13:20Z, repeats offset 1\n");
  EXPECT_EQ(call({"a", "--as", "json", "--node", "seen", "--format", "json"}), 0) << err_.str();
  EXPECT_THAT(out_.str(), AllOf(HasSubstr(R"({"node":"seen","as":"json","topic":"orders","partition":0,"offset":0,)"
                                          R"("timestamp":1700000000000,"first":true,"repeats":null})"
                                          "\n"),
                                HasSubstr(R"("offset":2,"timestamp":1700007200000,"first":false,"repeats":1})"
                                          "\n")));
  EXPECT_EQ(call({"7"}), 0) << err_.str();
  EXPECT_THAT(out_.str(), HasSubstr("seen: orders/1 from offset 0 to 1, as json\n"));
}

TEST_F(where_an_id_was_on_the_command_line, says_where_it_has_looked_in_vain) {
  given(R"({"id":"a"})"), given(R"({"id":"b"})", 0ms, 1);
  run(once(json::at("/id")));
  EXPECT_EQ(call({"\"7\"", "--node", "seen"}), 0) << err_.str();
  EXPECT_EQ(out_.str(), "it is not known\n  seen: orders/0 from offset 0 to 1\n  seen: orders/1 from offset 0 to 1\n");
  EXPECT_EQ(call({"a", "--node", "seen", "--as", "text", "--format", "json"}), 0) << err_.str();
  EXPECT_EQ(out_.str(), R"({"known":false,"looked_at":[)"
                        R"({"node":"seen","topic":"orders","partition":0,"from":0,"until":1},)"
                        R"({"node":"seen","topic":"orders","partition":1,"from":0,"until":1}]})"
                        "\n");
}

TEST_F(where_an_id_was_on_the_command_line, is_refused_where_it_makes_no_sense) {
  run(once(json::at("/id")));
  EXPECT_EQ(call({"a", "--node", "sene"}), 2);
  EXPECT_EQ(err_.str(), "error: node sene is no dedup of once (did you mean seen?)\n");
  EXPECT_EQ(call({"a", "--as", "integer"}), 2);
  EXPECT_EQ(err_.str(), "ID: error: is none of that form (give another, or leave --as out)\n");
  EXPECT_EQ(call({""}), 2);
  EXPECT_EQ(call({}), 2);
  EXPECT_EQ(call({"a", "--as", "number"}), 2);
  EXPECT_THAT(err_.str(), HasSubstr("--as: error: "));
  EXPECT_EQ(call({"a", "--format", "yaml"}), 2);
  EXPECT_EQ(out_.str(), "");
}

TEST_F(where_an_id_was_on_the_command_line, is_nowhere_if_nothing_has_come) {
  run(once(json::at("/id")));
  EXPECT_EQ(call({"a", "--format", "json"}), 0) << err_.str();
  EXPECT_EQ(out_.str(), "{\"known\":false,\"looked_at\":[]}\n");
}

}  // namespace
}  // namespace flow
