#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <flow/command_line.hpp>

#include "sample.hpp"

namespace {

struct demo {
  int regions = 3;
  double rate = 100;
  bool quiet = false;
  void bind(auto& b) {
    b("regions", regions, "how many targets").range(1, 5);
    b("rate", rate, "events per second");
    b("quiet", quiet, "says nothing").environment("QUIET");
  }
};

struct format {
  std::string name = "text";
  void bind(auto& b) { b("format", name, "of the picture").one_of({"text", "json"}); }
};

struct import {
  std::string file;
  void bind(auto& b) { b("file", file, "a properties file").positional().required(); }
};

class line : public testing::Test {
 protected:
  // Runs "words" and keeps what was printed.
  int run(std::vector<std::string> words) {
    out_.str({});
    err_.str({});
    called_.clear();
    flow::command_line program{"replicator", "1.2.3", "cross-region sync"};
    program.variables(sample::lookup(variables_)).prefix("REPLICATOR");
    program.add<sample::settings>({"run", "the real thing", {"replicator run --config a.yaml"}},
                                  [&](sample::settings& s) { called_ = "run " + s.home; });
    program.add<sample::settings, flow::options<format>>(
        {"describe", "the topology", {}}, [&](const sample::settings& s, const format& f, const flow::invocation& how) {
          called_ = "describe " + s.home + " " + f.name + " " + how.config;
          return flow::exit_code::difference;
        });
    program.add<flow::options<demo>>({"demo", "in memory", {"replicator demo --regions 3"}}, [&](demo& d) {
      called_ = "demo " + std::to_string(d.regions) + (d.quiet ? " quiet" : "");
      return 7;
    });
    program.add<flow::options<import>>({"import", "from elsewhere", {}},
                                       [&](import& i) { called_ = "import " + i.file; });
    program.add<sample::settings>({"dlq list", "the letters", {}}, [&](auto&) { called_ = "dlq list"; });
    program.add<sample::settings>({"check", "in spite of mistakes", {}, true},
                                  [&](const sample::settings& s, const flow::invocation& how) {
                                    called_ = "check " + std::to_string(s.lanes);
                                    for (const auto& each : how.problems) called_ += "\n" + to_string(each);
                                  });
    program.add<>({"dlq fail", "throws", {}}, [] { throw std::runtime_error("the disk is full"); });
    program.add<>({"dlq refuse", "throws", {}}, [] {
      throw flow::configuration_error({{{"a.yaml", 1, 2}, "no such topic", "make it"}});
    });
    return program.run(words, out_, err_);
  }

  std::string err() const { return err_.str(); }

