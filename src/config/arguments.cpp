#include "arguments.hpp"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "binder.hpp"
#include "spelling.hpp"

namespace flow {
namespace config {
namespace {

using binding::setting;

constexpr const char* config_flag = "--config";

// What CLI11 knows a setting by. A positional setting keeps its path, which is no flag.
std::string key_of(const setting& of) {
  return of.positional ? of.path : binding::flag_of(of);
}

// `--commit-every` is also `--commit_every`.
std::string spellings(const setting& of) {
  const auto dashed = key_of(of);
  const auto underscored = "--" + of.path;
  return dashed == underscored ? dashed : dashed + "," + underscored;
}

std::string negations(const setting& of) {
  std::string dashed = "!--no-" + binding::flag_of(of).substr(2), underscored = "!--no_" + of.path;
  return dashed + "," + underscored;
}

// A value may be left out as far as CLI11 is concerned: it would throw, and other problems would go unsaid.
CLI::Option* add_option(CLI::App& app, const std::string& names) {
  return app.add_option(names)->expected(0, 1)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

std::vector<const setting*> flagged(const binder& settings) {
  auto all = binding::leaves(settings.settings());
  std::erase_if(all, [](const setting* each) { return !binding::has_flag(*each); });
  return all;
}

std::vector<std::string> known_flags(const binder& settings, bool has_file) {
  std::vector<std::string> names{"--help", "--version"};
  if (has_file) names.push_back(config_flag);
  for (const auto* each : flagged(settings))
    if (!each->positional) names.push_back(binding::flag_of(*each));
  return names;
}

bool is_flag(const std::string& word) {
  return word.size() > 1 && word[0] == '-';
}

bool is_file(const std::string& word) {
  std::error_code error;
  return std::filesystem::is_regular_file(word, error);
}

void refuse_leftover(const std::vector<std::string>& leftover, const std::vector<std::string>& known, bool wants_file,
                     arguments& given) {
  auto& problems = given.problems;
  bool value_of_unknown = false;
  for (const auto& word : leftover) {
    if (is_flag(word)) {
      const auto name = word.substr(0, word.find('='));
      const auto meant = nearest(name, known);
      value_of_unknown = name.size() == word.size();
      problem what{{name, 0, 0}, "no such option", meant.empty() ? "see --help" : "did you mean " + meant + "?"};
      if (meant == name) {
        what = {{name, 0, 0}, "stands before the command", "write it behind"};
        given.lacks_file = given.lacks_file || name == config_flag;
      }
      problems.push_back(std::move(what));
    } else {
      const bool may_be_the_file = wants_file && is_file(word);
      const auto remedy = may_be_the_file ? "did you mean " + std::string{config_flag} + " " + word + "?" : "see --help";
      if (!value_of_unknown) problems.push_back({{}, in_quotes(word) + " is one argument too many", remedy});
      given.lacks_file = given.lacks_file || may_be_the_file;
      value_of_unknown = false;
    }
  }
}

// The values of one option; nothing, and a problem, if one of them was left out.
std::vector<std::string> values_of(const CLI::Option& option, const std::string& name, const std::string& wanted,
                                   std::vector<problem>& problems) {
  auto values = option.results();
  if (std::find(values.begin(), values.end(), std::string{}) == values.end()) return values;
  problems.push_back({{name, 0, 0}, "a value is missing", "write " + wanted});
  return {};
}

}  // namespace

void quieten(CLI::App& app) {
  app.set_help_flag("");
  app.allow_extras();
  app.add_flag("--help,-h");
  app.add_flag("--version");
}

void declare(CLI::App& app, const binder& settings, bool has_file) {
  if (has_file) add_option(app, config_flag);
  for (const auto* each : flagged(settings)) {
    if (binding::is_switch(*each->type) && !each->positional) {
      app.add_flag(spellings(*each) + "," + negations(*each))->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    } else if (each->positional) {
      add_option(app, each->path)->expected(1)->allow_extra_args(each->type->is != binding::form::scalar);
    } else {
      add_option(app, spellings(*each));
    }
  }
}

arguments take(const CLI::App& app, const binder& settings, bool has_file, const std::vector<std::string>& leftover) {
  arguments given;
  if (has_file && app.count(config_flag) > 0) {
    const auto files = values_of(*app.get_option(config_flag), config_flag, "the name of a file", given.problems);
    if (files.size() > 1) given.problems.push_back({{config_flag, 0, 0}, "given twice", "give it once"});
    if (!files.empty()) given.config = files.front();
    given.lacks_file = files.empty();
  }
  for (const auto* each : flagged(settings)) {
    const auto* option = app.get_option(key_of(*each));
    if (option->count() == 0) continue;
    auto values = values_of(*option, binding::flag_of(*each), binding::kind_and_example(*each->type), given.problems);
    given.flags.push_back({each->path, std::move(values)});
  }
  refuse_leftover(leftover, known_flags(settings, has_file), has_file && given.config.empty(), given);
  return given;
}

}  // namespace config

namespace binding {

setting_sources from_arguments(binder& into, int argc, const char* const* argv, environment variables) {
  CLI::App app;
  config::quieten(app);
  config::declare(app, into, true);
  app.parse(argc, argv);
  auto given = config::take(app, into, true, app.remaining());
  if (!given.problems.empty()) {
    if (!given.lacks_file) {
      auto found = read_settings(into, {given.config, given.flags, variables, {}});
      given.problems.insert(given.problems.end(), found.begin(), found.end());
    }
    throw configuration_error(std::move(given.problems));
  }
  return {given.config, std::move(given.flags), std::move(variables), {}};
}

}  // namespace binding
}  // namespace flow
