#pragma once

#include <signal.h>

#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

#include <flow/main.hpp>

/// What the verbs of every program have in common.
namespace flow::verbs {

inline int code(exit_code what) {
  return static_cast<int>(what);
}

/// SIGINT and SIGTERM, which no thread of the process gets any more.
sigset_t block_stop_signals();
/// One of them came within `limit`.
bool signalled(const sigset_t& set, std::chrono::milliseconds limit);

/// As JSON, in quotes.
std::string in_json(std::string_view text);
/// In whole seconds, UTC.
std::string time_of(std::int64_t milliseconds);
/// Says why a verb has come to nothing; what that means for the process.
int tell(const failure& why, invocation& how);

std::string source_of(const invocation& how);
/// As a mistake in the configuration.
[[noreturn]] void refuse(const topology_error& wrong, const invocation& how);

/// What is found wrong only where a topology is made.
template <class Make>
auto checked(const invocation& how, Make make) {
  try {
    return make();
  } catch (const topology_error& wrong) {
    refuse(wrong, how);
  } catch (const std::invalid_argument& wrong) {
    throw configuration_error{{{{source_of(how), 0, 0}, wrong.what(), {}}}};
  }
}

}  // namespace flow::verbs
