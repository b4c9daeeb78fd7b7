#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <flow/command_line.hpp>

#include "sample.hpp"

namespace {

struct options {
  std::string from;
  bool wait = false;
  int attempts = 5;
  void bind(auto& b) {
    b("from", from, "where to begin").positional().required();
    b("wait", wait, "until all is done");
    b("attempts", attempts, "before it gives up").range(1, 9);
  }
};

std::string help(const std::string& prefix) {
  std::ostringstream out, err;
  flow::command_line program{"app", "1", "an app"};
  program.prefix(prefix).add<sample::settings, flow::options<options>>(
      {"run", "the real thing", {"app run --config a.yaml here"}}, [](auto&, auto&) {});
  EXPECT_EQ(program.run({"run", "--help"}, out, err), 0);
  return out.str();
}

TEST(help, shows_every_setting_with_its_default_and_its_ways_in) {
  EXPECT_EQ(help(""), R"(the real thing

usage: app run FROM [options]

options:
  --config FILE      settings in YAML
  FROM               where to begin [required]
  --wait             until all is done
  --attempts NUMBER  before it gives up [1 to 9] [default 5]
  --help, --version

settings (flags win over environment, environment over file):
  --application TEXT               names the groups [default app]
  --home TEXT                      the cluster that is read [default tokyo] [environment AWS_REGION]
  --targets TEXT,...               the clusters written to [environment TARGETS]
  clusters                         client properties by cluster [in the file]
  --topics.include PATTERN,...     names or patterns [required]
  --topics.rename TEXT             what a topic is called on a target [default {topic}]
  --topics.partitions keep|by_key  how a record finds its partition [default keep]
  --[no-]topics.create             make topics that are missing [default true]
  --dedup.id TEXT                  where the id is [required]
  --dedup.window DURATION          how long an id is remembered [default 1d]
  routes                           where records go [in the file]
  --shares NAME=NUMBER,...         of each target
  --commit-every DURATION          the longest a transaction lasts [1ms to 1min] [default 100ms] [environment COMMIT_EVERY]
  --memory SIZE                    everything buffered [default 256MiB]
  --catch-up-limit RATE            per target that is behind
  --lanes NUMBER                   the most workers [1 to 1024] [default 32] [environment LANES]
  --port NUMBER                    of the admin page [default 8080]
  --ratio NUMBER                   of samples kept [default 0.5]
  --level TEXT                     of the log [debug, info or warn] [default info]
  --[no-]enabled                   false ends at once [default true] [environment ENABLED]
  --token TEXT                     of the admin page [environment TOKEN]
  --pin NUMBER                     of the vault [environment PIN]

examples:
  app run --config a.yaml here
)");
}

TEST(help, names_the_variables_of_the_program) {
  EXPECT_THAT(help("APP"), testing::HasSubstr("[default {topic}] [environment APP_TOPICS_RENAME]\n"));
}

TEST(help, never_shows_a_secret) {
  EXPECT_THAT(help(""), testing::Not(testing::HasSubstr("sesame")));
}

}  // namespace
