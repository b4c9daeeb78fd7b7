#include "cluster.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "asker.hpp"
#include "member.hpp"
#include "producer.hpp"
#include "reader.hpp"

namespace flow::memory {
namespace {

constexpr std::size_t bytes_per_read = 1u << 20;

port::topic_description describe(const std::string& name, const topic& what, bool with_settings) {
  return {name, what.partitions(), with_settings ? what.settings() : settings_map{}};
}

result<std::int64_t> find_offset(node& cluster, const topic_partition& where, port::offset_query what) {
  if (cluster.is_stalled(where)) return fail(failure_kind::retriable, to_string(where) + " has no leader");
  return cluster.find(where).map([&](const partition* there) {
    using kind = port::offset_query::kind;
    switch (what.which) {
      case kind::earliest:
        return there->log.start();
      case kind::high_watermark:
        return there->log.high_watermark();
      case kind::last_stable:
        return there->log.last_stable();
      case kind::at_time:
        break;
    }
    return there->log.at_time(what.time);
  });
}

/// One `read_range`, which goes on where it had to wait.
struct range_reading {
  node& cluster;
  topic_partition where;
  std::int64_t to;
  port::isolation isolated;
  port::range_read read;

  outcome<port::range_read> operator()() {
    const auto there = cluster.find(where);
    if (!there) return failed(there.error());
    while (read.next < to) {
      const auto more = (*there)->log.read(read.next, isolated, bytes_per_read);
      if (!more) return failed(more.error());
      for (const log_slice& each : more->slices) take(each);
      if (more->next == read.next) return later{&(*there)->changed};
      read.next = std::min(more->next, to);
    }
    return result<port::range_read>{std::move(read)};
  }

 private:
  static result<port::range_read> failed(failure why) { return tl::unexpected{std::move(why)}; }

  void take(const log_slice& slice) {
    for (std::size_t index = slice.first; index < slice.last; ++index) {
      const fetched_record& each = slice.records->records()[index];
      if (each.offset >= to) return;
      record kept = to_record(each);
      read.records.push_back({each.offset, each.timestamp, std::move(kept.key), std::move(kept.value)});
    }
  }
};

class memory_cluster final : public port::cluster, private asker {
 public:
  explicit memory_cluster(access by) : asker{std::move(by)} {}
  ~memory_cluster() override { hang_up(); }

  void identify(port::reply<std::string> done) override {
    ask<std::string>([&cluster = home()] { return result<std::string>{"memory-" + cluster.name()}; }, std::move(done));
  }

  void list_topics(port::reply<std::vector<port::topic_description>> done) override {
    ask<std::vector<port::topic_description>>(
        [&cluster = home()] {
          std::vector<port::topic_description> all;
          for (const auto& [name, each] : cluster.topics()) all.push_back(describe(name, each, false));
          return result<std::vector<port::topic_description>>{std::move(all)};
        },
        std::move(done));
  }

  void describe_topics(std::vector<std::string> names,
                       port::reply<std::vector<port::topic_description>> done) override {
    ask<std::vector<port::topic_description>>(
        [&cluster = home(), names = std::move(names)] {
          std::vector<port::topic_description> found;
          for (const std::string& name : names)
            if (const auto each = cluster.topics().find(name); each != cluster.topics().end())
              found.push_back(describe(name, each->second, true));
          return result<std::vector<port::topic_description>>{std::move(found)};
        },
        std::move(done));
  }

  void create_topics(std::vector<port::new_topic> topics, port::reply<void> done) override {
    ask<void>(
        [&cluster = home(), topics = std::move(topics)] {
          result<void> all;
          for (const port::new_topic& each : topics)
            if (auto created = cluster.create_topic(each); !created && all) all = std::move(created);
          return all;
        },
        std::move(done));
  }

  void add_partitions(std::string topic, std::int32_t total, port::reply<void> done) override {
    ask<void>([&cluster = home(), topic = std::move(topic), total] { return cluster.add_partitions(topic, total); },
              std::move(done));
  }

