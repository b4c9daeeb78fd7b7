#include <charconv>
#include <functional>

#include <range/v3/range/conversion.hpp>
#include <range/v3/view/split.hpp>
#include <range/v3/view/transform.hpp>

#include "running.hpp"

// Programs as users write them.

namespace {

namespace views = ranges::views;

using namespace std::chrono_literals;

using flow::as;
using flow::by_key;
using flow::bytes;
using flow::dead_letter;
using flow::dedup;
using flow::fan_out;
using flow::filter;
using flow::flat_map;
using flow::key_by;
using flow::keyed;
using flow::map;
using flow::otherwise;
using flow::skip;
using flow::split;
using flow::to;
using flow::topic;
using flow::topics;
using flow::topology;
using flow::when;
using flow::with_header;
using testing::ElementsAre;
using testing::Pair;

struct settings {
  std::string application = "cross-region-sync";
  std::vector<std::string> include{"orders", "payments\\..*"};
  std::vector<std::string> exclude{"payments\\.test"};
  std::vector<std::string> targets{"tokyo", "oregon"};
  std::vector<std::string> critical{"shop"};
  bool only_critical = true;
};

topology sync(const settings& s) {
  topology t{s.application};
  flow::stream<bytes, bytes> events = t.from(topics<bytes, bytes>{s.include, s.exclude});
  if (s.only_critical)
    events = events | filter("critical", [critical = s.critical](bytes event) {
                        return std::ranges::any_of(
                            critical, [&](const std::string& from) { return event.view().starts_with(from); });
                      }).on_failure(skip);
  events | fan_out("regions", s.targets, {.rename = "{source}.{topic}"}).on_failure(skip);
  return t;
}

TEST(a_replicator, forwards_what_matters_byte_for_byte) {
  flow::running r{sync({}), {.clusters = {"tokyo", "oregon"}}};
  EXPECT_FALSE(
      r.push({.key = "k", .value = "shop: sold", .partition = 4, .headers = {{"trace", "1"}}, .topic = "orders"}));
  EXPECT_FALSE(r.push({.key = "k", .value = "test: sold", .topic = "orders"}));
  const auto sent = r.take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].value, "shop: sold");
  EXPECT_EQ(sent[0].partition, 4);
  EXPECT_EQ(sent[0].headers.size(), 1u);
  EXPECT_EQ(r.plan().sinks()[0].on_failure, skip);
}

topology words() {
  topology t{"words"};
  t.from(topic<bytes, std::string>{"lines"}) | flat_map([](const std::string& l) {
    return l | views::split(' ') | views::transform(ranges::to<std::string>());
  }) | key_by(std::identity{}) |
      to("words");
  return t;
}

TEST(a_word_count, has_its_words_by_key) {
  flow::running r{words()};
  EXPECT_FALSE(r.push({.value = "to be or"}));
  const auto sent = r.take();
  ASSERT_EQ(sent.size(), 3u);
  EXPECT_EQ(sent[1].key, "be");
  EXPECT_EQ(sent[1].value, "be");
  EXPECT_EQ(sent[1].hash, flow::key_hash("be"));
}

int to_cents(const std::string& text) {
  int cents = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), cents);
  if (read.ec != std::errc{}) throw flow::malformed{"is no amount"};
  return cents;
}

int add_fee(int cents) {
  return cents + 30;
}

topology payments() {
  topology t{"payments"};
  t.from(topic<bytes, std::string>{"payments"}) | map("parse", to_cents).on_failure(skip) |
      filter("not-refunds", [](int cents) { return cents >= 0; }) | map("add-fee", add_fee) |
      to(topic<bytes, int>{"charged"});
  return t;
}

TEST(a_payment, is_charged_unless_it_makes_no_sense) {
  flow::running r{payments()};
  for (const char* text : {"70", "nonsense", "-5"}) EXPECT_FALSE(r.push({.value = text}));
  EXPECT_THAT(r.values(), ElementsAre(std::string{"\0\0\0\x64", 4}));
  EXPECT_EQ(r.counts("parse").skipped, 1u);
  EXPECT_EQ(r.counts("not-refunds").dropped, 1u);
}

