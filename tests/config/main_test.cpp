#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <flow/flow.hpp>
#include <flow/main.hpp>

#include "sample.hpp"

namespace {

using flow::app_options;
using flow::bytes;
using flow::topology;
using flow::topology_error;
using testing::ElementsAre;
using testing::HasSubstr;

// A program whose settings know nothing of how it runs.
struct copying {
  std::string into = "copies";
  std::string cluster = "home";
  void bind(auto& b) {
    b("into", into, "the topic that is written to");
    b("cluster", cluster, "where that is");
  }
};

topology copy(const copying& s) {
  topology t{"copies"};
  if (s.into == "/dev/null") throw std::invalid_argument{"nothing is kept there"};
  t.from(flow::topic<bytes, bytes>{"orders"}) | flow::to("copies", s.into, {.cluster = s.cluster});
  return t;
}

class program : public testing::Test {
 protected:
  int run(const std::vector<std::string>& words) {
    out_.str({});
    err_.str({});
    auto line = flow::command_line_of<copying>({.name = "copier"}, copy);
    return line.variables(sample::lookup({})).run(words, out_, err_);
  }

  // Every verb has the same to say about a file.
  void expect_refused(const std::vector<std::string>& verbs, const std::string& told) {
    for (const auto& verb : verbs) {
      EXPECT_EQ(run({verb, "--config", "copier.yaml"}), 2) << verb;
      EXPECT_EQ(err_.str(), told) << verb;
      EXPECT_EQ(out_.str(), "") << verb;
    }
  }

