#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <flow/ports.hpp>

namespace flow::contract {

/// Where the suite runs: one cluster, and how time passes there. Each program that links the suite brings its own.
class world {
 public:
  virtual ~world() = default;

  virtual std::unique_ptr<port::cluster> connect(const std::string& client_id) = 0;
  /// Runs letters and lets time pass until `condition` holds; false if it does not within `limit` of that world's time.
  virtual bool pump_until(const std::function<bool()>& condition, port::milliseconds limit) = 0;
  /// What a reader or a member calls when there is something to poll.
  virtual port::wake wake() = 0;
  /// A name that no other test, program or run uses.
  virtual std::string unique(const std::string& stem) = 0;
  /// The cluster's clock: milliseconds since 1970 UTC.
  virtual std::int64_t now() const = 0;

  // What a cluster does by itself, some day.

  /// The group, which nobody is a member of, has no offset for this partition any more.
  virtual void expire_group_offset(const std::string& group, const topic_partition& where) = 0;
  /// The records below `first` are gone.
  virtual void delete_records(const topic_partition& where, std::int64_t first) = 0;
  virtual void delete_topic(const std::string& name) = 0;
};

std::unique_ptr<world> make_world();

}  // namespace flow::contract
