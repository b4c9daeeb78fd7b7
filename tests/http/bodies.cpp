#include "http/bodies.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <flow/json.hpp>

namespace flow::http {
namespace {

using namespace std::string_view_literals;
using testing::HasSubstr;

delivery one(bytes key, bytes value) {
  return {.key = key,
          .value = value,
          .headers = {},
          .timestamp = 1234,
          .from = {},
          .idempotency_key = "a/b/0",
          .fencing_token = 7};
}

TEST(array_of, is_of_an_object_for_each_delivery) {
  const delivery batch[] = {one("k", R"({"n": 1})"), one({}, "[2]"), one("", {})};
  EXPECT_EQ(
      array_of(batch),
      "[{\"idempotency_key\":\"a/b/0\",\"fencing_token\":7,\"timestamp\":1234,\"key\":\"k\",\"value\":{\"n\": 1}},\n"
      "{\"idempotency_key\":\"a/b/0\",\"fencing_token\":7,\"timestamp\":1234,\"key\":null,\"value\":[2]},\n"
      "{\"idempotency_key\":\"a/b/0\",\"fencing_token\":7,\"timestamp\":1234,\"key\":\"\",\"value\":null}]");
}

TEST(array_of, is_a_document_whatever_the_keys_are) {
  for (const auto key : {"\"\\\n\t\x01"sv, "\0"sv, "\xff\xfe"sv, "ü€"sv, "\xc3"sv, "a"sv, "ab"sv, "abc"sv}) {
    const delivery batch[] = {one(bytes{key}, "1")};
    EXPECT_TRUE(json::is_document(bytes{*array_of(batch)})) << *array_of(batch);
  }
  const delivery escaped[] = {one(R"("\)"
                                  "\n",
                                  "1")};
  EXPECT_THAT(*array_of(escaped), HasSubstr(R"("key":"\"\\\u000A")"));
  const delivery batch[] = {one(bytes{"\xff\xfe\xfd\xfc"sv}, "1")};
  EXPECT_THAT(*array_of(batch), HasSubstr("\"key_base64\":\"//79/A==\""));
}

TEST(array_of, is_none_if_a_value_would_break_out_of_its_place) {
  for (const auto value : {"", " ", "1},{\"idempotency_key\":\"x\"", "{", "nul", "1 2", "\"\xff\"", "{}]"}) {
    const delivery batch[] = {one("k", "1"), one("k", value)};
    EXPECT_EQ(array_of(batch), std::nullopt) << value;
  }
}

TEST(percent_encoded, leaves_nothing_that_ends_a_header) {
  EXPECT_EQ(percent_encoded("sync/crm/home/orders-1.x_y~/0"), "sync/crm/home/orders-1.x_y~/0");
  EXPECT_EQ(percent_encoded("a\r\nb: c\xff\0%"sv), "a%0D%0Ab%3A%20c%FF%00%25");
}

}  // namespace
}  // namespace flow::http
