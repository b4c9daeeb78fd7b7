#include <flow/settings.hpp>

namespace flow {
namespace {

std::string lines(const std::vector<problem>& found) {
  std::string text;
  for (const auto& each : found) text += (text.empty() ? "" : "\n") + to_string(each);
  return text;
}

}  // namespace

std::string to_string(const problem& what) {
  std::string text = what.at.source;
  if (what.at.line > 0) text += ":" + std::to_string(what.at.line) + ":" + std::to_string(what.at.column);
  text += (text.empty() ? "error: " : ": error: ") + what.text;
  if (!what.remedy.empty()) text += " (" + what.remedy + ")";
  return text;
}

configuration_error::configuration_error(std::vector<problem> found)
    : std::runtime_error(lines(found)), problems_(std::move(found)) {}

}  // namespace flow
