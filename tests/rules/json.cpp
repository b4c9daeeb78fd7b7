#include <gtest/gtest.h>

#include <array>
#include <random>
#include <thread>

#include "grammar.hpp"
#include "judged.hpp"

namespace flow {
namespace {

const auto critical = json::at("/source").any_of({"demo.order", "demo.payment"});
const auto consistency = json::at("/detail-type").any_of({"EntityCreated", "EntityDeleted"});
const auto seed = critical || consistency;

TEST(json_rule, compares_strings) {
  EXPECT_TRUE(passes(seed, R"({"source": "demo.order", "detail-type": "Other"})"));
  EXPECT_TRUE(passes(seed, R"({"source": "other", "detail-type": "EntityDeleted"})"));
  EXPECT_FALSE(passes(seed, R"({"source": "other", "detail-type": "Other"})"));
  EXPECT_TRUE(passes(json::at("/a") == "x", R"({"a":"x"})"));
  EXPECT_TRUE(passes(json::at("/a") == "", R"({"a":""})"));
  EXPECT_FALSE(passes(json::at("/a").any_of({}), R"({"a":""})"));
}

TEST(json_rule, a_string_equals_strings_only) {
  const auto one = json::at("/a").any_of({"1", "true", "null", "[]", "x"});
  for (const auto* value : {"1", "true", "null", "[]", R"(["x"])", R"({"x":"x"})", "1.0"})
    EXPECT_FALSE(passes(one, R"({"a":)" + std::string{value} + "}")) << value;
  EXPECT_TRUE(passes(one, R"({"a":"1"})"));
}

TEST(json_rule, what_is_missing_is_no_match) {
  EXPECT_FALSE(passes(seed, "{}"));
  EXPECT_FALSE(passes(seed, R"({"detail": {"source": "demo.order"}})"));
  EXPECT_FALSE(passes(seed, R"({"Source": "demo.order"})"));
  EXPECT_FALSE(passes(seed, R"({"source": {"source": "demo.order"}})"));
}

TEST(json_rule, whatever_is_no_object_at_the_top_is_no_match) {
  for (const auto* value : {R"(["source", "demo.order"])", R"("demo.order")", "1", "-0.5e+3", "true", "false", "null",
                            " [] ", " 7\n", R"([{"source": "demo.order"}])"}) {
    EXPECT_FALSE(passes(seed, value)) << value;
    EXPECT_FALSE(passes(json::at("").exists(), value)) << value;
    EXPECT_TRUE(passes(!seed, value)) << value;
  }
}

TEST(json_rule, exists_means_that_something_is_there) {
  const auto there = json::at("/a").exists();
  for (const auto* value : {"null", "0", "\"\"", "[]", "{}", "false"})
    EXPECT_TRUE(passes(there, R"({"a":)" + std::string{value} + "}")) << value;
  EXPECT_FALSE(passes(there, R"({"b":1})"));
  EXPECT_TRUE(passes(json::at("").exists(), "{}"));
}

TEST(json_rule, combines) {
  const auto a = json::at("/a").exists();
  const auto b = json::at("/b").exists();
  for (const bool with_a : {false, true})
    for (const bool with_b : {false, true}) {
      const std::string value =
          std::string{"{"} + (with_a ? R"("a":1,)" : "") + (with_b ? R"("b":1,)" : "") + R"("c":1})";
      EXPECT_EQ(passes(a || b, value), with_a || with_b) << value;
      EXPECT_EQ(passes(a && b, value), with_a && with_b) << value;
      EXPECT_EQ(passes(!a, value), !with_a) << value;
      EXPECT_EQ(passes(!(a && b) && (a || b), value), with_a != with_b) << value;
      EXPECT_EQ(passes(!(!a), value), with_a) << value;
      EXPECT_EQ(passes(a || !a, value), true) << value;
    }
}

TEST(json_rule, pointers_into_one_another) {
  const auto outer = json::at("/a").exists();
  const auto inner = json::at("/a/b") == "x";
  EXPECT_TRUE(passes(outer && inner, R"({"a":{"b":"x"}})"));
  EXPECT_FALSE(passes(outer && inner, R"({"a":{"b":"y"}})"));
  EXPECT_TRUE(passes(outer && !inner, R"({"a":"x"})"));
  EXPECT_TRUE(passes(json::at("").exists() && inner, R"({"c":[1,{"b":2}],"a":{"c":{},"b":"x"}})"));
}

TEST(json_rule, a_tombstone_passes_every_rule) {
  EXPECT_TRUE(passes(seed, nullptr));
  EXPECT_TRUE(passes(!seed, nullptr));
  EXPECT_TRUE(passes(seed && !seed, nullptr));
}

TEST(json_rule, names_and_strings_are_unescaped) {
  EXPECT_TRUE(passes(seed, R"({"so\u0075rce": "demo\u002eorder"})"));
  EXPECT_TRUE(passes(seed, R"({"source": "demo.orde\u0072"})"));
  EXPECT_TRUE(
      passes(json::at("/k\"\\~1\b\f\n\r\t") == "\"\\/\b\f\n\r\t", R"({"k\"\\\/\b\f\n\r\t": "\"\\\/\b\f\n\r\t"})"));
  EXPECT_TRUE(passes(json::at("/ключ/鍵") == "🙂", R"({"ключ": {"\u9375": "\ud83d\ude42"}})"));
  EXPECT_TRUE(passes(json::at("/a") == std::string{"x\0y", 3}, R"({"a":"x\u0000y"})"));
}

TEST(json_rule, half_a_surrogate_pair_is_json_and_equals_nothing) {
  const auto any = json::at("/a").any_of({"", "\xef\xbf\xbd", R"(\ud800)"});
  EXPECT_FALSE(passes(any, R"({"a": "\ud800"})"));
  EXPECT_FALSE(passes(any, R"({"\udc00": "", "b": "\ud800\ud800"})"));
  EXPECT_TRUE(passes(json::at("/a").exists(), R"({"a": "\ud800"})"));
}

TEST(json_rule, the_first_of_two_members_counts) {
  EXPECT_TRUE(passes(critical, R"({"source": "demo.order", "source": "other"})"));
  EXPECT_FALSE(passes(critical, R"({"source": "other", "source": "demo.order"})"));
  EXPECT_FALSE(passes(json::at("/a/b").exists(), R"({"a": {}, "a": {"b": 1}})"));
  EXPECT_FALSE(passes(json::at("/a/b").exists(), R"({"a": 1, "\u0061": {"b": 1}})"));
}

TEST(json_pointer, follows_rfc_6901) {
  const std::string document = R"({"foo": ["bar", "baz"], "": "0", "a/b": "1", "c%d": "2", "e^f": "3", "g|h": "4",
                                   "i\\j": "5", "k\"l": "6", " ": "7", "m~n": "8"})";
  EXPECT_TRUE(passes(json::at("").exists(), document));
  EXPECT_TRUE(passes(json::at("/foo").exists(), document));
  EXPECT_TRUE(passes(json::at("/foo/0") == "bar", document));
  EXPECT_TRUE(passes(json::at("/foo/1") == "baz", document));
  const std::pair<const char*, const char*> members[] = {{"/", "0"},     {"/a~1b", "1"}, {"/c%d", "2"},
                                                         {"/e^f", "3"},  {"/g|h", "4"},  {"/i\\j", "5"},
                                                         {"/k\"l", "6"}, {"/ ", "7"},    {"/m~0n", "8"}};
  for (const auto& [pointer, string] : members) EXPECT_TRUE(passes(json::at(pointer) == string, document)) << pointer;
  EXPECT_TRUE(passes(json::at("/~01").exists(), R"({"~1": 0})"));
}

