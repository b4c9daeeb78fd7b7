#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/worker.hpp"
#include "memory/broker.hpp"
#include "memory/cluster.hpp"
#include "memory/scheduler.hpp"

#include <flow/testing.hpp>

namespace flow::testing {

/// A state directory that forgets nothing when its process crashes, and its newest writes when the power goes.
class simulated_state final : public port::state {
 public:
  explicit simulated_state(const std::string& instance) : key_{new_key(instance)} {}

  result<std::optional<port::lane_state>> read(const port::lane_key& lane) override;
  result<void> write(const std::map<port::lane_key, port::lane_state>& lanes) override;
  result<void> recall(const std::string& node, const topic_partition& where,
                      const std::function<void(const port::seen_page&)>& see) override;
  result<void> remember(const std::vector<port::seen_page>& pages, const std::vector<port::seen_page>& outdated) override;
  std::string dedup_key() override { return key_; }
  std::string settle_dedup_key(const std::string& agreed) override;
  /// A process begins to use it.
  void open() { is_settled_ = false; }
  result<std::unique_ptr<port::scratch>> open_scratch() override;
  /// Loses the newest `batches`.
  void cut_power(std::size_t batches);
  void clear();
  /// Asked before each reading and writing of a scratch file.
  void scratch_fails(std::function<bool()> fails) { *fails_ = std::move(fails); }

 private:
  static std::string new_key(const std::string& of) {
    std::string key(192, 'k');
    return key.replace(0, std::min<std::size_t>(of.size(), key.size()), of);
  }

  std::shared_ptr<std::function<bool()>> fails_ = std::make_shared<std::function<bool()>>([] { return false; });
  std::vector<std::map<port::lane_key, port::lane_state>> batches_;
  std::vector<port::seen_page> pages_;
  std::string key_;
  bool is_settled_ = false;
};

class process;

/// The world outside of Kafka, as the ordered sinks of one name meet it.
struct outside_world {
  std::function<std::optional<receipt>(const delivery&)> says{};
  simulation::duration longest = std::chrono::milliseconds{5};
  std::vector<arrival> arrivals{};
};

/// What stands behind a simulation, for tests that need more than its public face.
class simulation::inside {
 public:
  explicit inside(std::uint64_t seed);
  ~inside();

  memory::broker& cluster(const std::string& name);
  void add_name(const std::string& cluster, const std::string& other);
  simulated_state& state(const std::string& instance) { return states_.try_emplace(instance, instance).first->second; }
  outside_world& outside(const std::string& sink) { return outside_[sink]; }

  process& at(const std::string& instance) const;
  void note(std::string_view text);

  memory::event_queue clock;
  std::map<std::string, std::shared_ptr<process>> processes;
  std::chrono::milliseconds purge_every = engine::options{}.purge_every;  ///< of processes that are started from now on
  std::vector<std::string> log;

 private:
  std::map<std::string, std::shared_ptr<memory::broker>> clusters_;
  std::map<std::string, simulated_state> states_;
  std::map<std::string, outside_world> outside_;
};

}  // namespace flow::testing
