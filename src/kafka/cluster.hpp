#pragma once

#include <map>
#include <memory>
#include <string>

#include <flow/log.hpp>
#include <flow/ports.hpp>

namespace flow::kafka {

struct connection {
  std::string name;                               ///< what the topology calls the cluster
  std::map<std::string, std::string> properties;  ///< librdkafka's, `bootstrap.servers` among them
  std::string client_id;                          ///< stands in the brokers' logs and metrics
};

/// Opens the cluster port on librdkafka. Nothing is reached yet: an unreachable cluster shows in the answers.
/// @throws std::invalid_argument naming the property that librdkafka does not take, never its value.
std::unique_ptr<port::cluster> connect(const connection& to, std::shared_ptr<port::mailbox> mailbox, log_sink log);

}  // namespace flow::kafka
