#pragma once

#include <array>
#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include <flow/app.hpp>
#include <flow/settings.hpp>

namespace flow {

/// What becomes of the lanes of a process that is stopped: others take them over at once, or only if the same instance
/// is not back within its session.
enum class on_stop { leave, keep };
/// How a line of the log is written: for people, or as one JSON object.
enum class log_format { text, json };

constexpr std::array<std::string_view, 2> words(guarantee) { return {"exactly_once", "at_least_once"}; }
constexpr std::array<std::string_view, 2> words(on_stop) { return {"leave", "keep"}; }
constexpr std::array<std::string_view, 2> words(log_format) { return {"text", "json"}; }
constexpr std::array<std::string_view, 5> words(severity) { return {"trace", "debug", "info", "warn", "error"}; }

/// "earliest", "latest", or a time as RFC 3339 writes it, in whole seconds: "2026-01-31T12:00:00Z",
/// "2026-01-31T14:00:00+02:00". Without an offset it is UTC, without a time of day it is midnight. Written in UTC.
template <>
struct scalar<start_at> {
  static constexpr std::string_view kind = "earliest, latest, or a time like 2026-01-31T12:00:00Z";
  static constexpr std::string_view example = "earliest";
  static complaint read(std::string_view text, start_at& out);
  static std::string write(const start_at& value);
};

/// What settings of an app may be, for `bind`: `b("home", home, "...").check(checks::name)`.
namespace checks {

/// Fits into names on Kafka.
complaint name(const std::string& text);
/// "host:port,host:port"
complaint servers(const std::string& text);
/// What a source reads: the name of a topic, or a regular expression.
complaint source_topic(const std::string& entry);
/// What a sink writes to: the name of a topic, or a pattern with {topic} and {source}.
complaint sink_topic(const std::string& pattern);
/// Each property exists, is the user's to set, and takes its value. Shows no value and reaches no cluster.
void properties(const std::map<std::string, cluster_properties>& of_clusters, problems& found);

}  // namespace checks

/// What running any topology is configured with. A program's settings derive from it, or leave it to `flow::main`.
struct app_settings {
  std::string application;
  std::string instance;
  std::string home{flow::home};
  std::map<std::string, cluster_properties> clusters;
  std::string bootstrap_servers;  ///< of the home cluster, in place of what `clusters` says
  flow::guarantee guarantee = flow::guarantee::exactly_once;
  start_at start;
  std::chrono::milliseconds commit_every{100};
  std::optional<byte_rate> catch_up_limit;
  byte_size memory = 256_MiB;
  byte_size dedup_memory = 1_GiB;
  bool share_seen = true;
  int lanes = 32;
  int threads = 1;
  std::string state = "./state";
  bool fresh = false;
  bool enabled = true;  ///< false: `run` says so and ends
  flow::on_stop on_stop = flow::on_stop::leave;
  std::chrono::milliseconds session{10'000};
  bool runs = true;  ///< false: it is only described, which takes no cluster
  struct log_settings {
    severity level = severity::info;
    log_format format = log_format::text;

    void bind(auto& b) {
      b("level", level, "what is logged, at least");
      b("format", format, "text, or one JSON object per line");
    }
  } log;

  void bind(auto& b) {
    b("application", application, "names the groups, the transactions and the internal topics")
        .required()
        .check(checks::name);
    b("home", home, "the cluster that is read, by its name in clusters").check(checks::name);
    b("clusters", clusters, "librdkafka properties of each cluster by its name, bootstrap.servers among them")
        .check(checks::properties);
    b("bootstrap_servers", bootstrap_servers, "of the home cluster, in place of what clusters says")
        .flag_only()
        .check(checks::servers);
    b("dedup_memory", dedup_memory, "what all dedups have seen takes; more of it goes to disk")
        .range(byte_size{1u << 20}, byte_size{1ull << 40});
    b("share_seen", share_seen, "what dedups have seen goes to a topic on home, for who takes partitions over");
    bind_running(b);
  }

  /// All but what says which clusters there are and what dedups may take, for programs that have words of their own for
  /// that.
  void bind_running(auto& b) {
    b("instance", instance, "of this process, stable over restarts; the host's name unless set")
        .check([](const std::string& given) { return given.empty() ? complaint{} : checks::name(given); });
    b("guarantee", guarantee, "what each target is promised");
    b("start", start, "where to begin what has no position yet");
    b("commit_every", commit_every, "the longest that a transaction lasts")
        .range(std::chrono::milliseconds{1}, std::chrono::seconds{5});
    b("catch_up_limit", catch_up_limit, "what each target takes at most, as it may when it is behind")
        .range(byte_rate{1}, byte_rate{1ull << 40});
    b("memory", memory, "everything buffered, all targets together").range(byte_size{16u << 20}, byte_size{1ull << 40});
    b("lanes", lanes, "the most workers that can share the work; fixed at the first start").range(1, 10'000);
    b("threads", threads, "workers of this process").range(1, 256);
    b("state", state, "the state directory of this process");
    b("fresh", fresh, "begin although the outputs hold records and no position exists").flag_only();
    b("on_stop", on_stop, "leave the groups, or keep the lanes for a restart of the same instance");
    b("session", session, "after which the lanes of a process that died go to others")
        .range(std::chrono::seconds{1}, std::chrono::minutes{5});
    b("log", log, "what is logged, and how");
  }

  /// Rules across the settings. Settings that derive from these and have rules of their own call it from their `check`.
  void check(problems& found) const;
  /// Reports if no cluster is described.
  void require_clusters(problems& found) const;
  /// Reports at `name` if no cluster is called that; `role` is what it is to be: "target".
  void check_cluster(const std::string& name, std::string_view role, problems& found) const;
  /// As an app takes them. The logger is a new one, to standard error.
  app_options options() const;
};

}  // namespace flow
