// chaos_load: writes records of every shape to one topic in transactions, of which a share is aborted on purpose.

#include <algorithm>
#include <functional>
#include <iostream>
#include <numeric>
#include <random>

#include "client.hpp"
#include "flags.hpp"
#include "marker.hpp"
#include "stop_signal.hpp"

namespace plain {
namespace {

constexpr const char* usage =
    "chaos_load --brokers B --topic T --create-topics [--partitions 6] [--max-message-bytes N]\n"
    "chaos_load --brokers B --topic T --change-topics [--max-message-bytes N]\n"
    "chaos_load --brokers B --topic T [--rate N] [--seconds N] [--records N] [--seed N] [--abort-share 0.2] [--batch "
    "400]\n"
    "           [--transactional-id chaos-load] [--patience 120] [--events] [--keyed]\n"
    "Writes until SIGTERM, --seconds or --records, at --rate records a second (0: as fast as it goes), in transactions "
    "of 1 to\n"
    "--batch records. --events: JSON with ids, some of which return, between values that are none. --keyed: no key is "
    "null.\n"
    "--max-message-bytes: what the topic takes; left out: what its cluster does.\n"
    "Ends with one line of JSON: what was committed, per partition too; what was aborted; and what "
    "nobody\n"
    "knows of, because the answer to a commit was lost. A broker that is away is waited for --patience seconds.\n";

struct options {
  std::string brokers, topic, transactional_id;
  double rate, seconds, abort_share;
  int64_t records;
  uint64_t seed;
  int batch;
  std::chrono::seconds patience;
  bool events, keyed;
};

options read_options(flags& given) {
  options o{.brokers = given.text("brokers"),
            .topic = given.text("topic"),
            .transactional_id = given.text("transactional-id", "chaos-load"),
            .rate = given.number("rate", 0.0),
            .seconds = given.number("seconds", 1e9),
            .abort_share = given.number("abort-share", 0.2),
            .records = given.number("records", int64_t{1} << 60),
            .seed = given.number("seed", uint64_t{1}),
            .batch = given.number("batch", 400),
            .patience = std::chrono::seconds{given.number("patience", 120)},
            .events = given.has("events"),
            .keyed = given.has("keyed")};
  given.finish();
  if (o.batch < 1) throw usage_error{"--batch wants at least 1"};
  return o;
}

/// Invents records: null, empty and large values, keys that return, repeated and null headers, times out of order.
class generator {
 public:
  generator(const options& wanted, int32_t partitions)
      : random_{wanted.seed},
        partitions_{partitions},
        seed_{wanted.seed},
        events_{wanted.events},
        keyed_{wanted.keyed} {}

  bool chance(double share) { return std::uniform_real_distribution{}(random_) < share; }
  int between(int low, int high) { return std::uniform_int_distribution{low, high}(random_); }

  /// The next record, valid until the next call; its headers are the caller's.
  outgoing next(bool to_be_aborted) {
    ++serial_;
    outgoing record;
    record.partition = between(0, partitions_ - 1);
    record.timestamp = timestamp();
    if (keyed_ || !chance(0.1)) {
      key_ = chance(0.05) ? "" : "key-" + std::to_string(between(0, 999));
      record.key = key_;
    }
    if (to_be_aborted || !chance(0.05)) {
      fill_value(to_be_aborted);
      record.value = value_;
    }
    if (chance(0.5)) record.headers = headers();
    return record;
  }

 private:
  int64_t timestamp() {
    using namespace std::chrono;
    const int64_t now = duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
    return !events_ && chance(0.01) ? std::uniform_int_distribution{int64_t{1}, now}(random_)
                                    : now - between(0, 3'600'000);
  }

