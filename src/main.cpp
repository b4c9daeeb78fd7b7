#include <flow/main.hpp>

#include <pthread.h>

#include <algorithm>
#include <ctime>
#include <ostream>
#include <stdexcept>
#include <tuple>

#include <flow/label.hpp>
#include <flow/spelling.hpp>
#include <flow/topic.hpp>
#include <flow/topic_selection.hpp>

#include "kafka/properties.hpp"
#include "log.hpp"
#include "verbs.hpp"

#include <spdlog/spdlog.h>

namespace flow {
namespace {

using namespace std::chrono_literals;

// How long a program may take to finish what is under way before it abandons it.
constexpr auto stop_limit = 25s;

// Whether the servers of home are given beside the clusters; some were meant even if they were not accepted.
bool tells_home(const app_settings& of, const problems& found) {
  return !of.bootstrap_servers.empty() || !found.accepted(of.bootstrap_servers);
}

// One that was only meant to say where the cluster is, such as bootstrap_servers, is told as such.
bool means_servers(const std::string& property) {
  return kafka::names_servers(property) || !spelling::nearest(property, {"bootstrap.servers"}).empty();
}

bool is_over(const app& running) {
  const auto phase = running.status().phase;
  return phase == app_phase::stopped || phase == app_phase::failed;
}

}  // namespace

complaint scalar<start_at>::read(std::string_view text, start_at& out) {
  if (text == "earliest") return out = start_at{}, complaint{};
  if (text == "latest") return out = {start_at::kind::latest, 0}, complaint{};
  std::tm parts{};
  const std::string copy{text};
  const char* rest = strptime(copy.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
  if (!rest) rest = strptime(copy.c_str(), "%Y-%m-%d", &parts);
  if (rest && *rest != 0) rest = strptime(rest, "%z", &parts);
  const std::chrono::seconds ahead_of_utc{parts.tm_gmtoff};
  if (!rest || *rest != 0 || abs(ahead_of_utc) >= 24h)
    return {"is not a place to start", "use earliest, latest, or a time like 2026-01-31T12:00:00Z"};
  const int day = parts.tm_mday;
  const auto time = timegm(&parts) - ahead_of_utc.count();
  if (parts.tm_mday != day) return {"is no day of the calendar", "count the days of its month"};
  out = {start_at::kind::time, static_cast<std::int64_t>(time) * 1000};
  return {};
}

std::string scalar<start_at>::write(const start_at& value) {
  if (value.where == start_at::kind::earliest) return "earliest";
  if (value.where == start_at::kind::latest) return "latest";
  const auto seconds = static_cast<time_t>(value.time / 1000);
  std::tm parts{};
  char text[32];
  gmtime_r(&seconds, &parts);
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

namespace checks {

complaint name(const std::string& text) {
  return is_name(text) ? complaint{} : complaint{"cannot be part of a name on Kafka", name_rule};
}

complaint servers(const std::string& text) { return kafka::check_property("bootstrap.servers", text); }

complaint source_topic(const std::string& entry) {
  if (entry.empty()) return {"is no name of a topic", "name it, or leave it out"};
  try {
    topic_selection{{entry}, {}};
    return {};
  } catch (const std::invalid_argument&) {
    return {"is neither the name of a topic nor a regular expression",
            "mend it, or escape what is meant literally; there are no look-arounds and no back-references"};
  }
}

complaint sink_topic(const std::string& pattern) {
  const auto name = topic_by_pattern(pattern, "t", "s");
  if (!is_topic_name(name))
    return {"makes no name for a topic", "use {topic}, {source}, letters, digits, dots, dashes and underscores"};
  if (is_internal_topic(name))
    return {"makes the name of an internal topic, which nobody reads",
            "let it neither begin with __ nor end in .internal"};
  return {};
}

void properties(const std::map<std::string, cluster_properties>& of_clusters, problems& found) {
  for (const auto& [cluster, all] : of_clusters) {
    bool each_fits = true;
    for (const auto& [property, value] : all)
      if (auto wrong = kafka::check_property(property, value)) {
        found.at(value, property + " " + wrong.text, std::move(wrong.remedy));
        each_fits = false;
      }
    if (!each_fits) continue;
    if (auto wrong = kafka::check_properties(all))
      found.at(all, "the properties of cluster " + cluster + " " + wrong.text, std::move(wrong.remedy));
  }
}

}  // namespace checks

void app_settings::check(problems& found) const {
  if (runs || !clusters.empty()) check_cluster(home, "home", found);
  for (const auto& [cluster, properties] : clusters)
    if (!(cluster == home && tells_home(*this, found)) &&
        std::ranges::none_of(properties, means_servers, &cluster_properties::value_type::first))
      found.at(properties, "cluster " + cluster + " has no bootstrap.servers", "add them, as \"host:port,host:port\"");
  const auto other = clusters.find(std::string{flow::home});
  if (other != clusters.end() && home != flow::home && clusters.contains(home))
    found.at(other->second, "a cluster is called home, and the home cluster is " + home, "give it another name");
}

void app_settings::require_clusters(problems& found) const {
  if (clusters.empty())
    found.at(clusters, "no cluster is described", "add each by its name, with its bootstrap.servers");
}

void app_settings::check_cluster(const std::string& name, std::string_view role, problems& found) const {
  if (clusters.contains(name) || (name == home && tells_home(*this, found))) return;
  if (clusters.empty()) return require_clusters(found);
  std::vector<std::string> names;
  for (const auto& [cluster, properties] : clusters) names.push_back(cluster);
  const auto meant = spelling::nearest(name, names);
  found.at(name, std::string{role} + " " + name + " is not among the clusters",
           meant.empty() ? "add it there; known are " + spelling::either(names) : "did you mean " + meant + "?");
}

app_options app_settings::options() const {
  app_options made;
  made.application = application;
  made.instance = instance;
  made.home = home;
  made.clusters = clusters;
  if (!bootstrap_servers.empty()) made.clusters[home]["bootstrap.servers"] = bootstrap_servers;
  made.threads = threads;
  made.state = state;
  made.promised = guarantee;
  made.start = start;
  made.commit_every = commit_every;
  if (catch_up_limit) made.catch_up_limit = catch_up_limit->bytes_per_second;
  made.lanes = lanes;
  made.memory = memory.bytes;
  made.dedup_memory = dedup_memory.bytes;
  made.share_seen = share_seen;
  made.leave_on_stop = on_stop == flow::on_stop::leave;
  made.fresh = fresh;
  made.session = session;
  made.logger = make_logger(application, log.format == log_format::json);
  set_level(*made.logger, log.level);
  return made;
}

namespace verbs {

sigset_t block_stop_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return set;
}

bool signalled(const sigset_t& set, std::chrono::milliseconds limit) {
  const timespec wait{static_cast<time_t>(limit.count() / 1000), static_cast<long>(limit.count() % 1000) * 1'000'000};
  return sigtimedwait(&set, nullptr, &wait) > 0;
}

std::string source_of(const invocation& how) {
  return how.config.empty() ? "configuration" : how.config;
}

namespace {

// Where a value was written, if one place and no other has it; a topology knows nothing of lines and columns.
place place_of(const std::string& value, const invocation& how) {
  std::vector<place> found;
  for (const auto& setting : how.settings)
    for (const auto& each : setting.written)
      if (each.text == value) found.push_back(each.at);
  return found.size() == 1 ? found.front() : place{source_of(how), 0, 0};
}

}  // namespace

void refuse(const topology_error& wrong, const invocation& how) {
  std::vector<problem> found;
  for (const auto& each : wrong.flaws()) found.push_back({place_of(each.about, how), each.text, each.remedy});
  std::ranges::stable_sort(found, {}, [](const problem& each) {
    return std::tuple{each.at.line == 0, each.at.line, each.at.column};
  });
  throw configuration_error{std::move(found)};
}

namespace {

// What did not get through by somebody's policy; of each cause only the first was said.
std::string omitted_by(const app_status& now) {
  std::uint64_t skipped = 0, letters = 0;
  for (const auto& worker : now.workers) {
    for (const auto& node : worker.nodes) skipped += node.skipped, letters += node.dead_lettered;
    for (const auto& target : worker.targets) skipped += target.records_refused, letters += target.dead_letters;
  }
  std::string text;
  if (skipped > 0) text += "; skipped " + std::to_string(skipped);
  if (letters > 0) text += "; dead-lettered " + std::to_string(letters);
  return text;
}

int run_until_told(app& running, const sigset_t& stops, const log_sink& log) {
  running.on_change([&, was_ready = false](const app_status& now) mutable {
    if (const bool ready = now.ready(); ready != was_ready) {
      was_ready = ready;
      log(severity::info, ready ? "ready" : now.phase == app_phase::running ? "not ready" : "stopping");
    }
  });
  if (auto started = running.start(); !started) {
    log(severity::error, to_string(started.error()));
    return code(exit_code::failed);
  }
  while (!is_over(running) && !signalled(stops, 200ms)) {
  }
  if (!is_over(running)) {
    log(severity::info, "stopping; a second signal ends it at once");
    running.request_stop();
    const auto limit = std::chrono::steady_clock::now() + stop_limit;
    bool at_once = false;
    while (!is_over(running) && !at_once && std::chrono::steady_clock::now() < limit)
      at_once = signalled(stops, 50ms);
    if (at_once && !is_over(running)) {
      // Threads may be within calls of the client that take their time. What is left open is ended by the next start.
      log(severity::info, "ended at once");
      std::_Exit(code(exit_code::failed));
    }
    running.stop(0ms);
  }
  if (auto over = running.wait(); !over) {
    log(severity::error, to_string(over.error()));
    return code(exit_code::failed);
  }
  log(severity::info, "stopped" + omitted_by(running.status()));
  return code(exit_code::good);
}

// By whom it is not enabled.
std::string opponent(const invocation& how) {
  const auto setting = std::ranges::find(how.settings, "enabled", &effective_setting::path);
  return setting == how.settings.end() || setting->at.source.empty() ? "" : " by " + setting->at.source;
}

}  // namespace

int run(const builder& build, app_options options, bool enabled, invocation& how) {
  if (!enabled) {
    how.out << "not enabled" << opponent(how) << ": nothing is run\n";
    return code(exit_code::good);
  }
  if (!how.problems.empty()) throw configuration_error{how.problems};
  const auto log = log_to(options.logger);
  // Blocked before any thread is made, so that only this one ever gets them.
  const auto stops = block_stop_signals();
  log(severity::info, "starting");
  auto running = checked(how, [&] { return app{build(), std::move(options)}; });
  return run_until_told(running, stops, log);
}

int lint(const builder& build, app_options options, invocation& how) {
  checked(how, [&] { return app{build(), std::move(options)}; });
  how.out << source_of(how) << ": good\n";
  return code(exit_code::good);
}

int describe(const builder& build, const app_options& options, format as, invocation& how) {
  surroundings where{.clusters = {}, .home = options.home};
  for (const auto& [name, properties] : options.clusters) where.clusters.push_back(name);
  how.out << flow::describe(*checked(how, [&] { return build().build(where); }), as);
  return code(exit_code::good);
}

}  // namespace verbs
}  // namespace flow
