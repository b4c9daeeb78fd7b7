#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <flow/settings.hpp>

namespace flow::config {

/// A value in a file, with `${...}` replaced.
struct node {
  enum class form { empty, scalar, list, mapping };
  form is = form::empty;
  place at;
  std::string text;     ///< of a scalar
  std::string written;  ///< the text before `${...}` was replaced
  bool plain = true;    ///< not in quotes
  bool blank = false;   ///< nothing at all is written, not even ~
  bool expanded = false;
  bool broken = false;  ///< a reference in it means nothing; that is told already
  bool secret = false;  ///< only `written` may be shown
  struct entry;
  std::vector<node> items;
  std::vector<entry> entries;
};

struct node::entry {
  node key, value;
};

struct document {
  std::optional<node> root;  ///< a mapping; none if nothing could be read
  bool complete = true;      ///< false if a mistake hides what stands behind it
  std::vector<problem> problems;
};

document read_document(const std::string& file, const environment& variables);

}  // namespace flow::config