TEST(json_pointer, counts_elements_of_arrays) {
  const std::string document = R"({"a": [0, [1, {"b": "x"}], "y"], "o": {"01": 1, "-": 2}})";
  EXPECT_TRUE(passes(json::at("/a/1/1/b") == "x", document));
  EXPECT_TRUE(passes(json::at("/a/2") == "y" && json::at("/a/0").exists(), document));
  for (const auto* pointer : {"/a/3", "/a/-", "/a/01", "/a/+1", "/a/1 ", "/a/", "/a/18446744073709551616", "/a/b"})
    EXPECT_FALSE(passes(json::at(pointer).exists(), document)) << pointer;
  EXPECT_TRUE(passes(json::at("/o/01").exists() && json::at("/o/-").exists(), document));
}

std::string wrong_at(std::string pointer) {
  return wrong(json::at(std::move(pointer)).exists());
}

TEST(json_pointer, says_what_is_wrong_with_it) {
  EXPECT_EQ(wrong_at("source"), "JSON pointer 'source', position 0: a pointer begins with '/' (write '/source')");
  EXPECT_EQ(wrong_at("/a~2b"),
            "JSON pointer '/a~2b', position 2: '~' stands only before 0 and 1 (write '~0' for '~' itself)");
  EXPECT_EQ(wrong_at("/a/~"),
            "JSON pointer '/a/~', position 3: '~' stands only before 0 and 1 (write '~0' for '~' itself)");
}

