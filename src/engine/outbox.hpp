#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "lane.hpp"

#include <flow/plan.hpp>
#include <flow/ports.hpp>

namespace flow::engine {

std::size_t size_of(bytes key, bytes value, std::span<const header> headers);

/// What a client keeps beside the bytes of each record, about: what is counted without it is a multiple of what was meant
/// where records are small.
inline constexpr std::size_t kept_beside_each = 512;

/// A record of a source partition.
struct source_record {
  const source* from = nullptr;
  std::int64_t offset = -1;

  bool operator==(const source_record&) const = default;
};

/// What keeps a batch's records alive until the last of them has been handed to its producer.
struct held {
  std::shared_ptr<const void> buffers;
  arena written;
  std::size_t size = 0;
};

/// An output topic, as far as it decides whether and where a record can be written.
struct route {
  topic_id topic = 0;
  std::string name;
  std::int32_t partitions = 0;
  std::size_t largest_record = 0;      ///< bytes; max.message.bytes
  std::int64_t furthest_ahead = 0;     ///< milliseconds; message.timestamp.after.max.ms
  std::int64_t furthest_behind = 0;    ///< milliseconds; message.timestamp.before.max.ms
  bool needs_key = false;              ///< a compacted topic
};

route make_route(const port::topic_description& topic, topic_id id);

/// The topic that a sink writes a source topic's records to.
std::string topic_of(const sink_spec& sink, std::string_view home, std::string_view source_topic,
                     std::string_view by_record);

/// Records that wait to be sent to one target.
class outbox {
 public:
  /// Where `sink` writes what comes from `from`; nullptr: that topic is not known yet.
  const route* find(std::uint32_t sink, const source& from, const emission& what) const;
  void add(std::uint32_t sink, const source& from, route to);
  void add(std::uint32_t sink, route to);  ///< of a sink that names a topic in each record
  void forget_routes() { routes_.clear(), by_record_.clear(); }

  /// Why the target would refuse this record; empty: it would not. `wall_clock` in milliseconds since 1970.
  static std::string refusal(const route& to, const emission& what, std::int64_t wall_clock);
  /// Everything that is made of one source record is appended in one go.
  void append(const route& to, const emission& what, source_record from, const std::shared_ptr<held>& by);

  bool empty() const { return waiting_.empty(); }
  /// Bytes that are kept from being freed.
  std::size_t size() const { return held_; }
  /// Source records that something waiting was made of.
  std::size_t records() const { return records_; }
  /// The newest of them.
  const source_record& latest() const { return latest_record_; }
  outgoing take();
  void drop();

 private:
  outgoing waiting_;
  std::size_t held_ = 0;
  const held* latest_ = nullptr;
  std::size_t records_ = 0;
  source_record latest_record_;
  std::vector<std::vector<route>> routes_;                         // by sink, then source
  std::vector<std::unordered_map<std::string, route>> by_record_;  // by sink, then topic
};

}  // namespace flow::engine
