#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <optional>
#include <set>
#include <vector>

#include <flow/flow.hpp>
#include <flow/http.hpp>

#include "server.hpp"

namespace flow {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::Pair;
using testing::SizeIs;

/// Receipts, from whatever thread they come.
class receipts_box {
 public:
  void put(std::vector<receipt> how) {
    const std::lock_guard lock{mutex_};
    all_.push_back(std::move(how));
    changed_.notify_all();
  }
  /// Those of the batch that was answered as number `count`.
  std::vector<receipt> wait(std::size_t count = 1) {
    std::unique_lock lock{mutex_};
    if (!changed_.wait_for(lock, 20s, [&] { return all_.size() >= count; })) return {};
    return all_[count - 1];
  }
  std::size_t size() {
    const std::lock_guard lock{mutex_};
    return all_.size();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::vector<receipt>> all_;
};

class posts : public ::testing::Test {
 protected:
  http::post to(const std::string& path) { return {.url = server.url(path), .connect_timeout = 2s, .timeout = 5s}; }

  static delivery one(bytes value, bytes key = "k") {
    return {.key = key,
            .value = value,
            .headers = {},
            .timestamp = 1'700'000'000'000,
            .from = {"home", "orders", 0, 17},
            .idempotency_key = "sync/crm/home/orders/0/17/0",
            .fencing_token = 42};
  }
  /// What becomes of one delivery.
  receipt delivered(const http::post& what, const delivery& which, const delivery_options& how_asked = {}) {
    receipts_box box;
    const auto opened = what(how_asked);
    opened->deliver({&which, 1}, [&](auto how) { box.put(std::move(how)); });
    const auto how = box.wait();
    return how.size() == 1 ? how[0] : receipt::retriable("no receipt at all");
  }
  receipt delivered(const std::string& path) { return delivered(to(path), one("{}")); }

