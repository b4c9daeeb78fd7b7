#include <flow/memory_clusters.hpp>

#include <mutex>

#include "memory/broker.hpp"
#include "memory/cluster.hpp"
#include "memory_records.hpp"

namespace flow {

class memory_clusters::inside {
 public:
  explicit inside(std::uint64_t seed) : clock{seed} {}

  memory::broker& at(const std::string& name) {
    const std::lock_guard lock{mutex_};
    auto& found = brokers_[name];
    if (!found) found = std::make_unique<memory::broker>(name, clock);
    return *found;
  }

  memory::real_scheduler clock;

 private:
  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<memory::broker>> brokers_;
};

memory_clusters::memory_clusters(std::uint64_t seed) : inside_{std::make_unique<inside>(seed)} {}
memory_clusters::~memory_clusters() = default;

connector memory_clusters::connect() {
  return [this](const std::string& name, const cluster_properties&, const std::string& client_id,
                std::shared_ptr<port::mailbox> mailbox, log_sink) {
    return memory::connect(inside_->at(name), std::move(mailbox), {client_id});
  };
}

void memory_clusters::create_topic(const std::string& cluster, const std::string& topic, std::int32_t partitions,
                                   const std::map<std::string, std::string>& settings) {
  inside_->at(cluster).create_topic(topic, partitions, settings);
}

void memory_clusters::change_settings(const std::string& cluster, const std::string& topic,
                                      const std::map<std::string, std::string>& settings) {
  inside_->at(cluster).change_settings(topic, settings);
}

std::int64_t memory_clusters::write(const std::string& cluster, const std::string& topic, std::int32_t partition,
                                    const raw_record& what) {
  return inside_->at(cluster).append({topic, partition}, to_memory(what, inside_->clock.wall_clock()));
}

void memory_clusters::delete_records(const std::string& cluster, const std::string& topic, std::int32_t partition,
                                     std::int64_t new_start) {
  inside_->at(cluster).truncate({topic, partition}, new_start);
}

std::vector<std::vector<raw_record>> memory_clusters::read(const std::string& cluster, const std::string& topic) {
  return from_memory(inside_->at(cluster).contents(topic));
}

void memory_clusters::cut(const std::string& cluster) { inside_->at(cluster).cut(); }
void memory_clusters::heal(const std::string& cluster) { inside_->at(cluster).heal(); }

}  // namespace flow
