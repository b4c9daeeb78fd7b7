// chaos_verify: whether each target holds exactly the committed records of the source, byte for byte, in the order of
// partitions or of keys.

#include <algorithm>
#include <functional>
#include <iomanip>
#include <iostream>
#include <map>
#include <set>
#include <sstream>
#include <utility>

#include "client.hpp"
#include "flags.hpp"
#include "marker.hpp"

namespace plain {
namespace {

constexpr const char* usage =
    "chaos_verify --source BROKERS --target NAME=BROKERS ... --topic T [--target-topic T2] [--wait SECONDS] "
    "[--patience 60] [--keep all] [--order partition]\n"
    "Reads the committed records of each topic, and compares key, value, headers in order and timestamp per "
    "partition.\n"
    "--wait: a target that lacks records at its end is given that long to get them. --patience: how long an undecided\n"
    "transaction or a broker that is away may hold up a read. --keep events: of the source's records only null values "
    "and\n"
    "the first of each id count; --keep malformed: only those without an id, and headers of flow's are not compared.\n"
    "--order key: what has one key and partition is compared for itself, and may lie anywhere between the rest.\n"
    "Ends with one line of JSON.\n"
    "Exit codes: 0 equal, 1 could not find out, 2 usage, 3 a difference.\n";

// 128-bit FNV-1a.
class digest {
 public:
  __extension__ using bits = unsigned __int128;

  void add(const void* data, std::size_t size) {
    for (const auto* byte = static_cast<const unsigned char*>(data); size > 0; ++byte, --size)
      bits_ = (bits_ ^ *byte) * prime;
  }
  void add(int64_t number) { add(&number, sizeof number); }
  void add(const digest& other) { add(&other.bits_, sizeof other.bits_); }

  /// A length before the bytes, so that no two sequences of fields look alike; null is not empty.
  void add_field(const void* data, std::size_t size) {
    add(data ? static_cast<int64_t>(size) : int64_t{-1});
    if (data) add(data, size);
  }

  bool operator==(const digest&) const = default;

  std::string text() const {
    std::ostringstream out;
    out << std::hex << std::setfill('0') << std::setw(16) << static_cast<uint64_t>(bits_ >> 64) << std::setw(16)
        << static_cast<uint64_t>(bits_);
    return out.str();
  }