TEST(json_malformed, says_where_and_why_and_nothing_of_the_content) {
  EXPECT_EQ(refusal(seed, ""), "not JSON at byte 0: Empty: no JSON found");
  EXPECT_EQ(refusal(seed, R"({"a": secret})"), "not JSON at byte 6: a value is expected");
  EXPECT_EQ(refusal(seed, R"({"a": "x\y"})"), "not JSON at byte 8: an escape sequence that does not exist");
  EXPECT_EQ(refusal(seed, R"({"a": 1} {})"), "not JSON at byte 9: the document has ended before");
  EXPECT_EQ(refusal(seed, "{\"a\": \"secret\xff\"}"), "not JSON at byte 13: The input is not valid UTF-8");
  for (const auto* value : {"{\"a\": \"\xc3\"}", "{\"a\": \"secret", "{\"a\": \"sec\nret\"}", "{secret}"}) {
    const auto why = refusal(seed, value);
    EXPECT_TRUE(why.starts_with("not JSON at byte ")) << value;
    EXPECT_EQ(why.find("secret"), why.npos) << why;
  }
}

TEST(json_malformed, whatever_is_not_json) {
  for (const std::string value : {" ",
                                  "\n\t",
                                  "{",
                                  "}",
                                  "[",
                                  "]",
                                  "{]",
                                  "[}",
                                  "{}}",
                                  "[[]",
                                  "{\"a\"}",
                                  "{\"a\":}",
                                  "{\"a\":1,}",
                                  "{,}",
                                  "[1,]",
                                  "[,1]",
                                  "[1 2]",
                                  "{\"a\" 1}",
                                  "{\"a\":1 \"b\":2}",
                                  "{1:2}",
                                  "{a:1}",
                                  "{'a':1}",
                                  "tru",
                                  "truee",
                                  "nul",
                                  "True",
                                  "NaN",
                                  "Infinity",
                                  "01",
                                  "-",
                                  "+1",
                                  "1.",
                                  ".5",
                                  "1e",
                                  "1e+",
                                  "0x1",
                                  "1_0",
                                  "--1",
                                  "1 2",
                                  "\"a\" \"b\"",
                                  "\"a\"b",
                                  "\"a",
                                  "a\"",
                                  "'a'",
                                  "\"\\x\"",
                                  "\"\\u12\"",
                                  "\"\\u12g4\"",
                                  "\"\t\"",
                                  "{\"a\":\"\\\"}",
                                  "// c\n{}",
                                  "{}//",
                                  "\xef\xbb\xbf{}",
                                  "{\"\\q\":1}",
                                  "{\"a\":{\"b\":1}",
                                  "{\"a\":[1}",
                                  "{\"a\":01}",
                                  "{\"a\":1}}",
                                  "[1]]",
                                  "{} x",
                                  "{\"a\":tru}",
                                  "\xff",
                                  "\"\xc3(\"",
                                  "\"\xed\xa0\x80\""}) {
    EXPECT_NE(refusal(seed, value), "") << value;
    EXPECT_NE(refusal(seed, R"({"x":)" + value + "}"), "") << value;
    EXPECT_NE(refusal(seed, "[" + value + ",1]"), "") << value;
  }
  EXPECT_NE(refusal(seed, bytes{"\0", 1}), "");
  EXPECT_NE(refusal(seed, bytes{"{}\0", 3}), "");
}