  void delete_records(std::map<topic_partition, std::int64_t> below, port::reply<void> done) override {
    ask<void>(
        [&cluster = home(), below = std::move(below)] {
          result<void> all;
          for (const auto& [where, offset] : below)
            if (auto deleted = cluster.delete_records(where, offset); !deleted && all) all = std::move(deleted);
          return all;
        },
        std::move(done));
  }

  void change_settings(std::string topic, settings_map settings, port::reply<void> done) override {
    ask<void>([&cluster = home(), topic = std::move(topic),
               settings = std::move(settings)] { return cluster.change_settings(topic, settings); },
              std::move(done));
  }

  void find_offsets(std::vector<topic_partition> where, port::offset_query what,
                    port::reply<std::vector<std::int64_t>> done) override {
    ask<std::vector<std::int64_t>>(
        [&cluster = home(), where = std::move(where), what]() -> result<std::vector<std::int64_t>> {
          std::vector<std::int64_t> offsets;
          for (const topic_partition& each : where) {
            const auto found = find_offset(cluster, each, what);
            if (!found) return tl::unexpected{found.error()};
            offsets.push_back(*found);
          }
          return offsets;
        },
        std::move(done));
  }

  void read_range(topic_partition where, std::int64_t from, std::int64_t to, port::isolation isolated,
                  port::milliseconds limit, port::reply<port::range_read> done) override {
    ask<port::range_read>(range_reading{home(), std::move(where), to, isolated, {{}, from}}, std::move(done), limit);
  }

  void group_offsets(std::string group, std::vector<topic_partition> where, port::isolation isolated,
                     port::milliseconds limit, port::reply<std::vector<port::group_offset>> done) override {
    ask<std::vector<port::group_offset>>([&cluster = home(), group = std::move(group), where = std::move(where),
                                          isolated] { return cluster.group_named(group).offsets(where, isolated); },
                                         std::move(done), limit);
  }

  void group_members(std::string group, port::reply<std::vector<port::group_member>> done) override {
    ask<std::vector<port::group_member>>(
        [&cluster = home(), group = std::move(group)] {
          return result<std::vector<port::group_member>>{cluster.group_named(group).members()};
        },
        std::move(done));
  }

  void fence(std::string transactional_id, port::reply<void> done) override {
    ask<void>(
        [&cluster = home(), id = std::move(transactional_id)]() -> outcome<void> {
          auto taken = cluster.coordinator().init(id, port::producer_options{}.transaction_timeout);
          if (const auto* wait = std::get_if<later>(&taken)) return *wait;
          return std::get<0>(std::move(taken)).map([](producer_identity) {});
        },
        std::move(done));
  }

  std::unique_ptr<port::reader> open_reader(port::reader_options options, port::wake readable) override {
    return std::make_unique<memory_reader>(by_, options, std::move(readable));
  }

  std::unique_ptr<port::member> join(port::member_options options, port::wake readable) override {
    return std::make_unique<memory_member>(by_, std::move(options), std::move(readable));
  }

  std::unique_ptr<port::producer> open_producer(port::producer_options options) override {
    return std::make_unique<memory_producer>(by_, std::move(options));
  }

 private:
  template <typename T>
  void ask(std::function<outcome<T>()> work, port::reply<T> done, std::optional<port::milliseconds> limit = {}) {
    const std::scoped_lock lock{home().mutex};
    if (home().happens(home().conditions().failed_questions))
      work = [] { return result<T>{fail(failure_kind::retriable, "no broker answers")}; };
    channel_->ask<T>(limit.value_or(home().conditions().request_limit), std::move(work),
                     [this, done = std::move(done)](result<T> what) { answer(done, std::move(what)); });
  }
};

}  // namespace

std::unique_ptr<port::cluster> connect(broker& to, std::shared_ptr<port::mailbox> mailbox, connection by) {
  return std::make_unique<memory_cluster>(
      access{to.inside(), std::move(mailbox), std::move(by.client_id), std::move(by.is_frozen)});
}

}  // namespace flow::memory
