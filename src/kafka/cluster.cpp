#include "cluster.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "admin_calls.hpp"
#include "administration.hpp"
#include "failures.hpp"
#include "letters.hpp"
#include "member.hpp"
#include "producer.hpp"
#include "range.hpp"
#include "reader.hpp"
#include "requests.hpp"
#include "unopened.hpp"

namespace flow::kafka {
namespace {

using namespace std::chrono_literals;
using port::milliseconds;
using clock = std::chrono::steady_clock;

constexpr milliseconds request_limit = 15s;
constexpr milliseconds hello_limit = 5s;   ///< for what any broker answers, so that it is soon known that none does
constexpr milliseconds fence_limit = 60s;  ///< longer than any transaction that is in the way
constexpr milliseconds round_trip = 2s;    ///< what a blocking call gets before others have their turn
constexpr milliseconds pause = 20ms;       ///< between two attempts

milliseconds left_until(clock::time_point deadline) {
  return std::max(milliseconds{1}, std::chrono::duration_cast<milliseconds>(deadline - clock::now()));
}

/// What one attempt of a question came to: nothing yet, or a result.
template <typename T>
using outcome = std::optional<result<T>>;

/// One step of a question: attempts it, again and again while a failure may heal, and answers.
template <typename T, typename Attempt>
requests::step question(const context& in, milliseconds limit, Attempt attempt, port::reply<T> answer) {
  return [&in, deadline = clock::now() + limit, next = clock::time_point{}, before = std::optional<failure>{},
          attempt = std::make_shared<Attempt>(std::move(attempt)),
          answer = std::move(answer)](milliseconds patience) mutable {
    if (const auto now = clock::now(); now < next) {
      std::this_thread::sleep_for(std::min<clock::duration>(patience, next - now));
      return false;
    }
    outcome<T> got = (*attempt)(patience, left_until(deadline));
    const bool late = clock::now() >= deadline;
    if (got && !*got && heals(got->error().kind)) {
      next = clock::now() + pause;
      // The last attempt may have had no time for more than not to be answered.
      if (!late || !before) before = std::move(got->error());
      got.reset();
    }
    if (!got && late && before) {
      before->kind = failure_kind::timed_out;
      got = tl::unexpected{std::move(*before)};
    }
    if (!got && late)
      got = tl::unexpected{failure_of(RD_KAFKA_RESP_ERR__TIMED_OUT, "requests to " + in.to.name, "no answer in time")};
    if (got && !*got && heals(got->error().kind)) in.log->explain(got->error());
    if (got) answer(std::move(*got));
    return got.has_value();
  };
}

/// Sends an admin call, waits for its answer, reads it.
template <typename T, typename Send, typename Read>
auto admin_question(Send send, Read read) {
  return [send, read, call = std::optional<result<admin_call>>{}](milliseconds patience,
                                                                  milliseconds) mutable -> outcome<T> {
    if (!call) call.emplace(send());
    if (!*call) return tl::unexpected{std::exchange(call, std::nullopt)->error()};
    event_ptr answer = (*call)->poll(patience);
    if (!answer) return std::nullopt;
    outcome<T> got = read(answer.get());
    // The call may hold the last reference to the client, which has to outlive what it made.
    answer.reset();
    call.reset();
    return got;
  };
}

/// What takes a round trip and cannot be done in steps.
template <typename T, typename Ask>
auto blocking_question(Ask ask) {
  return [ask](milliseconds, milliseconds left) -> outcome<T> { return ask(std::min(left, round_trip)); };
}

class kafka_cluster : public port::cluster {
 public:
  kafka_cluster(context in, std::shared_ptr<port::mailbox> mailbox)
      : in_{std::move(in)},
        mailbox_{std::move(mailbox)},
        replies_{mailbox_},
        administration_{in_},
        requests_{thread_name(in_.to.name, "ask")} {}

  void identify(port::reply<std::string> done) override {
    ask(std::move(done), hello_limit,
        blocking_question<std::string>([this](milliseconds limit) { return ask_identity(administration_, limit); }));
  }

