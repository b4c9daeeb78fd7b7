#include <flow/app.hpp>

#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <set>

#include "database.hpp"
#include "destinations.hpp"
#include "kafka/cluster.hpp"
#include "kafka/properties.hpp"
#include "log.hpp"
#include "scratch.hpp"
#include "to_kafka.hpp"
#include "worker_thread.hpp"

#include <flow/label.hpp>
#include <flow/topology.hpp>

namespace flow {
namespace {

using namespace std::chrono_literals;

constexpr auto destructor_deadline = 10s;
// As good as for ever, and still a time that can be reckoned with.
constexpr std::chrono::milliseconds longest_deadline = std::chrono::hours{24 * 365};

/// For an application that keeps nothing on this machine.
class no_state final : public port::state {
 public:
  result<std::optional<port::lane_state>> read(const port::lane_key&) override { return std::nullopt; }
  result<void> write(const std::map<port::lane_key, port::lane_state>&) override { return {}; }
  result<void> recall(const std::string&, const topic_partition&,
                      const std::function<void(const port::seen_page&)>&) override {
    return {};
  }
  result<void> remember(const std::vector<port::seen_page>&, const std::vector<port::seen_page>&) override { return {}; }
  std::string dedup_key() override {
    const std::lock_guard lock{mutex_};
    return key_;
  }
  std::string settle_dedup_key(const std::string& agreed) override {
    const std::lock_guard lock{mutex_};
    if (!std::exchange(is_settled_, true)) key_ = agreed;
    return key_;
  }
  result<std::unique_ptr<port::scratch>> open_scratch() override {
    return database::open_scratch(std::filesystem::temp_directory_path());
  }

 private:
  std::mutex mutex_;
  std::string key_ = database::new_dedup_key();
  bool is_settled_ = false;
};

class no_probe final : public port::probe {
 public:
  bool reached(std::string_view, const std::string&) override { return true; }
};

std::string host_name() {
  char name[256] = {};
  if (gethostname(name, sizeof name - 1) != 0 || name[0] == 0) return "flow";
  return name;
}

/// What is wrong with how an app is to run, whatever its topology.
std::vector<flaw> flaws_of(const app_options& options) {
  std::vector<flaw> found;
  const auto find = [&](std::string text, std::string remedy) {
    found.push_back({std::move(text), std::move(remedy)});
  };
  for (const auto& [role, name] :
       {std::pair{"application", options.application}, {"instance", options.instance}, {"home", options.home}})
    if (!name.empty() && !is_name(name))
      find(std::string{role} + " \"" + name + "\" cannot be part of a name on Kafka", name_rule);
  if (!options.clusters.contains(options.home))
    find("home cluster " + options.home + " is not among the clusters", "add its bootstrap.servers to clusters");
  else if (options.home != home && options.clusters.contains(std::string{home}))
    find("a cluster is called home, and the home cluster is " + options.home, "give it another name");
  if (options.threads < 1 || options.threads > 256) find("threads must be 1 to 256", "one per core is a good start");
  if (options.lanes < 1 || options.lanes > 10'000) find("lanes must be 1 to 10000", "32 is the default");
  if (options.session < 1s || options.session > 5min) find("session must be 1s to 5min", "10s is the default");
  if (options.commit_every < 1ms || options.commit_every > 5s)
    find("commit_every must be 1ms to 5s", "100ms is the default");
  if (options.catch_up_limit == 0) find("with a catch_up_limit of 0 nothing would be written", "leave it out");
  if (options.connect) return found;
  for (const auto& [cluster, properties] : options.clusters) {
    const auto flaws = found.size();
    for (const auto& [property, value] : properties)
      if (auto wrong = kafka::check_property(property, value))
        find("cluster " + cluster + ": " + property + " " + wrong.text, std::move(wrong.remedy));
    if (found.size() == flaws)
      if (auto wrong = kafka::check_properties(properties))
        find("cluster " + cluster + ": its properties " + wrong.text, std::move(wrong.remedy));
    if (std::ranges::none_of(properties, kafka::names_servers, &cluster_properties::value_type::first))
      find("cluster " + cluster + " has no bootstrap.servers", "add them, as \"host:port,host:port\"");
  }
  return found;
}

engine::sharers sharers_of(const app_options& options, const plan& what) {
  return engine::sharers_of(what, options.home, static_cast<std::size_t>(std::max(options.threads, 1)));
}

std::string in_mib(std::size_t bytes) {
  return std::to_string(bytes >> 20) + "MiB";
}

void check(const app_options& options, const plan& what) {
  auto found = flaws_of(options);
  if (const auto among = sharers_of(options, what); options.memory < engine::budget::least(among))
    found.push_back({"memory of " + in_mib(options.memory) + " is too little for threads: " +
                         std::to_string(among.workers) + " with targets: " + std::to_string(among.targets),
                     "give " + in_mib(engine::budget::least(among) + (1u << 20) - 1) + ", or fewer threads",
                     in_mib(options.memory)});
  std::set<std::string> unknown;
  for (const auto& sink : what.sinks())
    for (const auto& name : sink.clusters)
      if (name != home && !options.clusters.contains(name)) unknown.insert(name);
  for (const auto& source : what.sources())
    if (source.bounded)
      found.push_back({"'" + source.name + "' reads a range, which an app cannot",
                       "read a topic, or take the range through with drain"});
  for (const auto& name : unknown)
    found.push_back({"cluster " + name + " is not among the clusters", "add its bootstrap.servers to clusters"});
  if (!found.empty()) throw topology_error{std::move(found)};
}

}  // namespace

std::unique_ptr<port::cluster> to_kafka(const std::string& name, const cluster_properties& properties,
                                        const std::string& client_id, std::shared_ptr<port::mailbox> mailbox,
                                        log_sink log) {
  return kafka::connect({name, properties, client_id}, std::move(mailbox), std::move(log));
}

class app::runtime {
 public:
  runtime(std::shared_ptr<const plan> what, app_options options) : what_{std::move(what)}, options_{std::move(options)} {
    if (options_.application.empty()) options_.application = what_->application();
    if (options_.instance.empty()) options_.instance = host_name();
    check(options_, *what_);
    if (!options_.connect) options_.connect = to_kafka;
    if (!options_.logger) options_.logger = make_logger(options_.application);
    log_ = log_to(options_.logger);
    for (int i = 0; i < options_.threads; ++i) boxes_.push_back(std::make_shared<letter_box>());
    engines_.resize(boxes_.size());
  }

