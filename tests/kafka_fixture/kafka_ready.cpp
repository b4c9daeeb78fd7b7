// Waits until a cluster can be used: every broker is there, every partition is in step, and a record that was produced
// in a transaction is consumed by a group that commits its offset.
//
//   kafka_ready BOOTSTRAP BROKERS SECONDS

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <random>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace {

using steady = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr int call_limit_ms = 5000;

struct not_ready : std::runtime_error {
  using std::runtime_error::runtime_error;
};

template <auto Destroy>
struct destroyed_by {
  template <class Handle>
  void operator()(Handle* handle) const {
    Destroy(handle);
  }
};

using client = std::unique_ptr<rd_kafka_t, destroyed_by<rd_kafka_destroy>>;
using queue = std::unique_ptr<rd_kafka_queue_t, destroyed_by<rd_kafka_queue_destroy>>;
using event = std::unique_ptr<rd_kafka_event_t, destroyed_by<rd_kafka_event_destroy>>;
using message = std::unique_ptr<rd_kafka_message_t, destroyed_by<rd_kafka_message_destroy>>;
using partitions =
    std::unique_ptr<rd_kafka_topic_partition_list_t, destroyed_by<rd_kafka_topic_partition_list_destroy>>;
using new_topic = std::unique_ptr<rd_kafka_NewTopic_t, destroyed_by<rd_kafka_NewTopic_destroy>>;
using old_topic = std::unique_ptr<rd_kafka_DeleteTopic_t, destroyed_by<rd_kafka_DeleteTopic_destroy>>;
using metadata = std::unique_ptr<const rd_kafka_metadata_t, destroyed_by<rd_kafka_metadata_destroy>>;

void check(std::string_view step, rd_kafka_resp_err_t error) {
  if (error) throw not_ready(std::string(step) + ": " + rd_kafka_err2str(error));
}

void check(std::string_view step, rd_kafka_error_t* error) {
  if (!error) return;
  std::string text = rd_kafka_error_string(error);
  rd_kafka_error_destroy(error);
  throw not_ready(std::string(step) + ": " + text);
}

using properties = std::vector<std::pair<std::string, std::string>>;

client make_client(rd_kafka_type_t type, const properties& wanted) {
  std::array<char, 512> problem{};
  rd_kafka_conf_t* configuration = rd_kafka_conf_new();
  rd_kafka_conf_set_log_cb(configuration, nullptr);
  for (const auto& [key, value] : wanted) {
    if (rd_kafka_conf_set(configuration, key.c_str(), value.c_str(), problem.data(), problem.size())) {
      throw std::logic_error(problem.data());
    }
  }
  client made{rd_kafka_new(type, configuration, problem.data(), problem.size())};
  if (!made) throw std::logic_error(problem.data());
  return made;
}

/// One go at using a cluster, with a topic, a group and a transactional id that nobody else has.
class attempt {
 public:
  attempt(std::string bootstrap, int brokers) : bootstrap_(std::move(bootstrap)), brokers_(brokers) {
    std::ostringstream name;
    name << "kafka-ready-" << std::hex << std::random_device{}();
    name_ = name.str();
    producer_ = make_client(RD_KAFKA_PRODUCER, {{"bootstrap.servers", bootstrap_},
                                                {"transactional.id", name_},
                                                {"linger.ms", "0"},
                                                {"reconnect.backoff.max.ms", "200"}});
  }

  void run() {
    await_brokers();
    create_topic();
    produce();
    consume();
    // A broker that was killed a moment ago counts until the record just produced has shown that it does not follow.
    await_brokers();
    delete_topic();
  }

 private:
  void await_brokers() const {
    const rd_kafka_metadata_t* raw = nullptr;
    check("metadata", rd_kafka_metadata(producer_.get(), 1, nullptr, &raw, call_limit_ms));
    const metadata seen{raw};
    if (seen->broker_cnt < brokers_) {
      throw not_ready(std::to_string(seen->broker_cnt) + " of " + std::to_string(brokers_) + " brokers are there");
    }
    for (const auto& topic : std::vector(seen->topics, seen->topics + seen->topic_cnt)) {
      for (const auto& partition : std::vector(topic.partitions, topic.partitions + topic.partition_cnt)) {
        if (partition.leader < 0 || partition.isr_cnt < std::min(brokers_, partition.replica_cnt)) {
          throw not_ready(topic.topic + (" [" + std::to_string(partition.id) + "] is not in step on all its brokers"));
        }
      }
    }
  }

  void create_topic() const {
    std::array<char, 512> problem{};
    const new_topic topic{rd_kafka_NewTopic_new(name_.c_str(), 1, brokers_, problem.data(), problem.size())};
    if (!topic) throw std::logic_error(problem.data());
    const queue answers{rd_kafka_queue_new(producer_.get())};
    rd_kafka_NewTopic_t* one = topic.get();
    rd_kafka_CreateTopics(producer_.get(), &one, 1, nullptr, answers.get());
    check_answer("creating a topic", answers.get());
  }

  void delete_topic() const {
    const old_topic topic{rd_kafka_DeleteTopic_new(name_.c_str())};
    const queue answers{rd_kafka_queue_new(producer_.get())};
    rd_kafka_DeleteTopic_t* one = topic.get();
    rd_kafka_DeleteTopics(producer_.get(), &one, 1, nullptr, answers.get());
    check_answer("deleting a topic", answers.get());
  }

  void produce() const {
    check("starting transactions", rd_kafka_init_transactions(producer_.get(), call_limit_ms));
    check("beginning a transaction", rd_kafka_begin_transaction(producer_.get()));
    rd_kafka_vu_t topic{};
    topic.vtype = RD_KAFKA_VTYPE_TOPIC;
    topic.u.cstr = name_.c_str();
    check("producing", rd_kafka_produceva(producer_.get(), &topic, 1));
    check("committing a transaction", rd_kafka_commit_transaction(producer_.get(), call_limit_ms));
  }

  void consume() const {
    const client consumer = make_client(RD_KAFKA_CONSUMER, {{"bootstrap.servers", bootstrap_},
                                                            {"group.id", name_},
                                                            {"enable.auto.commit", "false"},
                                                            {"fetch.wait.max.ms", "20"}});
    const partitions assigned{rd_kafka_topic_partition_list_new(1)};
    rd_kafka_topic_partition_list_add(assigned.get(), name_.c_str(), 0)->offset = 0;
    rd_kafka_poll_set_consumer(consumer.get());
    check("assigning", rd_kafka_assign(consumer.get(), assigned.get()));
    const message read{rd_kafka_consumer_poll(consumer.get(), call_limit_ms)};
    if (!read) throw not_ready("consuming: nothing arrives");
    check("consuming", read->err);
    check("committing an offset", rd_kafka_commit_message(consumer.get(), read.get(), 0));
  }

  static void check_answer(std::string_view step, rd_kafka_queue_t* answers) {
    const event answer{rd_kafka_queue_poll(answers, call_limit_ms)};
    if (!answer) throw not_ready(std::string(step) + ": no answer");
    check(step, rd_kafka_event_error(answer.get()));
    const rd_kafka_topic_result_t** results = nullptr;
    std::size_t count = 0;
    if (const auto* created = rd_kafka_event_CreateTopics_result(answer.get())) {
      results = rd_kafka_CreateTopics_result_topics(created, &count);
    } else if (const auto* deleted = rd_kafka_event_DeleteTopics_result(answer.get())) {
      results = rd_kafka_DeleteTopics_result_topics(deleted, &count);
    }
    for (std::size_t i = 0; i < count; ++i) check(step, rd_kafka_topic_result_error(results[i]));
  }

  std::string bootstrap_;
  int brokers_;
  std::string name_;
  client producer_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: kafka_ready BOOTSTRAP BROKERS SECONDS\n";
    return 2;
  }
  const auto deadline = steady::now() + std::chrono::duration<double>(std::strtod(argv[3], nullptr));
  for (auto pause = 50ms;; pause = std::min(pause * 2, 400ms)) {
    try {
      attempt(argv[1], std::atoi(argv[2])).run();
      return EXIT_SUCCESS;
    } catch (const not_ready& problem) {
      if (steady::now() > deadline) {
        std::cerr << problem.what() << '\n';
        return EXIT_FAILURE;
      }
      std::this_thread::sleep_for(pause);
    }
  }
}
