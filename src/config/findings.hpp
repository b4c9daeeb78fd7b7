#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include <flow/settings.hpp>

namespace flow::config {

/// What turns out while settings are read: by the path of each value where it was written and whether it is what was
/// meant, and every problem once.
class findings {
 public:
  /// `file` is empty if there is none.
  explicit findings(std::string file) : file_{std::move(file)} {}

  /// The value of `path` was written at `at`, and whatever was written before does not count.
  void remember(const std::string& path, const place& at) { places_[path] = at; }
  /// So was a part of it.
  void remember_part(const std::string& path, const place& at) { places_.try_emplace(path, at); }
  /// Null if nobody wrote it.
  const place* place_of(const std::string& path) const;
  /// Where a value would stand that nobody wrote.
  place fallback(const std::string& path) const;

  /// The value of `path` is not known. Nothing is reported of it any more, nor of what is part of it.
  void fail(const std::string& path) { failed_.insert(path); }
  void fail(const std::string& path, const place& at, std::string text, std::string remedy);
  /// It, or what it is part of.
  bool has_failed(const std::string& path) const;

  /// A name in this section is unknown, and what stands there may be what a check misses.
  void doubt(const std::string& section) { doubtful_.insert(section); }
  bool is_in_doubt(const std::string& path) const { return doubtful_.contains(path) || has_failed(path); }

  /// Never shows in what is reported.
  void hide(std::string secret) { secrets_.push_back(std::move(secret)); }

  void tell(problem what);
  void tell(const place& at, std::string text, std::string remedy) { tell({at, std::move(text), std::move(remedy)}); }
  /// What a check says of a value, unless that is in doubt.
  void report(const std::string& path, const problem& what);

  /// Those of the file first, and in its order.
  std::vector<problem> take();

 private:
  std::string file_;
  std::map<std::string, place> places_;
  std::set<std::string> failed_;
  std::set<std::string> doubtful_;
  std::set<std::string> told_;
  std::vector<std::string> secrets_;
  std::vector<problem> problems_;
};

}  // namespace flow::config