  http_server server;
};

TEST_F(posts, say_what_is_delivered) {
  auto what = to("/orders?tenant=7");
  what.headers = {{"Authorization", "Bearer secret"}};
  EXPECT_EQ(delivered(what, one(R"({"total": 12})", "customer 1\n")), receipt::done());
  const auto requests = server.requests();
  ASSERT_THAT(requests, SizeIs(1));
  EXPECT_EQ(requests[0].path, "/orders?tenant=7");
  EXPECT_EQ(requests[0].body, R"({"total": 12})");
  EXPECT_THAT(
      requests[0].headers,
      AllOf(Contains(Pair("idempotency-key", "sync/crm/home/orders/0/17/0")), Contains(Pair("fencing-token", "42")),
            Contains(Pair("flow-key", "customer%201%0A")), Contains(Pair("flow-timestamp", "1700000000000")),
            Contains(Pair("content-type", "application/json")), Contains(Pair("authorization", "Bearer secret"))));
}

TEST_F(posts, tell_null_from_empty) {
  EXPECT_EQ(delivered(to("/a"), one({}, {})), receipt::done());
  EXPECT_EQ(delivered(to("/a"), one("", "")), receipt::done());
  const auto requests = server.requests();
  EXPECT_EQ(requests.at(0).body, "");
  EXPECT_THAT(requests.at(0).headers, Contains(Pair("flow-null", "true")));
  EXPECT_EQ(requests.at(0).headers.count("flow-key"), 0u);
  EXPECT_EQ(requests.at(1).headers.count("flow-null"), 0u);
  EXPECT_THAT(requests.at(1).headers, Contains(Pair("flow-key", "")));
}

TEST_F(posts, carry_values_of_any_bytes_and_size) {
  std::string large(3'000'000, '\0');
  for (std::size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>(i * 7);
  EXPECT_EQ(delivered(to("/a"), one(large)), receipt::done());
  EXPECT_EQ(server.requests().at(0).body, large);
  EXPECT_EQ(server.requests().at(0).headers.count("expect"), 0u);
}

TEST_F(posts, take_a_status_for_what_it_means) {
  const std::string place = "POST " + server.url("");
  for (const auto* status : {"200", "201", "202", "204"}) {
    server.script("/s", status);
    EXPECT_EQ(delivered("/s"), receipt::done()) << status;
  }
  for (const auto* status : {"408", "409", "425", "429", "500", "502", "503", "504"}) {
    server.script("/s", status);
    EXPECT_EQ(delivered("/s"), receipt::retriable(place + " answers " + status)) << status;
  }
  for (const auto* status : {"301", "400", "401", "403", "404", "410", "413", "422"}) {
    server.script("/s", status);
    EXPECT_EQ(delivered("/s"), receipt::permanent(place + " answers " + status)) << status;
  }
  server.script("/s", "401");
  auto what = to("/s");
  what.retriable = {401};
  EXPECT_EQ(delivered(what, one("{}")), receipt::retriable(place + " answers 401"));
  EXPECT_THAT(server.requests(), Each(testing::Field(&got::path, "/s"))) << "a redirect was followed";
}

TEST_F(posts, bring_an_answer_to_whoever_wants_it) {
  server.script("/a", "200 201 503");
  const delivery_options asks{.wants_answers = true};
  EXPECT_EQ(delivered(to("/a"), one("{}"), asks), receipt::answered("ok {}"));
  const std::string large(100'000, 'x');
  EXPECT_EQ(delivered(to("/a"), one(large), asks), receipt::answered("ok " + large));
  EXPECT_EQ(delivered(to("/a"), one("{}"), asks).what, receipt::kind::retriable);
}

TEST_F(posts, take_no_part_of_an_answer_for_the_whole) {
  auto what = to("/a");
  what.largest_answer = 10;
  const delivery_options asks{.wants_answers = true};
  EXPECT_EQ(delivered(what, one("1234567"), asks), receipt::answered("ok 1234567"));
  const auto cut = delivered(what, one("12345678"), asks);
  EXPECT_EQ(cut.what, receipt::kind::permanent);
  EXPECT_THAT(cut.text, HasSubstr("answers with more than 10 bytes"));
  server.script("/a", "half");
  EXPECT_EQ(delivered(what, one("{}"), asks).what, receipt::kind::retriable);
}

TEST_F(posts, leave_a_server_alone_for_as_long_as_it_wants) {
  server.script("/s", "429:17");
  EXPECT_EQ(delivered("/s").after, 17s);
  server.script("/s", "503:+100");
  const auto by_date = delivered("/s");
  ASSERT_TRUE(by_date.after);
  EXPECT_GE(*by_date.after, 90s);
  EXPECT_LE(*by_date.after, 100s);
  server.script("/s", "503:soon");
  EXPECT_EQ(delivered("/s").after, std::nullopt);
}

TEST_F(posts, take_it_for_a_failure_that_may_heal_when_no_answer_comes) {
  for (const auto* action : {"drop", "half"}) {
    server.script("/s", action);
    EXPECT_EQ(delivered("/s").what, receipt::kind::retriable) << action;
  }
  server.script("/s", "hang");
  auto what = to("/s");
  what.timeout = 200ms;
  const auto late = delivered(what, one("{}"));
  EXPECT_EQ(late.what, receipt::kind::retriable);
  EXPECT_THAT(late.text, HasSubstr("Timeout"));
}

TEST_F(posts, take_it_for_a_failure_that_may_heal_when_nobody_is_there) {
  const auto what = to("/s");
  server.kill();
  const auto how = delivered(what, one("{}"));
  EXPECT_EQ(how.what, receipt::kind::retriable);
  EXPECT_THAT(how.text, HasSubstr("Couldn't connect to server"));
  auto nowhere = what;
  nowhere.url = "http://host.invalid/";
  EXPECT_EQ(delivered(nowhere, one("{}")).what, receipt::kind::retriable);
}

TEST_F(posts, show_no_secret) {
  auto what = to("/hooks/s3cret?token=s3cret");
  what.url.insert(std::string{"http://"}.size(), "user:s3cret@");
  what.headers = {{"Authorization", "Bearer s3cret"}};
  for (const auto* action : {"400", "503", "drop"}) {
    server.script("/hooks/s3cret?token=s3cret", action);
    EXPECT_THAT(delivered(what, one("s3cret", "s3cret")).text, AllOf(HasSubstr("127.0.0.1"), Not(HasSubstr("s3cret"))));
  }
  EXPECT_THAT(server.requests().at(0).headers, Contains(Pair("authorization", "Bearer s3cret")));
  what.url = "http://s3cret s3cret/";
  for (const auto& each : what.flaws({})) EXPECT_THAT(each.text + each.remedy, Not(HasSubstr("s3cret")));
  EXPECT_THAT(what.text(), Not(HasSubstr("s3cret")));
}

TEST_F(posts, keep_their_connections) {
  receipts_box box;
  const auto opened = to("/s")({});
  const auto what = one("{}");
  for (std::size_t i = 1; i <= 20; ++i) {
    opened->deliver({&what, 1}, [&](auto how) { box.put(std::move(how)); });
    ASSERT_THAT(box.wait(i), ElementsAre(receipt::done()));
  }
  std::set<std::string> connections;
  for (const auto& each : server.requests()) connections.insert(each.connection);
  EXPECT_THAT(connections, SizeIs(1));
}

TEST_F(posts, are_under_way_side_by_side) {
  server.script("/slow", "slow:0.3:200");
  receipts_box box;
  const auto opened = to("/slow")({.in_flight = 20});
  const auto what = one("{}");
  const auto began = std::chrono::steady_clock::now();
  for (int i = 0; i < 20; ++i) opened->deliver({&what, 1}, [&](auto how) { box.put(std::move(how)); });
  EXPECT_THAT(box.wait(20), ElementsAre(receipt::done()));
  EXPECT_LT(std::chrono::steady_clock::now() - began, 3s);
}

TEST_F(posts, are_broken_off_when_their_destination_goes) {
  server.script("/s", "hang");
  receipts_box box;
  {
    const auto opened = to("/s")({});
    const auto what = one("{}");
    opened->deliver({&what, 1}, [&](auto how) { box.put(std::move(how)); });
    while (server.requests().empty()) {
    }
  }
  EXPECT_EQ(box.size(), 0u);
}

TEST_F(posts, go_on_with_a_server_that_was_started_anew) {
  receipts_box box;
  const auto opened = to("/s")({});
  const auto what = one("{}");
  opened->deliver({&what, 1}, [&](auto how) { box.put(std::move(how)); });
  ASSERT_THAT(box.wait(1), ElementsAre(receipt::done()));
  server.kill();
  opened->deliver({&what, 1}, [&](auto how) { box.put(std::move(how)); });
  EXPECT_EQ(box.wait(2).at(0).what, receipt::kind::retriable);
  server.start();
  opened->deliver({&what, 1}, [&](auto how) { box.put(std::move(how)); });
  EXPECT_THAT(box.wait(3), ElementsAre(receipt::done()));
}

TEST_F(posts, of_a_batch_are_one_request) {
  receipts_box box;
  const auto opened = to("/s")({.batch = 10});
  const delivery batch[] = {one("1"), one("2")};
  opened->deliver(batch, [&](auto how) { box.put(std::move(how)); });
  EXPECT_THAT(box.wait(), ElementsAre(receipt::done(), receipt::done()));
  const auto requests = server.requests();
  ASSERT_THAT(requests, SizeIs(1));
  EXPECT_THAT(requests[0].body,
              AllOf(testing::StartsWith("[{"), HasSubstr("\"value\":1}"), HasSubstr("\"value\":2}]")));
  EXPECT_THAT(requests[0].headers, Contains(Pair("content-type", "application/json")));
  EXPECT_EQ(requests[0].headers.count("idempotency-key"), 0u);
  // A batch of one looks like any other.
  opened->deliver({batch, 1}, [&](auto how) { box.put(std::move(how)); });
  EXPECT_THAT(box.wait(2), ElementsAre(receipt::done()));
  EXPECT_THAT(server.requests().at(1).body, testing::StartsWith("[{"));
}

TEST_F(posts, of_a_batch_that_is_refused_come_apart) {
  server.script("/s", "400 503");
  receipts_box box;
  const auto opened = to("/s")({.batch = 10});
  const delivery batch[] = {one("1"), one("2")};
  for (int i = 0; i < 2; ++i) {
    opened->deliver(batch, [&](auto how) { box.put(std::move(how)); });
    EXPECT_THAT(box.wait(static_cast<std::size_t>(i) + 1),
                Each(testing::Field(&receipt::what, i == 0 ? receipt::kind::apart : receipt::kind::retriable)));
  }
  const delivery no_json[] = {one("1"), one("{")};
  opened->deliver(no_json, [&](auto how) { box.put(std::move(how)); });
  EXPECT_THAT(box.wait(3), Each(receipt::apart("its value is not JSON")));
  opened->deliver({no_json + 1, 1}, [&](auto how) { box.put(std::move(how)); });
  EXPECT_THAT(box.wait(4), ElementsAre(receipt::permanent("its value is not JSON")));
  EXPECT_THAT(server.requests(), SizeIs(2));
}

std::string flaws_of(const http::post& where) {
  topology t{"test"};
  t.from(topic<bytes, bytes>{"in"}) | ordered_sink("crm", where, {.batch = 100});
  try {
    t.build();
  } catch (const topology_error& e) {
    return e.what();
  }
  return {};
}

TEST(post, is_refused_with_everything_that_is_wrong_before_anything_starts) {
  EXPECT_EQ(flaws_of({"https://crm.example/orders"}), "");
  EXPECT_THAT(flaws_of({"crm.example/orders"}), HasSubstr("'crm': http::post has no URL that can be asked"));
  EXPECT_THAT(flaws_of({"ftp://crm.example/"}), HasSubstr("no URL that can be asked"));
  http::post many{"https://crm.example"};
  many.headers = {
      {"X-Name", "two\r\nlines"}, {"a b", "1"}, {"idempotency-key", "1"}, {"Flow-Key", "1"}, {"X-Good", "1"}};
  many.timeout = 0ms;
  many.content_type = "a\nb";
  EXPECT_THAT(flaws_of(many),
              AllOf(HasSubstr("the header 'X-Name' of http::post is none"), HasSubstr("the header 'a b'"),
                    HasSubstr("'idempotency-key' of http::post is flow's to set"), HasSubstr("'Flow-Key'"),
                    HasSubstr("a timeout of http::post"), HasSubstr("content_type"), Not(HasSubstr("X-Good"))));
}

TEST(post, is_described_without_what_may_be_a_secret) {
  topology t{"test"};
  t.from(topic<bytes, bytes>{"in"}) | ordered_sink("crm", http::post{"https://user:pw@crm.example:8443/hooks/abc?x=1"});
  EXPECT_THAT(describe(*t.build()), HasSubstr("ordered_sink to POST https://crm.example:8443\n"));
}

const std::string certificates = FLOW_HTTP_CERTIFICATES;

TEST(posts_by_tls, survive_a_server_that_closes_connections) {
  http_server server{certificates + "certificate_and_key.pem"};
  receipts_box box;
  const auto opened = http::post{.url = server.url("/s"), .ca_file = certificates + "certificate.pem"}({});
  const delivery what{.key = "k", .value = "{}", .headers = {}, .from = {}, .idempotency_key = "i"};
  std::size_t count = 0;
  const auto deliver = [&] {
    opened->deliver({&what, 1}, [&](auto how) { box.put(std::move(how)); });
    return box.wait(++count);
  };
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(deliver(), ElementsAre(receipt::done()));
    server.script("/s", "reset");
    EXPECT_THAT(deliver(), ElementsAre(receipt::done()));
    EXPECT_THAT(deliver(), ElementsAre(receipt::done()));
    server.script("/s", "200");
    EXPECT_THAT(deliver(), ElementsAre(receipt::done()));
    server.kill();
    EXPECT_EQ(deliver().at(0).what, receipt::kind::retriable);
    server.start();
  }
  EXPECT_THAT(deliver(), ElementsAre(receipt::done()));
  server.kill();
}

TEST(posts_by_tls, are_made_to_whom_they_trust) {
  http_server server{certificates + "certificate_and_key.pem"};
  const auto deliver = [&](const std::string& ca_file) {
    receipts_box box;
    const auto opened = http::post{.url = server.url("/s"), .ca_file = ca_file}({});
    const delivery what{.key = "k", .value = "{}", .headers = {}, .from = {}, .idempotency_key = "i"};
    opened->deliver({&what, 1}, [&](auto how) { box.put(std::move(how)); });
    return box.wait();
  };
  EXPECT_THAT(deliver(certificates + "certificate.pem"), ElementsAre(receipt::done()));
  const auto refused = deliver({});
  ASSERT_THAT(refused, SizeIs(1));
  EXPECT_EQ(refused[0].what, receipt::kind::retriable);
  EXPECT_THAT(refused[0].text, HasSubstr("certificate"));
  EXPECT_THAT(server.requests(), SizeIs(1));
}

}  // namespace
}  // namespace flow
