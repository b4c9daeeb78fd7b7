#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <flow/app.hpp>
#include <flow/app_settings.hpp>
#include <flow/command_line.hpp>
#include <flow/dead_letter.hpp>
#include <flow/describe.hpp>
#include <flow/sightings.hpp>
#include <flow/topology.hpp>

namespace flow {

/// What a program says of itself.
struct program {
  std::string name{};  ///< empty: that of its file
  std::string version = "0.1.0";
  std::string help{};
};

namespace verbs {

/// The options of `describe`.
struct describe_options {
  flow::format format = flow::format::text;
  void bind(auto& b) { b("format", format, "how the topology is printed"); }
};

/// How `dlq` and `seen` print: for people, or one JSON object per line.
enum class listing { text, json };
constexpr std::array<std::string_view, 2> words(listing) { return {"text", "json"}; }

/// The options of `dlq list`.
struct list_options {
  std::vector<std::string> letters{};
  std::optional<std::string> on{};
  listing format = listing::text;

  void bind(auto& b) {
    b("letters", letters, "dead-letter topics beside those of the policies, on any cluster, as \"{topic}.dlq\"");
    b("on", on, "the cluster; all unless set");
    b("format", format, "for people, or one JSON object per line");
  }
};

/// The options of `dlq show`.
struct show_options {
  std::string topic;
  std::vector<std::string> letters{};
  std::optional<std::string> on{};
  std::optional<int> partition{};
  std::int64_t offset = 0;
  std::int64_t limit = 20;
  std::optional<std::string> node{};
  std::optional<letter_reason> reason{};
  std::optional<std::string> key{};
  listing format = listing::text;

  void bind(auto& b) {
    b("topic", topic, "the dead-letter topic").positional().required();
    b("letters", letters, "dead-letter topics beside those of the policies, on any cluster, as \"{topic}.dlq\"");
    b("on", on, "the cluster; all unless set");
    b("partition", partition, "the partition; all unless set");
    b("offset", offset, "the first offset of each partition").range(std::int64_t{0}, std::int64_t{1} << 62);
    b("limit", limit, "the most letters, all in all").range(std::int64_t{1}, std::int64_t{1} << 62);
    b("node", node, "only letters of this node");
    b("reason", reason, "only letters for this reason");
    b("key", key, "only letters of this key");
    b("format", format, "for people, or one JSON object per line");
  }
};

/// The options of `dlq replay`.
struct replay_options {
  std::vector<std::string> letters{};
  std::optional<std::string> on{};
  bool pass_over_strangers = false;

  void bind(auto& b) {
    b("letters", letters, "dead-letter topics beside those of the policies, on any cluster, as \"{topic}.dlq\"");
    b("on", on, "the cluster whose letters are replayed; all unless set");
    b("pass_over_strangers", pass_over_strangers,
      "letters of nodes and topics that are not in the topology any more are left behind for good; else they stop it");
  }
};

/// The options of `seen`.
struct seen_options {
  std::string id;
  std::optional<id_form> as{};
  std::optional<std::string> node{};
  listing format = listing::text;