  ~runtime() { stop(destructor_deadline); }

  result<void> start() {
    const std::lock_guard starting{start_mutex_};
    return start_workers();
  }

  result<void> start(std::stop_token stop) {
    const std::lock_guard starting{start_mutex_};
    auto started = start_workers();
    if (started) asked_ = std::make_unique<std::stop_callback<std::function<void()>>>(stop, [this] { request_stop(); });
    return started;
  }

  void request_stop() {
    const std::lock_guard lock{mutex_};
    order(orders_.stop);
  }

  bool stop(std::chrono::milliseconds deadline) {
    {
      std::unique_lock lock{mutex_};
      if (deadline > 0ms) {
        order(orders_.stop);
        ended_.wait_for(lock, std::min(deadline, longest_deadline), [&] { return running_ == 0; });
      }
      if (running_ > 0) order(orders_.abandon);
    }
    clear_away();
    return !orders_.abandon;
  }

  result<void> wait() {
    {
      std::unique_lock lock{mutex_};
      ended_.wait(lock, [&] { return running_ == 0; });
    }
    clear_away();
    const std::lock_guard lock{mutex_};
    if (status_.ended) return tl::unexpected{*status_.ended};
    return {};
  }

  result<void> pause(const engine::target_name& which) {
    return tell(which, [](engine::target& at) { at.pause(); });
  }
  result<void> resume(const engine::target_name& which) {
    return tell(which, [](engine::target& at) { at.resume(); });
  }

  result<void> limit(const std::string& cluster, std::optional<std::uint64_t> bytes_per_second) {
    if (bytes_per_second == 0)
      return fail(failure_kind::refused, "with a limit of 0 nothing would come to " + cluster, "pause it");
    return tell({cluster}, [limit = share_of(bytes_per_second)](engine::target& at) { at.limit(limit); });
  }

  result<void> remove(const std::string& cluster) {
    const std::lock_guard one_after_the_other{removed_mutex_};
    if (removed_.contains(cluster))
      return fail(failure_kind::refused, cluster + " is removed already", "nothing is to be done");
    auto told = tell({cluster}, [](engine::target& at) { at.remove(); });
    if (told) removed_.insert(cluster);
    return told;
  }
  result<void> add(const std::string& cluster, const first_place& where) {
    if (const auto* other = std::get_if<place_of>(&where)) {
      if (auto there = known({other->cluster}); !there) return there;
      if (other->cluster == cluster)
        return fail(failure_kind::refused, cluster + " cannot begin where it is itself", "name another target");
    }
    const std::lock_guard one_after_the_other{removed_mutex_};
    if (auto there = known({cluster}); !there) return there;
    if (!removed_.contains(cluster))
      return fail(failure_kind::refused, cluster + " is not removed",
                  "remove it first; where it has positions it goes on there");
    removed_.erase(cluster);
    return tell({cluster}, [where](engine::target& at) { at.add(where); });
  }

