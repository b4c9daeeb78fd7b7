#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include <flow/ports.hpp>

#include "channel.hpp"
#include "node.hpp"

namespace flow::memory {

/// A worker's way to one cluster.
struct access {
  std::shared_ptr<node> to;
  std::shared_ptr<port::mailbox> mailbox;
  std::string client_id;
  std::function<bool()> is_frozen;
};

/// What all ports in memory have in common. The node's mutex guards everything in them.
class asker {
 public:
  asker(const asker&) = delete;
  asker& operator=(const asker&) = delete;

 protected:
  explicit asker(access by) : by_{std::move(by)}, channel_{std::make_shared<channel>(*by_.to)} {}
  ~asker() = default;

  /// The first thing that a port's destructor does: nothing reaches it any more.
  void hang_up() {
    const std::scoped_lock lock{by_.to->mutex};
    channel_.reset();
    alive_.reset();
  }
  /// From now on a new way to the cluster: what is still under way on the old one is not answered any more.
  void connect_anew() { channel_ = std::make_shared<channel>(*by_.to); }

  template <typename T>
  void answer(port::reply<T> to, result<T> with) {
    by_.mailbox->post([to = std::move(to), with = std::move(with), alive = std::weak_ptr{alive_}]() mutable {
      if (!alive.expired()) to(std::move(with));
    });
  }

  /// Runs `work` after `delay` if this port is still there, and has not connected anew.
  void after(microseconds delay, std::function<void()> work) {
    home().after(delay, [work = std::move(work), alive = std::weak_ptr{channel_}] {
      if (!alive.expired()) work();
    });
  }

  node& home() { return *by_.to; }

  access by_;
  std::shared_ptr<channel> channel_;

 private:
  std::shared_ptr<void> alive_ = std::make_shared<char>();
};

}  // namespace flow::memory
