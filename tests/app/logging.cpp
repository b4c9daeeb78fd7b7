#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <simdjson.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <map>
#include <sstream>

#include <flow/app_settings.hpp>

#include "world.hpp"

namespace flow {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::Each;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in{text};
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

/// An application's own logger, and what it was given.
struct own_logger {
  own_logger() { logger->set_pattern("%l %v"); }
  std::vector<std::string> lines() const { return lines_of(text.str()); }

  std::ostringstream text;  // to be looked at when nobody logs any more
  std::shared_ptr<spdlog::logger> logger =
      std::make_shared<spdlog::logger>("own", std::make_shared<spdlog::sinks::ostream_sink_mt>(text));
};

/// What a topology with one failing record says on standard error.
std::string said_about_failing_with(const std::string& reason, app_options options) {
  world w;
  w.write("a record's content");
  topology t{"copies"};
  t.from(topic<bytes, bytes>{"orders"}) | peek("check", [&](bytes) { throw std::runtime_error{reason}; }) |
      fan_out("regions", {"tokyo"});
  options.instance = "one";
  options.clusters = w.options().clusters;
  options.connect = w.clusters.connect();
  options.state = "";
  testing::internal::CaptureStderr();
  {
    app one{t, options};
    EXPECT_TRUE(one.start());
    EXPECT_TRUE(eventually([&] { return !target_named("tokyo", one.status()).halted.empty(); }));
  }
  return testing::internal::GetCapturedStderr();
}

using fields = std::map<std::string, std::string>;

/// The members of one JSON object; a line that is none is a failure of the test.
fields object_in(const std::string& line) {
  simdjson::dom::parser parser;
  simdjson::dom::object object;
  if (const auto error = parser.parse(line).get(object)) {
    ADD_FAILURE() << simdjson::error_message(error) << ": " << line;
    return {};
  }
  fields found;
  for (const auto [key, value] : object)
    found[std::string{key}] = value.is_string() ? std::string{value.get_string().value()} : simdjson::minify(value);
  return found;
}

app_options json_options() {
  app_settings settings;
  settings.application = "copies";
  settings.log.format = log_format::json;
  return settings.options();
}

TEST(logging, goes_to_the_logger_that_the_application_handed_in) {
  own_logger own;
  world w;
  w.write("bad");
  auto options = w.options();
  options.logger = own.logger;
  testing::internal::CaptureStderr();
  {
    app one{checked_copies(stop), options};
    ASSERT_TRUE(one.start());
    ASSERT_TRUE(eventually([&] { return !target_named("tokyo", one.status()).halted.empty(); }));
  }
  EXPECT_THAT(testing::internal::GetCapturedStderr(), IsEmpty());
  EXPECT_THAT(own.lines(),
              Contains(AllOf(HasSubstr("error tokyo: orders/0 stops at offset 0"), HasSubstr("a bad order"))));
}

TEST(logging, goes_to_standard_error_unless_told_otherwise) {
  EXPECT_THAT(said_about_failing_with("a bad order", {}), HasSubstr("a bad order"));
}

TEST(logging, never_shows_what_a_record_holds) {
  EXPECT_THAT(said_about_failing_with("a bad order", {}), Not(HasSubstr("a record's content")));
}

TEST(logging, registers_nothing_with_spdlog) {
  said_about_failing_with("a bad order", {});
  EXPECT_EQ(spdlog::get("copies"), nullptr);
}

TEST(logging, changes_its_level_while_the_application_runs) {
  own_logger own;
  world w;
  w.clusters.create_topic("tokyo", "orders", 1, {{"max.message.bytes", "1000"}});
  w.clusters.create_topic("oregon", "orders", 1, {{"max.message.bytes", "2000"}});
  topology t{"copies"};
  t.from(topic<bytes, bytes>{"orders"}) | fan_out("regions", {"tokyo", "oregon"}).on_failure(skip);
  auto options = w.options();
  options.logger = own.logger;
  app one{t, options};
  one.log_level(severity::error);
  ASSERT_TRUE(one.start());
  w.write(std::string(1500, 'x'));  // too large for one of them
  ASSERT_TRUE(eventually([&] { return target_named("tokyo", one.status()).records_refused == 1; }));
  one.log_level(severity::warn);
  w.write(std::string(2500, 'x'));  // too large for both
  ASSERT_TRUE(eventually([&] { return target_named("oregon", one.status()).records_refused == 1; }));
  ASSERT_TRUE(one.stop(10s));
  EXPECT_THAT(own.lines(), Not(Contains(HasSubstr("tokyo"))));
  EXPECT_THAT(own.lines(), Contains(AllOf(HasSubstr("oregon"), HasSubstr("skipped offset 1"))));
}

TEST(json_log, is_one_object_per_line) {
  const auto lines = lines_of(said_about_failing_with("a bad order", json_options()));
  ASSERT_THAT(lines, Not(IsEmpty()));
  for (const auto& line : lines) {
    const auto said = object_in(line);
    EXPECT_THAT(said.at("time"), testing::MatchesRegex("....-..-..T..:..:..\\....Z"));
    EXPECT_EQ(said.at("application"), "copies");
    EXPECT_THAT(said, Contains(testing::Key("level")));
    EXPECT_THAT(said, Contains(testing::Key("thread")));
    EXPECT_THAT(said, Contains(testing::Key("text")));
  }
  const auto last = object_in(lines.back());
  EXPECT_EQ(last.at("level"), "error");
  EXPECT_THAT(last.at("text"), HasSubstr("check: a bad order"));
}

TEST(json_log, keeps_whatever_a_text_holds) {
  const std::string reason =
      "a \"quoted\" C:\\path,\n\ta second line, \x01, {\"level\":\"info\"}, \xc3\xa9, \xe2\x82\xac, \xf0\x9f\x98\x80";
  const auto lines = lines_of(said_about_failing_with(reason, json_options()));
  ASSERT_THAT(lines, Not(IsEmpty()));
  EXPECT_THAT(object_in(lines.back()).at("text"), HasSubstr(reason));
}

TEST(json_log, stays_readable_where_a_text_is_not_utf_8) {
  // Alone, cut off, overlong, half of a pair, beyond Unicode.
  const std::string broken[] = {"\xff", "\x80", "\xe2\x82", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80"};
  for (const auto& each : broken) {
    const auto lines = lines_of(said_about_failing_with("before" + each + "behind", json_options()));
    ASSERT_THAT(lines, Not(IsEmpty()));
    EXPECT_THAT(object_in(lines.back()).at("text"), AllOf(HasSubstr("before\xef\xbf\xbd"), HasSubstr("behind")));
  }
}

TEST(json_log, takes_any_name_of_an_application) {
  app_settings settings;
  settings.application = "100%v \"copies\"";
  settings.log.format = log_format::json;
  testing::internal::CaptureStderr();
  settings.options().logger->info("hello");
  const auto said = object_in(testing::internal::GetCapturedStderr());
  EXPECT_EQ(said.at("application"), settings.application);
  EXPECT_EQ(said.at("text"), "hello");
}

}  // namespace
}  // namespace flow