TEST(json_malformed, whatever_is_json_is_not) {
  for (const auto* value :
       {"0", "-0", "1234567890123456789012345678901234567890", "1e999", "-1.5E-400", "0.0", "\"\\ud800\"", "\"\x7f\"",
        "[[],{},[{}]]", "{\"a\":{\"a\":{}}}", "\"\\u0000\"", "[1,\n2 ,\t3]", "{\"\":\"\"}", "\"/\\/\""}) {
    EXPECT_EQ(refusal(seed, value), "") << value;
    EXPECT_EQ(refusal(seed, R"({"x": )" + std::string{value} + " }"), "") << value;
  }
}

TEST(json_malformed, what_is_decided_before_the_break_may_pass) {
  EXPECT_TRUE(passes(seed, R"({"source": "demo.order", "rest": broken})"));
  EXPECT_NE(refusal(seed, R"({"source": "other", "rest": broken})"), "");
  EXPECT_NE(refusal(seed, R"({"rest": broken, "source": "demo.order"})"), "");
}

TEST(json_malformed, cut_off_anywhere_it_is_decided_before_or_refused) {
  const std::string whole =
      R"({"id": "é\u00e9", "n": [1, -2.5e3, true, null, {"x": {}}], "source": "demo.order", "detail": {"a": "\\\""}})";
  const auto decided = whole.find("order\"") + 6;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto part = whole.substr(0, size);
    const auto why = refusal(critical, part);
    EXPECT_TRUE(!why.empty() || size >= decided) << part;
    EXPECT_NE(refusal(!json::at("/nowhere").exists(), part), "") << part;
  }
  EXPECT_TRUE(passes(critical, whole));
}

