#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <flow/ports.hpp>

#include "client.hpp"

namespace flow::kafka {

/// The handles that questions to a cluster go through, each opened when it is first needed. One thread only.
class administration {
 public:
  explicit administration(const context& in) : in_{in} {}

  /// Reads without a group, and asks what needs none.
  result<std::shared_ptr<client>> reading(port::isolation isolated);
  /// Asks for the offsets of this group. Such a handle has to have a group, or librdkafka 2.0.2 follows a null pointer
  /// when the coordinator has moved.
  result<std::shared_ptr<client>> of_group(const std::string& group);
  result<std::shared_ptr<client>> writing_as(const std::string& transactional_id) const;

  const std::string& cluster() const { return in_.to.name; }
  /// A partition can be read once at a time through one handle.
  std::set<std::pair<port::isolation, topic_partition>>& being_read() { return being_read_; }

 private:
  const context in_;
  std::map<port::isolation, std::shared_ptr<client>> reading_;
  std::map<std::string, std::shared_ptr<client>> of_groups_;
  std::set<std::pair<port::isolation, topic_partition>> being_read_;
};

// What follows blocks for as long as one round trip may take, and is asked again until its request's limit is over.

result<std::string> ask_identity(administration& by, port::milliseconds limit);
result<std::vector<port::topic_description>> ask_topics(administration& by, port::milliseconds limit);
result<std::vector<std::int64_t>> ask_offsets(administration& by, const std::vector<topic_partition>& where,
                                              port::offset_query what, port::milliseconds limit);

}  // namespace flow::kafka
