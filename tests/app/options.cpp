#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "world.hpp"

namespace flow {
namespace {

using testing::Contains;
using testing::Each;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::MatchesRegex;
using testing::SizeIs;

/// What the options are refused for.
std::vector<std::string> problems_of(const app_options& options) {
  std::vector<std::string> found;
  try {
    const app never{copies(), options};
  } catch (const topology_error& wrong) {
    for (const auto& flaw : wrong.flaws()) found.push_back(flaw.text + " (" + flaw.remedy + ")");
  }
  return found;
}

TEST(options, that_are_good_are_taken_and_start_nothing) {
  world w;
  w.write("one");
  const scratch_directory directory;
  auto options = w.options();
  options.state = directory.path();
  {
    const app never{copies(), options};
  }
  EXPECT_FALSE(std::filesystem::exists(directory.path()));
  EXPECT_THAT(w.values("tokyo"), IsEmpty());
}

TEST(options, are_refused_with_every_problem_and_its_remedy_at_once) {
  world w;
  auto options = w.options("number one");
  options.application = "cross/region";
  options.threads = 0;
  options.lanes = 0;
  options.commit_every = 0ms;
  options.clusters.erase("tokyo");
  const auto problems = problems_of(options);
  EXPECT_THAT(problems, SizeIs(6));
  for (const auto* about : {"number one", "cross/region", "threads", "lanes", "commit_every", "tokyo"})
    EXPECT_THAT(problems, Contains(HasSubstr(about)));
  EXPECT_THAT(problems, Each(MatchesRegex(".+ \\(.+\\)")));
}

TEST(options, are_refused_if_their_memory_is_too_little_for_what_they_ask_for) {
  world w;
  auto options = w.options();
  options.memory = 16u << 20;
  EXPECT_THAT(problems_of(options), IsEmpty());
  options.threads = 16;
  EXPECT_THAT(
      problems_of(options),
      testing::ElementsAre("memory of 16MiB is too little for threads: 16 with targets: 1 (give 68MiB, or fewer "
                           "threads)"));
}

TEST(options, do_not_help_a_topology_that_reads_a_range) {
  topology t{"copies"};
  t.from("range", std::vector<std::string>{"one", "two"}) | to("numbers");
  world w;
  try {
    const app never{t, w.options()};
    FAIL() << "accepted";
  } catch (const topology_error& wrong) {
    EXPECT_THAT(wrong.what(), HasSubstr("'range' reads a range"));
  }
}

TEST(options, must_name_the_cluster_that_is_read) {
  world w;
  auto options = w.options();
  options.home = "osaka";
  EXPECT_THAT(problems_of(options), Contains(HasSubstr("osaka")));
}

TEST(options, that_are_unset_take_the_names_of_the_topology_and_the_host) {
  world w;
  w.write("one");
  auto options = w.options("");
  app one{copies(), options};
  ASSERT_TRUE(one.start());
  EXPECT_TRUE(eventually([&] { return w.values("tokyo") == w.written; }));
  EXPECT_THAT(w.values("tokyo", "copies.home.lanes.internal"), SizeIs(6));
  char host[256] = {};
  ASSERT_EQ(gethostname(host, sizeof host - 1), 0);
  EXPECT_TRUE(eventually([&] { return one.status().workers[0].instance == std::string{host} + "-0"; }));
}

TEST(options, call_the_home_cluster_as_the_application_likes) {
  memory_clusters clusters;
  clusters.create_topic("osaka", "orders");
  clusters.write("osaka", "orders", 0, {.value = "one", .timestamp = 1});
  app one{copies(), {.instance = "one",
                     .home = "osaka",
                     .clusters = {{"osaka", {}}, {"tokyo", {}}},
                     .state = "",
                     .connect = clusters.connect()}};
  ASSERT_TRUE(one.start());
  EXPECT_TRUE(eventually([&] {
    try {
      return clusters.read("tokyo", "orders").at(0).size() == 1;
    } catch (const std::out_of_range&) {
      return false;
    }
  }));
}

TEST(options, say_where_to_begin_what_has_no_position_yet) {
  world w;
  w.write("before");
  auto options = w.options();
  options.start = {start_at::kind::latest, 0};
  app one{copies(), options};
  ASSERT_TRUE(one.start());
  ASSERT_TRUE(eventually([&] { return one.status().ready(); }));
  w.write("behind");
  EXPECT_TRUE(eventually([&] { return w.values("tokyo") == contents{{"behind"}}; }));
}

TEST(options, can_keep_the_lanes_for_a_restart_of_the_same_instance) {
  world w;
  auto options = w.options();
  options.leave_on_stop = false;
  for (int run = 0; run < 3; ++run) {
    app one{copies(), options};
    ASSERT_TRUE(one.start());
    w.write_many(1);
    EXPECT_TRUE(eventually([&] { return w.values("tokyo") == w.written; }));
    EXPECT_TRUE(one.stop(10s));
  }
}

}  // namespace
}  // namespace flow