  sample::folder here_;
  std::ostringstream out_;
  std::ostringstream err_;
};

TEST_F(program, finds_a_good_file_good) {
  here_.write("copier.yaml", "application: copies\nclusters: {home: {bootstrap.servers: \"127.0.0.1:1\"}}\n");
  EXPECT_EQ(run({"lint", "--config", "copier.yaml"}), 0) << err_.str();
  EXPECT_EQ(out_.str(), "copier.yaml: good\n");
}

TEST_F(program, runs_without_a_file_where_its_home_is_named) {
  EXPECT_EQ(run({"lint", "--application", "copies", "--bootstrap-servers", "127.0.0.1:1"}), 0) << err_.str();
  EXPECT_EQ(run({"lint", "--application", "copies", "--bootstrap-servers", "127.0.0.1"}), 0) << err_.str();
  EXPECT_EQ(run({"lint", "--application", "copies", "--bootstrap-servers", "127.0.0.1:x"}), 2);
  EXPECT_EQ(err_.str(),
            "--bootstrap-servers: error: \"127.0.0.1:x\" has an address that is no host:port (write "
            "\"host:port,host:port\")\n");
}

TEST_F(program, says_what_is_wrong_with_its_clusters_where_it_stands) {
  here_.write("copier.yaml",
              "application: my copies\n"
              "instance: number/1\n"
              "home: homer\n"
              "clusters:\n"
              "  home: {bootstrap.servers: \"127.0.0.1:1\", linger.sm: 7, group.id: mine}\n"
              "  tokyo: {security.protocol: tsl}\n"
              "start: 2026-02-30\n"
              "unknown: 1\n");
  expect_refused(
      {"lint", "run", "describe"},
      "copier.yaml:1:14: error: \"my copies\" cannot be part of a name on Kafka (use 1 to 100 letters, digits, dots, "
      "dashes or underscores)\n"
      "copier.yaml:2:11: error: \"number/1\" cannot be part of a name on Kafka (use 1 to 100 letters, digits, dots, "
      "dashes or underscores)\n"
      "copier.yaml:3:7: error: home homer is not among the clusters (did you mean home?)\n"
      "copier.yaml:5:55: error: linger.sm is no property of librdkafka (did you mean linger.ms?)\n"
      "copier.yaml:5:68: error: group.id is not yours to set: flow names and times the members of its groups itself "
      "(leave it out)\n"
      "copier.yaml:6:10: error: cluster tokyo has no bootstrap.servers (add them, as \"host:port,host:port\")\n"
      "copier.yaml:6:30: error: security.protocol has a value that librdkafka does not take (write plaintext, ssl, "
      "sasl_plaintext or sasl_ssl)\n"
      "copier.yaml:7:8: error: \"2026-02-30\" is no day of the calendar (count the days of its month)\n"
      "copier.yaml:8:1: error: \"unknown\" is not a setting (known here: application, home, clusters, dedup_memory, "
      "share_seen, instance, guarantee, start, commit_every, catch_up_limit, memory, lanes, threads, state, on_stop, session, log, into or cluster)\n");
}

TEST_F(program, tells_misspelt_servers_once) {
  here_.write("copier.yaml", "application: copies\nclusters: {home: {bootstrap_servers: \"127.0.0.1:1\"}}\n");
  expect_refused({"lint", "run"},
                 "copier.yaml:2:38: error: bootstrap_servers is no property of librdkafka (did you mean "
                 "bootstrap.servers?)\n");
}

TEST_F(program, needs_a_cluster_to_run_and_none_to_be_described) {
  here_.write("copier.yaml", "application: copies\n");
  const std::string told =
      "copier.yaml:1:1: error: clusters: no cluster is described (add each by its name, with its bootstrap.servers)\n";
  expect_refused({"lint", "run"}, told);
  EXPECT_EQ(run({"describe", "--config", "copier.yaml"}), 0) << err_.str();
  EXPECT_THAT(out_.str(), HasSubstr("copies on home"));

  here_.write("copier.yaml", "application: copies\nlanes: 0\n");
  expect_refused({"lint", "run"}, told + "copier.yaml:2:8: error: \"0\" is too little (write 1 to 10000)\n");
}

TEST_F(program, tells_its_home_from_another_cluster_of_that_name) {
  here_.write("copier.yaml",
              "application: copies\nhome: tokyo\nclusters:\n  tokyo: {bootstrap.servers: \"127.0.0.1:1\"}\n"
              "  home: {bootstrap.servers: \"127.0.0.1:2\"}\n");
  expect_refused({"lint", "run", "describe"},
                 "copier.yaml:5:9: error: a cluster is called home, and the home cluster is tokyo (give it another "
                 "name)\n");
}

TEST_F(program, says_where_each_flaw_of_its_topology_was_written) {
  here_.write("copier.yaml",
              "application: copies\nclusters: {home: {bootstrap.servers: \"127.0.0.1:1\"}}\n"
              "into: not a topic\ncluster: hoome\n");
  expect_refused({"lint", "run", "describe"},
                 "copier.yaml:3:7: error: 'copies' writes to 'not a topic', which is no name for a topic (use 1 to "
                 "249 letters, digits, dots, dashes or underscores)\n"
                 "copier.yaml:4:10: error: 'copies' writes to the unknown cluster 'hoome' (did you mean 'home'?)\n");
  EXPECT_EQ(run({"lint", "--config", "copier.yaml", "--into", "__x", "--cluster", "home"}), 2);
  EXPECT_EQ(err_.str(), "--into: error: 'copies' writes to the internal topic '__x' (give its topic another name)\n");
}

TEST_F(program, says_no_place_of_what_was_written_at_several) {
  here_.write("copier.yaml",
              "application: orders\nclusters: {home: {bootstrap.servers: \"127.0.0.1:1\"}}\ninto: orders\n");
  expect_refused({"lint"},
                 "copier.yaml: error: 'copies' writes to 'orders' on home, which is read as well (write to another "
                 "topic, or exclude it from what is read)\n");
}

TEST_F(program, prints_why_its_topology_could_not_be_made) {
  here_.write("copier.yaml",
              "application: copies\nclusters: {home: {bootstrap.servers: \"127.0.0.1:1\"}}\ninto: /dev/null\n");
  expect_refused({"lint", "run", "describe"}, "copier.yaml: error: nothing is kept there\n");
}

std::string start_of(std::string_view text) {
  flow::start_at start;
  const auto wrong = flow::scalar<flow::start_at>::read(text, start);
  return wrong ? wrong.text + " (" + wrong.remedy + ")" : flow::scalar<flow::start_at>::write(start);
}

TEST(start, is_a_word_or_a_time) {
  EXPECT_EQ(start_of("earliest"), "earliest");
  EXPECT_EQ(start_of("latest"), "latest");
  EXPECT_EQ(start_of("2026-01-31T12:00:00Z"), "2026-01-31T12:00:00Z");
  EXPECT_EQ(start_of("2026-01-31T12:00:00"), "2026-01-31T12:00:00Z");
  EXPECT_EQ(start_of("2026-01-31"), "2026-01-31T00:00:00Z");
}

TEST(start, may_be_told_in_any_time_zone) {
  EXPECT_EQ(start_of("2026-01-31T12:00:00+02:00"), "2026-01-31T10:00:00Z");
  EXPECT_EQ(start_of("2026-01-01T01:30:00+05:30"), "2025-12-31T20:00:00Z");
  EXPECT_EQ(start_of("2026-12-31T20:00:00-08:00"), "2027-01-01T04:00:00Z");
  EXPECT_EQ(start_of("2026-01-31T12:00:00-00:00"), "2026-01-31T12:00:00Z");
}

TEST(start, says_what_is_wrong_with_a_time) {
  const std::string no_place = "is not a place to start (use earliest, latest, or a time like 2026-01-31T12:00:00Z)";
  for (const auto* text : {"soon", "", "2026-01-31T12:00", "2026-01-31T12:00:00+2", "2026-01-31T12:00:00+02:60",
                           "2026-01-31T12:00:00+99:00", "2026-01-31T12:00:00+02:00Z", "2026-01-31T12:00:00 CET"})
    EXPECT_EQ(start_of(text), no_place) << text;
  EXPECT_EQ(start_of("2026-02-30T12:00:00+02:00"), "is no day of the calendar (count the days of its month)");
}

TEST(app, is_refused_with_the_flaws_of_its_topology_and_its_options_at_once) {
  app_options options;
  options.instance = "a/b";
  options.home = "tokyo";
  options.lanes = 0;
  options.clusters = {{"tokyo", {{"linger.sm", "7"}}}};
  std::vector<std::string> told;
  try {
    const flow::app never{copy({.into = "not a topic", .cluster = "osaka"}), options};
  } catch (const topology_error& wrong) {
    for (const auto& each : wrong.flaws()) told.push_back(each.text + " (" + each.remedy + ")");
  }
  EXPECT_THAT(told, ElementsAre(HasSubstr("instance \"a/b\""), HasSubstr("lanes must be"),
                                HasSubstr("cluster tokyo: linger.sm is no property of librdkafka (did you mean "),
                                HasSubstr("cluster tokyo has no bootstrap.servers"),
                                HasSubstr("unknown cluster 'osaka'"), HasSubstr("'not a topic'")));
}

TEST(app, is_refused_for_what_a_plan_made_before_does_not_know) {
  const auto plan = copy({.cluster = "osaka"}).build();
  try {
    const flow::app never{plan, {.instance = "a/b", .clusters = {{"home", {{"bootstrap.servers", "127.0.0.1:1"}}}}}};
    FAIL() << "a cluster is missing";
  } catch (const topology_error& wrong) {
    EXPECT_THAT(wrong.flaws(), testing::SizeIs(2));
    EXPECT_THAT(wrong.what(),
                HasSubstr("cluster osaka is not among the clusters (add its bootstrap.servers to clusters)"));
  }
}

}  // namespace
