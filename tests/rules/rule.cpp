#include <cmath>
#include <limits>

#include "judged.hpp"
#include "running.hpp"

namespace flow {
namespace {

using testing::ElementsAre;

/// A document with one member, as it is written.
std::string a(const std::string& value) {
  return R"({"a": )" + value + "}";
}

TEST(comparison, of_numbers_goes_by_what_they_mean) {
  const auto n = json::at("/a");
  for (const char* one : {"1", "1.0", "1e0", "10e-1", "0.1E+1", "100.0e-2", "1.000000000000000000000000000000"}) {
    EXPECT_TRUE(passes(n == 1, a(one))) << one;
    EXPECT_TRUE(passes(n.any_of({7, 1}), a(one))) << one;
    EXPECT_FALSE(passes(n != 1, a(one))) << one;
    EXPECT_TRUE(passes(n < 2 && n <= 1 && n > 0.99 && n >= 1, a(one))) << one;
    EXPECT_FALSE(passes(n < 1 || n > 1 || n <= -1 || n >= 2, a(one))) << one;
  }
  EXPECT_TRUE(passes(n == 0.1, a("0.1")));
  EXPECT_FALSE(passes(n == 0.1, a("0.1000000000000000055511151231257827")));
  EXPECT_TRUE(passes(n > 9'007'199'254'740'992, a("9007199254740993")));
  EXPECT_TRUE(passes(n < std::numeric_limits<std::uint64_t>::max(), a("18446744073709551614.999")));
  EXPECT_TRUE(passes(n > 1e308, a("1e999999999999999999999999")));
  EXPECT_TRUE(passes(n == 0, a("-0.000e7")));
  EXPECT_TRUE(passes(n == literal::number("12e-1"), a("1.2")));
}

TEST(comparison, of_texts_goes_by_their_bytes) {
  const auto text = json::at("/a");
  EXPECT_TRUE(passes(text == "b" && text > "a" && text >= "b" && text < "bb" && text <= "b", a(R"("b")")));
  EXPECT_FALSE(passes(text < "b" || text > "b" || text != "b", a(R"("b")")));
  EXPECT_TRUE(passes(text > "Z" && text < "é", a(R"("a")")));
  EXPECT_TRUE(passes(text == "é" && text > "z", a(R"("\u00e9")")));
  EXPECT_TRUE(passes(text >= "2024-02-29" && text < "2024-03-01", a(R"("2024-02-29T12:00:00Z")")));
}

TEST(comparison, of_truth_values) {
  EXPECT_TRUE(passes(json::at("/a") == true, a("true")));
  EXPECT_FALSE(passes(json::at("/a") == true, a("false")));
  EXPECT_TRUE(passes(json::at("/a") != false, a("true")));
  EXPECT_TRUE(passes(json::at("/a").any_of({"x", 1, false}), a("false")));
}

TEST(comparison, is_with_its_like_only) {
  const std::pair<const char*, literal> pairs[] = {
      {R"("1")", 1}, {"1", "1"},      {R"("true")", true}, {"true", "true"}, {"1", true},        {"null", ""},
      {"null", 0},   {"null", false}, {R"("null")", 0.0},  {"[1]", 1},       {R"({"a": 1})", 1}, {R"(["x"])", "x"}};
  for (const auto& [written, value] : pairs) {
    const auto it = json::at("/a");
    EXPECT_FALSE(passes(it == value || it.any_of({value}), a(written))) << written;
    EXPECT_FALSE(passes(it < value || it <= value || it > value || it >= value, a(written))) << written;
    EXPECT_TRUE(passes(it != value, a(written))) << written;
  }
}

TEST(comparison, with_what_is_not_there_is_false) {
  const auto it = json::at("/b");
  EXPECT_FALSE(passes(it == 1 || it != 1 || it < 1 || it <= 1 || it > 1 || it >= 1, a("1")));
  EXPECT_FALSE(passes(it.exists() || it.any_of({"x", 1}) || it.matches(".*") || it.matches(""), a("1")));
  EXPECT_TRUE(passes(!(it == 1) && !(it != 1), a("1")));
}

TEST(matches, takes_the_whole_text) {
  const auto it = json::at("/a");
  EXPECT_TRUE(passes(it.matches("Entity(Created|Deleted)"), a(R"("EntityDeleted")")));
  EXPECT_FALSE(passes(it.matches("Entity"), a(R"("EntityDeleted")")));
  EXPECT_FALSE(passes(it.matches("Deleted"), a(R"("EntityDeleted")")));
  EXPECT_TRUE(passes(it.matches("(?i)entity.*"), a(R"("ENTITY")")));
  EXPECT_TRUE(passes(it.matches(""), a(R"("")")));
  EXPECT_TRUE(passes(it.matches("."), a(R"("\u9375")")));
  EXPECT_FALSE(passes(it.matches(".*"), a(R"("a\nb")")));
  EXPECT_FALSE(passes(it.matches("1"), a("1")));
  EXPECT_FALSE(passes(it.matches(".*"), a("null")));
}

TEST(matches, takes_time_that_grows_with_the_text_alone) {
  const auto it = json::at("/a").matches("(a*)*(a|aa)*(a?){50}b");
  EXPECT_FALSE(passes(it, a('"' + std::string(1 << 20, 'a') + '"')));
  EXPECT_TRUE(passes(it, a('"' + std::string(1 << 20, 'a') + "b\"")));
}

TEST(matches, bytes_that_are_no_text_match_no_character) {
  const auto by = [](std::string expression, std::string_view key) {
    return judged{.key = key}.by(key_bytes().matches(std::move(expression)));
  };
  EXPECT_TRUE(by("..", "\xc3\xa9x"));
  EXPECT_FALSE(by(".*", "\xff\xfe"));
  EXPECT_FALSE(by("[^a]", "\xff"));
  EXPECT_TRUE(by("\\C\\C", "\xff\xfe"));
  EXPECT_FALSE(by("\xc3\xa9.*", "\xc3\xa9\xa9"));
}

TEST(topic_name, is_what_the_record_was_read_from) {
  const judged r{.topic = "payments.eu"};
  EXPECT_TRUE(r.by(topic_name() == "payments.eu"));
  EXPECT_TRUE(r.by(topic_name().matches("payments\\..*") && topic_name().exists() && topic_name() > "orders"));
  EXPECT_FALSE(r.by(topic_name().any_of({"orders", "payments"})));
  EXPECT_FALSE(judged{.topic = ""}.by(topic_name().exists()));
}

TEST(key_bytes, are_the_key_or_none) {
  EXPECT_TRUE(judged{.key = "eu-1"}.by(key_bytes().matches("eu-.*") && key_bytes() < "eu-2"));
  EXPECT_TRUE(judged{.key = ""}.by(key_bytes().exists() && key_bytes() == ""));
  EXPECT_FALSE(judged{.key = nullptr}.by(key_bytes().exists() || key_bytes() != "" || key_bytes().matches(".*")));
  EXPECT_TRUE(judged{.key = "\xff"}.by(key_bytes() == "\xff"));
}

TEST(header_value, is_that_of_the_last_header_of_that_name) {
  const judged r{.headers = {{"type", "a"}, {"Type", "c"}, {"type", "b"}, {"none", nullptr}, {"empty", ""}}};
  EXPECT_TRUE(r.by(header_value("type") == "b" && !(header_value("type") == "a")));
  EXPECT_TRUE(r.by(header_value("type").any_of({"x", "b"}) && header_value("type").matches("[ab]")));
  EXPECT_FALSE(r.by(header_value("typ").exists() || header_value("").exists()));
  EXPECT_TRUE(r.by(header_value("none").exists() && header_value("none") != ""));
  EXPECT_FALSE(r.by(header_value("none") == "" || header_value("none").matches(".*")));
  EXPECT_TRUE(r.by(header_value("empty") == "" && header_value("empty").matches(".*")));
}

TEST(header_value, is_a_number_or_a_truth_value_if_it_can_be_read_as_one) {
  const judged r{.headers = {{"version", "2"}, {"test", "true"}, {"half", "0.50"}, {"padded", " 2"}, {"word", "two"}}};
  EXPECT_TRUE(r.by(header_value("version") >= 2 && header_value("version") < 10 && header_value("version") == "2"));
  EXPECT_TRUE(r.by(header_value("half") == 0.5 && header_value("test") == true));
  EXPECT_FALSE(r.by(header_value("padded") == 2 || header_value("word") > 1 || header_value("version") == true));
}

TEST(a_rule, leaves_a_value_alone_that_it_can_do_without) {
  const judged broken{.value = "no JSON", .key = "k", .topic = "audit"};
  EXPECT_TRUE(broken.by(topic_name() == "audit" || json::at("/a").exists()));
  EXPECT_FALSE(broken.by(json::at("/a").exists() && key_bytes() == "other"));
  EXPECT_THROW(broken.by(topic_name() == "audit" && json::at("/a").exists()), json::malformed);
}

TEST(a_rule, is_open_for_a_null_value_whose_places_it_needs) {
  const judged deletion{.value = nullptr, .topic = "audit"};
  const auto place = json::at("/a").exists();
  const auto topic = topic_name() == "audit";
  EXPECT_EQ(deletion.decided_by(place), std::nullopt);
  EXPECT_EQ(deletion.decided_by(!place), std::nullopt);
  EXPECT_EQ(deletion.decided_by(topic && place), std::nullopt);
  EXPECT_EQ(deletion.decided_by(topic || place), true);
  EXPECT_EQ(deletion.decided_by(!topic && place), false);
  EXPECT_TRUE(deletion.by(place));
  EXPECT_TRUE(deletion.by(!place));
  EXPECT_FALSE(deletion.by(!topic && place));
}

TEST(a_rule, that_is_empty_is_true_of_everything) {
  EXPECT_EQ(judged{.value = nullptr}.decided_by(rule{}), true);
  EXPECT_EQ(judged{.value = "no JSON"}.decided_by(!rule{}), false);
  const auto a = json::at("/a").exists();
  EXPECT_TRUE(passes(rule{} && a, R"({"a":1})"));
  EXPECT_FALSE(passes(rule{} && a, "{}"));
  EXPECT_TRUE(passes(rule{} || a, "{}"));
}

TEST(a_rule, can_be_combined_without_end) {
  auto all = rule{};
  auto any = !rule{};
  for (int i = 0; i < 2000; ++i) {
    all = all && json::at("/" + std::to_string(i)) == i;
    any = any || json::at("/" + std::to_string(i)) == i;
  }
  std::string text = "{";
  for (int i = 0; i < 2000; ++i) text += (i ? ",\"" : "\"") + std::to_string(i) + "\":" + std::to_string(i);
  EXPECT_TRUE(passes(all, text + "}"));
  EXPECT_FALSE(passes(all, text + "1}"));
  EXPECT_TRUE(passes(any, R"({"0": 1, "1999": 1999})"));
  EXPECT_FALSE(passes(any, R"({"0": 1, "1999": 1998})"));
}

TEST(to_string, gives_a_rule_as_a_program_has_it) {
  const std::pair<rule, const char*> rules[] = {
      {json::at("/source").any_of({"a", "b"}), R"(json::at("/source").any_of({"a", "b"}))"},
      {json::at("/a") == 1 && !header_value("h").exists(), R"(json::at("/a") == 1 && !header_value("h").exists())"},
      {!(key_bytes() != "k"), R"(!(key_bytes() != "k"))"},
      {(topic_name() < "t" || key_bytes() <= 0.5) && json::at("") > -3,
       R"((topic_name() < "t" || key_bytes() <= 0.5) && json::at("") > -3)"},
      {(topic_name() >= "t" && key_bytes() == true) || json::at("/a").exists() || json::at("/b").exists(),
       R"((topic_name() >= "t" && key_bytes() == true) || json::at("/a").exists() || json::at("/b").exists())"},
      {!(json::at("/a").exists() && json::at("/b").exists()),
       R"(!(json::at("/a").exists() && json::at("/b").exists()))"},
      {!!json::at("/a").exists(), R"(!!json::at("/a").exists())"},
      {json::at("/a\n\"").matches("\\d+\\."), R"(json::at("/a\012\"").matches("\\d+\\."))"},
      {rule{}, "rule{}"},
      {!rule{}, "!rule{}"},
      {rule{} && key_bytes() == "k", R"(key_bytes() == "k")"}};
  for (const auto& [what, text] : rules) EXPECT_EQ(to_string(what), text);
}

TEST(flaws, are_all_told) {
  const auto bad = json::at("a").exists() || !(json::at("/~").matches("x(") && key_bytes() == std::nan("")) ||
                   json::at("/b").any_of({"x", literal::number("0x1")});
  EXPECT_EQ(wrong(bad),
            "JSON pointer 'a', position 0: a pointer begins with '/' (write '/a')\n"
            "regular expression 'x(': missing ): x( (mend it, or escape what is meant literally; there are no "
            "look-arounds and no back-references)\n"
            "JSON pointer '/~', position 1: '~' stands only before 0 and 1 (write '~0' for '~' itself)\n"
            "a rule compares with nan, which is no number in JSON (compare with one)\n"
            "a rule compares with 0x1, which is no number in JSON (compare with one)");
  EXPECT_THROW(passes(bad, "{}"), std::logic_error);
}

TEST(flaws, of_expressions) {
  for (const char* expression : {"(", "a{1001}", "(?=a)", "(a)\\1", "[z-a]", "*", "\\", "\xff", "((a{100}){100}){100}"})
    EXPECT_TRUE(wrong(topic_name().matches(expression)).starts_with("regular expression '")) << expression;
}

std::vector<std::string> flaws(const topology& t) {
  std::vector<std::string> all;
  try {
    t.build();
  } catch (const topology_error& e) {
    for (const flaw& each : e.flaws()) all.push_back(each.text);
  }
  return all;
}

TEST(flaws, keep_a_topology_from_being_built_together_with_all_else) {
  topology t{"my app"};
  auto s = t.from(topic<bytes, bytes>{"in"});
  s | filter("first", json::at("a").exists()) | to("out");
  auto [some, rest] =
      s | split("second", when("some", json::at("b").exists() && key_bytes().matches("(")), otherwise("rest"));
  merge(some, rest) | to("other");
  EXPECT_THAT(flaws(t), ElementsAre(testing::StartsWith("the application's name"),
                                    "'first': JSON pointer 'a', position 0: a pointer begins with '/'",
                                    "'second': JSON pointer 'b', position 0: a pointer begins with '/'",
                                    "'second': regular expression '(': missing ): ("));
}

TEST(filter, takes_a_rule_and_says_what_it_is) {
  topology t{"test"};
  t.from(topic<bytes, bytes>{"in"}) | filter("large", json::at("/cents") >= 100) | for_each([](bytes) {});
  EXPECT_THAT(describe(*t.build()), testing::HasSubstr(R"(filter json::at("/cents") >= 100  -> for_each-1)"));
}

/// Why a record does not get through, if it is not dropped.
std::string failure_of(running& stage, given what) {
  const auto why = stage.push(what);
  return why ? why->reason : "";
}

TEST(filter, looks_at_keys_and_values_of_any_type_as_they_came) {
  auto s = stage<std::int32_t, std::string>(
      [](auto in) { return in | filter("a", json::at("/a") == 1 && key_bytes() == "four"); });
  EXPECT_EQ(failure_of(s, {.key = "four", .value = R"({"a":1, "this": "one"})"}), "");
  EXPECT_EQ(failure_of(s, {.key = "five", .value = R"({"a":1})"}), "");
  EXPECT_THAT(s.values(), ElementsAre(R"({"a":1, "this": "one"})"));
}

TEST(filter, looks_at_text_that_was_put_in_their_place) {
  auto s = stage<bytes, bytes>([](auto in) {
    return in | map([](bytes value) {
             return keyed{std::string{"k"}, value.str() + "}"};
           }) |
           filter("a", json::at("/a") == 1 && key_bytes() == "k");
  });
  EXPECT_EQ(failure_of(s, value(R"({"a":1)")), "");
  EXPECT_THAT(s.values(), ElementsAre(R"({"a":1})"));
}

TEST(filter, fails_where_there_are_no_bytes_to_look_at) {
  auto s = stage<bytes, bytes>([](auto in) {
    return in | map([](bytes) { return 7; }) | filter("topic", topic_name() == "in") | filter("a", json::at("/a") == 1);
  });
  EXPECT_EQ(failure_of(s, value("{}")), "flow: a rule looks at the value, which is no bytes any more");
}

TEST(filter, leaves_what_is_malformed_to_its_policy) {
  auto stops = stage<bytes, bytes>([](auto in) { return in | filter("a", json::at("/a") == 1); });
  EXPECT_EQ(failure_of(stops, value(R"({"a": x})")), "not JSON at byte 6: a value is expected");
  auto skips = stage<bytes, bytes>([](auto in) { return in | filter("a", json::at("/a") == 1).on_failure(skip); });
  EXPECT_EQ(failure_of(skips, value(R"({"a": x})")), "");
  EXPECT_EQ(skips.counts("a").skipped, 1u);
}

}  // namespace
}  // namespace flow