  std::size_t value_size() {
    const int kind = between(0, 999);
    if (kind < 50) return 0;
    if (kind < 800) return static_cast<std::size_t>(between(20, 200));
    if (kind < 970) return static_cast<std::size_t>(between(200, 2'000));
    if (kind < 998) return static_cast<std::size_t>(between(2'000, 16'000));
    return static_cast<std::size_t>(between(16'000, 65'536));
  }

  /// The id of an event, of which one in ten was there not long before.
  std::string id() {
    if (!ids_.empty() && chance(0.1))
      return ids_[static_cast<std::size_t>(between(0, static_cast<int>(ids_.size()) - 1))];
    ids_.push_back(std::to_string(seed_) + "-" + std::to_string(serial_));
    if (ids_.size() > 500) ids_.erase(ids_.begin());
    return ids_.back();
  }

  void fill_value(bool to_be_aborted) {
    if (events_ && !to_be_aborted && chance(0.95)) {
      value_ = "{\"id\":\"" + id() + "\",\"number\":" + std::to_string(serial_) + ",\"text\":\"" +
               std::string(static_cast<std::size_t>(between(0, 500)), 'x') + "\"}";
      return;
    }
    const std::size_t size = value_size();
    value_ = to_be_aborted ? aborted_marker : std::string_view{};
    if (size > 0 || to_be_aborted) value_ += "#" + std::to_string(serial_) + " ";
    while (value_.size() < size) {
      const uint64_t bytes = random_();
      value_.append(reinterpret_cast<const char*>(&bytes), std::min(sizeof bytes, size - value_.size()));
    }
  }

  rd_kafka_headers_t* headers() {
    static constexpr std::string_view names[] = {"trace", "origin", "trace", "", "schema-\xc3\xa9"};
    rd_kafka_headers_t* list = rd_kafka_headers_new(4);
    for (int i = between(1, 4); i > 0; --i) {
      const std::string_view name = names[between(0, 4)];
      const std::string text = chance(0.2) ? "" : std::to_string(serial_) + "-" + std::to_string(i);
      const bool null = chance(0.2);
      rd_kafka_header_add(list, name.data(), static_cast<ssize_t>(name.size()), null ? nullptr : text.data(),
                          null ? 0 : static_cast<ssize_t>(text.size()));
    }
    return list;
  }

  std::mt19937_64 random_;
  int32_t partitions_;
  uint64_t seed_;
  bool events_, keyed_;
  std::vector<std::string> ids_;
  int64_t serial_ = 0;
  std::string key_, value_;
};

int64_t sum(const std::vector<int64_t>& counts) {
  return std::reduce(counts.begin(), counts.end());
}

struct tally {
  std::vector<int64_t> committed;
  int64_t aborted = 0, uncertain = 0, transactions = 0, rebuilt = 0;

  void print() const {
    std::string list;
    for (const int64_t n : committed) list += (list.empty() ? "" : ", ") + std::to_string(n);
    std::cout << "{\"committed\": " << sum(committed) << ", \"aborted\": " << aborted
              << ", \"uncertain\": " << uncertain << ", \"transactions\": " << transactions
              << ", \"rebuilt\": " << rebuilt << ", \"partitions\": [" << list << "]}" << std::endl;
  }
};

class load {
 public:
  load(const options& wanted, stop_signal& stop)
      : wanted_{wanted},
        stop_{stop},
        records_{wanted, existing_partitions(wanted)},
        start_{clock::now()},
        end_{start_ + std::chrono::duration_cast<clock::duration>(std::chrono::duration<double>{wanted.seconds})} {
    tally_.committed.resize(static_cast<std::size_t>(existing_partitions(wanted)));
  }

  tally run() {
    while (!over())
      if (sender_ || connect()) transaction();
    return tally_;
  }

 private:
  enum class phase { open, committing };

  static int32_t existing_partitions(const options& wanted) {
    const auto client = make_client(RD_KAFKA_PRODUCER, {{"bootstrap.servers", wanted.brokers}});
    const int32_t count = partition_count(client.get(), wanted.topic);
    if (count == 0) throw kafka_error{"topic " + wanted.topic + " does not exist on " + wanted.brokers};
    return count;
  }

  bool over() { return sent_ >= wanted_.records || clock::now() >= end_ || stop_.asked(); }

  /// Waits for the moment at which the next record is due; false if the load is over before that.
  bool due() {
    if (wanted_.rate > 0) {
      const auto after = std::chrono::duration<double>{static_cast<double>(sent_) / wanted_.rate};
      const auto moment = start_ + std::chrono::duration_cast<clock::duration>(after);
      if (moment > clock::now() && stop_.wait_until(std::min(moment, end_))) return false;
    }
    return !over();
  }

  /// False if the load was stopped while the broker was away.
  bool connect() {
    const auto give_up = clock::now() + wanted_.patience;
    for (;;) try {
        sender_ = std::make_unique<producer>(properties{{"bootstrap.servers", wanted_.brokers},
                                                        {"transactional.id", wanted_.transactional_id},
                                                        {"transaction.timeout.ms", "30000"},
                                                        {"linger.ms", "5"}});
        sender_->init_transactions(10s);
        topic_ = sender_->topic(wanted_.topic);
        return true;
      } catch (const kafka_error& e) {
        forget_producer();
        std::cerr << "chaos_load: " << e.what() << ", trying again\n";
        if (clock::now() > give_up) throw;
        if (stop_.wait_until(clock::now() + 500ms)) return false;
      }
  }

  void transaction() {
    const bool to_be_aborted = records_.chance(wanted_.abort_share);
    std::vector<int64_t> counts(tally_.committed.size());
    phase now = phase::open;
    try {
      sender_->begin();
      for (int left = records_.between(1, wanted_.batch); left > 0 && due(); --left) send(to_be_aborted, counts);
      if (to_be_aborted) {
        // Whether the records reach the log before the abort is part of what readers must cope with.
        if (records_.chance(0.8)) sender_->flush(10s);
        sender_->abort();
        tally_.aborted += sum(counts);
      } else {
        now = phase::committing;
        sender_->commit();
        std::transform(counts.begin(), counts.end(), tally_.committed.begin(), tally_.committed.begin(), std::plus{});
      }
    } catch (const kafka_error& e) {
      std::cerr << "chaos_load: " << e.what() << '\n';
      const bool undecided = now == phase::committing && e.way_out() != kafka_error::remedy::abort;
      (undecided ? tally_.uncertain : tally_.aborted) += sum(counts);
      if (!recovered(e)) forget_producer();
    }
    ++tally_.transactions;
  }

  void send(bool to_be_aborted, std::vector<int64_t>& counts) {
    outgoing record = records_.next(to_be_aborted);
    owned<rd_kafka_headers_t> headers{record.headers};
    ++sent_;
    sender_->send(topic_.get(), record);
    static_cast<void>(headers.release());
    ++counts[static_cast<std::size_t>(record.partition)];
    sender_->poll();
  }

  bool recovered(const kafka_error& e) {
    if (e.way_out() != kafka_error::remedy::abort) return false;
    try {
      sender_->abort();
      return true;
    } catch (const kafka_error&) {
      return false;
    }
  }

  void forget_producer() {
    ++tally_.rebuilt;
    topic_.reset();
    sender_.reset();
  }

  options wanted_;
  stop_signal& stop_;
  generator records_;
  clock::time_point start_, end_;
  std::unique_ptr<producer> sender_;
  owned<rd_kafka_topic_t> topic_;
  tally tally_;
  int64_t sent_ = 0;
};

int run(int argc, char** argv) {
  stop_signal stop;
  flags given{argc, argv};
  if (given.has("help")) {
    std::cout << usage;
    return 0;
  }
  if (given.has("create-topics") || given.has("change-topics")) {
    const auto [brokers, topic] = std::pair{given.text("brokers"), given.text("topic")};
    properties settings{{"retention.ms", "-1"}};
    if (given.has("max-message-bytes")) settings.emplace_back("max.message.bytes", given.text("max-message-bytes"));
    const bool is_there = given.has("change-topics");
    const int partitions = is_there ? 0 : given.number("partitions", 6);
    given.finish();
    is_there ? change_topic(brokers, topic, settings) : create_topic(brokers, topic, partitions, settings);
    return 0;
  }
  load{read_options(given), stop}.run().print();
  return 0;
}

}  // namespace
}  // namespace plain

int main(int argc, char** argv) try { return plain::run(argc, argv); } catch (const plain::usage_error& e) {
  std::cerr << "chaos_load: " << e.what() << '\n' << plain::usage;
  return 2;
} catch (const std::exception& e) {
  std::cerr << "chaos_load: " << e.what() << '\n';
  return 1;
}