 private:
  static constexpr bits prime = (bits{1} << 88) + 0x13b;
  bits bits_ = (bits{0x6c62272e07bb0142} << 64) + 0x62b821756295c58d;
};

struct header_view {
  std::string_view name;
  const void* value;
  std::size_t size;
};

std::vector<header_view> headers_of(const rd_kafka_message_t& message) {
  std::vector<header_view> all;
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(&message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return all;
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  while (rd_kafka_header_get_all(headers, all.size(), &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR)
    all.push_back({name, value, size});
  return all;
}

digest digest_of(const rd_kafka_message_t& message) {
  digest d;
  d.add_field(message.key, message.key_len);
  d.add_field(message.payload, message.len);
  for (const auto& [name, value, size] : headers_of(message)) {
    if (name.starts_with("flow.")) continue;
    d.add_field(name.data(), name.size());
    d.add_field(value, size);
  }
  d.add(rd_kafka_message_timestamp(&message, nullptr));
  return d;
}

std::string quoted(const void* data, std::size_t size) {
  if (!data) return "null";
  constexpr std::size_t most = 40;
  std::ostringstream out;
  out << '"';
  for (const char c : std::string_view{static_cast<const char*>(data), std::min(size, most)})
    out << (c >= ' ' && c <= '~' ? c : '?');
  digest d;
  d.add(data, size);
  out << '"';
  if (size > most) out << "... (" << size << " bytes, digest " << d.text().substr(0, 8) << ')';
  return out.str();
}

std::string described(const rd_kafka_message_t& message) {
  std::ostringstream out;
  out << "offset " << message.offset << ", timestamp " << rd_kafka_message_timestamp(&message, nullptr) << ", key "
      << quoted(message.key, message.key_len) << ", value " << quoted(message.payload, message.len) << ", headers [";
  const char* comma = "";
  for (const auto& [name, value, size] : headers_of(message)) {
    out << comma << name << '=' << quoted(value, size);
    comma = ", ";
  }
  out << ']';
  return out.str();
}

/// One topic of one cluster, read from its beginning and only once, by its committed records.
class committed_topic {
 public:
  using visitor = std::function<void(const rd_kafka_message_t&)>;

  /// Throws if the topic is not there, or if its beginning is already gone.
  committed_topic(const std::string& brokers, const std::string& topic)
      : topic_{topic}, marks_{make_reader(brokers, "read_uncommitted")} {
    read_to_.resize(static_cast<std::size_t>(partition_count(marks_.get(), topic)));
    if (read_to_.empty()) throw kafka_error{"topic " + topic + " does not exist on " + brokers};
    for (std::size_t p = 0; p < read_to_.size(); ++p)
      if (const auto low = watermarks(marks_.get(), topic_, static_cast<int32_t>(p)).first; low > 0)
        throw kafka_error{topic + "/" + std::to_string(p) + " on " + brokers + " begins at offset " +
                          std::to_string(low) + ": what was deleted cannot be compared"};
    // Made last: a client that has idled since it was made begins to fetch up to a second late.
    reader_ = make_reader(
        brokers, "read_committed",
        {{"enable.partition.eof", "true"}, {"fetch.wait.max.ms", "20"}, {"queued.max.messages.kbytes", "16384"}});
    assign(reader_.get(), topic_, read_to_);
  }

  std::size_t partitions() const { return read_to_.size(); }

  /// Reads on to the high watermarks of this moment; throws if undecided transactions or an absent broker forbid it
  /// until `deadline`.
  void read(clock::time_point deadline, const visitor& visit) {
    std::vector<int64_t> ends;
    for (std::size_t p = 0; p < partitions(); ++p) ends.push_back(high_watermark(static_cast<int32_t>(p), deadline));
    while (!std::equal(ends.begin(), ends.end(), read_to_.begin(), std::less_equal{})) {
      const owned<rd_kafka_message_t> message{rd_kafka_consumer_poll(reader_.get(), 100)};
      if (message) take(*message, visit);
      if (!message && clock::now() > deadline)
        throw kafka_error{"could not read " + topic_ +
                          " to its end in time: a broker is away, or a transaction is undecided"};
    }
  }

 private:
  int64_t high_watermark(int32_t partition, clock::time_point deadline) const {
    for (;;) try {
        return watermarks(marks_.get(), topic_, partition, 2s).second;
      } catch (const kafka_error&) {
        if (clock::now() > deadline) throw;
      }
  }

  void take(const rd_kafka_message_t& message, const visitor& visit) {
    if (!message.err) {
      visit(message);
    } else if (message.err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      // Only this offset is past commit markers and aborted records.
      read_to_[static_cast<std::size_t>(message.partition)] = message.offset;
    } else if (message.err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET || message.err == RD_KAFKA_RESP_ERR__FATAL) {
      throw kafka_error{"reading " + topic_ + ": " + rd_kafka_message_errstr(&message)};
    }
  }

  std::string topic_;
  owned<rd_kafka_t> marks_, reader_;
  std::vector<int64_t> read_to_;
};

using sequence = std::vector<digest>;

enum class ordered { by_partition, by_key };

/// What keeps its order: all of a partition, or its records of one key, of which null is another than the empty one.
std::string thread_of(const rd_kafka_message_t& message, ordered kept) {
  if (kept == ordered::by_partition || !message.key) return "";
  return "key " + std::string{static_cast<const char*>(message.key), message.key_len};
}

/// The records of a partition.
using threads = std::map<std::string, sequence>;

std::size_t size_of(const threads& partition) {
  std::size_t size = 0;
  for (const auto& [name, records] : partition) size += records.size();
  return size;
}

digest digest_of(const threads& partition) {
  digest d;
  for (const auto& [name, records] : partition)
    for (const digest& record : records) d.add(record);
  return d;
}

enum class kept { all, events, malformed };

/// Which of the source's records have to arrive.
class selection {
 public:
  explicit selection(kept what) : what_{what} {}

  bool has(const rd_kafka_message_t& message) {
    if (what_ == kept::all) return true;
    if (!message.payload) return what_ == kept::events;
    constexpr std::string_view begin = "{\"id\":\"";
    const std::string_view value{static_cast<const char*>(message.payload), message.len};
    if (!value.starts_with(begin)) return what_ == kept::malformed;
    const auto id = value.substr(begin.size(), value.find('"', begin.size()) - begin.size());
    return what_ == kept::events && ids_.emplace(message.partition, id).second;
  }

 private:
  kept what_;
  std::set<std::pair<int32_t, std::string>> ids_;
};

struct place {
  std::string name, brokers, topic;
};

struct options {
  place source;
  std::vector<place> targets;  // the source's topic or another
  std::chrono::seconds wait, patience;
  kept keep;
  ordered order;
};

/// The source's records, as digests; all else can be read again.
std::vector<threads> read_source(const options& wanted) {
  const place& source = wanted.source;
  committed_topic topic{source.brokers, source.topic};
  std::vector<threads> records(topic.partitions());
  selection due{wanted.keep};
  topic.read(clock::now() + wanted.patience, [&](const rd_kafka_message_t& message) {
    auto& partition = records[static_cast<std::size_t>(message.partition)];
    if (due.has(message)) partition[thread_of(message, wanted.order)].push_back(digest_of(message));
    if (std::string_view{static_cast<const char*>(message.payload), message.len}.starts_with(aborted_marker))
      throw kafka_error{"the source shows a record whose transaction was aborted: " + described(message)};
  });
  return records;
}

/// The source's record number `index` of a thread once more, in words.
std::string source_record(const options& wanted, std::size_t partition, const std::string& thread, std::size_t index) {
  committed_topic topic{wanted.source.brokers, wanted.source.topic};
  std::size_t seen = 0;
  std::string words = "none";
  selection due{wanted.keep};
  topic.read(clock::now() + wanted.patience, [&](const rd_kafka_message_t& message) {
    const bool here = due.has(message) && static_cast<std::size_t>(message.partition) == partition;
    if (here && thread_of(message, wanted.order) == thread && seen++ == index) words = described(message);
  });
  return words;
}

/// Holds a target against the source, record by record, while it is read.
class comparison {
 public:
  comparison(const options& wanted, const std::vector<threads>& source) : wanted_{wanted}, source_{source} {
    partitions_.resize(source.size());
  }

  void take(const rd_kafka_message_t& message) {
    const auto p = static_cast<std::size_t>(message.partition);
    if (p >= partitions_.size()) partitions_.resize(p + 1);
    ++total_;
    partition& here = partitions_[p];
    ++here.count;
    if (!here.difference.empty()) return;
    const std::string thread = thread_of(message, wanted_.order);
    const std::size_t index = here.read[thread]++;
    const sequence& expected = expected_of(p, thread);
    if (const digest found = digest_of(message); index >= expected.size() || found != expected[index])
      here.difference = difference(message, found, expected, p, thread, index);
  }

  bool differs() const {
    return std::any_of(partitions_.begin(), partitions_.end(),
                       [](const partition& p) { return !p.difference.empty(); });
  }
  bool complete() const {
    for (std::size_t p = 0; p < source_.size(); ++p)
      if (partitions_[p].count < size_of(source_[p])) return false;
    return true;
  }
  std::size_t total() const { return total_; }

  /// One line per partition; true if all are equal.
  bool report(const place& target) {
    for (std::size_t p = 0; p < partitions_.size(); ++p) {
      partition& here = partitions_[p];
      if (here.difference.empty() && p < source_.size()) here.difference = missing(here, p);
      std::cout << target.name << ' ' << target.topic << '/' << p << ": " << here.count << " records, "
                << (here.difference.empty() ? "equal" : here.difference) << '\n';
    }
    return !differs();
  }

 private:
  struct partition {
    std::size_t count = 0;
    std::map<std::string, std::size_t> read;  // of each thread
    std::string difference;
  };

  const sequence& expected_of(std::size_t p, const std::string& thread) const {
    if (p >= source_.size()) return nothing_;
    const auto known = source_[p].find(thread);
    return known == source_[p].end() ? nothing_ : known->second;
  }

  std::string missing(partition& here, std::size_t p) const {
    for (const auto& [thread, records] : source_[p])
      if (const std::size_t read = here.read[thread]; read < records.size())
        return "the last " + std::to_string(records.size() - read) + " records " + (thread.empty() ? "" : "of a key ") +
               "are missing; the first of them is " + source_record(wanted_, p, thread, read);
    return "";
  }

  std::string difference(const rd_kafka_message_t& message, const digest& found, const sequence& expected,
                         std::size_t p, const std::string& thread, std::size_t index) const {
    std::ostringstream out;
    out << "difference at record " << index << (thread.empty() ? "" : " of its key") << ": "
        << verdict(message, found, expected, index) << "\n  found    " << described(message) << "\n  expected "
        << source_record(wanted_, p, thread, index);
    return out.str();
  }

  static std::string verdict(const rd_kafka_message_t& message, const digest& found, const sequence& expected,
                             std::size_t index) {
    if (std::string_view{static_cast<const char*>(message.payload), message.len}.starts_with(aborted_marker))
      return "a record whose transaction was aborted has leaked";
    const auto present = expected.begin() + static_cast<std::ptrdiff_t>(std::min(index, expected.size()));
    if (const auto before = std::find(expected.begin(), present, found); before != present)
      return "repeats record " + std::to_string(before - expected.begin());
    if (const auto after = std::find(present, expected.end(), found); after != expected.end())
      return "is record " + std::to_string(after - expected.begin()) + "; those between are missing or come later";
    return index >= expected.size() ? "is more than the source has" : "is not a record of this partition of the source";
  }

  const options& wanted_;
  const std::vector<threads>& source_;
  const sequence nothing_;
  std::vector<partition> partitions_;
  std::size_t total_ = 0;
};

/// A topic may appear while it is waited for.
std::unique_ptr<committed_topic> open(const place& target, clock::time_point deadline) {
  for (;;) try {
      return std::make_unique<committed_topic>(target.brokers, target.topic);
    } catch (const kafka_error&) {
      if (clock::now() > deadline) throw;
    }
}

bool compare(const options& wanted, const place& target, const std::vector<threads>& source, clock::time_point deadline,
             std::string& json) {
  const auto topic = open(target, deadline);
  comparison held{wanted, source};
  do topic->read(std::max(deadline, clock::now() + wanted.patience), [&](const auto& message) { held.take(message); });
  while (!held.complete() && !held.differs() && clock::now() < deadline);
  json += (json.empty() ? "\"" : ", \"") + target.name + "\": " + std::to_string(held.total());
  return held.report(target);
}

bool verify(const options& wanted) {
  const std::vector<threads> source = read_source(wanted);
  std::size_t total = 0;
  for (std::size_t p = 0; p < source.size(); ++p) {
    total += size_of(source[p]);
    std::cout << wanted.source.name << ' ' << wanted.source.topic << '/' << p << ": " << size_of(source[p])
              << " records, digest " << digest_of(source[p]).text() << '\n';
  }
  const auto deadline = clock::now() + wanted.wait;
  bool equal = true;
  std::string json;
  for (const place& target : wanted.targets) equal &= compare(wanted, target, source, deadline, json);
  std::cout << "{\"topic\": \"" << wanted.source.topic << "\", \"equal\": " << (equal ? "true" : "false")
            << ", \"source\": " << total << ", \"targets\": {" << json << "}}" << std::endl;
  return equal;
}

kept kept_of(const std::string& word) {
  if (word == "all") return kept::all;
  if (word == "events") return kept::events;
  if (word == "malformed") return kept::malformed;
  throw usage_error{"--keep wants all, events or malformed, not '" + word + "'"};
}

ordered order_of(const std::string& word) {
  if (word == "partition") return ordered::by_partition;
  if (word == "key") return ordered::by_key;
  throw usage_error{"--order wants partition or key, not '" + word + "'"};
}

int run(int argc, char** argv) {
  flags given{argc, argv};
  if (given.has("help")) {
    std::cout << usage;
    return 0;
  }
  options wanted{.source = {"source", given.text("source"), given.text("topic")},
                 .targets = {},
                 .wait = std::chrono::seconds{given.number("wait", 0)},
                 .patience = std::chrono::seconds{given.number("patience", 60)},
                 .keep = kept_of(given.text("keep", "all")),
                 .order = order_of(given.text("order", "partition"))};
  const std::string target_topic = given.text("target-topic", wanted.source.topic);
  for (const std::string& target : given.all("target")) {
    const auto equals = target.find('=');
    if (equals == std::string::npos) throw usage_error{"--target wants NAME=BROKERS, not '" + target + "'"};
    wanted.targets.push_back({target.substr(0, equals), target.substr(equals + 1), target_topic});
  }
  given.finish();
  if (wanted.targets.empty()) throw usage_error{"--target is missing"};
  return verify(wanted) ? 0 : 3;
}

}  // namespace
}  // namespace plain

int main(int argc, char** argv) try { return plain::run(argc, argv); } catch (const plain::usage_error& e) {
  std::cerr << "chaos_verify: " << e.what() << '\n' << plain::usage;
  return 2;
} catch (const std::exception& e) {
  std::cerr << "chaos_verify: " << e.what() << '\n';
  return 1;
}
