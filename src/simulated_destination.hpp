#pragma once

#include <memory>
#include <string>

#include "simulation.hpp"

namespace flow::testing {

/// Carries the deliveries of one process to the world outside, and receipts back. What is on its way arrives, whatever
/// becomes of its sender.
class simulated_destination final : public destination {
 public:
  /// Throws std::logic_error if nothing stands for the destination.
  simulated_destination(simulation::inside& world, const sink_spec& sink, std::string instance,
                        std::weak_ptr<port::mailbox> sender);

  void deliver(std::span<const delivery> batch, report done) override;

 private:
  memory::microseconds way();
  arrival copy_of(const delivery& what) const;

  simulation::inside& world_;
  std::shared_ptr<const sink_spec> sink_;
  std::string instance_;
  std::weak_ptr<port::mailbox> sender_;
  std::shared_ptr<const char> alive_ = std::make_shared<const char>();
};

}  // namespace flow::testing