  app_status status() const {
    const std::lock_guard lock{mutex_};
    return status_;
  }

  void on_change(std::function<void(const app_status&)> changed) { changed_ = std::move(changed); }
  void log_level(severity least) { set_level(*options_.logger, least); }

 private:
  // With `start_mutex_` held.
  result<void> start_workers() {
    if (status().phase != app_phase::created)
      return fail(failure_kind::refused, "the app has been started already", "make a new one to run it again");
    if (options_.state.empty()) {
      state_ = std::make_unique<no_state>();
    } else {
      auto opened = database::open_state(options_.state, {options_.application, options_.home}, log_);
      if (!opened) return tl::unexpected{opened.error()};
      state_ = std::move(*opened);
    }
    beyond_ = std::make_unique<spill>(options_.dedup_memory, [this] { return state_->open_scratch(); }, log_);
    {
      const std::lock_guard lock{mutex_};
      status_.phase = orders_.stop ? app_phase::stopping : app_phase::running;
      status_.workers.resize(boxes_.size());
      running_ = boxes_.size();
    }
    result<void> started;
    for (std::size_t i = 0; i < boxes_.size(); ++i) try {
        auto engine = make_engine(i, boxes_[i]);
        engines_[i] = engine.get();
        workers_.push_back(std::make_unique<worker_thread>(
            "flow-" + std::to_string(i), boxes_[i], orders_, std::move(engine), log_,
            [this, i](const worker_status& now, const auto& ended, bool over) { told(i, now, ended, over); }));
      } catch (const std::exception& problem) {
        started = fail(failure_kind::fatal, "worker " + std::to_string(i) + " cannot be started: " + problem.what());
        told(i, {}, started.error(), true);
      }
    return started;
  }

  // When the workers are at their end, or on their way to it.
  void clear_away() {
    const std::lock_guard starting{start_mutex_};
    asked_.reset();
    workers_.clear();
    beyond_.reset();
    state_.reset();
  }

  std::unique_ptr<engine::worker> make_engine(std::size_t index, std::shared_ptr<letter_box> box) {
    engine::options how;
    how.application = options_.application;
    how.home = options_.home;
    how.instance = options_.instance + "-" + std::to_string(index);
    how.lanes = options_.lanes;
    how.promised = options_.promised;
    how.start = options_.start;
    how.fresh = options_.fresh;
    how.leave_on_stop = options_.leave_on_stop;
    how.commit_every = options_.commit_every;
    how.catch_up_limit = share_of(options_.catch_up_limit);
    how.session = options_.session;
    how.max_poll_interval = 3 * options_.session;
    how.share_seen = options_.share_seen;
    how.share = engine::budget::share_out(options_.memory, sharers_of(options_, *what_));
    std::map<std::string, std::unique_ptr<port::cluster>> clusters;
    for (const auto& [name, properties] : options_.clusters)
      clusters[name] = options_.connect(name, properties, names_client(index), box, log_);
    return std::make_unique<engine::worker>(engine::worker::surroundings{
        .options = std::move(how),
        .topology = what_,
        .clusters = std::move(clusters),
        .state = *state_,
        .beyond = *beyond_,
        .probe = probe_,
        .wake = [box] { box->ring(); },
        .wall_clock =
            [] {
              return std::chrono::duration_cast<std::chrono::milliseconds>(
                         std::chrono::system_clock::now().time_since_epoch())
                  .count();
            },
        .log = log_,
        .open_destination = [box](const sink_spec& sink) { return open_destination(sink, box); }});
  }

  // Of one worker.
  std::optional<std::uint64_t> share_of(std::optional<std::uint64_t> bytes_per_second) const {
    if (!bytes_per_second) return std::nullopt;
    return std::max<std::uint64_t>(*bytes_per_second / boxes_.size(), 1);
  }

  std::string names_client(std::size_t index) const {
    return options_.application + "-" + options_.instance + "-" + std::to_string(index);
  }

  void told(std::size_t index, const worker_status& now, const std::optional<failure>& ended, bool over) {
    const std::lock_guard one_call_at_a_time{change_mutex_};
    app_status copy;
    {
      const std::lock_guard lock{mutex_};
      status_.workers[index] = now;
      if (ended && !status_.ended) status_.ended = ended;
      if (over) --running_;
      // One worker that cannot go on ends the application: its lanes would stand still without anybody noticing.
      if (over && ended) order(orders_.stop);
      if (running_ == 0) status_.phase = status_.ended ? app_phase::failed : app_phase::stopped;
      copy = status_;
    }
    if (auto outline = outline_of(copy); changed_ && outline != outline_) {
      outline_ = std::move(outline);
      tell(copy);
    }
    if (over) ended_.notify_all();
  }

