#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sample.hpp"

namespace {

using namespace std::chrono_literals;
using namespace flow::literals;
using sample::settings;
using testing::ElementsAre;
using testing::Pair;

class reading : public testing::Test {
 protected:
  settings read(std::string_view yaml, sample::variables variables = {}, std::vector<flow::given_flag> flags = {}) {
    here_.write("app.yaml", yaml);
    return flow::load<settings>({"app.yaml", std::move(flags), sample::lookup(std::move(variables)), "APP"});
  }

  sample::folder here_;
};

constexpr std::string_view least = "topics: {include: [orders]}\n";

TEST_F(reading, leaves_what_nobody_wrote_as_it_was) {
  const auto s = read(least);
  EXPECT_EQ(s.application, "app");
  EXPECT_EQ(s.commit_every, 100ms);
  EXPECT_EQ(s.memory, 256_MiB);
  EXPECT_FALSE(s.dedup);
  EXPECT_FALSE(s.catch_up_limit);
}

TEST_F(reading, takes_every_type_from_a_file) {
  const auto s = read(R"(
application: "cross-region sync"
home: tokyo
targets: [osaka, "virginia"]
clusters:
  tokyo: {bootstrap.servers: "127.0.0.1:19092", enable.idempotence: true}
  osaka:
    bootstrap.servers: 127.0.0.1:19192
topics:
  include:
    - orders
    - "payments\\..*"
  rename: "{source}.{topic}"
  partitions: by_key
  create: false
dedup: {id: /id, window: 7d}
routes:
  - {from: a}
  - from: b
    weight: 3
shares: {osaka: 2, virginia: 1}
commit_every: 1.5s
memory: 64MiB
catch_up_limit: 20MB/s
lanes: 64
port: 9090
ratio: 0.25
level: debug
enabled: false
token: open-sesame
)");
  EXPECT_EQ(s.application, "cross-region sync");
  EXPECT_THAT(s.targets, ElementsAre("osaka", "virginia"));
  EXPECT_THAT(s.clusters.at("tokyo"),
              ElementsAre(Pair("bootstrap.servers", "127.0.0.1:19092"), Pair("enable.idempotence", "true")));
  EXPECT_EQ(s.clusters.at("osaka").at("bootstrap.servers"), "127.0.0.1:19192");
  EXPECT_THAT(s.topics.include, ElementsAre(sample::pattern{"orders"}, sample::pattern{"payments\\..*"}));
  EXPECT_EQ(s.topics.rename, "{source}.{topic}");
  EXPECT_EQ(s.topics.partitioning, sample::partitions::by_key);
  EXPECT_FALSE(s.topics.create);
  ASSERT_TRUE(s.dedup);
  EXPECT_EQ(s.dedup->id, "/id");
  EXPECT_EQ(s.dedup->window, 168h);
  ASSERT_EQ(s.routes.size(), 2u);
  EXPECT_EQ(s.routes[0].weight, 1);
  EXPECT_EQ(s.routes[1].from, "b");
  EXPECT_EQ(s.routes[1].weight, 3);
  EXPECT_THAT(s.shares, ElementsAre(Pair("osaka", 2), Pair("virginia", 1)));
  EXPECT_EQ(s.commit_every, 1500ms);
  EXPECT_EQ(s.memory, 64_MiB);
  EXPECT_EQ(s.catch_up_limit, flow::byte_rate{20'000'000});
  EXPECT_EQ(s.lanes, 64);
  EXPECT_EQ(s.port, 9090);
  EXPECT_EQ(s.ratio, 0.25);
  EXPECT_EQ(s.level, "debug");
  EXPECT_FALSE(s.enabled);
  EXPECT_EQ(s.token, "open-sesame");
}

TEST_F(reading, takes_every_type_from_variables) {
  const auto s = read(least, {{"APP_APPLICATION", "sync"},
                              {"AWS_REGION", "kyoto"},
                              {"TARGETS", "osaka, virginia"},
                              {"APP_TOPICS_PARTITIONS", "by_key"},
                              {"APP_DEDUP_ID", "/id"},
                              {"APP_SHARES", "osaka=2,virginia=1"},
                              {"COMMIT_EVERY", "1min"},
                              {"APP_MEMORY", "1GiB"},
                              {"APP_CATCH_UP_LIMIT", "1MB/s"},
                              {"ENABLED", "false"}});
  EXPECT_EQ(s.application, "sync");
  EXPECT_EQ(s.home, "kyoto");
  EXPECT_THAT(s.targets, ElementsAre("osaka", "virginia"));
  EXPECT_EQ(s.topics.partitioning, sample::partitions::by_key);
  ASSERT_TRUE(s.dedup);
  EXPECT_EQ(s.dedup->id, "/id");
  EXPECT_EQ(s.dedup->window, 24h);
  EXPECT_THAT(s.shares, ElementsAre(Pair("osaka", 2), Pair("virginia", 1)));
  EXPECT_EQ(s.commit_every, 60s);
  EXPECT_EQ(s.memory, 1_GiB);
  EXPECT_EQ(s.catch_up_limit, flow::byte_rate{1'000'000});
  EXPECT_FALSE(s.enabled);
}

TEST_F(reading, lets_flags_win_over_variables_and_variables_over_the_file) {
  constexpr std::string_view file = "topics: {include: [orders]}\nlanes: 1\ntargets: [a]\n";
  EXPECT_EQ(read(file).lanes, 1);
  EXPECT_EQ(read(file, {{"LANES", "2"}}).lanes, 2);
  EXPECT_EQ(read(file, {{"LANES", "2"}}, {{"lanes", {"3"}}}).lanes, 3);
  EXPECT_EQ(read(file, {}, {{"lanes", {"3"}}}).lanes, 3);
  EXPECT_THAT(read(file, {{"TARGETS", "b"}}).targets, ElementsAre("b"));
  EXPECT_THAT(read(file, {{"TARGETS", "b"}}, {{"targets", {"c,d", "e"}}}).targets, ElementsAre("c", "d", "e"));
}

TEST_F(reading, leaves_separators_within_brackets_to_their_item) {
  const auto targets = [&](const std::string& text) { return read(least, {{"TARGETS", text}}).targets; };
  EXPECT_THAT(targets("a{1,2},b"), ElementsAre("a{1,2}", "b"));
  EXPECT_THAT(targets("(a,(b,c)),[d,e]f , g"), ElementsAre("(a,(b,c))", "[d,e]f", "g"));
  EXPECT_THAT(targets("[a\\],b],c"), ElementsAre("[a\\],b]", "c"));
  EXPECT_THAT(targets("(a,b),(c,d"), ElementsAre("(a,b)", "(c", "d"));
  EXPECT_THAT(read("topics: {include: [orders]}\ntargets: ${T}\n", {{"T", "a{1,2},b"}}).targets,
              ElementsAre("a{1,2}", "b"));
}

TEST_F(reading, prefers_a_variable_that_the_setting_names_itself) {
  EXPECT_EQ(read(least, {{"LANES", "2"}, {"APP_LANES", "3"}}).lanes, 2);
  EXPECT_EQ(read(least, {{"APP_LANES", "3"}}).lanes, 3);
}

TEST_F(reading, takes_an_empty_variable_for_one_that_is_not_set) {
  EXPECT_EQ(read(least, {{"LANES", ""}}).lanes, 32);
}

struct either {
  std::string text;
  bool quoted = false;
};

}  // namespace

