#pragma once

#include <optional>
#include <string>

#include <flow/json.hpp>
#include <flow/topology.hpp>

#include "settings.hpp"

namespace replicator {

/// By what `settings::dedup` tells that an event repeats another. What is malformed and replicated all the same has no
/// id. @throws flow::json::malformed otherwise.
class event_id {
 public:
  explicit event_id(const settings& s);
  std::optional<std::string> operator()(const flow::record<flow::bytes, flow::bytes>& event) const;
  /// Another one is another dedup.
  std::string text() const { return at_.text(); }

 private:
  flow::subject at_;
  bool is_tolerant_;
};

/// Cross-region sync: the records of the home cluster's topics, or those of them that are business events of interest,
/// on every target, exactly once and in order.
flow::topology sync(const settings& s);

}  // namespace replicator
