#pragma once

#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include <flow/settings.hpp>

namespace flow::config {

/// What a command line said to one verb.
struct arguments {
  std::string config;
  std::vector<given_flag> flags;
  std::vector<problem> problems;
  bool lacks_file = false;  ///< one was meant, but not named behind `--config`
};

/// Makes an app that reports nothing by itself: whatever it does not know is left over.
void quieten(CLI::App& app);

/// Declares a flag for each setting, and `--config` if there is a file.
void declare(CLI::App& app, const binder& settings, bool has_file);

/// What was given to the app after it has parsed; `leftover` are words that it did not know.
arguments take(const CLI::App& app, const binder& settings, bool has_file, const std::vector<std::string>& leftover);

}  // namespace flow::config
