#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <flow/app.hpp>

/// Why an event was dropped: where its id has been before, by what the dedups of an application have written down.
namespace flow {

/// Once an id was there.
struct sighting {
  std::int64_t offset = 0;
  std::int64_t timestamp = 0;  ///< milliseconds since 1970 UTC; the time that counts for the dedup
  /// The first of those at an earlier offset that are at most the window apart. This one was dropped for it, unless it
  /// came so late that the time of its source partition was more than the window past all of them.
  std::optional<std::int64_t> repeats{};

  bool operator==(const sighting&) const = default;
};

/// What a dedup knows of an id in one source partition.
struct sightings {
  std::string node;
  topic_partition where;
  std::int64_t from = 0;  ///< what it knows of any id lies in [from, until)
  std::int64_t until = 0;
  std::vector<sighting> all{};  ///< by offset; the first one is the first that is remembered

  bool operator==(const sightings&) const = default;
};

/// How a text stands for an id.
enum class id_form {
  text,    ///< its bytes are what the id's codec writes
  json,    ///< what `json::at` finds: `1`, `true` and `"1"` are three ids; what is no JSON is a text in it
  part,    ///< what `header_value`, `key_bytes` or `topic_name` finds
  integer,   ///< a whole number, of whatever size
  json_text  ///< a text that `json::at` finds, whatever it looks like
};

/// The ids that it may be for a dedup; none if it cannot be one.
std::vector<std::string> ids_of(std::string_view text, id_form as);

/// Where one of these ids was, of all dedups of the topology or of one: an entry for each source partition of which
/// anything is known, be it nothing of the id, by node, topic and partition.
///
/// Reads the state directory that the options name, and nothing else; it may be in use by the running application, and
/// is not changed. What a program has seen is written down every 5 seconds, so the newest may be missing; what lies
/// behind the window is forgotten. Each instance knows what it has read itself, and has a directory of its own. Blocks
/// for as long as it takes to read all that is kept, 32 bytes for each id of the window.
///
/// Failures: `missing` for a node that is no dedup, and where nothing is kept; `refused` for the state directory of
/// another application or home; `corrupt` for a damaged one.
/// @throws topology_error for a topology that cannot be built.
result<std::vector<sightings>> sightings_of(const std::vector<std::string>& ids, const topology& of,
                                            const app_options& where, const std::optional<std::string>& node = {});

}  // namespace flow
