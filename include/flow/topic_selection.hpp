#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <flow/plan.hpp>

namespace flow {

/// Which topics of a cluster a source reads. An entry that could be a topic's name is one; every other is a regular
/// expression (ECMAScript), matched whole. Topics that end in `.internal` are never selected, nor are Kafka's own (`__...`).
class topic_selection {
 public:
  /// Throws `std::invalid_argument` that names the entry which is no regular expression.
  topic_selection(const std::vector<std::string>& include, const std::vector<std::string>& exclude);
  /// `application` and `home` name the topic of a source that reads one of the application's own.
  topic_selection(const source_spec& what, std::string_view application, std::string_view home);

  bool contains(std::string_view topic) const;

 private:
  struct entries;
  bool is_own_ = false;
  std::shared_ptr<const entries> include_;
  std::shared_ptr<const entries> exclude_;
};

/// What a sink's `naming::pattern` becomes for one topic of the home cluster.
std::string topic_by_pattern(std::string_view pattern, std::string_view topic, std::string_view source);

/// A topic that the pattern makes of one of those that `include` names, and that `read` selects: what is written there
/// on the home cluster, called `source`, would come back in. Of a regular expression no more is known than its text
/// tells.
std::optional<std::string> leads_back(std::string_view pattern, const std::vector<std::string>& include,
                                      std::string_view source, const topic_selection& read);

}  // namespace flow