  void list_topics(port::reply<std::vector<port::topic_description>> done) override {
    ask(std::move(done), request_limit,
        blocking_question<std::vector<port::topic_description>>(
            [this](milliseconds limit) { return ask_topics(administration_, limit); }));
  }

  void describe_topics(std::vector<std::string> names, port::reply<std::vector<port::topic_description>> done) override;
  void create_topics(std::vector<port::new_topic> topics, port::reply<void> done) override;
  void add_partitions(std::string topic, std::int32_t total, port::reply<void> done) override;
  void delete_records(std::map<topic_partition, std::int64_t> below, port::reply<void> done) override;
  void change_settings(std::string topic, std::map<std::string, std::string> settings, port::reply<void> done) override;

  void find_offsets(std::vector<topic_partition> where, port::offset_query what,
                    port::reply<std::vector<std::int64_t>> done) override {
    ask(std::move(done), request_limit,
        blocking_question<std::vector<std::int64_t>>([this, where = std::move(where), what](milliseconds limit) {
          return ask_offsets(administration_, where, what, limit);
        }));
  }

  void read_range(topic_partition where, std::int64_t from, std::int64_t to, port::isolation isolated,
                  milliseconds limit, port::reply<port::range_read> done) override {
    ask(std::move(done), limit,
        [reading = std::make_shared<range_reading>(administration_, std::move(where), from, to, isolated)](
            milliseconds patience, milliseconds) { return reading->read_on(patience); });
  }

  void group_offsets(std::string group, std::vector<topic_partition> where, port::isolation isolated,
                     milliseconds limit, port::reply<std::vector<port::group_offset>> done) override;
  void group_members(std::string group, port::reply<std::vector<port::group_member>> done) override;
  void fence(std::string transactional_id, port::reply<void> done) override;

  std::unique_ptr<port::reader> open_reader(port::reader_options options, port::wake readable) override {
    auto opened = kafka_reader::open(in_, options, readable);
    if (opened) return std::move(*opened);
    return std::make_unique<unopened_reader>(std::move(opened.error()), std::move(readable));
  }

  std::unique_ptr<port::member> join(port::member_options options, port::wake readable) override {
    auto opened = kafka_member::join(in_, mailbox_, std::move(options), readable);
    if (opened) return std::move(*opened);
    return std::make_unique<unopened_member>(std::move(opened.error()), mailbox_, readable);
  }

  std::unique_ptr<port::producer> open_producer(port::producer_options options) override {
    return std::make_unique<kafka_producer>(in_, mailbox_, std::move(options));
  }

 private:
  template <typename T, typename Attempt>
  void ask(port::reply<T> done, milliseconds limit, Attempt attempt) {
    const port::reply<T> answer = replies_.addressed(std::move(done));
    if (!requests_.add(question<T>(in_, limit, std::move(attempt), answer)))
      answer(fail(failure_kind::retriable, in_.to.name + ": too many questions wait for an answer"));
  }

  result<std::shared_ptr<client>> asking() { return administration_.reading(port::isolation::read_uncommitted); }
  result<void> try_out(const std::vector<port::new_topic>& topics, milliseconds limit);

