#include <flow/command_line.hpp>

#include <algorithm>
#include <exception>
#include <iostream>
#include <map>

#include "arguments.hpp"
#include "binder.hpp"
#include "help.hpp"
#include "spelling.hpp"

namespace flow {

using config::either;
using config::in_quotes;
using config::nearest;

namespace binding {

void only_flags(setting& section) {
  for (auto* each : leaves(section.children)) each->in_file = false;
}

}  // namespace binding

// One run of a command line: CLI11 finds the verb, everything that is said comes from here.
class command_line::front {
 public:
  front(const command_line& of, std::ostream& out, std::ostream& err) : of_(of), out_(out), err_(err) {
    config::quieten(root_);
    for (const auto& each : of_.verbs_) declare_verb(each);
  }

  int run(std::vector<std::string> words) {
    std::reverse(words.begin(), words.end());  // CLI11 takes them from the back
    try {
      root_.parse(words);
    } catch (const CLI::ParseError& error) {
      return refuse({{{}, error.what(), "see " + of_.name_ + " --help"}});
    }
    std::string path;
    CLI::App* app = &root_;
    while (!app->get_subcommands().empty()) {
      app = app->get_subcommands().front();
      path += (path.empty() ? "" : " ") + app->get_name();
      chain_.push_back(app);
    }
    if (asked_for("--version")) return say(of_.name_ + " " + of_.version_ + "\n");
    const auto* chosen = verb_at(path);
    if (asked_for("--help")) return say(chosen != nullptr ? help_of(*chosen) : overview(path));
    return chosen != nullptr ? enter(*chosen, *app) : no_verb(path, *app);
  }

 private:
  using entry = command_line::entry;

  void declare_verb(const entry& each) {
    CLI::App* app = &root_;
    std::string path;
    for (const auto& word : config::split_at(each.about.name, ' ')) {
      if (word.empty()) continue;
      path += (path.empty() ? "" : " ") + word;
      auto& known = apps_[path];
      if (known == nullptr) {
        app->require_subcommand(0, 1);
        known = app->add_subcommand(word);
        config::quieten(*known);
      }
      app = known;
    }
    look_at(each, [&](const binder& bound) { config::declare(*app, bound, each.has_file); });
  }

  // Binds the verb's parts for `use`, without calling it.
  void look_at(const entry& each, const std::function<void(const binder&)>& use) const {
    invocation how{{}, {}, {}, out_, err_};
    each.enter([&](binder& bound, invocation&) { return use(bound), false; }, how);
  }

  int enter(const entry& chosen, const CLI::App& app) {
    try {
      invocation how{{}, {}, {}, out_, err_};
      return chosen.enter([&](binder& bound, invocation& into) { return read(chosen, app, bound, into); }, how);
    } catch (const configuration_error& error) {
      return refuse(error.problems());
    } catch (const std::exception& error) {
      err_ << of_.name_ << ": error: " << error.what() << "\n";
      return static_cast<int>(exit_code::failed);
    }
  }

  bool read(const entry& chosen, const CLI::App& app, binder& bound, invocation& how) {
    auto given = config::take(app, bound, chosen.has_file, leftover());
    auto found = read_settings(bound, {given.config, given.flags, of_.variables_, of_.prefix_});
    // What is wrong without it is not worth saying.
    if (given.lacks_file) found.clear();
    found.insert(found.end(), given.problems.begin(), given.problems.end());
    how.config = given.config;
    how.settings = effective_settings(bound);
    how.problems = std::move(found);
    if (!chosen.about.tolerant) refuse(how.problems);
    return chosen.about.tolerant || how.problems.empty();
  }

  std::vector<std::string> leftover() const {
    auto words = root_.remaining();
    for (const auto* each : chain_)
      for (auto& word : each->remaining()) words.push_back(std::move(word));
    return words;
  }

  bool asked_for(const std::string& flag) const {
    return root_.count(flag) > 0 ||
           std::any_of(chain_.begin(), chain_.end(), [&](const CLI::App* each) { return each->count(flag) > 0; });
  }

  const entry* verb_at(const std::string& path) const {
    for (const auto& each : of_.verbs_)
      if (each.about.name == path) return &each;
    return nullptr;
  }

  // What was typed names no verb, or only the first word of several.
  int no_verb(const std::string& path, const CLI::App& app) {
    const auto words = leftover();
    const auto typed = std::find_if(words.begin(), words.end(), [](const std::string& word) { return word[0] != '-'; });
    std::vector<std::string> known;
    for (const auto* each : app.get_subcommands({})) known.push_back(each->get_name());
    if (words.empty()) {
      err_ << overview(path);
      return static_cast<int>(exit_code::misused);
    }
    if (typed != words.begin()) {
      const bool verb_follows = typed != words.end();
      const auto meant = nearest(words.front(), {"--help", "--version"});
      return refuse({{{words.front(), 0, 0},
                      "no such option here",
                      !meant.empty()                  ? "did you mean " + meant + "?"
                      : verb_follows || path.empty() ? "options follow the command"
                                                      : "see --help"}});
    }
    const auto meant = nearest(*typed, known);
    return refuse({{{of_.name_, 0, 0},
                    "no command is called " + in_quotes(*typed),
                    meant.empty() ? "commands are " + either(known) : "did you mean " + meant + "?"}});
  }

  std::string typed_as(const std::string& path) const { return path.empty() ? of_.name_ : of_.name_ + " " + path; }

  std::string help_of(const entry& chosen) const {
    std::string text;
    look_at(chosen, [&](const binder& bound) {
      text = config::verb_help(typed_as(chosen.about.name), chosen.about, bound, chosen.has_file, of_.prefix_);
    });
    return text;
  }

  std::string overview(const std::string& path) const {
    std::vector<std::pair<std::string, std::string>> commands;
    std::string examples;
    for (const auto& each : of_.verbs_) {
      if (!path.empty() && !each.about.name.starts_with(path + " ")) continue;
      commands.emplace_back(each.about.name, each.about.help);
      if (!each.about.examples.empty()) examples += "  " + each.about.examples.front() + "\n";
    }
    return of_.help_ + "\n\nusage: " + typed_as(path) + " COMMAND [options]\n" + config::table("commands:", commands) +
           (examples.empty() ? "" : "\nexamples:\n" + examples) + "\n\"" + of_.name_ +
           " COMMAND --help\" says more; --version names the version.\n";
  }

  int say(const std::string& text) const {
    out_ << text;
    return static_cast<int>(exit_code::good);
  }

  int refuse(const std::vector<problem>& found) const {
    for (const auto& each : found) err_ << to_string(each) << "\n";
    return static_cast<int>(exit_code::misused);
  }

  const command_line& of_;
  std::ostream& out_;
  std::ostream& err_;
  CLI::App root_;
  std::map<std::string, CLI::App*> apps_;
  std::vector<const CLI::App*> chain_;
};

int command_line::run(int argc, const char* const* argv) const {
  return run({argv + (argc > 0 ? 1 : 0), argv + argc}, std::cout, std::cerr);
}

int command_line::run(const std::vector<std::string>& arguments, std::ostream& out, std::ostream& err) const {
  const int code = front{*this, out, err}.run(arguments);
  if (out.flush()) return code;
  err << name_ << ": error: the output could not be written (is the disk full?)\n";
  return static_cast<int>(exit_code::failed);
}

}  // namespace flow
