#include <kafka_fixture.hpp>

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <stdexcept>
#include <utility>

#include "admin_calls.hpp"
#include "cluster.hpp"
#include "world.hpp"

namespace flow::contract {
namespace {

using kafka::destroys;
using kafka::partitions_ptr;
using topic_deletion = std::unique_ptr<rd_kafka_DeleteTopic_t, destroys<rd_kafka_DeleteTopic_destroy>>;
using record_deletion = std::unique_ptr<rd_kafka_DeleteRecords_t, destroys<rd_kafka_DeleteRecords_destroy>>;
using offset_deletion =
    std::unique_ptr<rd_kafka_DeleteConsumerGroupOffsets_t, destroys<rd_kafka_DeleteConsumerGroupOffsets_destroy>>;

partitions_ptr list_of(const topic_partition& where, std::int64_t offset) {
  partitions_ptr list{rd_kafka_topic_partition_list_new(1)};
  rd_kafka_topic_partition_list_add(list.get(), where.topic.c_str(), where.partition)->offset = offset;
  return list;
}

void check(rd_kafka_resp_err_t code, const std::string& what) {
  if (code) throw std::runtime_error{what + ": " + rd_kafka_err2str(code)};
}

/// Letters and wakings of every thread; the test's thread opens and answers them.
class post_office : public port::mailbox {
 public:
  void post(std::function<void()> letter) override {
    const std::lock_guard lock{mutex_};
    letters_.push_back(std::move(letter));
    changed_.notify_one();
  }

  void wake() {
    const std::lock_guard lock{mutex_};
    woken_ = true;
    changed_.notify_one();
  }

  /// Waits for something to happen, no longer than until `deadline`, and runs the letters that have come.
  void serve(std::chrono::steady_clock::time_point deadline) {
    std::deque<std::function<void()>> come;
    {
      std::unique_lock lock{mutex_};
      changed_.wait_until(lock, deadline, [&] { return woken_ || !letters_.empty(); });
      woken_ = false;
      come.swap(letters_);
    }
    for (auto& letter : come) letter();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> letters_;
  bool woken_ = false;
};

/// One of the fixture's clusters, `home` unless FLOW_CONTRACT_CLUSTER names another.
class kafka_world : public world {
 public:
  std::unique_ptr<port::cluster> connect(const std::string& client_id) override {
    return kafka::connect(to(client_id), office_, [](severity, std::string_view) {});
  }

  bool pump_until(const std::function<bool()>& condition, port::milliseconds limit) override {
    // A condition may look at more than letters and wakings, and members are to be polled all the while.
    constexpr std::chrono::milliseconds look_again{20};
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (!condition()) {
      const auto now = std::chrono::steady_clock::now();
      if (now >= deadline) return false;
      office_->serve(std::min<std::chrono::steady_clock::time_point>(deadline, now + look_again));
    }
    return true;
  }

  port::wake wake() override {
    return [office = office_] { office->wake(); };
  }

  std::string unique(const std::string& stem) override { return kafka_fixture::fresh_name("contract-" + stem); }

  std::int64_t now() const override {
    const auto since_1970 = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::milliseconds>(since_1970).count();
  }

  void expire_group_offset(const std::string& group, const topic_partition& where) override {
    const std::string what = "deleting an offset of " + group;
    const offset_deletion wanted{rd_kafka_DeleteConsumerGroupOffsets_new(group.c_str(), list_of(where, 0).get())};
    const auto answer = administer(what, RD_KAFKA_ADMIN_OP_DELETECONSUMERGROUPOFFSETS,
                                   [&](auto* handle, auto* options, auto* queue) {
                                     auto* one = wanted.get();
                                     rd_kafka_DeleteConsumerGroupOffsets(handle, &one, 1, options, queue);
                                   });
    std::size_t count = 0;
    const auto* groups = rd_kafka_DeleteConsumerGroupOffsets_result_groups(
        rd_kafka_event_DeleteConsumerGroupOffsets_result(answer.get()), &count);
    check(rd_kafka_error_code(rd_kafka_group_result_error(groups[0])), what);
    check(rd_kafka_group_result_partitions(groups[0])->elems[0].err, what);
  }

  void delete_records(const topic_partition& where, std::int64_t first) override {
    const std::string what = "deleting records of " + to_string(where);
    const record_deletion wanted{rd_kafka_DeleteRecords_new(list_of(where, first).get())};
    const auto answer =
        administer(what, RD_KAFKA_ADMIN_OP_DELETERECORDS, [&](auto* handle, auto* options, auto* queue) {
          auto* one = wanted.get();
          rd_kafka_DeleteRecords(handle, &one, 1, options, queue);
        });
    const auto* list = rd_kafka_DeleteRecords_result_offsets(rd_kafka_event_DeleteRecords_result(answer.get()));
    check(list->elems[0].err, what);
  }

  void delete_topic(const std::string& name) override {
    const std::string what = "deleting " + name;
    const topic_deletion wanted{rd_kafka_DeleteTopic_new(name.c_str())};
    const auto answer =
        administer(what, RD_KAFKA_ADMIN_OP_DELETETOPICS, [&](auto* handle, auto* options, auto* queue) {
          auto* one = wanted.get();
          rd_kafka_DeleteTopics(handle, &one, 1, options, queue);
        });
    std::size_t count = 0;
    const auto* topics = rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(answer.get()), &count);
    check(rd_kafka_topic_result_error(topics[0]), what);
  }

 private:
  static std::string chosen() {
    const char* name = std::getenv("FLOW_CONTRACT_CLUSTER");
    return name ? name : "home";
  }

  kafka::connection to(const std::string& client_id) const {
    return {name_, {{"bootstrap.servers", kafka_fixture::bootstrap(name_)}}, client_id};
  }

  kafka::context own_context() const {
    auto silent = std::make_shared<kafka::complaints>(name_, std::vector<std::string>{}, nullptr);
    return {to("world"), std::move(silent), std::make_shared<kafka::closer>(name_)};
  }

  kafka::event_ptr administer(const std::string& what, rd_kafka_admin_op_t kind,
                              const kafka::admin_call::sending& send) {
    const auto by = administration_.reading(port::isolation::read_uncommitted);
    if (!by) throw std::runtime_error{by.error().text};
    auto answer = kafka::admin_call{*by, kind, send}.poll(std::chrono::seconds{15});
    if (!answer) throw std::runtime_error{what + ": no answer"};
    check(rd_kafka_event_error(answer.get()), what);
    return answer;
  }

  const std::string name_ = chosen();
  std::shared_ptr<post_office> office_ = std::make_shared<post_office>();
  kafka::administration administration_{own_context()};
};

}  // namespace

std::unique_ptr<world> make_world() {
  return std::make_unique<kafka_world>();
}

}  // namespace flow::contract
