// bench_latency: how long a record takes from when it was due at the source to when it is visible at the target.
//
// Open loop: each record carries the moment at which it was due, whether or not it could be sent by then, so that a
// program under test that stalls cannot hide it by slowing the load down. The reader sees committed records only.

#include <algorithm>
#include <cstring>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "client.hpp"
#include "flags.hpp"

namespace plain {
namespace {

constexpr const char* usage =
    "bench_latency --home BROKERS --target BROKERS --source TOPIC --sink TOPIC [--rate 1000] [--size 1000] [--seconds "
    "20]\n"
    "              [--warm-up 3]\n"
    "Writes RATE records a second to the source and reads the sink; both topics must be there, and the program under "
    "test\n"
    "must run. Prints one line of JSON: p50, p99 and the longest in milliseconds, without the first --warm-up "
    "seconds.\n"
    "Exit code 1 if not every record arrives within 30 s of the last.\n";

struct options {
  std::string home, target, source, sink;
  double rate, seconds, warm_up;
  std::size_t size;

  int64_t records() const { return static_cast<int64_t>(rate * seconds); }
};

clock::duration after(double seconds) {
  return std::chrono::duration_cast<clock::duration>(std::chrono::duration<double>{seconds});
}

int64_t nanoseconds(clock::time_point when) {
  return when.time_since_epoch().count();
}

void write(const options& wanted, clock::time_point start) {
  producer writer{{{"bootstrap.servers", wanted.home}, {"enable.idempotence", "true"}, {"linger.ms", "0"}}};
  const int32_t partitions = partition_count(writer.get(), wanted.source);
  const auto handle = writer.topic(wanted.source);
  std::string value(std::max(wanted.size, sizeof(int64_t)), '0');
  for (int64_t i = 0; i < wanted.records(); ++i) {
    const auto due = start + after(static_cast<double>(i) / wanted.rate);
    std::this_thread::sleep_until(due);
    const int64_t stamp = nanoseconds(due);
    std::memcpy(value.data(), &stamp, sizeof stamp);
    writer.send(handle.get(), {.partition = static_cast<int32_t>(i % partitions),
                               .key = std::nullopt,
                               .value = value,
                               .timestamp = 0,
                               .headers = nullptr});
    writer.poll();
  }
  writer.flush(30s);
}

std::vector<int64_t> ends_of(rd_kafka_t* reader, const std::string& topic) {
  std::vector<int64_t> ends(static_cast<std::size_t>(partition_count(reader, topic)));
  if (ends.empty()) throw kafka_error{"topic " + topic + " does not exist"};
  for (std::size_t p = 0; p < ends.size(); ++p) ends[p] = watermarks(reader, topic, static_cast<int32_t>(p)).second;
  return ends;
}

/// Begins at the end of the sink, which the program under test may still be about to create.
owned<rd_kafka_t> reader_at_end(const options& wanted) {
  owned<rd_kafka_t> reader = make_reader(wanted.target, "read_committed", {{"fetch.wait.max.ms", "10"}});
  const auto deadline = clock::now() + 30s;
  for (;;) try {
      assign(reader.get(), wanted.sink, ends_of(reader.get(), wanted.sink));
      return reader;
    } catch (const kafka_error&) {
      if (clock::now() > deadline) throw;
      std::this_thread::sleep_for(50ms);
    }
}

/// The latencies in nanoseconds of this load's records that were due after the warm-up.
std::vector<int64_t> read(rd_kafka_t* reader, const options& wanted, clock::time_point start) {
  const auto from = start + after(wanted.warm_up);
  const auto deadline = start + after(wanted.seconds) + 30s;
  std::vector<int64_t> latencies;
  for (int64_t received = 0; received < wanted.records();) {
    const owned<rd_kafka_message_t> message{rd_kafka_consumer_poll(reader, 100)};
    if (clock::now() > deadline)
      throw kafka_error{"only " + std::to_string(received) + " of " + std::to_string(wanted.records()) +
                        " records arrived"};
    if (!message) continue;
    if (message->err) throw kafka_error{rd_kafka_message_errstr(message.get())};
    const int64_t now = nanoseconds(clock::now());
    int64_t due = 0;
    std::memcpy(&due, message->payload, sizeof due);
    received += due >= nanoseconds(start) ? 1 : 0;  // the rest is an earlier load's
    if (due >= nanoseconds(from)) latencies.push_back(now - due);
  }
  return latencies;
}

void print(std::vector<int64_t> latencies) {
  if (latencies.empty()) throw kafka_error{"nothing was due after the warm-up"};
  std::sort(latencies.begin(), latencies.end());
  const auto at = [&](double share) {
    const auto index = static_cast<std::size_t>(share * static_cast<double>(latencies.size() - 1));
    return static_cast<double>(latencies[index]) / 1e6;
  };
  std::cout << "{\"records\": " << latencies.size() << ", \"p50_ms\": " << at(0.5) << ", \"p99_ms\": " << at(0.99)
            << ", \"max_ms\": " << at(1) << "}" << std::endl;
}

int run(int argc, char** argv) {
  flags given{argc, argv};
  if (given.has("help")) {
    std::cout << usage;
    return 0;
  }
  const options wanted{.home = given.text("home"),
                       .target = given.text("target"),
                       .source = given.text("source"),
                       .sink = given.text("sink"),
                       .rate = given.number("rate", 1000.0),
                       .seconds = given.number("seconds", 20.0),
                       .warm_up = given.number("warm-up", 3.0),
                       .size = given.number("size", std::size_t{1000})};
  given.finish();
  const owned<rd_kafka_t> reader = reader_at_end(wanted);
  const auto start = clock::now() + 1s;
  std::jthread writer{[&] {
    try {
      write(wanted, start);
    } catch (const std::exception& e) {
      std::cerr << "bench_latency: " << e.what() << '\n';
      std::_Exit(1);
    }
  }};
  print(read(reader.get(), wanted, start));
  return 0;
}

}  // namespace
}  // namespace plain

int main(int argc, char** argv) try { return plain::run(argc, argv); } catch (const plain::usage_error& e) {
  std::cerr << "bench_latency: " << e.what() << '\n' << plain::usage;
  return 2;
} catch (const std::exception& e) {
  std::cerr << "bench_latency: " << e.what() << '\n';
  return 1;
}
