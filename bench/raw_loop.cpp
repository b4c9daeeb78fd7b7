// raw_loop: what a program can cost that moves records from one cluster to others exactly once, written by hand.
//
// One thread reads all partitions of the source in batches, forwards each record byte for byte, and every --commit-ms
// writes its position beside the records and commits, target by target. It takes nothing over and starts at the
// beginning.

#include <algorithm>
#include <array>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "client.hpp"
#include "flags.hpp"
#include "report.hpp"
#include "stop_signal.hpp"

namespace plain {
namespace {

constexpr const char* usage =
    "raw_loop --home BROKERS --target BROKERS ... --source TOPIC --sink TOPIC [--records N] [--commit-ms 100]\n"
    "         [--payload-filter on|off] [--consumer-property K=V ...] [--producer-property K=V ...]\n"
    "Creates the sink and SINK.positions on each target. Ends when N records are read and committed (0: at SIGTERM), "
    "and\n"
    "prints one line of JSON. --payload-filter on forwards the values whose first byte is even.\n";

struct options {
  std::string home, source, sink;
  std::vector<std::string> targets;
  int64_t records;
  std::chrono::milliseconds commit_interval;
  bool filter;
  properties consumer, producer;
};

// Both bounds on what the consumer buffers count all partitions; once one is reached, fetching stops for a second.
// With little to read, a fetch that waits for more saves most of the cost.
const properties consumer_settings{{"queued.min.messages", "1000000"},     {"queued.max.messages.kbytes", "131072"},
                                   {"fetch.min.bytes", "1000000"},         {"fetch.wait.max.ms", "20"},
                                   {"fetch.message.max.bytes", "1048576"}, {"check.crcs", "false"}};
const properties producer_settings{{"linger.ms", "5"},
                                   {"batch.size", "1000000"},
                                   {"batch.num.messages", "10000"},
                                   {"queue.buffering.max.messages", "1000000"},
                                   {"queue.buffering.max.kbytes", "131072"}};

properties merged(properties settings, const std::vector<std::string>& more) {
  for (const std::string& text : more) {
    const auto equals = text.find('=');
    if (equals == std::string::npos) throw usage_error{"a property is written K=V, not '" + text + "'"};
    settings.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  return settings;
}

options read_options(flags& given) {
  options o{.home = given.text("home"),
            .source = given.text("source"),
            .sink = given.text("sink"),
            .targets = given.all("target"),
            .records = given.number("records", int64_t{0}),
            .commit_interval = std::chrono::milliseconds{given.number("commit-ms", 100)},
            .filter = given.text("payload-filter", "off") == "on",
            .consumer = merged(consumer_settings, given.all("consumer-property")),
            .producer = merged(producer_settings, given.all("producer-property"))};
  given.finish();
  if (o.targets.empty()) throw usage_error{"--target is missing"};
  return o;
}

/// One cluster that is written to, with a transaction that is open from the first record to the commit.
class target {
 public:
  target(const std::string& brokers, const options& wanted, int32_t partitions)
      : writer_{with_identity(wanted.producer, brokers, wanted.sink)} {
    create_topic(brokers, wanted.sink, partitions, {{"retention.ms", "-1"}, {"file.delete.delay.ms", "0"}});
    create_topic(brokers, wanted.sink + ".positions", 1, {{"cleanup.policy", "compact"}});
    sink_ = writer_.topic(wanted.sink);
    positions_ = writer_.topic(wanted.sink + ".positions");
    writer_.init_transactions(60s);
  }

  void forward(rd_kafka_message_t& message) {
    begin();
    rd_kafka_headers_t* headers = nullptr;
    if (rd_kafka_message_headers(&message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR)
      headers = rd_kafka_headers_copy(headers);
    writer_.send(sink_.get(), {.partition = message.partition,
                               .key = bytes(message.key, message.key_len),
                               .value = bytes(message.payload, message.len),
                               .timestamp = rd_kafka_message_timestamp(&message, nullptr),
                               .headers = headers});
  }

  void serve() const { writer_.poll(); }

  void commit(const std::vector<int64_t>& position) {
    begin();
    const std::string_view value{reinterpret_cast<const char*>(position.data()), position.size() * sizeof(int64_t)};
    writer_.send(
        positions_.get(),
        {.partition = 0, .key = std::string_view{"position"}, .value = value, .timestamp = 0, .headers = nullptr});
    writer_.commit();
    open_ = false;
  }

 private:
  static properties with_identity(properties settings, const std::string& brokers, const std::string& sink) {
    settings.emplace_back("bootstrap.servers", brokers);
    settings.emplace_back("transactional.id", sink);
    return settings;
  }

  static std::optional<std::string_view> bytes(const void* data, std::size_t size) {
    if (!data) return std::nullopt;
    return std::string_view{static_cast<const char*>(data), size};
  }

  void begin() {
    if (!std::exchange(open_, true)) writer_.begin();
  }

  producer writer_;
  owned<rd_kafka_topic_t> sink_, positions_;
  bool open_ = false;
};

class loop {
 public:
  explicit loop(const options& wanted) : wanted_{wanted} {
    int32_t partitions = partition_count(make_reader(wanted.home, "read_committed").get(), wanted.source);
    if (partitions == 0) throw kafka_error{"topic " + wanted.source + " does not exist on " + wanted.home};
    position_.resize(static_cast<std::size_t>(partitions));
    for (const std::string& brokers : wanted.targets)
      targets_.push_back(std::make_unique<target>(brokers, wanted, partitions));
    reader_ = make_reader(wanted.home, "read_committed", wanted.consumer);
    queue_.reset(rd_kafka_queue_get_consumer(reader_.get()));
    assign(reader_.get(), wanted.source, position_);
  }

  bench::report run(stop_signal& stop) {
    auto next_commit = clock::now() + wanted_.commit_interval;
    while (!stop.asked() && !(wanted_.records > 0 && committed_ >= wanted_.records)) {
      batch(milliseconds_until(next_commit));
      if (clock::now() < next_commit && !complete()) continue;
      commit();
      next_commit = clock::now() + wanted_.commit_interval;
    }
    report_.wall_seconds = std::chrono::duration<double>{last_commit_ - first_record_}.count();
    return report_;
  }

 private:
  bool complete() const { return wanted_.records > 0 && report_.records >= wanted_.records; }

  void batch(int wait_ms) {
    const auto count = rd_kafka_consume_batch_queue(queue_.get(), wait_ms, messages_.data(), messages_.size());
    if (count < 0) check(rd_kafka_last_error(), "consume");
    if (count > 0 && report_.records == 0) first_record_ = clock::now();
    for (ssize_t i = 0; i < count; ++i) {
      const owned<rd_kafka_message_t> message{messages_[static_cast<std::size_t>(i)]};
      take(*message);
    }
    for (const auto& target : targets_) target->serve();
  }

  void take(rd_kafka_message_t& message) {
    if (message.err) throw kafka_error{std::string{"consume: "} + rd_kafka_message_errstr(&message)};
    ++report_.records;
    position_[static_cast<std::size_t>(message.partition)] = message.offset + 1;
    if (wanted_.filter && (message.len == 0 || *static_cast<const char*>(message.payload) % 2 != 0)) return;
    ++report_.forwarded;
    for (const auto& target : targets_) target->forward(message);
  }

  void commit() {
    if (report_.records == committed_) return;
    for (const auto& target : targets_) target->commit(position_);
    committed_ = report_.records;
    last_commit_ = clock::now();
    ++report_.commits;
  }

  const options& wanted_;
  std::vector<std::unique_ptr<target>> targets_;
  owned<rd_kafka_t> reader_;
  owned<rd_kafka_queue_t> queue_;
  std::array<rd_kafka_message_t*, 1'000> messages_{};
  std::vector<int64_t> position_;
  bench::report report_{.program = "raw_loop"};
  int64_t committed_ = 0;
  clock::time_point first_record_, last_commit_;
};

int run(int argc, char** argv) {
  stop_signal stop;
  flags given{argc, argv};
  if (given.has("help")) {
    std::cout << usage;
    return 0;
  }
  const options wanted = read_options(given);
  loop{wanted}.run(stop).print();
  return 0;
}

}  // namespace
}  // namespace plain

int main(int argc, char** argv) try { return plain::run(argc, argv); } catch (const plain::usage_error& e) {
  std::cerr << "raw_loop: " << e.what() << '\n' << plain::usage;
  return 2;
} catch (const std::exception& e) {
  std::cerr << "raw_loop: " << e.what() << '\n';
  return 1;
}
