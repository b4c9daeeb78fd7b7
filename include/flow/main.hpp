#pragma once

#include <concepts>
#include <functional>
#include <string>
#include <vector>

#include <flow/app.hpp>
#include <flow/app_settings.hpp>
#include <flow/command_line.hpp>
#include <flow/describe.hpp>
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

}  // namespace verbs

constexpr std::array<std::string_view, 4> words(format) { return {"text", "mermaid", "dot", "json"}; }

/// A command line with the verbs that every program of flow has, `run`, `lint` and `describe`; add your own, and run
/// it. `Settings` derives from `app_settings` or knows nothing of it; `build` makes the topology.
template <class Settings, class Build>
command_line command_line_of(const program& about, Build build) {
  command_line line{about.name, about.version, about.help};
  const auto example = [&](const std::string& verb) {
    return about.name + " " + verb + " --config " + about.name + ".yaml";
  };
  const verb run{"run", "run until stopped", {example("run")}, true};
  const verb lint{"lint", "check the configuration, and say everything that is wrong at once", {example("lint")}};
  const verb describe{"describe", "print the topology", {example("describe") + " --format mermaid"}};
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
