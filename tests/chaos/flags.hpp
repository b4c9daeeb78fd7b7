#pragma once

#include <algorithm>
#include <charconv>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace plain {

/// A command line that cannot be understood. Programs end with exit code 2.
class usage_error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A command line of `--name value` pairs and lone `--name` switches. Whatever a program reads it knows; `finish`
/// refuses the rest, so that a misspelt flag never runs with a default instead.
class flags {
 public:
  flags(int argc, char** argv) {
    for (int i = 1; i < argc; ++i) {
      const std::string_view word = argv[i];
      if (!word.starts_with("--")) throw usage_error{"unexpected '" + std::string{word} + "'"};
      const bool has_value = i + 1 < argc && !std::string_view{argv[i + 1]}.starts_with("--");
      given_[std::string{word.substr(2)}].emplace_back(has_value ? argv[++i] : "");
    }
  }

  bool has(const std::string& name) {
    known_.insert(name);
    return given_.contains(name);
  }

  /// Every value of a flag that may be repeated, in order.
  std::vector<std::string> all(const std::string& name) {
    return has(name) ? given_[name] : std::vector<std::string>{};
  }

  std::string text(const std::string& name) {
    if (!has(name)) throw usage_error{"--" + name + " is missing"};
    return given_[name].back();
  }
  std::string text(const std::string& name, const std::string& otherwise) {
    return has(name) ? given_[name].back() : otherwise;
  }

  template <class Number>
  Number number(const std::string& name) {
    return parsed<Number>(name, text(name));
  }
  template <class Number>
  Number number(const std::string& name, Number otherwise) {
    return has(name) ? number<Number>(name) : otherwise;
  }

  /// Throws if a flag was given that nothing has asked for.
  void finish() const {
    for (const auto& [name, values] : given_)
      if (!known_.contains(name)) throw usage_error{"unknown flag --" + name};
  }

 private:
  template <class Number>
  static Number parsed(const std::string& name, const std::string& word) {
    Number number{};
    const char* end = word.data() + word.size();
    const auto [stop, error] = std::from_chars(word.data(), end, number);
    if (error != std::errc{} || stop != end) throw usage_error{"--" + name + " wants a number, not '" + word + "'"};
    return number;
  }

  std::map<std::string, std::vector<std::string>> given_;
  std::set<std::string> known_;
};

}  // namespace plain
