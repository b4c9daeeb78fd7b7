#include <stdexcept>

#include <flow/drain.hpp>

#include "running.hpp"

namespace flow {
namespace {

using testing::AllOf;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

topology ending_in(auto sink) {
  topology t{"test"};
  t.from(topic<bytes, bytes>{"in"}) | std::move(sink);
  return t;
}

/// What the function of an ordered sink says of so many deliveries.
std::vector<receipt> said(auto f, std::size_t count = 1) {
  delivery_options how;
  how.batch = static_cast<int>(count);
  const running r{ending_in(ordered_sink("crm", f, how))};
  const std::vector<delivery> batch(count);
  return r.plan().sinks()[0].to.call(batch);
}

std::string flaws_of(const topology& t) {
  try {
    t.build();
  } catch (const topology_error& e) {
    return e.what();
  }
  return {};
}

TEST(ordered_sink, is_a_sink_with_lanes_of_its_own_on_home) {
  running r{ending_in(ordered_sink("crm", [](const delivery&) {}, {.in_flight = 3}))};
  EXPECT_FALSE(r.push({.key = "k", .value = "v", .partition = 2, .timestamp = 7}));
  const auto sent = r.take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].sink, "crm");
  EXPECT_EQ(sent[0].value, "v");
  EXPECT_EQ(sent[0].timestamp, 7);
  const auto& spec = r.plan().sinks()[0];
  EXPECT_EQ(spec.names, sink_spec::naming::outside);
  EXPECT_EQ(spec.lanes, "crm");
  EXPECT_THAT(spec.clusters, ElementsAre("home"));
  EXPECT_EQ(spec.to.how.in_flight, 3);
}

TEST(ordered_sink, writes_values_by_the_codec_of_their_type) {
  topology t{"test"};
  t.from(topic<std::string, std::string>{"in"}) |
      map([](const std::string& text) { return std::int32_t(text.size()); }) |
      ordered_sink("crm", [](const delivery&) {});
  running r{t};
  EXPECT_FALSE(r.push({.key = "k", .value = "four"}));
  EXPECT_EQ(r.values(), (std::vector<std::string>{std::string{"\0\0\0\4", 4}}));
}

TEST(ordered_sink, takes_what_a_function_returns_for_what_became_of_it) {
  EXPECT_THAT(said([](const delivery&) {}), ElementsAre(receipt::done()));
  EXPECT_THAT(said([](const delivery&) { return receipt::retriable("busy"); }),
              ElementsAre(receipt::retriable("busy")));
  EXPECT_THAT(said([](std::span<const delivery>) {}, 3), AllOf(SizeIs(3), Each(receipt::done())));
  EXPECT_THAT(said([](std::span<const delivery>) { return receipt::retriable("busy"); }, 2),
              AllOf(SizeIs(2), Each(receipt::retriable("busy"))));
  const auto one_by_one = [](std::span<const delivery>) {
    return std::vector{receipt::done(), receipt::permanent("bad")};
  };
  EXPECT_THAT(said(one_by_one, 2), ElementsAre(receipt::done(), receipt::permanent("bad")));
}

TEST(ordered_sink, takes_what_a_function_throws_for_why_not) {
  EXPECT_THAT(said([](const delivery&) { throw std::runtime_error{"away"}; }), ElementsAre(receipt::retriable("away")));
  EXPECT_THAT(said([](const delivery&) { throw permanent_error{"bad"}; }), ElementsAre(receipt::permanent("bad")));
  EXPECT_THAT(said([](const delivery&) { throw 1; }),
              ElementsAre(receipt::retriable("an exception that says nothing")));
}

TEST(ordered_sink, has_a_batch_come_apart_of_which_something_is_refused) {
  EXPECT_THAT(said([](std::span<const delivery>) { throw permanent_error{"bad"}; }, 2), Each(receipt::apart("bad")));
  EXPECT_THAT(said([](std::span<const delivery>) { return receipt::permanent("bad"); }, 2),
              Each(receipt::apart("bad")));
}

TEST(ordered_sink, is_opened_by_a_function) {
  struct nothing : destination {
    void deliver(std::span<const delivery>, report) override {}
  };
  delivery_options seen;
  const auto open = [&seen](const delivery_options& how) {
    seen = how;
    return std::make_unique<nothing>();
  };
  const running r{ending_in(ordered_sink("crm", open, {.batch = 100}))};
  const auto& to = r.plan().sinks()[0].to;
  EXPECT_FALSE(to.call);
  EXPECT_TRUE(to.open(to.how));
  EXPECT_EQ(seen.batch, 100);
}

TEST(ordered_sink, says_what_is_wrong_with_its_options) {
  const auto one = [](const delivery&) {};
  EXPECT_THAT(flaws_of(ending_in(ordered_sink("crm", one, {.batch = 2}))),
              HasSubstr("'crm' delivers one record at a time, and its batch is larger"));
  EXPECT_THAT(flaws_of(ending_in(ordered_sink("crm", one, {.in_flight = 0, .batch = -1, .ahead = 0}))),
              AllOf(HasSubstr("'crm' has in_flight 0 (1 is the least)"), HasSubstr("'crm' has batch -1"),
                    HasSubstr("'crm' has ahead 0")));
  EXPECT_THAT(flaws_of(ending_in(ordered_sink("crm", one, {.timeout = std::chrono::seconds{1}}))),
              HasSubstr("'crm' has a timeout, and what is late would come behind the next of its key"));
}

TEST(ordered_sink, says_that_its_names_are_too_long_for_a_topic) {
  topology t{std::string(100, 'a')};
  t.from(topic<bytes, bytes>{"in"}) | ordered_sink(std::string(100, 's'), [](const delivery&) {});
  EXPECT_THAT(flaws_of(t), testing::StrEq(""));
  topology longer{std::string(100, 'a')};
  longer.from(topic<bytes, bytes>{"in"}) | ordered_sink(std::string(100, 's'), [](const delivery&) {});
  std::string found;
  try {
    longer.build({.clusters = {}, .home = std::string(50, 'h')});
  } catch (const topology_error& e) {
    found = e.what();
  }
  EXPECT_THAT(found, HasSubstr("cannot be made, its name is too long"));
}

TEST(ordered_sink, keeps_its_letters_in_its_own_lanes) {
  topology t{"test"};
  const auto in = t.from(topic<bytes, bytes>{"in"});
  in | filter("check", [](bytes) { return true; }).on_failure(dead_letter("dlq")) | to("out");
  in | ordered_sink("crm", [](const delivery&) {}).on_failure(dead_letter("dlq"));
  in | ordered_sink("erp", [](const delivery&) {}).on_failure(dead_letter("dlq"));
  const running r{t};
  std::vector<std::string> lanes;
  for (const auto& each : r.plan().sinks())
    if (each.takes_letters) lanes.push_back(each.lanes);
  EXPECT_THAT(lanes, testing::UnorderedElementsAre("", "crm", "erp"));
}

TEST(ordered_sink, is_no_end_for_drain) {
  topology t{"test"};
  t.from(std::vector<std::string>{"a"}) | ordered_sink("crm", [](const delivery&) {});
  EXPECT_THROW(drain(t), std::invalid_argument);
}

TEST(ordered_sink, shows_its_policy) {
  EXPECT_THAT(describe(*ending_in(ordered_sink("crm", [](const delivery&) {}).on_failure(retry(forever))).build()),
              HasSubstr("crm     ordered_sink on failure retry(forever)"));
}

}  // namespace
}  // namespace flow
