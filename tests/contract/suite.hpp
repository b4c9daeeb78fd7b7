#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <concepts>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <ostream>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "world.hpp"

namespace flow {

/// What a matcher that did not match says instead of bytes.
template <typename T>
void PrintTo(const result<T>& what, std::ostream* out) {
  *out << (what ? "a success" : "a failure: " + what.error().text);
}

}  // namespace flow

namespace flow::contract {

using namespace std::chrono_literals;
using port::isolation;
using port::milliseconds;

/// Longer than any request's own limit: whoever runs into it has found a bug.
inline constexpr milliseconds patience{45'000};

/// A record that owns its bytes.
struct note {
  std::optional<std::string> key{};
  std::optional<std::string> value{};
  std::int64_t timestamp = 1'700'000'000'000;
  std::vector<std::pair<std::string, std::optional<std::string>>> headers{};

  bool operator==(const note&) const = default;
};

void PrintTo(const note& record, std::ostream* out);

std::vector<note> numbered(int from, int to);  ///< notes with the values "from" to "to - 1"
std::vector<std::string> values(const std::vector<note>& notes);
std::vector<std::string> values(const std::vector<port::kept_record>& records);
port::new_topic topic(std::string name, std::int32_t partitions = 1, std::map<std::string, std::string> settings = {});
/// How to join as a dynamic member that the group gives up soon after it has stopped living.
port::member_options joining(std::string group, std::string topic);
std::string noise(std::size_t size);  ///< bytes that no compression makes smaller

/// A result's value; without one the test ends here and says why.
template <typename T>
T must(result<T> what) {
  if (!what) throw std::runtime_error{"unexpected failure: " + what.error().text};
  if constexpr (!std::is_void_v<T>) return std::move(*what);
}

MATCHER(succeeds, "is a success") {
  return arg.has_value();
}

MATCHER(fails, "is a failure") {
  return !arg.has_value();
}

MATCHER_P(fails_with, kind, "is a failure of kind " + std::to_string(static_cast<int>(kind))) {
  if (arg) return false;
  *result_listener << "of kind " << static_cast<int>(arg.error().kind);
  return arg.error().kind == kind;
}

/// The stage of every case: a world of its own, a connection, and whoever wants to be polled while time passes.
class suite : public ::testing::Test {
 public:
  suite() : world_{make_world()}, cluster_{world_->connect("contract")} {}

  class polled {
   public:
    explicit polled(suite& in) : in_{in} { in_.polled_.insert(this); }
    polled(const polled&) = delete;
    polled& operator=(const polled&) = delete;
    virtual ~polled() { in_.polled_.erase(this); }
    virtual void poll() = 0;

   protected:
    suite& in_;
  };

  world& in() { return *world_; }
  port::cluster& cluster() { return *cluster_; }
  std::string unique(const std::string& stem) { return world_->unique(stem); }

  /// True as soon as `condition` holds, false after `limit`. Readers and members are polled meanwhile.
  bool pump_until(const std::function<bool()>& condition, milliseconds limit = patience);
  void eventually(const std::function<bool()>& condition, const std::string& what, milliseconds limit = patience);
  /// For what can only be asked for: asks again until `holds` says so.
  void ask_until(const std::function<bool()>& holds, const std::string& what);

  /// The answer to what `ask` asks. Checks of every reply that it runs once, and not inside the call.
  template <typename T, typename Ask>
  requires std::invocable<Ask, port::reply<T>> result<T> await(Ask ask) {
    auto answer = std::make_shared<std::optional<result<T>>>();
    ask(port::reply<T>{[answer](result<T> got) {
      EXPECT_FALSE(answer->has_value()) << "a reply ran twice";
      answer->emplace(std::move(got));
    }});
    EXPECT_FALSE(answer->has_value()) << "a reply ran inside the call that asked";
    eventually([&] { return answer->has_value(); }, "an answer");
    return **answer;
  }

  /// A topic of this test's own, ready for use.
  std::string fresh_topic(std::int32_t partitions = 1, std::map<std::string, std::string> settings = {});

  result<std::vector<port::topic_description>> list_topics();
  result<std::vector<port::topic_description>> describe(std::vector<std::string> names);
  result<void> create(std::vector<port::new_topic> topics);
  result<void> add_partitions(const std::string& topic, std::int32_t total);
  result<void> delete_records(std::map<topic_partition, std::int64_t> below);
  result<void> change_settings(const std::string& topic, const std::map<std::string, std::string>& settings);
  result<void> fence(const std::string& transactional_id);
  result<std::vector<port::group_member>> group_members(const std::string& group);
  result<std::vector<port::group_offset>> group_offsets(const std::string& group, std::vector<topic_partition> where,
                                                        isolation isolated = isolation::read_committed,
                                                        milliseconds limit = 10s);
  /// The one offset that the group has stored for `where`.
  port::group_offset group_offset(const std::string& group, const topic_partition& where,
                                  isolation isolated = isolation::read_committed);

  result<std::vector<std::int64_t>> find_offsets(std::vector<topic_partition> where, port::offset_query what);
  std::int64_t find_offset(const topic_partition& where, port::offset_query what);
  std::int64_t earliest(const topic_partition& where);
  std::int64_t high_watermark(const topic_partition& where);
  std::int64_t last_stable(const topic_partition& where);
  /// Waits until no transaction is undecided on this partition.
  void settle(const topic_partition& where);

  result<port::range_read> read_range(const topic_partition& where, std::int64_t from, std::int64_t to,
                                      isolation isolated = isolation::read_committed, milliseconds limit = 10s);
  /// What stands in a partition up to its high watermark.
  std::vector<note> everything(const topic_partition& where, isolation isolated = isolation::read_committed);

 private:
  std::unique_ptr<world> world_;
  std::unique_ptr<port::cluster> cluster_;
  std::set<polled*> polled_;
};

/// A producer that is asked one thing after the other.
class writer {
 public:
  /// With a transactional id the producer is initialised.
  writer(suite& in, const std::string& transactional_id, milliseconds transaction_timeout = 10s);
  writer(suite& in, port::cluster& at, const std::string& transactional_id, milliseconds transaction_timeout = 10s);

  port::producer& port() { return *port_; }
  result<void> init();
  void begin() { port_->begin(); }
  void send(const topic_partition& where, std::vector<note> notes, bool wants_offsets = false);
  result<void> send_offsets(std::vector<port::group_offset> offsets, const port::membership& as);
  result<port::committed> commit();
  result<void> abort();
  result<port::committed> flush();

 private:
  suite& in_;
  std::unique_ptr<port::producer> port_;
};

/// What a producer takes: owns the bytes of `notes` for as long as somebody looks at them.
outgoing packed(topic_id topic, std::int32_t partition, std::vector<note> notes, bool wants_offsets = false);

/// Writes without a transaction.
void write(suite& in, const topic_partition& where, std::vector<note> notes);
/// Writes one transaction under an id of its own and waits until it is decided.
void write_committed(suite& in, const topic_partition& where, std::vector<note> notes);
void write_aborted(suite& in, const topic_partition& where, std::vector<note> notes);

/// Keeps all that a reader delivers.
class listener : public suite::polled {
 public:
  struct source {
    std::vector<note> notes;
    std::vector<std::int64_t> offsets;
    std::optional<std::int64_t> end;
    std::optional<failure> failed;
  };

  explicit listener(suite& in, isolation isolated = isolation::read_committed, std::size_t buffer = 32u << 20);

  port::reader& port() { return *port_; }
  void assign(source_id id, const topic_partition& where, std::int64_t offset);
  void unassign(source_id id) { port_->unassign(id); }
  void poll() override;

  const source& of(source_id id) { return sources_[id]; }
  void until_records(source_id id, std::size_t count);
  void until_end(source_id id, std::int64_t next);
  const failure& until_failure(source_id id);

 private:
  std::unique_ptr<port::reader> port_;
  std::map<source_id, source> sources_;
};

/// A member that does what it is told, releases what it has to, and remembers.
class participant : public suite::polled {
 public:
  explicit participant(suite& in, port::member_options options);
  participant(suite& in, port::cluster& at, port::member_options options);

  port::member& port() { return *port_; }
  void poll() override;
  void pause() { paused_ = true; }
  void resume() { paused_ = false; }
  /// From now on a revocation waits for `release`.
  void hold() { holds_ = true; }
  void release();

  /// The assignment it has now; null between two.
  const port::group_event* assignment() const { return assigned_ ? &*assigned_ : nullptr; }
  const std::vector<port::group_event>& history() const { return history_; }
  bool saw(port::group_event::kind what) const;
  /// Waits for its next assignment of exactly so many partitions and returns its membership.
  port::membership until_assigned(std::size_t partitions);
  std::vector<std::int32_t> partitions() const;
  result<void> leave();

 private:
  std::unique_ptr<port::member> port_;
  std::optional<port::group_event> assigned_;
  std::vector<port::group_event> history_;
  bool paused_ = false;
  bool holds_ = false;
};

}  // namespace flow::contract
