#pragma once

#include <flow/app.hpp>

namespace flow {

/// What `app_options::connect` is unless it is set.
std::unique_ptr<port::cluster> to_kafka(const std::string& name, const cluster_properties& properties,
                                        const std::string& client_id, std::shared_ptr<port::mailbox> mailbox,
                                        log_sink log);

}  // namespace flow
