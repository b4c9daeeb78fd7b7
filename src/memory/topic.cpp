#include "topic.hpp"

namespace flow::memory {
namespace {

/// What Kafka's batch format adds to a record that stands alone in its batch, roughly.
constexpr std::size_t framing = 70;

}  // namespace

const settings_map& default_settings() {
  static const settings_map defaults{{"cleanup.policy", "delete"},
                                     {"max.message.bytes", "1048588"},
                                     {"message.timestamp.after.max.ms", "9223372036854775807"},
                                     {"message.timestamp.type", "CreateTime"},
                                     {"retention.ms", "604800000"},
                                     {"segment.bytes", "1073741824"}};
  return defaults;
}

topic::topic(std::int32_t partitions, settings_map settings) : settings_{std::move(settings)} {
  obey();
  grow(partitions);
}

void topic::obey() {
  most_bytes_ = std::stoull(settings_.at("max.message.bytes"));
  furthest_ahead_ = std::stoll(settings_.at("message.timestamp.after.max.ms"));
  compacted_ = settings_.at("cleanup.policy").find("compact") != std::string::npos;
  stamps_ = settings_.at("message.timestamp.type") == "LogAppendTime";
}

void topic::change(const settings_map& settings) {
  const auto before = settings_;
  for (const auto& [name, value] : settings) settings_[name] = value;
  try {
    obey();
  } catch (const std::exception&) {
    settings_ = before;
    obey();
    throw;
  }
}

void topic::grow(std::int32_t total) {
  while (partitions_.size() < static_cast<std::size_t>(total)) partitions_.push_back(std::make_unique<partition>());
}

partition* topic::find(std::int32_t number) {
  return number >= 0 && number < partitions() ? partitions_[static_cast<std::size_t>(number)].get() : nullptr;
}

result<void> topic::accept(std::span<const fetched_record> records, std::size_t largest_batch, std::int64_t now) const {
  std::size_t batch = 0;
  for (const fetched_record& each : records) {
    const auto size = size_of(each) + framing;
    if (batch + size > largest_batch) batch = 0;
    batch += size;
    if (batch > most_bytes_)
      return fail(failure_kind::rejected, batch > size ? "a batch is larger than the topic takes"
                                                       : "a record is larger than the topic takes",
                  "raise the topic's max.message.bytes");
    if (compacted_ && each.key.is_null())
      return fail(failure_kind::rejected, "a record without a key cannot be written to a compacted topic");
    if (!stamps_ && each.timestamp > now && each.timestamp - now > furthest_ahead_)
      return fail(failure_kind::rejected, "a record's timestamp is further in the future than the topic takes",
                  "raise the topic's message.timestamp.after.max.ms");
  }
  return {};
}

void topic::stamp(std::span<fetched_record> batch, std::int64_t now) const {
  if (!stamps_) return;
  for (fetched_record& each : batch) each.timestamp = now;
}

}  // namespace flow::memory
