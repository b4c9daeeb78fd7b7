#include "simulation.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "memory_records.hpp"
#include "simulated_destination.hpp"

#include <flow/topology.hpp>

namespace flow::testing {
namespace {

using memory::microseconds;

// Between something happening and the process noticing it lies what a scheduler of threads does.
microseconds hesitation(memory::scheduler& clock) { return microseconds{clock.random() % 100}; }

}  // namespace

result<std::optional<port::lane_state>> simulated_state::read(const port::lane_key& lane) {
  for (auto batch = batches_.rbegin(); batch != batches_.rend(); ++batch)
    if (const auto found = batch->find(lane); found != batch->end()) return found->second;
  return std::nullopt;
}

result<void> simulated_state::write(const std::map<port::lane_key, port::lane_state>& lanes) {
  batches_.push_back(lanes);
  return {};
}

result<void> simulated_state::recall(const std::string& node, const topic_partition& where,
                                     const std::function<void(const port::seen_page&)>& see) {
  for (const auto& each : pages_)
    if (each.node == node && each.where == where) see(each);
  return {};
}

result<void> simulated_state::remember(const std::vector<port::seen_page>& pages,
                                       const std::vector<port::seen_page>& outdated) {
  const auto drop_like = [&](const port::seen_page& one) {
    std::erase_if(pages_, [&](const auto& each) {
      return each.node == one.node && each.where == one.where && each.from == one.from;
    });
  };
  for (const auto& each : outdated) drop_like(each);
  for (const auto& each : pages) drop_like(each), pages_.push_back(each);
  return {};
}

std::string simulated_state::settle_dedup_key(const std::string& agreed) {
  if (std::exchange(is_settled_, true) || key_ == agreed) return key_;
  pages_.clear();
  return key_ = agreed;
}

void simulated_state::cut_power(std::size_t batches) {
  batches_.resize(batches_.size() - std::min(batches, batches_.size()));
  pages_.resize(pages_.size() - std::min(batches, pages_.size()));
}

namespace {

class simulated_scratch final : public port::scratch {
 public:
  explicit simulated_scratch(std::shared_ptr<std::function<bool()>> fails) : fails_{std::move(fails)} {}

  result<void> write(std::uint64_t at, std::span<const std::byte> what) override {
    if ((*fails_)()) return fail(failure_kind::retriable, "the simulated disk is full");
    content_.resize(std::max<std::size_t>(content_.size(), at + what.size()));
    std::ranges::copy(what, content_.begin() + static_cast<std::ptrdiff_t>(at));
    return {};
  }
  result<void> read(std::uint64_t at, std::span<std::byte> into) override {
    if ((*fails_)()) return fail(failure_kind::retriable, "the simulated disk cannot be read");
    std::ranges::copy(std::span{content_}.subspan(at, into.size()), into.begin());
    return {};
  }
  void drop(std::uint64_t from, std::uint64_t until) override {
    until = std::min<std::uint64_t>(until, content_.size());
    for (; from < until; ++from) content_[from] = std::byte{0xff};
  }

 private:
  std::shared_ptr<std::function<bool()>> fails_;
  std::vector<std::byte> content_;
};

}  // namespace

result<std::unique_ptr<port::scratch>> simulated_state::open_scratch() {
  return std::make_unique<simulated_scratch>(fails_);
}

void simulated_state::clear() { batches_.clear(), pages_.clear(), key_ = new_key("after " + key_); }

/// A process with one worker. It runs when it is rung for, and at the time that its engine names.
class process final : public port::mailbox, public port::probe, public std::enable_shared_from_this<process> {
 public:
  process(simulation::inside& world, simulated_state& state) : world_{world}, state_{state} {}