  void bind(auto& b) {
    b("id", id, "the id").positional().required();
    b("as", as, "how it stands for an id; one after the other unless set");
    b("node", node, "the dedup; all unless set");
    b("format", format, "for people, or one JSON object per line");
  }
};

/// Settings of a verb that runs nothing.
template <class Settings>
struct described : Settings {
  described() { this->runs = false; }
};

/// Makes the topology of a verb; a `topology_error` or `std::invalid_argument` is a mistake in the configuration.
using builder = std::function<topology()>;

/// Runs until it is told to stop by SIGTERM or SIGINT, or cannot go on; a second signal ends it at once. If it is not
/// enabled it says so and ends, whatever else the configuration says. Uses the signals of the process, so it is for
/// `main` alone. Throws configuration_error, as the others do.
int run(const builder& build, app_options options, bool enabled, invocation& how);
/// Checks everything that can be checked without reaching a cluster.
int lint(const builder& build, app_options options, invocation& how);
/// Prints the topology; it need not be able to run.
int describe(const builder& build, const app_options& options, format as, invocation& how);

/// The dead letters, by cluster, topic, node, reason and where they came from.
int list_letters(const builder& build, app_options options, const list_options& as, invocation& how);
/// What single letters say.
int show_letters(const builder& build, app_options options, const show_options& which, invocation& how);
/// Takes them through the topology again, up to what is there now. Told to stop by SIGTERM or SIGINT it ends with
/// `failed`, and the next one goes on there. Uses the signals of the process.
int replay_letters(const builder& build, app_options options, const replay_options& which, invocation& how);

/// Where an id has been, by what is in the state directory (`sightings.hpp`).
int print_sightings(const builder& build, const app_options& options, const seen_options& which, invocation& how);

}  // namespace verbs

constexpr std::array<std::string_view, 4> words(letter_reason) { return {"undecodable", "failed", "refused", "parked"}; }
constexpr std::array<std::string_view, 5> words(id_form) { return {"text", "json", "part", "integer", "json-text"}; }
constexpr std::array<std::string_view, 4> words(format) { return {"text", "mermaid", "dot", "json"}; }

/// A command line with the verbs that every program of flow has, `run`, `lint`, `describe`, `dlq` and `seen`; add your
/// own, and run it. `Settings` derives from `app_settings` or knows nothing of it; `build` makes the topology.
template <class Settings, class Build>
command_line command_line_of(const program& about, Build build) {
  command_line line{about.name, about.version, about.help};
  const auto example = [&](const std::string& verb) {
    return about.name + " " + verb + " --config " + about.name + ".yaml";
  };
  const verb run{"run", "run until stopped", {example("run")}, true};
  const verb lint{"lint", "check the configuration, and say everything that is wrong at once", {example("lint")}};
  const verb describe{"describe", "print the topology", {example("describe") + " --format mermaid"}};
  const verb list{"dlq list", "count the dead letters, by where they lie and why", {example("dlq list")}};
  const verb show{"dlq show", "print dead letters", {example("dlq show orders.dlq") + " --limit 5"}};
  const verb replay{"dlq replay",
                    "send the dead letters through again, exactly once, up to those that are there now",
                    {example("dlq replay")}};
  const verb seen{"seen", "say where an id has been, and so why an event was dropped", {example("seen 4711-abc")}};
  const auto add = [&]<class Running, class... Rest>(auto built_from) {
    line.add<Running, Rest...>(run, [=](Running& app, Rest&... rest, invocation& how) {
      return verbs::run([&] { return build(built_from(app, rest...)); }, app.options(), app.enabled, how);
    });
    line.add<Running, Rest...>(lint, [=](Running& app, Rest&... rest, invocation& how) {
      return verbs::lint([&] { return build(built_from(app, rest...)); }, app.options(), how);
    });
    line.add<verbs::described<Running>, Rest..., options<verbs::describe_options>>(
        describe, [=](Running& app, Rest&... rest, verbs::describe_options& as, invocation& how) {
          return verbs::describe([&] { return build(built_from(app, rest...)); }, app.options(), as.format, how);
        });
    const auto add_letters = [&]<class Options>(const verb& about, int (*call)(const verbs::builder&, app_options,
                                                                               const Options&, invocation&)) {
      line.add<Running, Rest..., options<Options>>(
          about, [=](Running& app, Rest&... rest, Options& which, invocation& how) {
            return call([&] { return build(built_from(app, rest...)); }, app.options(), which, how);
          });
    };
    add_letters(list, &verbs::list_letters);
    add_letters(show, &verbs::show_letters);
    add_letters(replay, &verbs::replay_letters);
    line.add<verbs::described<Running>, Rest..., options<verbs::seen_options>>(
        seen, [=](Running& app, Rest&... rest, verbs::seen_options& which, invocation& how) {
          return verbs::print_sightings([&] { return build(built_from(app, rest...)); }, app.options(), which, how);
        });
  };
  if constexpr (std::derived_from<Settings, app_settings>) {
    add.template operator()<Settings>([](Settings& s) -> Settings& { return s; });
  } else {
    add.template operator()<app_settings, Settings>([](app_settings&, Settings& s) -> Settings& { return s; });
  }
  return line;
}

/// The whole of a program's `main`: settings from flags, environment and YAML, logging, signals, and the verbs.
/// @return what the process should exit with: 0 good, 1 failed while running, 2 usage or configuration.
template <class Settings>
int main(int argc, char** argv, topology (*build)(const Settings&), program about = {}) {
  const std::string file = argc > 0 ? argv[0] : "";
  if (about.name.empty()) about.name = file.substr(file.rfind('/') + 1);
  return command_line_of<Settings>(about, build).run(argc, argv);
}

}  // namespace flow