  const context in_;
  const std::shared_ptr<port::mailbox> mailbox_;
  const letters replies_;
  administration administration_;  ///< for the thread of `requests_` only
  requests requests_;
};

void kafka_cluster::describe_topics(std::vector<std::string> names,
                                    port::reply<std::vector<port::topic_description>> done) {
  using topics = std::vector<port::topic_description>;
  auto found = std::make_shared<topics>();
  auto settings = admin_question<topics>(
      [this, found]() -> result<admin_call> {
        auto by = asking();
        if (!by) return tl::unexpected{std::move(by.error())};
        std::vector<std::string> there;
        for (const port::topic_description& each : *found) there.push_back(each.name);
        return describe_topics_call(*by, there);
      },
      [this, found](rd_kafka_event_t* answer) -> result<topics> {
        if (auto read = read_settings(answer, *found, in_.to.name); !read)
          return tl::unexpected{std::move(read.error())};
        return std::move(*found);
      });
  ask(std::move(done), request_limit,
      [this, names = std::move(names), found, settings = std::move(settings), listed = false](
          milliseconds patience, milliseconds left) mutable -> outcome<topics> {
        if (!listed) {
          auto all = ask_topics(administration_, std::min(left, round_trip));
          if (!all) return all;
          std::erase_if(*all, [&](const auto& each) { return std::ranges::find(names, each.name) == names.end(); });
          *found = std::move(*all);
          listed = true;
        }
        if (found->empty()) return topics{};
        return settings(patience, left);
      });
}

/// Clusters answer before every broker knows, and who leads a partition may be the last to hear of it; who asked wants
/// to use the topics.
result<void> kafka_cluster::try_out(const std::vector<port::new_topic>& topics, milliseconds limit) {
  const auto not_yet = [&] {
    return fail(failure_kind::retriable, "topics on " + in_.to.name + ": created, but not ready for use yet",
                "if that lasts: has this user the right to DESCRIBE them? Clusters hide what one may not see");
  };
  const auto all = ask_topics(administration_, std::min(limit, round_trip));
  if (!all) return tl::unexpected{all.error()};
  std::vector<topic_partition> where;
  for (const port::new_topic& each : topics) {
    const auto made = std::ranges::find(*all, each.name, &port::topic_description::name);
    if (made == all->end()) return not_yet();
    for (std::int32_t partition = 0; partition < made->partitions; ++partition) where.push_back({each.name, partition});
  }
  const auto found =
      ask_offsets(administration_, where, {port::offset_query::kind::earliest}, std::min(limit, round_trip));
  if (found) return {};
  return found.error().kind == failure_kind::missing ? not_yet() : tl::unexpected{found.error()};
}

void kafka_cluster::create_topics(std::vector<port::new_topic> topics, port::reply<void> done) {
  auto create = admin_question<void>(
      [this, topics]() -> result<admin_call> {
        auto by = asking();
        if (!by) return tl::unexpected{std::move(by.error())};
        return create_topics_call(*by, topics);
      },
      [this](rd_kafka_event_t* answer) { return read_created(answer, in_.to.name); });
  ask(std::move(done), request_limit,
      [this, topics = std::move(topics), create = std::move(create), created = false](
          milliseconds patience, milliseconds left) mutable -> outcome<void> {
        if (topics.empty()) return result<void>{};
        if (!created) {
          const outcome<void> got = create(patience, left);
          if (!got || !*got) return got;
          created = true;
        }
        return try_out(topics, left);
      });
}

void kafka_cluster::add_partitions(std::string topic, std::int32_t total, port::reply<void> done) {
  ask(std::move(done), request_limit,
      admin_question<void>(
          [this, topic = std::move(topic), total]() -> result<admin_call> {
            auto by = asking();
            if (!by) return tl::unexpected{std::move(by.error())};
            return add_partitions_call(*by, topic, total);
          },
          [this](rd_kafka_event_t* answer) { return read_grown(answer, in_.to.name); }));
}

// The client looks for the leader of a partition that does not exist until its limit is over.
void kafka_cluster::delete_records(std::map<topic_partition, std::int64_t> below, port::reply<void> done) {
  auto remove = admin_question<void>(
      [this, below]() -> result<admin_call> {
        auto by = asking();
        if (!by) return tl::unexpected{std::move(by.error())};
        return delete_records_call(*by, below);
      },
      [this](rd_kafka_event_t* answer) { return read_deleted(answer, in_.to.name); });
  ask(std::move(done), request_limit,
      [this, below = std::move(below), remove = std::move(remove), there = false](
          milliseconds patience, milliseconds left) mutable -> outcome<void> {
        if (!there) {
          const auto all = ask_topics(administration_, std::min(left, round_trip));
          if (!all) return tl::unexpected{all.error()};
          for (const auto& [where, offset] : below) {
            const auto topic = std::ranges::find(*all, where.topic, &port::topic_description::name);
            if (topic == all->end() || where.partition >= topic->partitions)
              return fail(failure_kind::missing, in_.to.name + " has no " + to_string(where));
          }
          there = true;
        }
        return remove(patience, left);
      });
}

// This client can only set all that a topic is set to at once (librdkafka 2.0.2), so what it is set to now is asked
// first.
void kafka_cluster::change_settings(std::string topic, std::map<std::string, std::string> settings,
                                    port::reply<void> done) {
  using settings_map = std::map<std::string, std::string>;
  auto own = std::make_shared<settings_map>();
  auto describe = admin_question<settings_map>(
      [this, topic]() -> result<admin_call> {
        auto by = asking();
        if (!by) return tl::unexpected{std::move(by.error())};
        return describe_topics_call(*by, {topic});
      },
      [this, topic](rd_kafka_event_t* answer) { return read_own_settings(answer, topic, in_.to.name); });
  auto set = admin_question<void>(
      [this, topic, own]() -> result<admin_call> {
        auto by = asking();
        if (!by) return tl::unexpected{std::move(by.error())};
        return set_settings_call(*by, topic, *own);
      },
      [this](rd_kafka_event_t* answer) { return read_set(answer, in_.to.name); });
  ask(std::move(done), request_limit,
      [settings = std::move(settings), own, describe = std::move(describe), set = std::move(set), known = false](
          milliseconds patience, milliseconds left) mutable -> outcome<void> {
        if (!known) {
          outcome<settings_map> got = describe(patience, left);
          if (!got) return std::nullopt;
          if (!*got) return result<void>{tl::unexpected{got->error()}};
          *own = settings;
          own->merge(**got);
          known = true;
        }
        return set(patience, left);
      });
}

void kafka_cluster::group_offsets(std::string group, std::vector<topic_partition> where, port::isolation isolated,
                                  milliseconds limit, port::reply<std::vector<port::group_offset>> done) {
  using offsets = std::vector<port::group_offset>;
  const bool stable = isolated == port::isolation::read_committed;
  auto attempt = admin_question<offsets>(
      [this, group, where, stable]() -> result<admin_call> {
        auto by = administration_.of_group(group);
        if (!by) return tl::unexpected{std::move(by.error())};
        return group_offsets_call(*by, group, where, stable);
      },
      [this, group, where, stable](rd_kafka_event_t* answer) -> result<offsets> {
        const auto by = administration_.of_group(group);
        if (stable && by && (*by)->tap().old_offset_fetches)
          return fail(failure_kind::refused,
                      "group offsets on " + in_.to.name + ": the brokers do not say which are undecided",
                      "a target needs Kafka 2.5 or newer");
        return read_group_offsets(answer, where, in_.to.name);
      });
  ask(std::move(done), limit,
      [none = where.empty(), attempt = std::move(attempt)](milliseconds patience, milliseconds left) mutable {
        return none ? outcome<offsets>{offsets{}} : attempt(patience, left);
      });
}

void kafka_cluster::group_members(std::string group, port::reply<std::vector<port::group_member>> done) {
  ask(std::move(done), request_limit,
      admin_question<std::vector<port::group_member>>(
          [this, group = std::move(group)]() -> result<admin_call> {
            auto by = asking();
            if (!by) return tl::unexpected{std::move(by.error())};
            return group_members_call(*by, group);
          },
          [this](rd_kafka_event_t* answer) { return read_members(answer, in_.to.name); }));
}

void kafka_cluster::fence(std::string transactional_id, port::reply<void> done) {
  ask(std::move(done), fence_limit,
      [this, id = std::move(transactional_id), owner = std::shared_ptr<client>{}](
          milliseconds patience, milliseconds) mutable -> outcome<void> {
        if (!owner) {
          auto opened = administration_.writing_as(id);
          if (!opened) return tl::unexpected{std::move(opened.error())};
          owner = std::move(*opened);
        }
        rd_kafka_error_t* error = rd_kafka_init_transactions(owner->get(), static_cast<int>(patience.count()));
        if (!error) return result<void>{};
        return tl::unexpected{failure_of(error, "fence " + id + " on " + in_.to.name)};
      });
}

}  // namespace

std::unique_ptr<port::cluster> connect(const connection& to, std::shared_ptr<port::mailbox> mailbox, log_sink log) {
  check(to);
  auto said = std::make_shared<complaints>(to.name, secrets_of(to), std::move(log));
  context in{to, std::move(said), std::make_shared<closer>(to.name)};
  return std::make_unique<kafka_cluster>(std::move(in), std::move(mailbox));
}

}  // namespace flow::kafka
