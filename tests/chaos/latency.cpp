// chaos_latency, bench_latency: how long a record takes from when it was due at the source to when it is visible at
// each target.
//
// Open loop: each record carries the moment at which it was due, whether or not it could be sent by then, so that a
// program under test that stalls cannot hide it by slowing the load down. The readers see committed records only.

#include <algorithm>
#include <atomic>
#include <cstring>
#include <future>
#include <iostream>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "client.hpp"
#include "flags.hpp"

namespace plain {
namespace {

constexpr const char* usage =
    "chaos_latency --home BROKERS --target [NAME=]BROKERS ... --source TOPIC --sink TOPIC [--rate 1000] [--size 1000]\n"
    "              [--seconds 20] [--phases] [--warm-up 3] [--patience 30]\n"
    "Writes RATE records a second to the source and reads the sinks; the source must be there, and the program under\n"
    "test must run. Prints one line of JSON for each phase and target: p50, p99 and the longest in milliseconds, of "
    "the\n"
    "records that were due in that phase. Without --phases there is one, which lasts SECONDS, and of which the first\n"
    "--warm-up seconds do not count. With it each line of the standard input begins one and is its name, and the load\n"
    "ends with the input; `ready` is said when all sinks are there.\n"
    "Exit code 1 if not every record is at every target --patience seconds after the last.\n";

struct place {
  std::string name, brokers;
};

struct options {
  std::string home, source, sink;
  std::vector<place> targets;
  double rate, seconds, warm_up;
  std::chrono::seconds patience;
  std::size_t size;
  bool phases;
};

clock::duration after(double seconds) {
  return std::chrono::duration_cast<clock::duration>(std::chrono::duration<double>{seconds});
}

int64_t nanoseconds(clock::time_point when) {
  return when.time_since_epoch().count();
}

struct phase {
  std::string name;
  clock::time_point from;
};

/// What the writer and the readers of one run agree on.
struct course {
  explicit course(clock::time_point begin) : start{begin} {}