struct order {
  std::string customer_id;
  std::string region;
};

struct shipment {
  std::string id;
  std::string warehouse;
  std::chrono::sys_seconds packed_at{};
};

}  // namespace

template <>
struct flow::codec<shipment> {
  static shipment decode(bytes raw) {
    const std::string text = raw.str();
    const std::size_t first = text.find(' '), second = text.find(' ', first + 1);
    if (second == std::string::npos) throw malformed{"is no shipment"};
    return {text.substr(0, first), text.substr(first + 1, second - first - 1),
            std::chrono::sys_seconds{std::chrono::seconds{std::stoi(text.substr(second + 1))}}};
  }
  static bytes encode(const shipment& s, std::string& room) { return room = s.id + " " + s.warehouse; }
};

template <>
struct flow::codec<order> {
  static order decode(bytes raw) {
    const std::size_t at = raw.view().find('@');
    if (at == std::string_view::npos) throw malformed{"is no order"};
    return {std::string{raw.view().substr(0, at)}, std::string{raw.view().substr(at + 1)}};
  }
  static bytes encode(const order& o, std::string& room) { return room = o.customer_id + "@" + o.region; }
};

namespace {

TEST(orders, are_branched_keyed_and_routed) {
  topology t{"orders"};
  auto orders = t.from(topic<std::string, order>{"orders"}).on_failure(skip);
  auto [eu, rest] = orders | split(when("eu", [](const order& o) { return o.region == "eu"; }), otherwise("rest"));
  eu | key_by(&order::customer_id) | to("eu-orders", {.cluster = "frankfurt"});
  rest | to([](const order& o) { return "orders-" + o.region; });
  int seen = 0;
  flow::merge(eu, rest) | flow::for_each([&seen](const std::string&, const order&) { ++seen; });
  flow::running r{t, {.clusters = {"frankfurt"}}};
  for (const char* text : {"ann@eu", "bob@us", "broken"}) EXPECT_FALSE(r.push({.key = "k", .value = text}));
  const auto sent = r.take();
  ASSERT_EQ(sent.size(), 2u);
  EXPECT_EQ(sent[0].key, "ann");
  EXPECT_EQ(sent[0].value, "ann@eu");
  EXPECT_EQ(sent[1].topic, "orders-us");
  EXPECT_EQ(seen, 2);
}

topology shipments(const std::vector<std::string>& regions) {
  topology t{"shipments"};
  t.from(topics<bytes, bytes>{{"shipments[.].*"}},
         {.time = [](bytes raw) { return flow::codec<shipment>::decode(raw).packed_at; }})
          .on_failure(dead_letter("shipments.malformed")) |
      as<shipment>() | dedup("once", &shipment::id, 1h) | with_header("warehouse", &shipment::warehouse) |
      with_header("schema", "2") |
      fan_out("regions", regions).rename([](const shipment& s) { return "shipments-" + s.warehouse; });
  return t;
}

TEST(a_shipment, goes_once_to_its_warehouse_as_it_came_at_the_time_it_was_packed) {
  flow::running r{shipments({"tokyo", "oregon"}), {.clusters = {"tokyo", "oregon"}}};
  std::int64_t offset = 0;
  for (const char* text : {"7 north 100", "7 north 200", "8 north 201", "7 south 3801", "broken"})
    EXPECT_FALSE(r.push({.key = "k", .value = text, .partition = 2, .offset = ++offset, .timestamp = offset}));
  const auto sent = r.take();
  ASSERT_EQ(sent.size(), 4u);
  EXPECT_EQ(sent[0].topic, "shipments-north");
  EXPECT_EQ(sent[0].value, "7 north 100");
  EXPECT_EQ(sent[0].timestamp, 100'000);
  EXPECT_THAT(sent[0].headers, ElementsAre(Pair("warehouse", "north"), Pair("schema", "2")));
  EXPECT_EQ(sent[2].topic, "shipments-south");
  EXPECT_EQ(sent[3].sink, "dead letters to shipments.malformed");
  EXPECT_EQ(sent[3].timestamp, 5);
}

}  // namespace
