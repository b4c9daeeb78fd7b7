#include "help.hpp"

#include <algorithm>
#include <cctype>

#include "binder.hpp"

namespace flow::config {
namespace {

using binding::face;
using binding::form;
using binding::setting;

// "a whole number" is NUMBER on a command line.
std::string placeholder(const face& type) {
  const auto& inner = type.is == form::optional ? *type.element : type;
  if (inner.is == form::list) return placeholder(*inner.element) + ",...";
  if (inner.is == form::mapping) return "NAME=" + placeholder(*inner.element) + ",...";
  if (inner.choices != nullptr) {
    auto words = inner.choices();
    for (const std::string_view between : {", ", " or "})
      for (auto at = words.find(between); at != std::string::npos; at = words.find(between))
        words.replace(at, between.size(), "|");
    return words;
  }
  std::string word{inner.kind.substr(inner.kind.rfind(' ') + 1)};
  std::transform(word.begin(), word.end(), word.begin(), [](unsigned char c) { return std::toupper(c); });
  return word;
}

std::string usage_of(const setting& s) {
  if (!binding::has_flag(s)) return s.path;
  if (s.positional) return binding::flag_of(s);
  if (binding::is_switch(*s.type))
    return (binding::write(s) == "true" ? "--[no-]" : "--") + binding::flag_of(s).substr(2);
  return binding::flag_of(s) + " " + placeholder(*s.type);
}

std::string notes(const setting& s, const std::string& prefix) {
  std::string text = s.help;
  const auto note = [&](const std::string& what) { text += (text.empty() ? "[" : " [") + what + "]"; };
  if (!s.limits.empty()) note(s.limits);
  if (s.required) {
    note("required");
  } else if (!s.secret) {
    auto value = binding::write(s);
    if (!value.empty() && value != "[]" && value != "{}" && value != "none" && value != "false")
      note("default " + value);
  }
  for (const auto& name : binding::variables_of(s, prefix)) note("environment " + name);
  if (!binding::has_flag(s)) note("in the file");
  return text;
}

}  // namespace

std::string table(std::string_view title, const std::vector<std::pair<std::string, std::string>>& rows) {
  if (rows.empty()) return {};
  constexpr std::size_t widest = 34;
  std::size_t width = 0;
  for (const auto& [left, right] : rows)
    if (left.size() <= widest) width = std::max(width, left.size());
  std::string text = "\n" + std::string{title} + "\n";
  for (const auto& [left, right] : rows) {
    text += "  " + left;
    if (!right.empty()) {
      text += left.size() > width ? "\n" + std::string(width + 4, ' ') : std::string(width - left.size() + 2, ' ');
      text += right;
    }
    text += "\n";
  }
  return text;
}

std::string verb_help(const std::string& program, const verb& about, const binder& settings, bool has_file,
                      const std::string& prefix) {
  std::string usage = "usage: " + program;
  std::vector<std::pair<std::string, std::string>> flags, in_file;
  if (has_file) flags.emplace_back("--config FILE", "settings in YAML");
  for (const auto* each : binding::leaves(settings.settings())) {
    if (each->positional) usage += each->required ? " " + usage_of(*each) : " [" + usage_of(*each) + "]";
    (each->in_file ? in_file : flags).emplace_back(usage_of(*each), notes(*each, prefix));
  }
  flags.emplace_back("--help, --version", "");
  std::string text = about.help + "\n\n" + usage + " [options]\n" + table("options:", flags);
  text += table("settings (flags win over environment, environment over file):", in_file);
  if (!about.examples.empty()) text += "\nexamples:\n";
  for (const auto& example : about.examples) text += "  " + example + "\n";
  return text;
}

}  // namespace flow::config