TEST(json_rule, reads_what_is_big) {
  std::string big = R"({"detail": ")" + std::string(1 << 20, 'x') + R"(", "list": [)";
  for (int i = 0; i < 100'000; ++i) big += std::to_string(i) + ",";
  big += R"({}], "source": "demo.order"})";
  EXPECT_TRUE(passes(seed, big));
  EXPECT_FALSE(passes(!critical, big));
  EXPECT_TRUE(passes(json::at("/list/99999").exists(), big));
  EXPECT_TRUE(passes(seed, R"({"source": "demo.order"})"));
}

TEST(json_rule, reads_what_is_deep_up_to_a_bound) {
  const auto nested = [](int levels, const std::string& open, const std::string& close) {
    std::string text = R"({"x":)";
    for (int i = 1; i < levels; ++i) text += open;
    text += "0";
    for (int i = 1; i < levels; ++i) text += close;
    return text + R"(,"source":"demo.order"})";
  };
  EXPECT_TRUE(passes(seed, nested(1000, "[", "]")));
  EXPECT_TRUE(passes(seed, nested(1000, R"({"x":)", "}")));
  EXPECT_EQ(refusal(seed, nested(1001, "[", "]")), "not JSON at byte 1004: nested deeper than 1000 levels");
  EXPECT_NE(refusal(seed, nested(100'000, "[", "]")), "");
  EXPECT_NE(refusal(seed, nested(100'000, R"({"source":)", "}")), "");
  EXPECT_NE(refusal(seed, std::string(100'000, '[')), "");
}

TEST(json_rule, works_on_every_thread_at_once) {
  const auto work = [rule = seed] {
    for (int i = 0; i < 2000; ++i) {
      EXPECT_TRUE(passes(rule, R"({"source": "demo.order"})"));
      EXPECT_FALSE(passes(rule, R"({"source": "demo.\u006frders"})"));
      EXPECT_NE(refusal(rule, "{"), "");
    }
  };
  std::array<std::jthread, 4> threads;
  for (auto& thread : threads) thread = std::jthread{work};
}

/// Builds a random document and knows by construction what the rule has to find.
class writer {
 public:
  explicit writer(std::uint64_t seed) : random_{seed} {}

  std::string object(int depth, std::optional<bool>* match) {
    std::string text = "{";
    const int members = pick(5);
    for (int i = 0; i < members; ++i) text += (i ? "," : "") + member(depth, match);
    return text + space() + "}";
  }

  std::string damaged(std::string text) {
    constexpr std::string_view garbage = "{}[]\",:\\x0-.eut\x01\xff ";
    for (int i = 0, edits = 1 + pick(3); i < edits && !text.empty(); ++i) {
      const auto at = static_cast<std::size_t>(pick(static_cast<int>(text.size())));
      const char byte = garbage[static_cast<std::size_t>(pick(static_cast<int>(garbage.size())))];
      if (pick(2))
        text[at] = byte;
      else
        text.erase(at, 1);
    }
    return text;
  }

 private:
  int pick(int choices) { return static_cast<int>(random_() % static_cast<unsigned>(choices)); }
  std::string space() { return std::string(static_cast<std::size_t>(pick(3)), " \n\t"[pick(3)]); }

  std::string string(std::string_view text) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string quoted = "\"";
    for (const char c : text)
      if (pick(8) == 0)
        quoted += std::string{"\\u00"} + digits[static_cast<std::size_t>(c >> 4)] + digits[c & 15];
      else
        quoted += c;
    return quoted + "\"";
  }

  std::string member(int depth, std::optional<bool>* match) {
    constexpr std::array names = {"source", "sourc", "source2", "", "x"};
    constexpr std::array strings = {"demo.order", "demo.payment", "demo", ""};
    const std::string_view name = names[static_cast<std::size_t>(pick(5))];
    const bool counts = match && !match->has_value() && name == "source";
    const auto begin = space() + string(name) + space() + ":" + space();
    if (pick(2) == 0) {
      const int which = pick(4);
      if (counts) *match = which < 2;
      return begin + string(strings[static_cast<std::size_t>(which)]) + space();
    }
    if (counts) *match = false;
    return begin + value(depth - 1) + space();
  }

  std::string value(int depth) {
    constexpr std::array scalars = {"1", "-0.5e7", "true", "false", "null", "\"\\n\""};
    if (depth <= 0 || pick(3) == 0) return scalars[static_cast<std::size_t>(pick(6))];
    if (pick(2)) return object(depth, nullptr);
    return "[" + value(depth - 1) + space() + "," + value(depth - 1) + "]";
  }

  std::mt19937_64 random_;
};

TEST(json_rule, decides_random_documents_as_they_were_made) {
  writer random{20240229};
  for (int i = 0; i < 20'000; ++i) {
    std::optional<bool> match;
    const auto text = random.object(4, &match);
    ASSERT_EQ(passes(critical, text), match.value_or(false)) << text;
    ASSERT_EQ(passes(!critical, text), !match.value_or(false)) << text;
  }
}

TEST(json_malformed, random_damage_is_found_by_the_grammar_alone) {
  const auto never = json::at("/nowhere").exists();
  writer random{7};
  int broken = 0;
  for (int i = 0; i < 50'000; ++i) {
    std::optional<bool> ignored;
    const auto text = random.damaged(random.object(3, &ignored));
    const bool good = grammar::accepts(text);
    broken += good ? 0 : 1;
    ASSERT_EQ(refusal(never, text).empty(), good) << text;
  }
  EXPECT_GT(broken, 10'000);
}

}  // namespace
}  // namespace flow
