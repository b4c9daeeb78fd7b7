#pragma once

#include <array>
#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <flow/app_settings.hpp>
#include <flow/policy.hpp>
#include <flow/rules.hpp>
#include <flow/settings.hpp>

#include "rules.hpp"

namespace replicator {

enum class partitions { keep, by_key };
enum class malformed { dead_letter, skip, replicate, stop };
enum class last_resort { stop, skip, dead_letter, park_key };
enum class tombstones { replicate, drop };

constexpr std::array<std::string_view, 2> words(partitions) {
  return {"keep", "by_key"};
}
constexpr std::array<std::string_view, 4> words(malformed) {
  return {"dead_letter", "skip", "replicate", "stop"};
}
constexpr std::array<std::string_view, 4> words(last_resort) {
  return {"stop", "skip", "dead_letter", "park_key"};
}
constexpr std::array<std::string_view, 2> words(tombstones) {
  return {"replicate", "drop"};
}

/// What the program is configured with; `replicator lint` checks it.
struct settings : flow::app_settings {
  std::vector<std::string> targets;

  struct topic_settings {
    std::vector<std::string> include;
    std::vector<std::string> exclude{"__.*", ".*\\.internal"};
    std::string rename = "{topic}";
    replicator::partitions partitions = replicator::partitions::keep;
    bool create = true;
    std::vector<std::string> sync_settings{"cleanup.policy",    "compression.type",      "delete.retention.ms",
                                           "max.message.bytes", "min.compaction.lag.ms", "retention.bytes",
                                           "retention.ms",      "segment.bytes"};

    void bind(auto& b) {
      b("include", include, "topics to replicate: names, or regular expressions matched whole")
          .required()
          .check(flow::checks::source_topic);
      b("exclude", exclude, "topics to leave out, though they are included").check(flow::checks::source_topic);
      b("rename", rename, "a topic's name on the targets; {source} stands for the home cluster's name")
          .check(flow::checks::sink_topic);
      b("partitions", partitions, "keep: a record keeps its partition; by_key: it goes where Java clients put its key");
      b("create", create,
        "create missing topics, with the source's partition count and settings, and partitions that its topic gets "
        "later");
      b("sync_settings", sync_settings, "settings of topics that are kept as the source has them; [] for none")
          .check(check_setting);
    }

    void check(flow::problems& found) const;
    static flow::complaint check_setting(const std::string& name);
    /// Whether what is written on the home cluster under these names would be replicated again.
    bool reads_again(const std::string& pattern, const std::string& home) const;
  } topics;

  struct event_settings {
    std::string source = "/source";
    std::string type = "/detail-type";
    std::vector<std::string> critical_sources{"genai-demo.customer", "genai-demo.order", "genai-demo.payment",
                                              "genai-demo.inventory"};
    std::vector<std::string> consistency_types{"EntityCreated", "EntityUpdated", "EntityDeleted", "StateChanged"};
    std::optional<std::vector<event_rule>> rules;
    replicator::malformed malformed = replicator::malformed::dead_letter;
    replicator::tombstones tombstones = replicator::tombstones::replicate;

    void bind(auto& b) {
      b("source", source, "JSON pointer to an event's source");
      b("type", type, "JSON pointer to an event's type");
      b("critical_sources", critical_sources, "events of these sources are replicated");
      b("consistency_types", consistency_types, "and events of these types");
      b("rules", rules, "in place of these two: the first that is true of an event decides; if none is, it stays here");
      b("malformed", malformed,
        "what becomes of a value that is no JSON: it goes to on_failure.dead_letter at home, is skipped, replicated, or "
        "stops its partition");
      b("tombstones", tombstones, "what becomes of a null value, where a rule would have to read it; drop: of all");
    }

    void check(flow::problems& found) const;
    /// What decides about events: the rules, or the one that the other settings make.
    flow::rules in_force() const;

   private:
    void check_order(flow::problems& found) const;
  };
  std::optional<event_settings> events;

  struct dedup_settings {
    std::string id = "/id";
    std::chrono::milliseconds window = std::chrono::hours{24};
    flow::byte_size memory{1u << 30};
    bool shared = true;

    void bind(auto& b) {
      b("id", id, "JSON pointer to what tells an event from others");
      b("window", window, "an event is dropped if its id was there within this time, by the events' timestamps");
      b("memory", memory, "what the ids of all partitions take; more of them go to disk")
          .range(flow::byte_size{1u << 20}, flow::byte_size{1ull << 40});
      b("shared", shared, "the ids go to a topic on home too, for who takes partitions over");
    }

    void check(flow::problems& found) const;
  };
  std::optional<dedup_settings> dedup;

  struct failure_settings {
    last_resort policy = last_resort::stop;
    std::string dead_letter = "{topic}.dlq";
    int retries = 0;
    struct {
      std::chrono::milliseconds from{100};
      std::chrono::milliseconds to{30'000};

      void bind(auto& b) {
        b("from", from, "the first pause at most");
        b("to", to, "every pause at most");
      }
    } backoff;

    void bind(auto& b) {
      b("policy", policy,
        "what becomes of an event that a target does not take: it stops its partition, is skipped, or "
        "goes to dead_letter on that target; park_key: with all later ones of its key, until they "
        "are replayed");
      b("dead_letter", dead_letter, "the topic of dead letters; {topic} and {source} are where they came from")
          .check(flow::checks::sink_topic);
      b("retries", retries, "how often what may pass is tried again before that");
      b("backoff", backoff, "the pauses between, which double");
    }

    void check(flow::problems& found) const;
    flow::policy in_force() const;
  } on_failure;

  void bind(auto& b) {
    b("application", application, "names the groups, the transactions and the internal topics")
        .required()
        .check(flow::checks::name);
    b("home", home, "the cluster that is read, by its name in clusters")
        .environment("AWS_REGION")
        .required()
        .check(flow::checks::name);
    b("targets", targets, "the clusters that are written to, by their names in clusters")
        .environment("KAFKA_CROSS_REGION_TARGET_REGIONS")
        .required();
    b("clusters", clusters, "librdkafka properties of each cluster by its name, bootstrap.servers among them")
        .check(flow::checks::properties);
    b("bootstrap_servers", bootstrap_servers, "of the home cluster, in place of what clusters says")
        .environment("KAFKA_BOOTSTRAP_SERVERS")
        .flag_only()
        .check(flow::checks::servers);
    b("enabled", enabled, "false: run says so and ends").environment("KAFKA_CROSS_REGION_ENABLED").flag_only();
    b("topics", topics, "what is replicated, and under which name");
    b("events", events, "replicate only these events; left out: every record");
    b("dedup", dedup, "drop repeated events; left out: none");
    b("on_failure", on_failure, "what becomes of events that do not get through");
    bind_running(b);
  }

  void check(flow::problems& found) const;
  flow::app_options options() const;

  /// What becomes of events that are no JSON, also where there are no rules.
  malformed when_malformed() const { return events ? events->malformed : malformed::dead_letter; }
  flow::policy for_malformed() const;

  /// What writes the events that take one of the ways out of the rules, and to which topics.
  struct way {
    std::string sink;
    std::string rename;
  };
  /// In the order of `flow::rules::ways`; the first is all there is without rules.
  std::vector<way> ways() const;
};

}  // namespace replicator
