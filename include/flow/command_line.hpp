#pragma once

#include <functional>
#include <iosfwd>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <flow/settings.hpp>

namespace flow {

/// How a program ends.
enum class exit_code {
  good = 0,
  failed = 1,      ///< while running
  misused = 2,     ///< usage or configuration
  difference = 3,  ///< a check found one
};

/// One command of a program.
struct verb {
  std::string name;                   ///< "run", or "dlq list" for one of several; empty for a program without verbs
  std::string help;                   ///< one line
  std::vector<std::string> examples;  ///< whole command lines
  bool tolerant = false;              ///< called in spite of mistakes, which it finds in its `invocation`
};

/// How a verb was called.
struct invocation {
  std::string config;  ///< the file named by `--config`, or empty
  std::vector<effective_setting> settings;
  std::vector<problem> problems;  ///< of command line, environment and file; none, unless the verb is tolerant
  std::ostream& out;
  std::ostream& err;
};

/// Marks a part of a verb as options of its own: flags and arguments that no file holds.
template <class Options>
struct options {};

namespace binding {

template <class Part>
struct part {
  using type = Part;
  static constexpr bool in_file = true;
};
template <class Options>
struct part<options<Options>> {
  using type = Options;
  static constexpr bool in_file = false;
};

/// Reads what is bound, or only looks at it; false if the verb is not to be called. Fills `how`.
using session = std::function<bool(binder& bound, invocation& how)>;

/// Options leave the file to the settings.
void only_flags(setting& section);

}  // namespace binding

/// The front of a program: verbs with help, examples, settings and options.
///
///     command_line line{"replicator", "0.1.0", "cross-region sync, exactly once"};
///     line.add<settings>({"run", "the real thing", {"replicator run --config sync.yaml"}}, [](settings& s) { ... })
///         .add<options<demo>>({"demo", "on in-memory clusters", {"replicator demo --regions 3"}}, [](demo& d) { ...
///         });
///     return line.run(argc, argv);
///
/// `--help` and `--version` are there everywhere, `--config FILE` on each verb that has settings. Every mistake of a
/// command line, the environment and the file is printed at once, and ends with `exit_code::misused`.
class command_line {
 public:
  command_line(std::string name, std::string version, std::string help)
      : name_(std::move(name)), version_(std::move(version)), help_(std::move(help)) {}

  /// Settings are also read from variables named with this in front: "REPLICATOR" for REPLICATOR_COMMIT_EVERY.
  command_line& prefix(std::string of_variables) { return prefix_ = std::move(of_variables), *this; }
  /// Instead of the process's own environment.
  command_line& variables(environment lookup) { return variables_ = std::move(lookup), *this; }

  /// Adds a verb that is called with each part by reference, in order, and the `invocation` if it takes one. It returns
  /// nothing, an int or an exit_code. Parts are structs with `bind`: settings, or `options<...>`.
  template <class... Parts, class Call>
  command_line& add(verb about, Call call) {
    const auto enter = [call = std::move(call)](const binding::session& read, invocation& how) {
      std::tuple<typename binding::part<Parts>::type...> parts;
      binder bound;
      std::apply([&](auto&... part) { (bind<Parts>(bound, part), ...); }, parts);
      if (!read(bound, how)) return static_cast<int>(exit_code::misused);
      return std::apply([&](auto&... part) { return finish(call, how, part...); }, parts);
    };
    verbs_.push_back({std::move(about), (binding::part<Parts>::in_file || ...), enter});
    return *this;
  }

  /// Runs the verb that the arguments name; returns what the process should exit with. What a verb throws is printed,
  /// and ends with `exit_code::misused` for a configuration_error, with `failed` for anything else; so does output that
  /// could not be written.
  int run(int argc, const char* const* argv) const;
  /// The same without the program's name in front, and with streams of one's own.
  int run(const std::vector<std::string>& arguments, std::ostream& out, std::ostream& err) const;

 private:
  class front;

  struct entry {
    verb about;
    bool has_file;
    std::function<int(const binding::session&, invocation&)> enter;
  };

  template <class Part, class Value>
  static void bind(binder& into, Value& value) {
    into("", value, "");
    if constexpr (!binding::part<Part>::in_file) binding::only_flags(into.settings().back());
  }

  template <class Call, class... Values>
  static int finish(const Call& call, invocation& how, Values&... values) {
    if constexpr (std::is_invocable_v<const Call&, Values&..., invocation&>) {
      return code([&] { return call(values..., how); });
    } else {
      return code([&] { return call(values...); });
    }
  }

  template <class Call>
  static int code(Call call) {
    if constexpr (std::is_void_v<decltype(call())>) {
      call();
      return static_cast<int>(exit_code::good);
    } else {
      return static_cast<int>(call());
    }
  }

  std::string name_;
  std::string version_;
  std::string help_;
  std::string prefix_;
  environment variables_;
  std::vector<entry> verbs_;
};

}  // namespace flow
