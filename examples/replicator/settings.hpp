#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <flow/app_settings.hpp>
#include <flow/settings.hpp>

namespace replicator {

enum class partitions { keep, by_key };
enum class malformed { stop, skip };

constexpr std::array<std::string_view, 2> words(partitions) { return {"keep", "by_key"}; }
constexpr std::array<std::string_view, 2> words(malformed) { return {"stop", "skip"}; }

/// What the program is configured with; `replicator lint` checks it.
struct settings : flow::app_settings {
  std::vector<std::string> targets;

  struct topic_settings {
    std::vector<std::string> include;
    std::vector<std::string> exclude{"__.*", ".*\\.internal"};
    std::string rename = "{topic}";
    replicator::partitions partitions = replicator::partitions::keep;
    bool create = true;

    void bind(auto& b) {
      b("include", include, "topics to replicate: names, or regular expressions matched whole")
          .required()
          .check(flow::checks::source_topic);
      b("exclude", exclude, "topics to leave out, though they are included").check(flow::checks::source_topic);
      b("rename", rename, "a topic's name on the targets; {source} stands for the home cluster's name")
          .check(flow::checks::sink_topic);
      b("partitions", partitions, "keep: a record keeps its partition; by_key: it goes where Java clients put its key");
      b("create", create, "create missing topics, with the source's partition count and settings");
    }

    void check(flow::problems& found) const;
    /// Whether what is written on the home cluster would be replicated again.
    bool reads_again(const std::string& home) const;
  } topics;

  struct event_settings {
    std::string source = "/source";
    std::string type = "/detail-type";
    std::vector<std::string> critical_sources{"genai-demo.customer", "genai-demo.order", "genai-demo.payment",
                                              "genai-demo.inventory"};
    std::vector<std::string> consistency_types{"EntityCreated", "EntityUpdated", "EntityDeleted", "StateChanged"};
    replicator::malformed malformed = replicator::malformed::stop;

    void bind(auto& b) {
      b("source", source, "JSON pointer to an event's source");
      b("type", type, "JSON pointer to an event's type");
      b("critical_sources", critical_sources, "events of these sources are replicated");
      b("consistency_types", consistency_types, "and events of these types");
      b("malformed", malformed, "what becomes of a value that is no JSON: stop its partition, or skip it");
    }

    void check(flow::problems& found) const;
  };
  std::optional<event_settings> events;

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
    bind_running(b);
  }

  void check(flow::problems& found) const;
};

}  // namespace replicator
