#include "complaints.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace flow::kafka {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

class complaint : public ::testing::Test {
 protected:
  void say(const std::string& text, severity how = severity::warn) { desk_.say(how, text); }

  std::vector<std::string> lines_;  ///< that somebody sees who has not asked for more
  complaints desk_{"tokyo", {"pass and word", "pass"}, [this](severity how, std::string_view line) {
                     if (how != severity::debug) lines_.emplace_back(line);
                   }};
};

TEST_F(complaint, is_said_once_for_as_long_as_its_cause_lasts) {
  for (int i = 0; i < 100; ++i) say("no answer for " + std::to_string(i) + " ms");
  EXPECT_THAT(lines_, ElementsAre("tokyo: no answer for 0 ms"));
}

// What librdkafka 2.0.2 says in its log and by its errors, as it was seen with Kafka 4.1.

TEST_F(complaint, about_a_cluster_that_cannot_be_reached_is_said_once_whoever_tries) {
  say("[thrd:127.0.0.1:1/bootstrap]: 127.0.0.1:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused "
      "(after 0ms in state CONNECT)");
  say("[thrd:127.0.0.1:1/bootstrap]: 1/1 brokers are down");
  say("1/1 brokers are down");
  say("[thrd:app]: sync-0#producer-5: TxnCoordinator: 127.0.0.1:1: Connect to ipv4#127.0.0.1:1 failed: Connection "
      "refused (after 0ms in state CONNECT)");
  say("[thrd:GroupCoordinator]: GroupCoordinator: 127.0.0.2:2: Connect to ipv4#127.0.0.2:2 failed: Connection refused "
      "(after 0ms in state CONNECT, 1 identical error(s) suppressed)");
  say("127.0.0.1:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused (after 0ms in state CONNECT, 1 "
      "identical error(s) suppressed)");
  say("[thrd:127.0.0.1:1/bootstrap]: 127.0.0.1:1/1: 13 request(s) timed out: disconnect (after 13272ms in state UP)");
  EXPECT_THAT(lines_,
              ElementsAre("tokyo: 127.0.0.1:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused (check "
                          "that the cluster is up and reachable from here)"));
}

TEST_F(complaint, about_a_connection_says_what_to_check) {
  const std::pair<std::string, std::string> remedies[] = {
      {"no.such.host.invalid:9092/bootstrap: Failed to resolve 'no.such.host.invalid:9092': Name or service not known "
       "(after 0ms in state CONNECT)",
       "bootstrap.servers"},
      // TLS to a listener without
      {"ssl://127.0.0.1:1/bootstrap: SSL handshake failed: error:0A000126:SSL routines::unexpected eof while reading "
       "(after 1ms in state SSL_HANDSHAKE)",
       "security.protocol"},
      // no TLS to a listener with
      {"127.0.0.1:1/bootstrap: Disconnected while requesting ApiVersion: might be caused by incorrect "
       "security.protocol configuration (connecting to a SSL listener?) or broker version is < 0.10 (see "
       "api.version.request) (after 39ms in state APIVERSION_QUERY)",
       "security.protocol"},
      // TLS to something that is not Kafka
      {"ssl://127.0.0.1:1/bootstrap: Disconnected while requesting ApiVersion: might be caused by broker version < "
       "0.10 (see api.version.request) (after 0ms in state APIVERSION_QUERY)",
       "bootstrap.servers"},
      // no SASL to a listener with
      {"127.0.0.1:1/bootstrap: Disconnected: verify that security.protocol is correctly configured, broker might "
       "require SASL authentication (after 9ms in state UP)",
       "security.protocol"},
      // SASL to a listener without
      {"sasl_plaintext://127.0.0.1:1/bootstrap: SASL PLAIN mechanism handshake failed: Broker: Request not valid in "
       "current SASL state: broker's supported mechanisms:  (after 1ms in state AUTH_HANDSHAKE)",
       "security.protocol"},
      {"sasl_plaintext://127.0.0.1:1/bootstrap: SASL SCRAM-SHA-256 mechanism handshake failed: Broker: Unsupported "
       "SASL mechanism: broker's supported mechanisms: PLAIN (after 301ms in state AUTH_HANDSHAKE)",
       "sasl.mechanism"},
      {"sasl_plaintext://127.0.0.1:1/bootstrap: SASL authentication error: Authentication failed: Invalid username or "
       "password (after 324ms in state AUTH_REQ)",
       "sasl.password"},
      {"ssl://127.0.0.1:1/bootstrap: SSL handshake failed: error:0A000086:SSL routines::certificate verify failed: "
       "broker certificate could not be verified, verify that ssl.ca.location is correctly configured or root CA "
       "certificates are installed (install ca-certificates package) (after 3ms in state SSL_HANDSHAKE)",
       "ssl.ca.location"},
      {"ssl://127.0.0.1:1/bootstrap: Receive failed: error:0A00045C:SSL routines::tlsv13 alert certificate required: "
       "SSL alert number 116 (after 1ms in state APIVERSION_QUERY)",
       "ssl.certificate.location"},
  };
  for (const auto& [text, remedy] : remedies) {
    std::string line;
    complaints fresh{"tokyo", {}, [&](severity how, std::string_view said) {
                       if (how == severity::warn) line = said;
                     }};
    // Some of it may be a broker that is ending, until it is said again.
    while (line.empty()) fresh.say(severity::debug, text);
    const auto advice = std::min(line.rfind('('), line.size());
    EXPECT_THAT(line.substr(advice), AllOf(StartsWith("(check"), HasSubstr(remedy), EndsWith(")"))) << text;
  }
}

