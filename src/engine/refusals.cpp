#include "refusals.hpp"

#include <algorithm>

#include <flow/topic.hpp>

namespace flow::engine {

failure leads_back(const std::string& writer, const std::string& topic, const std::string& cluster,
                   const std::string& home) {
  if (cluster == home)
    return {failure_kind::refused, "'" + writer + "' writes to " + topic + " on " + cluster + ", which is read as well",
            "let it write to another topic, or exclude that from what is read"};
  return {failure_kind::refused,
          cluster + " is the home cluster " + home + " by another name, and what '" + writer + "' writes to " + topic +
              " there would be read again",
          "take " + cluster +
              " out of the targets, or correct its bootstrap.servers, or rename its topics to what is not read"};
}

failure one_and_the_same(const std::string& one, const std::string& other, const std::string& id) {
  return {failure_kind::refused, one + " and " + other + " are one and the same cluster (" + id + ")",
          "take one of the two out of the targets, or correct its bootstrap.servers"};
}

std::string missing_topics(const plan& what, const std::vector<port::topic_description>& there) {
  std::string missing;
  for (const auto& spec : what.sources())
    for (const auto& entry : spec.include)
      if (is_topic_name(entry) && std::ranges::find(there, entry, &port::topic_description::name) == there.end())
        missing += (missing.empty() ? "" : ", ") + entry;
  return missing;
}

std::optional<std::string> out_of_reach(std::int64_t next, const topic_partition& where, const std::string& home,
                                        std::int64_t first, std::int64_t end) {
  static const std::string start_over =
      "; to go on without them, start under another application name, from a time of your choice)";
  if (next < first)
    return "offsets " + std::to_string(next) + ".." + std::to_string(first - 1) + " are gone from " + home +
           " (they were deleted before they were read" + start_over;
  if (next > end)
    return to_string(where) + " on " + home + " ends at " + std::to_string(end) +
           " (the topic was deleted and made anew, or has lost records" + start_over;
  return std::nullopt;
}

}  // namespace flow::engine
