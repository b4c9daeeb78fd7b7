#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/names.hpp"
#include "engine/position.hpp"
#include "worker_thread.hpp"

#include <flow/app.hpp>
#include <flow/ports.hpp>

namespace flow {

/// Asks one cluster, and waits for each answer: for what looks at a cluster and works on nothing there. Everything that
/// is asked has a limit.
class inquiry {
 public:
  /// What may heal is asked again within `patience`. Those that share a box are for one thread.
  inquiry(const app_options& by, const std::string& cluster, std::chrono::milliseconds patience,
          std::shared_ptr<letter_box> box = std::make_shared<letter_box>());

  /// In place of the usual patience.
  using limit = std::optional<std::chrono::milliseconds>;

  /// The cluster's own id.
  result<std::string> identify();
  result<std::vector<port::topic_description>> topics();
  /// Those of them that there are, with their settings.
  result<std::vector<port::topic_description>> topics(const std::vector<std::string>& named, limit patience = {});
  result<std::vector<std::int64_t>> offsets(const std::vector<topic_partition>& of, port::offset_query::kind which,
                                            limit patience = {});

  /// [first, second) of a partition.
  using range = std::pair<std::int64_t, std::int64_t>;
  /// What there is of these partitions for a `read_committed` reader.
  result<std::map<topic_partition, range>> ranges(const std::vector<topic_partition>& of, limit patience = {});
  /// Calls `see` for each record, in the order of each partition, until that is false. A record is valid until `see`
  /// returns. `timed_out` if nothing comes for half a minute.
  result<void> read(const std::map<topic_partition, range>& what,
                    const std::function<bool(const topic_partition&, const fetched_record&)>& see);
  /// Rings the box when something can be polled.
  std::unique_ptr<port::reader> open_reader();

  /// The newest positions of these lanes, or of all, as far as they are committed and known here.
  result<std::vector<engine::position>> positions(const engine::names& whose,
                                                  const std::optional<std::vector<std::int32_t>>& lanes = {},
                                                  limit patience = {});
  /// Somebody works on them.
  result<bool> are_owned(const engine::names& whose);
  /// Writes one record, and answers its offset, or that of a later one.
  result<std::int64_t> write(const topic_partition& where, bytes key, const std::string& value);

  /// How far the lanes of an application on this cluster have committed these source partitions; those of which nothing
  /// is known are left out. It may lag behind what is being committed.
  result<std::map<topic_partition, std::int64_t>> places(const engine::names& whose,
                                                         const std::vector<topic_partition>& of, limit patience = {});

 private:
  template <typename T>
  result<T> ask(const std::function<void(port::reply<T>)>& question, limit patience = {});

  std::chrono::milliseconds patience_;
  std::shared_ptr<letter_box> box_;
  std::string name_;
  std::unique_ptr<port::cluster> cluster_;
};

/// One for each cluster that is asked. They share a box: for one thread.
class inquiries {
 public:
  inquiries(const app_options& by, std::chrono::milliseconds patience) : options_{by}, patience_{patience} {}

  inquiry& at(const std::string& cluster);
  letter_box& box() { return *box_; }

 private:
  const app_options& options_;
  std::chrono::milliseconds patience_;
  std::shared_ptr<letter_box> box_ = std::make_shared<letter_box>();
  std::map<std::string, std::unique_ptr<inquiry>> asked_;
};

}  // namespace flow