TEST_F(complaint, about_a_connection_explains_why_nobody_answers) {
  failure why{failure_kind::timed_out, "topics of tokyo: no answer", "check that the cluster is up"};
  desk_.explain(why);
  EXPECT_EQ(why.remedy, "check that the cluster is up") << "nobody has complained";
  say("127.0.0.1:1/bootstrap: SASL authentication error: Authentication failed: Invalid username or password");
  desk_.explain(why);
  EXPECT_THAT(why.remedy, HasSubstr("sasl.password"));
}

TEST_F(complaint, about_a_broker_that_ends_is_not_about_its_protocol) {
  const std::string ending =
      "127.0.0.1:1/1: Disconnected while requesting ApiVersion: might be caused by incorrect security.protocol "
      "configuration (connecting to a SSL listener?) or broker version is < 0.10 (see api.version.request) (after 0ms "
      "in state APIVERSION_QUERY)";
  for (int i = 0; i < 3; ++i) {
    say(ending);
    say("127.0.0.1:1/1: Connect to ipv4#127.0.0.1:1 failed: Connection refused (after 0ms in state CONNECT)");
  }
  EXPECT_THAT(lines_, ElementsAre(HasSubstr("Connection refused")));
}

TEST_F(complaint, about_connections_that_come_and_go_is_for_those_who_ask_for_it) {
  say("[thrd:127.0.0.1:1/bootstrap]: 127.0.0.1:1/1: Disconnected (after 4011ms in state UP)", severity::debug);
  say("[thrd:127.0.0.1:1/bootstrap]: 2/2 brokers are down", severity::error);
  say("sasl_plaintext://127.0.0.1:1/bootstrap: SASL authentication error: SaslAuthenticateRequest failed: Local: "
      "Broker handle destroyed (after 2ms in state AUTH_REQ)");
  EXPECT_THAT(lines_, IsEmpty());
}

TEST_F(complaint, of_another_cause_is_said_too) {
  say("connection refused");
  say("no such host");
  say("connection refused");
  EXPECT_THAT(lines_, SizeIs(2));
}

TEST_F(complaint, is_not_garbled_by_a_secret_that_is_part_of_a_word) {
  say("no password for compass, passat, pass9 or pass-through of pass");
  EXPECT_THAT(lines_, ElementsAre("tokyo: no password for compass, passat, pass9 or ***-through of ***"));
}

TEST_F(complaint, leaves_nothing_of_secrets_that_overlap) {
  const complaints desk{"tokyo", {"a-b", "b-c-d", "<?>", ""}, {}};
  EXPECT_EQ(desk.masked("a-b-c-d, x<?>y"), "***, x***y");
}

TEST_F(complaint, holds_no_secret) {
  say("cannot log in with pass and word, nor with pass");
  EXPECT_THAT(lines_, ElementsAre(AllOf(HasSubstr("***"), Not(HasSubstr("pass")), Not(HasSubstr("word")))));
}

TEST_F(complaint, of_ever_new_causes_does_not_pile_up) {
  for (char a = 'a'; a <= 'z'; ++a)
    for (char b = 'a'; b <= 'z'; ++b) say({a, b, a});
  EXPECT_THAT(lines_, SizeIs(26 * 26));
}

}  // namespace
}  // namespace flow::kafka