  sample::folder here_;
  sample::variables variables_;
  std::string called_;
  std::ostringstream out_;
  std::ostringstream err_;
};

TEST_F(line, calls_the_verb_with_what_was_bound) {
  here_.write("a.yaml", "topics: {include: [orders]}\nhome: kyoto\n");
  EXPECT_EQ(run({"run", "--config", "a.yaml"}), 0) << err();
  EXPECT_EQ(called_, "run kyoto");
  EXPECT_EQ(run({"describe", "--config=a.yaml", "--home", "osaka", "--format", "json"}), 3) << err();
  EXPECT_EQ(called_, "describe osaka json a.yaml");
  EXPECT_EQ(run({"demo", "--regions", "2", "--quiet"}), 7) << err();
  EXPECT_EQ(called_, "demo 2 quiet");
  EXPECT_EQ(run({"import", "mm2.properties"}), 0) << err();
  EXPECT_EQ(called_, "import mm2.properties");
  EXPECT_EQ(run({"dlq", "list", "--config", "a.yaml"}), 0) << err();
  EXPECT_EQ(called_, "dlq list");
}

TEST_F(line, reads_variables_too) {
  variables_ = {{"REPLICATOR_TOPICS_INCLUDE", "orders"}, {"AWS_REGION", "osaka"}};
  EXPECT_EQ(run({"run"}), 0) << err();
  EXPECT_EQ(called_, "run osaka");
  variables_ = {{"QUIET", "true"}};
  EXPECT_EQ(run({"demo"}), 7);
  EXPECT_EQ(called_, "demo 3 quiet");
  EXPECT_EQ(run({"demo", "--no-quiet"}), 7);
  EXPECT_EQ(called_, "demo 3");
}

TEST_F(line, prints_every_problem_at_once) {
  here_.write("a.yaml", "topics: {include: [orders]}\nlanes: x\nformat: json\n");
  EXPECT_EQ(run({"describe", "--config", "a.yaml", "--port", "x", "--from", "--format", "jsn", "--hoem", "kyoto"}), 2);
  EXPECT_EQ(called_, "");
  EXPECT_EQ(err(),
            "a.yaml:2:8: error: \"x\" is not a whole number (write a whole number such as 10)\n"
            "a.yaml:3:1: error: \"format\" cannot stand in a file (give it as --format)\n"
            "--port: error: \"x\" is not a whole number (write a whole number such as 10)\n"
            "--format: error: \"jsn\" is not text or json (did you mean json?)\n"
            "--from: error: no such option (see --help)\n"
            "--hoem: error: no such option (did you mean --home?)\n");
}

TEST_F(line, lets_a_tolerant_verb_decide_about_mistakes) {
  here_.write("a.yaml", "lanes: 0\n");
  EXPECT_EQ(run({"check", "--config", "a.yaml", "--prot", "1"}), 0);
  EXPECT_EQ(called_,
            "check 32\n"
            "a.yaml:1:1: error: topics.include is missing (add \"include: ...\", give --topics.include or set "
            "REPLICATOR_TOPICS_INCLUDE)\n"
            "a.yaml:1:8: error: \"0\" is too little (write 1 to 1024)\n"
            "--prot: error: no such option (did you mean --port?)");
  EXPECT_EQ(err(), "");
}

struct misuse {
  std::vector<std::string> words;
  std::string told;
};

TEST_F(line, tells_misuse) {
  here_.write("there.yaml", "lanes: 0\n");
  const std::vector<misuse> all = {
      {{"rnu"}, "replicator: error: no command is called \"rnu\" (did you mean run?)\n"},
      {{"xyzzy"},
       "replicator: error: no command is called \"xyzzy\" (commands are run, describe, demo, import, dlq or check)\n"},
      {{"--versoin"}, "--versoin: error: no such option here (did you mean --version?)\n"},
      {{"--port", "1"}, "--port: error: no such option here (options follow the command)\n"},
      {{"dlq", "lst"}, "replicator: error: no command is called \"lst\" (did you mean list?)\n"},
      {{"run"},
       "--topics.include: error: topics.include is missing (write it in a file for --config, give --topics.include or "
       "set REPLICATOR_TOPICS_INCLUDE)\n"},
      {{"--config", "a.yaml", "run"}, "--config: error: stands before the command (write it behind)\n"},
      {{"demo", "--region", "3"}, "--region: error: no such option (did you mean --regions?)\n"},
      {{"demo", "--xyzzy=3"}, "--xyzzy: error: no such option (see --help)\n"},
      {{"demo", "--regions"}, "--regions: error: a value is missing (write a whole number such as 10)\n"},
      {{"demo", "--regions", "9"}, "--regions: error: \"9\" is too much (write 1 to 5)\n"},
      {{"demo", "--regions", "1", "--regions", "2"}, "--regions: error: given 2 times (give it once)\n"},
      {{"demo", "--quiet=maybe"}, "--quiet: error: \"maybe\" is not true or false (write true or false)\n"},
      {{"demo", "extra"}, "error: \"extra\" is one argument too many (see --help)\n"},
      {{"run", "there.yaml"}, "error: \"there.yaml\" is one argument too many (did you mean --config there.yaml?)\n"},
      {{"import", "a", "b"}, "error: \"b\" is one argument too many (see --help)\n"},
      {{"import"}, "FILE: error: file is missing (name it as FILE)\n"},
      {{"run", "--config"}, "--config: error: a value is missing (write the name of a file)\n"},
      {{"run", "--config", "b.yaml"}, "b.yaml:1:1: error: the file does not exist (check the path)\n"},
  };
  for (const auto& [words, told] : all) {
    EXPECT_EQ(run(words), 2) << told;
    EXPECT_EQ(err(), told);
    EXPECT_EQ(out_.str(), "");
    EXPECT_EQ(called_, "");
  }
}

TEST_F(line, prints_what_a_verb_throws) {
  EXPECT_EQ(run({"dlq", "fail"}), 1);
  EXPECT_EQ(err(), "replicator: error: the disk is full\n");
  EXPECT_EQ(run({"dlq", "refuse"}), 2);
  EXPECT_EQ(err(), "a.yaml:1:2: error: no such topic (make it)\n");
}

TEST(output, that_cannot_be_written_is_a_failure) {
  flow::command_line program{"report", "1", "a report"};
  program.add<>({"short", "", {}}, [](flow::invocation& how) { how.out << "done\n"; });
  program.add<>({"long", "", {}}, [](flow::invocation& how) {
    how.out << std::string(1 << 20, '.');
    return flow::exit_code::difference;
  });
  for (const auto* words : {"short", "long", "--help"}) {
    std::ofstream full{"/dev/full"};
    std::ostringstream err;
    EXPECT_EQ(program.run({words}, full, err), 1) << words;
    EXPECT_EQ(err.str(), "report: error: the output could not be written (is the disk full?)\n") << words;
  }
}

TEST_F(line, names_its_version) {
  EXPECT_EQ(run({"--version"}), 0);
  EXPECT_EQ(out_.str(), "replicator 1.2.3\n");
  EXPECT_EQ(run({"demo", "--version"}), 0);
  EXPECT_EQ(out_.str(), "replicator 1.2.3\n");
}

TEST_F(line, shows_its_commands) {
  const std::string overview =
      "cross-region sync\n\nusage: replicator COMMAND [options]\n\ncommands:\n"
      "  run         the real thing\n  describe    the topology\n  demo        in memory\n"
      "  import      from elsewhere\n  dlq list    the letters\n  check       in spite of mistakes\n  dlq fail    throws\n  dlq refuse  throws\n\n"
      "examples:\n  replicator run --config a.yaml\n  replicator demo --regions 3\n\n"
      "\"replicator COMMAND --help\" says more; --version names the version.\n";
  EXPECT_EQ(run({"--help"}), 0);
  EXPECT_EQ(out_.str(), overview);
  EXPECT_EQ(run({}), 2);
  EXPECT_EQ(err(), overview);
  EXPECT_EQ(run({"dlq", "-h"}), 0);
  EXPECT_THAT(out_.str(), testing::HasSubstr("usage: replicator dlq COMMAND [options]\n"));
  EXPECT_THAT(out_.str(), testing::Not(testing::HasSubstr("  run")));
}

TEST(program_without_verbs, takes_its_options_at_once) {
  int regions = 0;
  std::ostringstream out, err;
  flow::command_line program{"demo", "1", "a demo"};
  program.add<flow::options<demo>>({"", "a demo", {}}, [&](const demo& d) { regions = d.regions; });
  EXPECT_EQ(program.run({"--regions", "4"}, out, err), 0) << err.str();
  EXPECT_EQ(regions, 4);
  EXPECT_EQ(program.run({"--regoins", "4"}, out, err), 2);
  EXPECT_EQ(err.str(), "--regoins: error: no such option (did you mean --regions?)\n");
}

}  // namespace
