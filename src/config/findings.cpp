#include "findings.hpp"

#include <algorithm>
#include <tuple>

#include <flow/masked.hpp>

namespace flow::config {
namespace {

// "routes[2].from", "routes[2]", "routes", and nothing.
std::string enclosing(const std::string& path) {
  const auto end = path.find_last_of(".[");
  return end == std::string::npos ? std::string{} : path.substr(0, end);
}

}  // namespace

const place* findings::place_of(const std::string& path) const {
  const auto found = places_.find(path);
  return found == places_.end() ? nullptr : &found->second;
}

place findings::fallback(const std::string& path) const {
  for (auto outer = path; !outer.empty(); outer = enclosing(outer))
    if (const auto* at = place_of(outer)) return *at;
  return file_.empty() ? place{} : place{file_, 1, 1};
}

void findings::fail(const std::string& path, const place& at, std::string text, std::string remedy) {
  fail(path);
  tell(at, std::move(text), std::move(remedy));
}

bool findings::has_failed(const std::string& path) const {
  for (auto outer = path; !outer.empty(); outer = enclosing(outer))
    if (failed_.contains(outer)) return true;
  return false;
}

void findings::tell(problem what) {
  if (told_.insert(to_string(what)).second) problems_.push_back(std::move(what));
}

void findings::report(const std::string& path, const problem& what) {
  if (is_in_doubt(path)) return;
  const auto* at = path.empty() ? nullptr : place_of(path);
  const std::string of = at == nullptr && !path.empty() ? path + ": " : "";
  tell(at != nullptr ? *at : fallback(path), of + masked(what.text, secrets_), masked(what.remedy, secrets_));
}

std::vector<problem> findings::take() {
  std::ranges::stable_sort(problems_, {}, [](const problem& what) {
    return std::tuple{what.at.line == 0, what.at.line, what.at.column};
  });
  return std::move(problems_);
}

}  // namespace flow::config
