#include "running.hpp"

namespace flow {
namespace {

struct counting {
  static inline int decoded = 0;
  static std::string decode(bytes raw) { return ++decoded, raw.str(); }
  static bytes encode(const std::string& value, std::string&) { return value; }
};

topic<std::string, std::string> counted() {
  return {"in", counting{}, counting{}};
}

TEST(record, is_forwarded_byte_for_byte_and_never_decoded_if_nobody_looks) {
  topology t{"test"};
  t.from(counted()) | filter([](const record<std::string, std::string>&) { return true; }) | to("out");
  running r{t};
  counting::decoded = 0;
  const std::vector<std::pair<std::string, std::optional<std::string>>> headers{
      {"a", "1"}, {"a", ""}, {"b", std::nullopt}};
  for (const auto& key :
       {std::optional<std::string>{}, std::optional<std::string>{""}, std::optional<std::string>{"k"}})
    for (const auto& content : {std::optional<std::string>{}, std::optional<std::string>{""},
                                std::optional<std::string>{std::string{"\0\xff", 2}}}) {
      EXPECT_FALSE(r.push({.key = key, .value = content, .partition = 5, .timestamp = 77, .headers = headers}));
      const auto sent = r.take();
      ASSERT_EQ(sent.size(), 1u);
      EXPECT_EQ(sent[0].key, key);
      EXPECT_EQ(sent[0].value, content);
      EXPECT_EQ(sent[0].partition, 5);
      EXPECT_EQ(sent[0].timestamp, 77);
      EXPECT_EQ(sent[0].headers, headers);
    }
  EXPECT_EQ(counting::decoded, 0);
}

TEST(record, is_decoded_once) {
  topology t{"test"};
  const auto is_good = [](const std::string& v) { return !v.empty(); };
  t.from(counted()) | filter(is_good) | filter(is_good) | peek([](const std::string&) {}) | to("out");
  running r{t};
  counting::decoded = 0;
  EXPECT_FALSE(r.push(value("v")));
  EXPECT_EQ(counting::decoded, 1);
}

TEST(record, that_nobody_wrote_leaves_as_the_very_bytes_that_came) {
  topology t{"test"};
  t.from(topic<std::string, std::string>{"in"}) | filter([](const std::string& v) { return !v.empty(); }) |
      key_by([](const std::string& v) { return v.size(); }) | to("out");
  const auto plan = t.build();
  const auto graph = plan->open();
  arena written;
  std::vector<emission> out;
  const std::string content = "content";
  EXPECT_FALSE(graph->push({0, "home", "in", 0}, {.key = "k", .value = content, .headers = {}}, {.active = 1, .written = written, .out = out}));
  ASSERT_EQ(out.size(), 1u);
  EXPECT_EQ(out[0].value.data(), content.data());
}

TEST(record, knows_where_it_was_read) {
  topology t{"test"};
  std::string seen;
  t.from(topic<bytes, bytes>{"in"}) | for_each([&seen](const record<bytes, bytes>& r) {
    const origin& from = r.origin();
    seen = std::string{from.cluster} + " " + std::string{from.topic} + " " + std::to_string(from.partition) + " " +
           std::to_string(from.offset);
  });
  running r{t};
  EXPECT_FALSE(r.push({.partition = 3, .offset = 12, .topic = "orders"}));
  EXPECT_EQ(seen, "home orders 3 12");
}

TEST(record, is_copied_for_each_reader_of_a_stream) {
  topology t{"test"};
  auto s = t.from(topic<bytes, std::string>{"in"}) | map([](const std::string& v) { return v + v; });
  std::vector<std::string> seen;
  s | map([](const std::string& v) { return v + "1"; }) | collect(seen);
  s | map([](const std::string& v) { return v + "2"; }) | collect(seen);
  s | collect(seen);
  running r{t};
  const std::string a_long_one(60, 'a');
  EXPECT_FALSE(r.push(value(a_long_one)));
  EXPECT_THAT(seen, testing::ElementsAre(a_long_one + a_long_one + "1", a_long_one + a_long_one + "2",
                                         a_long_one + a_long_one));
}

}  // namespace
}  // namespace flow
