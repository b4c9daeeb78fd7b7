#pragma once

#include <functional>
#include <string_view>

namespace flow {

/// How much a message matters, the least first.
enum class severity { trace, debug, info, warn, error };

/// The one door through which every room logs; `src/log.hpp` puts spdlog behind it. Called from any thread. What is
/// passed never holds a secret or a record's content.
using log_sink = std::function<void(severity, std::string_view)>;

}  // namespace flow