template <>
struct flow::scalar<either> {
  static constexpr std::string_view kind = "a word", example = "5";
  static complaint read(std::string_view text, either& out) { return out = {std::string{text}, false}, complaint{}; }
  static complaint read_quoted(std::string_view text, either& out) {
    return out = {std::string{text}, true}, complaint{};
  }
  static std::string write(const either& value) { return value.text; }
};

namespace {

TEST_F(reading, tells_what_stands_in_quotes_from_what_does_not_to_a_type_that_asks) {
  struct words {
    std::vector<either> all;
    void bind(flow::binder& b) { b("all", all, ""); }
  };
  here_.write("app.yaml", "all:\n- 5\n- \"5\"\n- '5'\n- ${FIVE}\n- \"${FIVE}\"\n");
  const auto s = flow::load<words>({"app.yaml", {}, sample::lookup({{"FIVE", "5"}}), {}});
  std::string quoted;
  for (const auto& each : s.all) quoted += each.text == "5" ? (each.quoted ? "q" : "p") : "?";
  EXPECT_EQ(quoted, "pqqpq");
  const auto flag = flow::load<words>({{}, {{"all", {"5"}}}, sample::lookup({}), {}});
  EXPECT_FALSE(flag.all.at(0).quoted);
}

TEST_F(reading, expands_variables_anywhere_in_the_file) {
  const auto s = read(
      R"(
application: ${NAME}-${STAGE:-dev}
targets: ${LIST}
clusters: {"${HOME_CLUSTER}": {bootstrap.servers: "${HOST:-localhost}:${PORT:-${OTHER:-9092}}"}}
home: ${HOME_CLUSTER}
lanes: ${LANE_COUNT}
topics: {include: ["$${literal}", "cost$", "a$b"]}
)",
      {{"NAME", "sync"}, {"STAGE", ""}, {"LIST", "osaka,virginia"}, {"HOME_CLUSTER", "tokyo"}, {"LANE_COUNT", "7"}});
  EXPECT_EQ(s.application, "sync-dev");
  EXPECT_THAT(s.targets, ElementsAre("osaka", "virginia"));
  EXPECT_EQ(s.clusters.at("tokyo").at("bootstrap.servers"), "localhost:9092");
  EXPECT_EQ(s.lanes, 7);
  EXPECT_THAT(s.topics.include,
              ElementsAre(sample::pattern{"${literal}"}, sample::pattern{"cost$"}, sample::pattern{"a$b"}));
}

