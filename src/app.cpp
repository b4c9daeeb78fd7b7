#include <flow/app.hpp>

#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <condition_variable>
#include <mutex>
#include <set>
#include <stdexcept>

#include "database.hpp"
#include "kafka/cluster.hpp"
#include "log.hpp"
#include "worker_thread.hpp"

#include <flow/topology.hpp>

namespace flow {
namespace {

using namespace std::chrono_literals;

constexpr auto destructor_deadline = 10s;

/// For an application that keeps nothing on this machine.
class no_state final : public port::state {
 public:
  result<std::optional<port::lane_state>> read(const port::lane_key&) override { return std::nullopt; }
  result<void> write(const std::map<port::lane_key, port::lane_state>&) override { return {}; }
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

// What may stand in a group's instance id and in a transactional id (Kafka's rule for topic names).
bool is_legal_name(const std::string& name) {
  return !name.empty() && name.size() <= 200 && std::all_of(name.begin(), name.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-';
  });
}

/// Takes letters that nobody will read.
class no_letters final : public port::mailbox {
 public:
  void post(std::function<void()>) override {}
};

void check(const app_options& options, const plan& what) {
  std::string wrong;
  const auto problem = [&](const std::string& text, const std::string& remedy) {
    wrong += (wrong.empty() ? "" : "\n") + text + " (" + remedy + ")";
  };
  for (const auto& [kind, name] : {std::pair{"application", options.application}, {"instance", options.instance}})
    if (!is_legal_name(name))
      problem(std::string{kind} + " \"" + name + "\" cannot be part of a name on Kafka",
              "use letters, digits, '.', '_' and '-', at most 200 of them");
  if (!options.clusters.contains(options.home))
    problem("home cluster " + options.home + " is not among the clusters", "add its bootstrap.servers to clusters");
  std::set<std::string> unknown;
  for (const auto& sink : what.sinks())
    for (const auto& name : sink.clusters)
      if (name != home && !options.clusters.contains(name)) unknown.insert(name);
  for (const auto& name : unknown) problem("cluster " + name + " is not among the clusters", "add its bootstrap.servers to clusters");
  if (options.threads < 1 || options.threads > 256) problem("threads must be 1 to 256", "one per core is a good start");
  if (options.lanes < 1 || options.lanes > 10'000) problem("lanes must be 1 to 10000", "32 is the default");
  if (options.commit_every < 1ms || options.commit_every > 5s) problem("commit_every must be 1ms to 5s", "100ms is the default");
  for (const auto& [name, properties] : options.clusters) try {
      options.connect(name, properties, options.application, std::make_shared<no_letters>(), [](severity, auto) {});
    } catch (const std::invalid_argument& refused) {
      wrong += (wrong.empty() ? "" : "\n") + std::string{refused.what()};
    }
  if (!wrong.empty()) throw std::invalid_argument{wrong};
}

}  // namespace

class app::runtime {
 public:
  runtime(std::shared_ptr<const plan> what, app_options options) : what_{std::move(what)}, options_{std::move(options)} {
    if (options_.application.empty()) options_.application = what_->application();
    if (options_.instance.empty()) options_.instance = host_name();
    if (!options_.connect) options_.connect = to_kafka;
    check(options_, *what_);
    if (!options_.logger) options_.logger = make_logger(options_.application);
    log_ = log_to(options_.logger);
  }

  ~runtime() { stop(destructor_deadline); }

  result<void> start() {
    const std::lock_guard starting{start_mutex_};
    if (!workers_.empty()) return fail(failure_kind::refused, "the app has been started already", "make a new one to run it again");
    if (options_.state.empty()) {
      state_ = std::make_unique<no_state>();
    } else {
      auto opened = database::open_state(options_.state, {options_.application, options_.home});
      if (!opened) return tl::unexpected{opened.error()};
      state_ = std::move(*opened);
    }
    const auto count = static_cast<std::size_t>(options_.threads);
    {
      const std::lock_guard lock{mutex_};
      status_.phase = app_phase::running;
      status_.workers.resize(count);
      running_ = count;
      for (std::size_t i = 0; i < count; ++i) boxes_.push_back(std::make_shared<letter_box>());
    }
    for (std::size_t i = 0; i < count; ++i)
      workers_.push_back(std::make_unique<worker_thread>(
          "flow-" + std::to_string(i), boxes_[i], orders_, [this, i] { return make_engine(i, boxes_[i]); },
          [this, i](const worker_status& now, const auto& ended, bool over) { told(i, now, ended, over); }));
    return {};
  }

