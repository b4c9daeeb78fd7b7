#include "running.hpp"

namespace flow {
namespace {

using headers = std::vector<std::pair<std::string, std::optional<std::string>>>;

headers of_first(running& r) {
  const auto all = r.take();
  return all.empty() ? headers{} : all[0].headers;
}

TEST(with_header, adds_a_text_behind_the_headers_that_are_there) {
  auto r = stage<bytes, bytes>([](auto s) { return s | with_header("region", "eu") | with_header("trace", "2"); });
  EXPECT_FALSE(r.push({.key = "k", .value = "v", .timestamp = 7, .headers = {{"trace", "1"}, {"none", std::nullopt}}}));
  const auto sent = r.take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].headers, (headers{{"trace", "1"}, {"none", std::nullopt}, {"region", "eu"}, {"trace", "2"}}));
  EXPECT_EQ(sent[0].key, "k");
  EXPECT_EQ(sent[0].value, "v");
  EXPECT_EQ(sent[0].timestamp, 7);
}

TEST(with_header, adds_what_a_function_makes_of_the_record) {
  auto r = stage<std::string, std::string>([](auto s) {
    return s | with_header("value", [](const std::string& v) { return v + "!"; }) |
           with_header("key", [](const std::string& k, const std::string&) { return k; }) |
           with_header("offset", [](const record<std::string, std::string>& r) { return r.origin().offset; }) |
           with_header("maybe", [](const std::string& v) { return v == "v" ? std::nullopt : std::optional{v}; });
  });
  EXPECT_FALSE(r.push({.key = "k", .value = "v", .offset = 258}));
  EXPECT_EQ(
      of_first(r),
      (headers{
          {"value", "v!"}, {"key", "k"}, {"offset", std::string{"\0\0\0\0\0\0\1\2", 8}}, {"maybe", std::nullopt}}));
  EXPECT_FALSE(r.push({.key = "k", .value = "w"}));
  EXPECT_EQ(of_first(r).back(), (std::pair<std::string, std::optional<std::string>>{"maybe", "w"}));
}

TEST(with_header, lives_as_long_as_the_record_is_on_its_way) {
  topology t{"test"};
  {
    const std::string region(100, 'r');
    t.from(topic<bytes, std::string>{"in"}) | with_header("region", region) |
        with_header("view", [](const std::string& v) { return std::string_view{v}; }) | to("out");
  }
  const auto plan = t.build();
  const auto graph = plan->open();
  arena written;
  std::vector<emission> out;
  for (const auto* text : {"first", "second"}) {
    const std::string buffer = text;
    EXPECT_FALSE(graph->push({0, "home", "in", 0}, {.key = "k", .value = buffer, .headers = {}},
                             {.written = written, .out = out}));
  }
  ASSERT_EQ(out.size(), 2u);
  EXPECT_EQ(out[0].headers[0].value.str(), std::string(100, 'r'));
  EXPECT_EQ(out[0].headers[1].value.str(), "first");
  EXPECT_EQ(out[1].headers[1].value.str(), "second");
}

TEST(with_header, leaves_the_other_readers_of_a_stream_alone) {
  topology t{"test"};
  const auto s = t.from(topic<bytes, bytes>{"in"});
  s | with_header("tag", "marked", "1") | to("tagged", "a");
  s | to("plain", "b");
  running r{t};
  EXPECT_FALSE(r.push(value("v")));
  for (const auto& each : r.take()) EXPECT_EQ(each.headers.size(), each.sink == "tagged" ? 1u : 0u) << each.sink;
}

TEST(with_header, that_fails_is_for_its_policy) {
  topology t{"test"};
  t.from(topic<bytes, std::string>{"in"}) |
      with_header("tenant", "tenant", [](const std::string& v) { return v.substr(3); }).on_failure(skip) | to("out");
  running r{t};
  EXPECT_FALSE(r.push(value("ab")));
  EXPECT_FALSE(r.push(value("abcd")));
  EXPECT_EQ(of_first(r), (headers{{"tenant", "d"}}));
  EXPECT_EQ(r.counts("tenant").skipped, 1u);
}

}  // namespace
}  // namespace flow