TEST_F(reading, reads_a_secret_from_a_file_without_its_last_line_end) {
  here_.write("password", "s3cret\n");
  const auto s = read(
      "topics: {include: [orders]}\ntoken: ${file:password}\n"
      "clusters: {tokyo: {sasl.password: \"${file:password}\"}}\n");
  EXPECT_EQ(s.token, "s3cret");
  EXPECT_EQ(s.clusters.at("tokyo").at("sasl.password"), "s3cret");
}

TEST_F(reading, knows_none_in_all_its_spellings) {
  for (const auto* none : {"none", "~", "null"}) {
    const auto s = read(std::string{least} + "dedup: " + none + "\ncatch_up_limit: " + none + "\n");
    EXPECT_FALSE(s.dedup) << none;
    EXPECT_FALSE(s.catch_up_limit) << none;
  }
  EXPECT_FALSE(read(std::string{least} + "catch_up_limit:\n").catch_up_limit);
  EXPECT_FALSE(
      read("topics: {include: [orders]}\ncatch_up_limit: 1MB/s\n", {{"APP_CATCH_UP_LIMIT", "none"}}).catch_up_limit);
}

TEST_F(reading, takes_an_optional_list_of_which_nothing_is_left_for_a_mistake) {
  struct words {
    std::optional<std::vector<std::string>> all;
    void bind(flow::binder& b) { b("all", all, ""); }
  };
  const auto load = [&](std::string_view text) {
    here_.write("app.yaml", text);
    return flow::load<words>({"app.yaml", {}, sample::lookup({}), {}}).all;
  };
  EXPECT_FALSE(load("all: none\n"));
  EXPECT_FALSE(load("all: ~\n"));
  EXPECT_TRUE(load("all: []\n"));
  EXPECT_THROW(load("all:\n  # - one\n"), flow::configuration_error);
}

TEST_F(reading, brings_a_section_back_that_the_file_left_out) {
  const auto s = read("topics: {include: [orders]}\ndedup: none\n", {}, {{"dedup.id", {"/id"}}});
  ASSERT_TRUE(s.dedup);
  EXPECT_EQ(s.dedup->id, "/id");
}

TEST_F(reading, follows_aliases) {
  const auto s = read("topics: {include: &names [orders, payments]}\ntargets: *names\n");
  EXPECT_THAT(s.targets, ElementsAre("orders", "payments"));
}

