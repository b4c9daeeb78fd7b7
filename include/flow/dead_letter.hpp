#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include <flow/arena.hpp>
#include <flow/record.hpp>
#include <flow/wire.hpp>

/// Records that did not get through, as they stand in a dead-letter topic: key, value, timestamp and headers as they
/// were read, in the partition of their number (modulo how many there are), and these headers behind their own:
///
///     flow.node       where it failed               flow.topic, flow.partition, flow.offset, flow.cluster
///     flow.reason     undecodable, failed, refused, parked          where it was read
///     flow.text       what went wrong               flow.attempts   how often it was tried, all in all
///     flow.time       when, as milliseconds since 1970 UTC
///     flow.number     which of the records that came to that node of this one; left out of the first (0)
namespace flow {

enum class letter_reason {
  undecodable,  ///< its bytes are no value of the type that the topic promises
  failed,       ///< user code threw
  refused,      ///< the cluster does not take it
  parked        ///< it was not tried: an earlier record of its key is there
};
std::string_view to_string(letter_reason why);

/// What a `parked` one says.
inline constexpr std::string_view follows_its_key = "an earlier record of its key is here";

/// What a letter's headers say.
struct letter {
  std::string_view node;
  letter_reason reason = letter_reason::failed;
  std::string_view text;
  origin from;
  std::int64_t attempts = 1;
  std::int64_t time = 0;     ///< milliseconds since 1970 UTC
  std::uint32_t number = 0;  ///< which of the records that the node got of this one has failed
};

/// A record's headers as its letter has them. What stands there of an earlier letter is replaced; its attempts count.
std::span<const header> headers_of(const letter& what, std::span<const header> original, arena& room);
/// nullopt: these are not the headers of a letter.
std::optional<letter> read_letter(std::span<const header> headers);
/// The headers that the record had before it became a letter.
std::span<const header> without_letter(std::span<const header> headers, arena& room);

}  // namespace flow