  result<void> start(std::stop_token stop) {
    auto started = start();
    if (started) asked_ = std::make_unique<std::stop_callback<std::function<void()>>>(stop, [this] { request_stop(); });
    return started;
  }

  void request_stop() {
    const std::lock_guard lock{mutex_};
    if (status_.phase == app_phase::running) status_.phase = app_phase::stopping;
    order(orders_.stop);
  }

  bool stop(std::chrono::milliseconds deadline) {
    asked_.reset();
    request_stop();
    bool in_time = true;
    {
      std::unique_lock lock{mutex_};
      in_time = ended_.wait_for(lock, deadline, [&] { return running_ == 0; });
      if (!in_time) order(orders_.abandon);
    }
    const std::lock_guard starting{start_mutex_};
    workers_.clear();
    state_.reset();
    return in_time;
  }

  result<void> wait() {
    std::unique_lock lock{mutex_};
    ended_.wait(lock, [&] { return running_ == 0; });
    if (status_.ended) return tl::unexpected{*status_.ended};
    return {};
  }

  app_status status() const {
    const std::lock_guard lock{mutex_};
    return status_;
  }

  void on_change(std::function<void(const app_status&)> changed) { changed_ = std::move(changed); }
  void log_level(severity least) { set_level(*options_.logger, least); }

 private:
  static std::unique_ptr<port::cluster> to_kafka(const std::string& name, const cluster_properties& properties,
                                                 const std::string& client_id, std::shared_ptr<port::mailbox> mailbox,
                                                 log_sink log) {
    return kafka::connect({name, properties, client_id}, std::move(mailbox), std::move(log));
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
    how.session = options_.session;
    how.buffer = buffer_per_target();
    std::map<std::string, std::unique_ptr<port::cluster>> clusters;
    for (const auto& [name, properties] : options_.clusters)
      clusters[name] = options_.connect(name, properties, names_client(index), box, log_);
    return std::make_unique<engine::worker>(engine::worker::surroundings{
        .options = std::move(how),
        .topology = what_,
        .clusters = std::move(clusters),
        .state = *state_,
        .probe = probe_,
        .wake = [box] { box->ring(); },
        .wall_clock =
            [] {
              return std::chrono::duration_cast<std::chrono::milliseconds>(
                         std::chrono::system_clock::now().time_since_epoch())
                  .count();
            },
        .log = log_});
  }

  std::string names_client(std::size_t index) const {
    return options_.application + "-" + options_.instance + "-" + std::to_string(index);
  }

  // A record waits for a target once here and once in its client, and the reader has its own share.
  std::size_t buffer_per_target() const {
    const auto targets = std::max<std::size_t>(options_.clusters.size(), 1);
    return std::clamp<std::size_t>(options_.memory / (static_cast<std::size_t>(options_.threads) * targets * 4), 1u << 20,
                                   64u << 20);
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
      changed_(copy);
    }
    if (over) ended_.notify_all();
  }

  // With `mutex_` held.
  void order(std::atomic<bool>& what) {
    what = true;
    for (const auto& each : boxes_) each->ring();
  }

  // What `on_change` is about: everything but the figures.
  static std::string outline_of(const app_status& now) {
    std::string text = std::to_string(static_cast<int>(now.phase));
    for (const auto& worker : now.workers) {
      text += '|' + (worker.trouble ? to_string(*worker.trouble) : std::string{});
      for (const auto& target : worker.targets) {
        text += ';' + target.cluster + (target.ready ? "+" : "-") + (target.trouble ? to_string(*target.trouble) : "");
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
  std::vector<std::unique_ptr<worker_thread>> workers_;
  std::unique_ptr<std::stop_callback<std::function<void()>>> asked_;
};

app::app(const topology& what, app_options options)
    : app{[&] {
            surroundings where{.clusters = {}, .home = options.home};
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
app_status app::status() const { return runtime_->status(); }
void app::on_change(std::function<void(const app_status&)> changed) { runtime_->on_change(std::move(changed)); }
void app::log_level(severity least) { runtime_->log_level(least); }

}  // namespace flow
