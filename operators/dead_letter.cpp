#include <flow/dead_letter.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <vector>

#include <flow/partition.hpp>
#include <flow/plan.hpp>

namespace flow {
namespace {

constexpr std::string_view ours = "flow.";
constexpr std::int64_t most_attempts = 1'000'000'000'000;
constexpr std::array<std::string_view, 4> reasons{"undecodable", "failed", "refused", "parked"};

bytes in_digits(std::int64_t number, arena& room) {
  std::array<char, std::numeric_limits<std::int64_t>::digits10 + 2> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  return room.keep(bytes{digits.data(), static_cast<std::size_t>(end - digits.data())});
}

/// The last of that name, as Kafka's own lookups do.
std::optional<std::string_view> find(std::span<const header> headers, std::string_view key) {
  const auto found = std::find_if(headers.rbegin(), headers.rend(), [&](const header& each) { return each.key == key; });
  if (found == headers.rend() || found->value.is_null()) return std::nullopt;
  return found->value.view();
}

template <typename T>
bool read(std::span<const header> headers, std::string_view key, T& into) {
  const auto text = find(headers, key);
  if (!text) return false;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), into);
  return error == std::errc{} && end == text->data() + text->size();
}

}  // namespace

std::string_view to_string(letter_reason why) { return reasons.at(static_cast<std::size_t>(why)); }

std::span<const header> headers_of(const letter& what, std::span<const header> original, arena& room) {
  std::int64_t earlier = 0;
  // Whoever can write to the topic of letters can write anything there.
  if (!read(original, "flow.attempts", earlier) || earlier < 0 || earlier > most_attempts) earlier = 0;
  std::vector<header> all;
  std::copy_if(original.begin(), original.end(), std::back_inserter(all),
               [](const header& each) { return !each.key.starts_with(ours); });
  all.insert(all.end(), {{"flow.node", room.keep(what.node)},
                         {"flow.reason", to_string(what.reason)},
                         {"flow.text", room.keep(what.text)},
                         {"flow.cluster", room.keep(what.from.cluster)},
                         {"flow.topic", room.keep(what.from.topic)},
                         {"flow.partition", in_digits(what.from.partition, room)},
                         {"flow.offset", in_digits(what.from.offset, room)},
                         {"flow.attempts", in_digits(earlier + what.attempts, room)},
                         {"flow.time", in_digits(what.time, room)}});
  if (what.number > 0) all.push_back({"flow.number", in_digits(what.number, room)});
  return room.keep(std::span<const header>{all});
}

std::optional<letter> read_letter(std::span<const header> headers) {
  letter what;
  const auto node = find(headers, "flow.node");
  const auto reason = find(headers, "flow.reason");
  const auto text = find(headers, "flow.text");
  const auto cluster = find(headers, "flow.cluster");
  const auto topic = find(headers, "flow.topic");
  const bool numbers = read(headers, "flow.partition", what.from.partition) &&
                       read(headers, "flow.offset", what.from.offset) && read(headers, "flow.attempts", what.attempts) &&
                       read(headers, "flow.time", what.time);
  if (!node || !reason || !text || !cluster || !topic || !numbers) return std::nullopt;
  const auto known = std::find(reasons.begin(), reasons.end(), *reason);
  if (known == reasons.end()) return std::nullopt;
  what.node = *node;
  what.reason = static_cast<letter_reason>(known - reasons.begin());
  what.text = *text;
  what.from.cluster = *cluster;
  what.from.topic = *topic;
  read(headers, "flow.number", what.number);
  return what;
}

std::span<const header> without_letter(std::span<const header> headers, arena& room) {
  std::vector<header> own;
  std::copy_if(headers.begin(), headers.end(), std::back_inserter(own),
               [](const header& each) { return !each.key.starts_with(ours); });
  return room.keep(std::span<const header>{own});
}

bool plan::parks(const letter& what) const {
  return std::ranges::any_of(parking(), [&](const parking_spec& each) {
    const bool by_policy = what.reason == letter_reason::undecodable ? each.undecodable : each.failed;
    return each.node == what.node && (what.reason == letter_reason::parked || by_policy);
  });
}

emission plan::letter_for(const source_partition& from, const fetched_record& record, const refused_emission& what,
                          arena& room) const {
  const auto& sink = sinks()[what.sink];
  emission made{.sink = sink.letters,
                .timestamp = record.timestamp,
                .key = record.key,
                .value = record.value,
                .headers = headers_of({.node = sink.name,
                                       .reason = what.reason,
                                       .text = what.why,
                                       .from = {from.cluster, from.topic, from.partition, record.offset},
                                       .attempts = what.attempts,
                                       .time = what.time,
                                       .number = what.number},
                                      record.headers, room)};
  place_by_number(made, static_cast<std::uint32_t>(from.partition));
  return made;
}

}  // namespace flow
