#pragma once

#include <functional>
#include <memory>
#include <string>

#include <flow/ports.hpp>

#include "broker.hpp"

namespace flow::memory {

struct connection {
  std::string client_id;
  std::function<bool()> is_frozen = {};  ///< the process is stopped, so that it does not even send heartbeats
};

/// Opens the cluster port on an in-memory cluster. A port that is destroyed without further words is a process that
/// has crashed: its member stays in the group and its transaction open until they time out.
///
/// Letters are posted and wakes run with the cluster locked: they note that there is something to do, and call nothing
/// of the cluster.
std::unique_ptr<port::cluster> connect(broker& to, std::shared_ptr<port::mailbox> mailbox, connection by = {});

}  // namespace flow::memory