  void begin(std::shared_ptr<const plan> what, const app_options& options) {
    engine::options how;
    how.application = options.application.empty() ? what->application() : options.application;
    how.instance = options.instance;
    how.home = options.home;
    how.lanes = options.lanes;
    how.promised = options.promised;
    how.start = options.start;
    how.fresh = options.fresh;
    how.leave_on_stop = options.leave_on_stop;
    how.commit_every = options.commit_every;
    how.catch_up_limit = options.catch_up_limit;
    how.session = options.session;
    how.share_seen = options.share_seen;
    how.purge_every = world_.purge_every;
    how.share = engine::budget::share_out(options.memory, engine::sharers_of(*what, how.home, 1));
    const auto log = [this, instance = options.instance](severity, std::string_view text) {
      world_.note(instance + ": " + std::string{text});
    };
    state_.open();
    beyond_.emplace(options.dedup_memory, [this] { return state_.open_scratch(); }, log);
    std::map<std::string, std::unique_ptr<port::cluster>> clusters;
    for (const auto& [name, properties] : options.clusters)
      clusters[name] = memory::connect(world_.cluster(name), shared_from_this(),
                                      {.client_id = how.instance, .is_frozen = [this] { return frozen_; }});
    engine_ = std::make_unique<engine::worker>(engine::worker::surroundings{
        .options = std::move(how),
        .topology = std::move(what),
        .clusters = std::move(clusters),
        .state = state_,
        .beyond = *beyond_,
        .probe = *this,
        .wake = [this] { ring(); },
        .wall_clock = [this] { return world_.clock.wall_clock(); },
        .log = log,
        .open_destination = [this, instance = options.instance](const sink_spec& sink) {
          return std::make_unique<simulated_destination>(world_, sink, instance, weak_from_this());
        }});
    status_ = engine_->status();
    ring();
  }

  void post(std::function<void()> letter) override {
    letters_.push_back(std::move(letter));
    ring();
  }

  bool reached(std::string_view step, const std::string&) override {
    if (crash_.due(step)) crashed_ = true;
    if (freeze_.due(step)) frozen_ = true;
    return !crashed_;
  }

  void stop() {
    if (engine_) engine_->stop();
    ring();
  }
  void tell(std::function<void(engine::worker&)> what) {
    if (engine_) post([this, what = std::move(what)] { what(*engine_); });
  }
  void crash() {
    engine_.reset();
    letters_.clear();
  }
  void crash_at(std::string_view step, int nth) { crash_ = {std::string{step}, nth}; }
  void freeze_at(std::string_view step, int nth) { freeze_ = {std::string{step}, nth}; }
  void freeze() { frozen_ = true; }
  void thaw() {
    frozen_ = false;
    rung_ = false;
    ring();
  }

  bool is_running() const { return engine_ != nullptr; }
  bool is_frozen() const { return frozen_; }
  const worker_status& status() const { return status_; }
  const std::optional<failure>& ended() const { return ended_; }

 private:
  /// Something that happens when a step is passed for the `nth` time.
  struct appointed {
    std::string step{};
    int nth = 0;
    bool due(std::string_view passed) { return passed == step && --nth == 0; }
  };

  void ring() {
    if (engine_ && !std::exchange(rung_, true)) turn_after(hesitation(world_.clock));
  }

  // Only the newest appointment counts, so that a process has one at a time.
  void turn_after(microseconds delay) {
    world_.clock.after(delay, [weak = weak_from_this(), number = ++appointment_] {
      if (const auto self = weak.lock(); self && self->appointment_ == number) self->turn();
    });
  }

  void turn() {
    if (!engine_ || frozen_) return;
    rung_ = false;
    for (const auto& letter : std::exchange(letters_, {})) letter();
    const auto now = world_.clock.now();
    const auto next = engine_->turn(now);
    status_ = engine_->status();
    ended_ = engine_->ended();
    if (crashed_ || ended_ || engine_->stopped()) return crash();
    if (rung_) return;
    const auto wait = next <= now ? microseconds{1} : std::chrono::ceil<microseconds>(next - now);
    turn_after(std::min<microseconds>(wait, std::chrono::milliseconds{200}));
  }