  clock::time_point start;
  std::atomic<bool> is_over = false;
  std::atomic<int64_t> written = std::numeric_limits<int64_t>::max();  // all in all, once that is known
  std::atomic<int64_t> give_up = std::numeric_limits<int64_t>::max();  // nanoseconds
};

void write(const options& wanted, course& run) {
  producer writer{{{"bootstrap.servers", wanted.home}, {"enable.idempotence", "true"}, {"linger.ms", "0"}}};
  const int32_t partitions = partition_count(writer.get(), wanted.source);
  const auto handle = writer.topic(wanted.source);
  std::string value(std::max(wanted.size, sizeof(int64_t)), '0');
  const auto end = wanted.phases ? clock::time_point::max() : run.start + after(wanted.seconds);
  int64_t written = 0;
  for (;; ++written) {
    const auto due = run.start + after(static_cast<double>(written) / wanted.rate);
    if (due >= end) break;
    std::this_thread::sleep_until(due);
    if (run.is_over) break;
    const int64_t stamp = nanoseconds(due);
    std::memcpy(value.data(), &stamp, sizeof stamp);
    writer.send(handle.get(), {.partition = static_cast<int32_t>(written % partitions),
                               .key = std::nullopt,
                               .value = value,
                               .timestamp = 0,
                               .headers = nullptr});
    writer.poll();
  }
  writer.flush(30s);
  run.give_up = nanoseconds(clock::now() + wanted.patience);
  run.written = written;
}

std::vector<int64_t> ends_of(rd_kafka_t* reader, const std::string& topic) {
  std::vector<int64_t> ends(static_cast<std::size_t>(partition_count(reader, topic)));
  if (ends.empty()) throw kafka_error{"topic " + topic + " does not exist"};
  for (std::size_t p = 0; p < ends.size(); ++p) ends[p] = watermarks(reader, topic, static_cast<int32_t>(p)).second;
  return ends;
}

/// Begins at the end of the sink, which the program under test may still be about to create.
owned<rd_kafka_t> reader_at_end(const std::string& brokers, const std::string& sink) {
  owned<rd_kafka_t> reader = make_reader(brokers, "read_committed", {{"fetch.wait.max.ms", "10"}});
  const auto deadline = clock::now() + 30s;
  for (;;) try {
      assign(reader.get(), sink, ends_of(reader.get(), sink));
      return reader;
    } catch (const kafka_error&) {
      if (clock::now() > deadline) throw;
      std::this_thread::sleep_for(50ms);
    }
}

struct arrival {
  int64_t due, latency;  // nanoseconds
};

/// This load's records, until all that were written are there.
std::vector<arrival> read(rd_kafka_t* reader, const std::string& target, const course& run) {
  std::vector<arrival> arrivals;
  while (static_cast<int64_t>(arrivals.size()) < run.written) {
    const owned<rd_kafka_message_t> message{rd_kafka_consumer_poll(reader, 100)};
    const int64_t now = nanoseconds(clock::now());
    if (now > run.give_up)
      throw kafka_error{"only " + std::to_string(arrivals.size()) + " of " + std::to_string(run.written) +
                        " records arrived on " + target};
    if (!message) continue;
    if (message->err) throw kafka_error{target + ": " + rd_kafka_message_errstr(message.get())};
    int64_t due = 0;
    std::memcpy(&due, message->payload, sizeof due);
    // The rest is an earlier load's.
    if (due >= nanoseconds(run.start)) arrivals.push_back({due, now - due});
  }
  return arrivals;
}

void print(const phase& during, clock::time_point end, const std::string& target, const std::vector<arrival>& all) {
  std::vector<int64_t> latencies;
  for (const auto& [due, latency] : all)
    if (due >= nanoseconds(during.from) && due < nanoseconds(end)) latencies.push_back(latency);
  if (latencies.empty()) throw kafka_error{"nothing was due in phase " + during.name};
  std::sort(latencies.begin(), latencies.end());
  const auto at = [&](double share) {
    const auto index = static_cast<std::size_t>(share * static_cast<double>(latencies.size() - 1));
    return static_cast<double>(latencies[index]) / 1e6;
  };
  std::cout << "{\"phase\": \"" << during.name << "\", \"target\": \"" << target
            << "\", \"records\": " << latencies.size() << ", \"p50_ms\": " << at(0.5) << ", \"p99_ms\": " << at(0.99)
            << ", \"max_ms\": " << at(1) << "}" << std::endl;
}

std::vector<phase> follow_input() {
  std::vector<phase> phases;
  for (std::string name; std::getline(std::cin, name);) phases.push_back({name, clock::now()});
  return phases;
}

options read_options(flags& given) {
  options wanted{.home = given.text("home"),
                 .source = given.text("source"),
                 .sink = given.text("sink"),
                 .targets = {},
                 .rate = given.number("rate", 1000.0),
                 .seconds = given.number("seconds", 20.0),
                 .warm_up = given.number("warm-up", 3.0),
                 .patience = std::chrono::seconds{given.number("patience", 30)},
                 .size = given.number("size", std::size_t{1000}),
                 .phases = given.has("phases")};
  for (const std::string& target : given.all("target")) {
    const auto equals = target.find('=');
    const auto brokers = equals == std::string::npos ? target : target.substr(equals + 1);
    wanted.targets.push_back({target.substr(0, equals), brokers});
  }
  given.finish();
  if (wanted.targets.empty()) throw usage_error{"--target is missing"};
  return wanted;
}

int run(int argc, char** argv) {
  flags given{argc, argv};
  if (given.has("help")) {
    std::cout << usage;
    return 0;
  }
  const options wanted = read_options(given);
  std::vector<owned<rd_kafka_t>> readers;
  for (const auto& [name, brokers] : wanted.targets) readers.push_back(reader_at_end(brokers, wanted.sink));
  if (wanted.phases) std::cout << "ready" << std::endl;
  course run{clock::now() + (wanted.phases ? 0s : 1s)};
  // What goes wrong is told at once, whatever the others wait for.
  const auto or_end = [](auto work) {
    try {
      return work();
    } catch (const std::exception& e) {
      std::cerr << "chaos_latency: " << e.what() << std::endl;
      std::_Exit(1);
    }
  };
  std::vector<std::future<std::vector<arrival>>> arrivals;
  for (std::size_t i = 0; i < readers.size(); ++i)
    arrivals.push_back(std::async(std::launch::async, [&, i] {
      return or_end([&] { return read(readers[i].get(), wanted.targets[i].name, run); });
    }));
  std::jthread writer{[&] { or_end([&] { write(wanted, run); }); }};
  std::vector<phase> phases{{"all", run.start + after(wanted.warm_up)}};
  if (wanted.phases) phases = follow_input();
  const auto end = wanted.phases ? clock::now() : clock::time_point::max();
  run.is_over = wanted.phases;
  std::vector<std::vector<arrival>> all;
  for (auto& each : arrivals) all.push_back(each.get());
  for (std::size_t p = 0; p < phases.size(); ++p)
    for (std::size_t i = 0; i < all.size(); ++i)
      print(phases[p], p + 1 < phases.size() ? phases[p + 1].from : end, wanted.targets[i].name, all[i]);
  return 0;
}

}  // namespace
}  // namespace plain

int main(int argc, char** argv) try { return plain::run(argc, argv); } catch (const plain::usage_error& e) {
  std::cerr << "chaos_latency: " << e.what() << '\n' << plain::usage;
  return 2;
} catch (const std::exception& e) {
  std::cerr << "chaos_latency: " << e.what() << '\n';
  return 1;
}