  void tell(const app_status& now) try {
    changed_(now);
  } catch (const std::exception& thrown) {
    log_(severity::error, std::string{"on_change has thrown: "} + thrown.what());
  } catch (...) {
    log_(severity::error, "on_change has thrown something that is no std::exception");
  }

  // With `mutex_` held.
  void order(std::atomic<bool>& what) {
    what = true;
    if (status_.phase == app_phase::running) status_.phase = app_phase::stopping;
    for (const auto& each : boxes_) each->ring();
  }

  result<void> known(const engine::target_name& which) const {
    const auto targets = engine::targets_of(*what_, options_.home);
    if (targets.contains(which)) return {};
    std::string all;
    for (const auto& [name, sinks] : targets) all += (all.empty() ? "" : ", ") + to_string(name);
    return fail(failure_kind::refused, "nothing is written to " + to_string(which), "targets are " + all);
  }

  // By letters, which are opened on the workers' threads and wait until there are any.
  result<void> tell(const engine::target_name& which, const std::function<void(engine::target&)>& what) {
    if (auto there = known(which); !there) return there;
    for (std::size_t i = 0; i < boxes_.size(); ++i)
      boxes_[i]->post([this, i, which, what] { what(engines_[i]->at(which)); });
    return {};
  }

  // What `on_change` is about: everything but the figures.
  static std::string outline_of(const app_status& now) {
    std::string text = std::to_string(static_cast<int>(now.phase));
    for (const auto& worker : now.workers) {
      text += '|' + (worker.trouble ? to_string(*worker.trouble) : std::string{});
      for (const auto& target : worker.targets) {
        text += ';' + target.cluster + target.sink +
                (target.removed ? "/" : target.paused ? "=" : target.ready ? "+" : "-") +
                (target.limit ? '<' + std::to_string(*target.limit) : "") +
                (target.trouble ? to_string(*target.trouble) : "");
        for (const auto number : target.lanes) text += ',' + std::to_string(number);
        for (const auto& each : target.halted) text += '!' + to_string(each.where);
      }
    }
    return text;
  }

  std::shared_ptr<const plan> what_;
  app_options options_;
  log_sink log_;
  no_probe probe_;
  std::unique_ptr<port::state> state_;
  std::unique_ptr<spill> beyond_;
  std::mutex start_mutex_;
  mutable std::mutex mutex_;
  std::mutex change_mutex_;
  std::condition_variable ended_;
  app_status status_;
  std::size_t running_ = 0;
  std::string outline_;
  std::function<void(const app_status&)> changed_;
  worker_thread::orders orders_;
  std::vector<std::shared_ptr<letter_box>> boxes_;
  std::mutex removed_mutex_;
  std::set<std::string> removed_;
  std::vector<engine::worker*> engines_;  // each on the thread of its worker only
  std::vector<std::unique_ptr<worker_thread>> workers_;
  std::unique_ptr<std::stop_callback<std::function<void()>>> asked_;
};

app::app(const topology& what, app_options options)
    : app{[&] {
            surroundings where{.clusters = {}, .home = options.home, .flaws = flaws_of(options)};
            for (const auto& [name, properties] : options.clusters) where.clusters.push_back(name);
            return what.build(where);
          }(),
          options} {}
app::app(std::shared_ptr<const plan> what, app_options options)
    : runtime_{std::make_unique<runtime>(std::move(what), std::move(options))} {}
app::app(app&&) noexcept = default;
app& app::operator=(app&&) noexcept = default;
app::~app() = default;

result<void> app::start() { return runtime_->start(); }
result<void> app::start(std::stop_token stop) { return runtime_->start(std::move(stop)); }
void app::request_stop() { runtime_->request_stop(); }
bool app::stop(std::chrono::milliseconds deadline) { return runtime_->stop(deadline); }
result<void> app::wait() { return runtime_->wait(); }
result<void> app::pause(const std::string& cluster, const std::string& sink) {
  return runtime_->pause({cluster, sink});
}
result<void> app::resume(const std::string& cluster, const std::string& sink) {
  return runtime_->resume({cluster, sink});
}
result<void> app::limit(const std::string& cluster, std::optional<std::uint64_t> bytes_per_second) {
  return runtime_->limit(cluster, bytes_per_second);
}
result<void> app::remove(const std::string& cluster) { return runtime_->remove(cluster); }
result<void> app::add(const std::string& cluster, first_place where) { return runtime_->add(cluster, where); }
app_status app::status() const { return runtime_->status(); }
void app::on_change(std::function<void(const app_status&)> changed) { runtime_->on_change(std::move(changed)); }
void app::log_level(severity least) { runtime_->log_level(least); }

}  // namespace flow