  simulation::inside& world_;
  simulated_state& state_;
  std::vector<std::function<void()>> letters_;
  std::optional<spill> beyond_;
  std::unique_ptr<engine::worker> engine_;
  bool frozen_ = false;
  bool crashed_ = false;
  bool rung_ = false;
  std::uint64_t appointment_ = 0;
  appointed crash_, freeze_;
  worker_status status_;
  std::optional<failure> ended_;
};

simulation::inside::inside(std::uint64_t seed) : clock{seed} {}

void simulation::inside::note(std::string_view text) {
  const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(clock.now().time_since_epoch()).count();
  log.push_back(std::to_string(now) + " ms " + std::string{text});
}

simulation::inside::~inside() {
  for (const auto& [instance, each] : processes) each->crash();
}

memory::broker& simulation::inside::cluster(const std::string& name) {
  auto& found = clusters_[name];
  if (!found) found = std::make_shared<memory::broker>(name, clock);
  return *found;
}

void simulation::inside::add_name(const std::string& name, const std::string& other) {
  cluster(name);
  clusters_[other] = clusters_[name];
}

process& simulation::inside::at(const std::string& instance) const {
  const auto found = processes.find(instance);
  if (found == processes.end()) throw std::out_of_range{"no process " + instance + " was started"};
  return *found->second;
}

simulation::simulation(std::uint64_t seed) : inside_{std::make_unique<inside>(seed)} {}
simulation::~simulation() = default;

void simulation::create_topic(const std::string& cluster, const std::string& topic, std::int32_t partitions,
                              const std::map<std::string, std::string>& settings) {
  inside_->cluster(cluster).create_topic(topic, partitions, settings);
}

void simulation::add_name(const std::string& cluster, const std::string& other) { inside_->add_name(cluster, other); }

void simulation::add_partitions(const std::string& cluster, const std::string& topic, std::int32_t total) {
  inside_->cluster(cluster).add_partitions(topic, total);
}

void simulation::change_settings(const std::string& cluster, const std::string& topic,
                                 const std::map<std::string, std::string>& settings) {
  inside_->cluster(cluster).change_settings(topic, settings);
}

void simulation::delete_topic(const std::string& cluster, const std::string& topic) {
  inside_->cluster(cluster).delete_topic(topic);
}

void simulation::recreate_topic(const std::string& cluster, const std::string& topic) {
  inside_->cluster(cluster).recreate_topic(topic);
}

void simulation::delete_records(const std::string& cluster, const std::string& topic, std::int32_t partition,
                                std::int64_t new_start) {
  inside_->cluster(cluster).truncate({topic, partition}, new_start);
}

void simulation::release(const std::string& cluster, const std::string& application, const std::string& topic,
                         const std::string& home) {
  const engine::names names{application, home};
  write(cluster, names.commands_topic(), 0,
        {.key = "release " + topic, .value = engine::encode(engine::command{topic})});
}

std::int64_t simulation::write(const std::string& cluster, const std::string& topic, std::int32_t partition,
                               const raw_record& what) {
  return inside_->cluster(cluster).append({topic, partition}, to_memory(what, wall_clock()));
}

void simulation::write_transaction(const std::string& cluster, const std::string& topic, std::int32_t partition,
                                   const std::vector<raw_record>& records, bool commit) {
  std::vector<std::pair<topic_partition, memory::record>> batch;
  for (const auto& each : records) batch.emplace_back(topic_partition{topic, partition}, to_memory(each, wall_clock()));
  inside_->cluster(cluster).append_transaction(batch, commit);
}

std::vector<std::vector<raw_record>> simulation::read(const std::string& cluster, const std::string& topic) {
  return from_memory(inside_->cluster(cluster).contents(topic));
}

void simulation::destination(const std::string& sink, std::function<std::optional<receipt>(const delivery&)> says,
                             duration longest) {
  auto& there = inside_->outside(sink);
  there.says = std::move(says);
  there.longest = longest;
}

const std::vector<arrival>& simulation::arrivals(const std::string& sink) const {
  return inside_->outside(sink).arrivals;
}

void simulation::start(const std::string& instance, const topology& what, app_options options) {
  surroundings where{.clusters = {}, .home = options.home};
  for (const auto& [name, properties] : options.clusters) where.clusters.push_back(name);
  start(instance, what.build(where), std::move(options));
}

void simulation::start(const std::string& instance, std::shared_ptr<const plan> what, app_options options) {
  auto& slot = inside_->processes[instance];
  if (slot) slot->crash();
  if (options.instance.empty()) options.instance = instance;
  slot = std::make_shared<process>(*inside_, inside_->state(instance));
  slot->begin(std::move(what), options);
}

void simulation::stop(const std::string& instance) { inside_->at(instance).stop(); }
void simulation::crash(const std::string& instance) { inside_->at(instance).crash(); }
void simulation::crash_at(const std::string& instance, std::string_view step, int nth) {
  inside_->at(instance).crash_at(step, nth);
}
void simulation::freeze(const std::string& instance) { inside_->at(instance).freeze(); }
void simulation::freeze_at(const std::string& instance, std::string_view step, int nth) {
  inside_->at(instance).freeze_at(step, nth);
}
void simulation::thaw(const std::string& instance) { inside_->at(instance).thaw(); }
void simulation::pause(const std::string& instance, const std::string& cluster, const std::string& sink) {
  inside_->at(instance).tell([=](auto& worker) { worker.at({cluster, sink}).pause(); });
}
void simulation::resume(const std::string& instance, const std::string& cluster, const std::string& sink) {
  inside_->at(instance).tell([=](auto& worker) { worker.at({cluster, sink}).resume(); });
}
void simulation::limit(const std::string& instance, const std::string& cluster,
                       std::optional<std::uint64_t> bytes_per_second) {
  inside_->at(instance).tell([=](auto& worker) { worker.at({cluster}).limit(bytes_per_second); });
}
void simulation::remove(const std::string& instance, const std::string& cluster) {
  inside_->at(instance).tell([=](auto& worker) { worker.at({cluster}).remove(); });
}
void simulation::add(const std::string& instance, const std::string& cluster, first_place where) {
  inside_->at(instance).tell([=](auto& worker) { worker.at({cluster}).add(where); });
}
void simulation::lose_state(const std::string& instance) { inside_->state(instance).clear(); }

bool simulation::is_running(const std::string& instance) const { return inside_->at(instance).is_running(); }
bool simulation::is_frozen(const std::string& instance) const { return inside_->at(instance).is_frozen(); }
worker_status simulation::status(const std::string& instance) const { return inside_->at(instance).status(); }
std::optional<failure> simulation::ended(const std::string& instance) const { return inside_->at(instance).ended(); }

void simulation::cut(const std::string& cluster) { inside_->cluster(cluster).cut(); }
void simulation::heal(const std::string& cluster) { inside_->cluster(cluster).heal(); }
void simulation::stall(const std::string& cluster, const topic_partition& where) {
  inside_->cluster(cluster).stall(where);
}
void simulation::recover(const std::string& cluster, const topic_partition& where) {
  inside_->cluster(cluster).recover(where);
}

std::int64_t simulation::wall_clock() const { return inside_->clock.wall_clock(); }
void simulation::advance(duration by) { inside_->clock.advance(by); }

bool simulation::run_until(const std::function<bool()>& done, duration limit) {
  const auto deadline = inside_->clock.now() + limit;
  while (!done()) {
    const auto next = inside_->clock.next();
    if (!next || *next > deadline) return false;
    inside_->clock.run_next();
  }
  return true;
}

std::uint64_t simulation::random() { return inside_->clock.random(); }
const std::vector<std::string>& simulation::log() const { return inside_->log; }

}  // namespace flow::testing
