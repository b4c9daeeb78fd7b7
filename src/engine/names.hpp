#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace flow::engine {

/// Every name that an application owns on a cluster. The home's name is part of each, so that two homes can write into
/// one target without reading each other's positions; so is that of a sink with lanes of its own.
struct names {
  std::string application;
  std::string home;
  std::string sink{};

  std::string prefix() const { return application + "." + home + (sink.empty() ? "" : "." + sink); }
  std::string lanes_topic() const { return prefix() + ".lanes.internal"; }
  std::string commands_topic() const { return prefix() + ".commands.internal"; }
  /// Who reads what the application writes for itself, on home.
  std::string readers_topic() const { return application + "." + home + ".readers.internal"; }
  /// What the dedups of all workers have seen, on home.
  std::string seen_topic() const { return application + "." + home + ".seen.internal"; }
  std::string group() const { return prefix() + ".lanes"; }
  /// No name has a colon, so that no sink's id is that of another instance.
  std::string transactional_id(std::string_view instance) const {
    return prefix() + (sink.empty() ? "." : ":") + std::string{instance};
  }
};

/// The timestamp of what is written to the lanes topic, which stamps its records itself. Zero would not do: librdkafka
/// takes it for none.
inline constexpr std::int64_t stamped_by_the_broker = 1;

}  // namespace flow::engine
