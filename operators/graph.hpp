#pragma once

#include <memory>
#include <string>
#include <vector>

#include <flow/plan.hpp>
#include <flow/policy.hpp>
#include <flow/wiring.hpp>

namespace flow {

/// A node of a finished plan, beside its `node_spec`.
struct placed_node {
  std::vector<std::vector<std::uint32_t>> targets;  ///< for each port
  std::uint32_t number = 0;                         ///< of sources among sources, of sinks and dedups likewise
  std::uint32_t process = 0;                        ///< likewise; its `number` is its sink's
  wiring::failure_rule on_failure{};
};

/// A plan's insides. They are filled once and never change afterwards.
class drawn_plan final : public plan, public std::enable_shared_from_this<drawn_plan> {
 public:
  explicit drawn_plan(std::shared_ptr<const wiring::draft> from) : from_{std::move(from)} {}

  const std::string& application() const override { return from_->application(); }
  const std::vector<source_spec>& sources() const override { return sources_; }
  const std::vector<sink_spec>& sinks() const override { return sinks_; }
  const std::vector<node_spec>& nodes() const override { return nodes_; }
  const std::vector<dedup_spec>& dedups() const override { return dedups_; }
  const std::vector<process_spec>& processes() const override { return processes_; }
  const std::vector<std::vector<std::uint32_t>>& co_partitioned() const override { return co_partitioned_; }
  const std::vector<parking_spec>& parking() const override { return parking_; }
  std::unique_ptr<graph> open() const override;

  const wiring::draft& from() const { return *from_; }

  std::vector<source_spec> sources_;
  std::vector<sink_spec> sinks_;
  std::vector<node_spec> nodes_;
  std::vector<dedup_spec> dedups_;
  std::vector<process_spec> processes_;
  std::vector<parking_spec> parking_;
  std::vector<placed_node> placed_;
  std::vector<std::vector<std::uint32_t>> co_partitioned_;

 private:
  std::shared_ptr<const wiring::draft> from_;
};

}  // namespace flow
