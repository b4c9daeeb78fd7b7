#include "events.hpp"

#include <algorithm>

namespace replicator {

event event_maker::next(std::int64_t time) {
  static const std::vector<std::string> other_sources{"genai-demo.search", "genai-demo.clickstream"};
  static const std::vector<std::string> other_types{"PageViewed", "SearchDone", "CartTouched"};

  // Some are sent twice, as producers do that were not answered, and some are cut off.
  if (!latest_.empty() && roll(50) == 0) {
    event again = latest_[roll(latest_.size())];
    again.record.timestamp = time;
    again.due = event::fate::repeated;
    return again;
  }

  const bool critical = roll(2) == 0;
  const bool consistency = roll(3) == 0;
  const auto pick = [&](const std::vector<std::string>& from) { return from[roll(from.size())]; };
  const auto source = critical ? pick(rules_.critical_sources) : pick(other_sources);
  const auto type = consistency ? pick(rules_.consistency_types) : pick(other_types);

  auto made = of(roll(500), source, type, "");
  made.due = critical || consistency ? event::fate::replicated : event::fate::left_out;
  made.record.timestamp = time;
  if (roll(100) == 0) {
    made.record.value->resize(8);
    made.due = event::fate::malformed;
  }
  if (made.due == event::fate::replicated) {
    latest_.push_back(made);
    if (latest_.size() > 100) latest_.erase(latest_.begin());
  }
  return made;
}

event event_maker::large(std::int64_t time, std::size_t size) {
  auto made = of(roll(500), rules_.critical_sources.front(), rules_.consistency_types.front(), std::string(size, '.'));
  made.record.timestamp = time;
  return made;
}

event event_maker::of(std::size_t customer, const std::string& source, const std::string& type,
                      const std::string& note) {
  event made;
  made.due = event::fate::replicated;
  made.partition = static_cast<std::int32_t>(customer % static_cast<std::size_t>(partitions_));
  made.record.key = "customer-" + std::to_string(customer);
  made.record.value = R"({"id":")" + std::to_string(++made_) + R"(","source":")" + source + R"(","detail-type":")" +
                      type + R"(","detail":{"customer":)" + std::to_string(customer) + R"(,"amount":)" +
                      std::to_string(roll(100'000)) + R"(,"note":")" + note + "\"}}";
  return made;
}

}  // namespace replicator