TEST_F(reading, accepts_a_byte_order_mark_and_windows_line_ends) {
  EXPECT_EQ(read("\xEF\xBB\xBFlanes: 5\r\ntopics: {include: [orders]}\r\n").lanes, 5);
}

TEST_F(reading, works_without_a_file) {
  const auto s = flow::load<settings>({{}, {{"topics.include", {"orders"}}}, sample::lookup({}), {}});
  EXPECT_THAT(s.topics.include, ElementsAre(sample::pattern{"orders"}));
}

TEST_F(reading, takes_arguments_as_main_gets_them) {
  here_.write("app.yaml", "topics: {include: [orders]}\nlanes: 2\n");
  const char* arguments[] = {
      "app", "--config",  "app.yaml", "--commit_every", "20ms", "--no-enabled", "--topics.rename=x", "--targets",
      "a",   "--targets", "b,c",      "--dedup.id",     "/id"};
  const auto s = flow::load<settings>(std::size(arguments), arguments, sample::lookup({}));
  EXPECT_EQ(s.lanes, 2);
  EXPECT_EQ(s.commit_every, 20ms);
  EXPECT_FALSE(s.enabled);
  EXPECT_EQ(s.topics.rename, "x");
  EXPECT_THAT(s.targets, ElementsAre("a", "b", "c"));
  ASSERT_TRUE(s.dedup);
}

TEST_F(reading, says_what_is_in_force_and_where_it_came_from) {
  here_.write("password", "s3cret");
  here_.write("app.yaml",
              "topics: {include: [orders]}\nlanes: 7\n"
              "clusters: {tokyo: {bootstrap.servers: x, ssl.ca: \"${file:password}\", sasl.password: plain}}\n");
  settings s;
  flow::binder b;
  b("", s, "");
  ASSERT_TRUE(
      flow::read_settings(b, {"app.yaml", {{"ratio", {"1"}}}, sample::lookup({{"COMMIT_EVERY", "2s"}}), {}}).empty());
  std::map<std::string, std::string> said;
  std::map<std::string, int> columns;
  for (const auto& each : flow::effective_settings(b)) {
    said[each.path] = each.value + " " + each.at.source + ":" + std::to_string(each.at.line);
    for (const auto& text : each.written) columns[text.text] = text.at.column;
  }
  EXPECT_THAT(columns, ElementsAre(Pair("1", 0), Pair("2s", 0), Pair("7", 8), Pair("orders", 20), Pair("x", 39)));
  EXPECT_EQ(said["lanes"], "7 app.yaml:2");
  EXPECT_EQ(said["commit_every"], "2s environment COMMIT_EVERY:0");
  EXPECT_EQ(said["ratio"], "1 --ratio:0");
  EXPECT_EQ(said["memory"], "256MiB :0");
  EXPECT_EQ(said["token"], "*** :0");
  EXPECT_EQ(said["catch_up_limit"], "none :0");
  EXPECT_EQ(said["topics.include"], "[orders] app.yaml:1");
  EXPECT_EQ(said["clusters"], "{tokyo: {bootstrap.servers: x, sasl.password: ***, ssl.ca: ***}} app.yaml:3");
}

TEST(binding, refuses_one_name_for_two_settings) {
  int first = 0, second = 0;
  flow::binder b;
  b("top", first, "");
  EXPECT_THROW(b("top", second, ""), std::logic_error);
}

TEST(binding, puts_a_section_without_a_name_beside_its_neighbours) {
  struct inner {
    int deep = 0;
    void bind(flow::binder& b) { b("deep", deep, ""); }
  };
  struct outer {
    inner in;
    int flat = 0;
    void bind(flow::binder& b) {
      b("", in, "");
      b("flat", flat, "");
    }
  };
  const auto s = flow::load<outer>({{}, {{"deep", {"1"}}, {"flat", {"2"}}}, sample::lookup({}), {}});
  EXPECT_EQ(s.in.deep, 1);
  EXPECT_EQ(s.flat, 2);
}

}  // namespace
