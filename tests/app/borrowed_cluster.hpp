#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <flow/ports.hpp>

namespace flow {

/// A cluster whose requests another one answers.
class borrowed_cluster : public port::cluster {
 public:
  explicit borrowed_cluster(std::unique_ptr<port::cluster> from) : from_{std::move(from)} {}

  void identify(port::reply<std::string> done) override { from_->identify(std::move(done)); }
  void list_topics(port::reply<std::vector<port::topic_description>> done) override {
    from_->list_topics(std::move(done));
  }
  void describe_topics(std::vector<std::string> names,
                       port::reply<std::vector<port::topic_description>> done) override {
    from_->describe_topics(std::move(names), std::move(done));
  }
  void create_topics(std::vector<port::new_topic> topics, port::reply<void> done) override {
    from_->create_topics(std::move(topics), std::move(done));
  }
  void add_partitions(std::string topic, std::int32_t total, port::reply<void> done) override {
    from_->add_partitions(std::move(topic), total, std::move(done));
  }
  void delete_records(std::map<topic_partition, std::int64_t> below, port::reply<void> done) override {
    from_->delete_records(std::move(below), std::move(done));
  }
  void change_settings(std::string topic, std::map<std::string, std::string> settings,
                       port::reply<void> done) override {
    from_->change_settings(std::move(topic), std::move(settings), std::move(done));
  }
  void find_offsets(std::vector<topic_partition> where, port::offset_query what,
                    port::reply<std::vector<std::int64_t>> done) override {
    from_->find_offsets(std::move(where), what, std::move(done));
  }
  void read_range(topic_partition where, std::int64_t from, std::int64_t to, port::isolation isolated,
                  port::milliseconds limit, port::reply<port::range_read> done) override {
    from_->read_range(std::move(where), from, to, isolated, limit, std::move(done));
  }
  void group_offsets(std::string group, std::vector<topic_partition> where, port::isolation isolated,
                     port::milliseconds limit, port::reply<std::vector<port::group_offset>> done) override {
    from_->group_offsets(std::move(group), std::move(where), isolated, limit, std::move(done));
  }
  void group_members(std::string group, port::reply<std::vector<port::group_member>> done) override {
    from_->group_members(std::move(group), std::move(done));
  }
  void fence(std::string transactional_id, port::reply<void> done) override {
    from_->fence(std::move(transactional_id), std::move(done));
  }
  std::unique_ptr<port::reader> open_reader(port::reader_options options, port::wake readable) override {
    return from_->open_reader(options, std::move(readable));
  }
  std::unique_ptr<port::member> join(port::member_options options, port::wake readable) override {
    return from_->join(std::move(options), std::move(readable));
  }
  std::unique_ptr<port::producer> open_producer(port::producer_options options) override {
    return from_->open_producer(std::move(options));
  }

 private:
  std::unique_ptr<port::cluster> from_;
};

}  // namespace flow
