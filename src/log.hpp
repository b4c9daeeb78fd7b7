#pragma once

#include <memory>
#include <string>

#include <spdlog/fwd.h>

#include <flow/log.hpp>

namespace flow {

/// A logger to standard error for an application that has not brought its own; `json` writes one object per line.
std::shared_ptr<spdlog::logger> make_logger(const std::string& application, bool json = false);

/// The door behind which spdlog stands.
log_sink log_to(std::shared_ptr<spdlog::logger> logger);

void set_level(spdlog::logger& logger, severity least);

}  // namespace flow
