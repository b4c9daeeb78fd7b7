#include <flow/sightings.hpp>

#include <algorithm>
#include <charconv>
#include <limits>
#include <map>
#include <utility>

#include "database.hpp"
#include "json_text.hpp"

#include <flow/json.hpp>
#include <flow/spelling.hpp>
#include <flow/topology.hpp>

namespace flow {
namespace {

/// What `id` finds in a record with this key and value.
std::vector<std::string> found_by(const subject& id, bytes key, bytes value) {
  const origin nowhere{};
  auto found = id(record<bytes, bytes>{slot<bytes>{key}, slot<bytes>{value}, 0, {}, nowhere});
  if (!found) return {};
  return {*std::move(found)};
}

std::vector<std::string> found_in_json(const std::string& value) {
  return found_by(json::at("/id"), {}, "{\"id\":" + value + "}");
}

template <typename Integer>
void add_encoded(std::string_view text, std::vector<std::string>& ids) {
  Integer number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return;
  std::string room;
  auto id = encoded(number, room).str();
  if (std::ranges::find(ids, id) == ids.end()) ids.push_back(std::move(id));
}

template <typename... Integers>
std::vector<std::string> all_encoded(std::string_view text) {
  std::vector<std::string> ids;
  (add_encoded<Integers>(text, ids), ...);
  return ids;
}

constexpr auto beginning = std::numeric_limits<std::int64_t>::min();

using id_hash = std::pair<std::uint64_t, std::uint64_t>;

id_hash hash_of(const occurrence& what) {
  return {what.high, what.low};
}

bool within(std::chrono::milliseconds window, std::int64_t a, std::int64_t b) {
  std::int64_t apart = 0;
  return !__builtin_sub_overflow(std::max(a, b), std::min(a, b), &apart) && apart <= window.count();
}

/// What the pages of one source partition say of some ids.
class trace {
 public:
  explicit trace(const port::seen_page& first) : from_{first.from}, until_{first.until} {}

  void add(const port::seen_page& page, const std::vector<id_hash>& wanted) {
    from_ = std::min(from_, page.from);
    until_ = std::max(until_, page.until);
    // What was read again may have been written down again.
    for (const auto& each : page.occurrences)
      if (std::ranges::find(wanted, hash_of(each)) != wanted.end())
        times_.try_emplace({hash_of(each), each.offset}, each.timestamp);
  }

  sightings told(const std::string& node, const topic_partition& where, std::chrono::milliseconds window) const {
    sightings made{node, where, from_, until_};
    for (const auto& [place, timestamp] : times_) {
      sighting one{place.second, timestamp};
      for (auto other = times_.lower_bound({place.first, beginning}); other->first != place && !one.repeats; ++other)
        if (within(window, other->second, timestamp)) one.repeats = other->first.second;
      made.all.push_back(one);
    }
    std::ranges::stable_sort(made.all, {}, &sighting::offset);
    return made;
  }

 private:
  std::int64_t from_, until_;
  std::map<std::pair<id_hash, std::int64_t>, std::int64_t> times_;  // by id and offset
};

result<std::vector<dedup_spec>> dedups_named(const std::optional<std::string>& node, const plan& what) {
  if (!node) return what.dedups();
  std::vector<std::string> names;
  for (const auto& each : what.dedups()) {
    if (each.name == *node) return std::vector{each};
    names.push_back(each.name);
  }
  const auto meant = spelling::nearest(*node, names);
  return fail(failure_kind::missing, "node " + *node + " is no dedup of " + what.application(),
              names.empty()   ? "it has none"
              : meant.empty() ? "known are " + spelling::either(names)
                              : "did you mean " + meant + "?");
}

result<void> add(const database::snapshot& from, const dedup_spec& dedup, const std::vector<id_hash>& wanted,
                 std::vector<sightings>& to) {
  std::map<topic_partition, trace> traces;
  return from
      .recall(dedup.kept_as(),
              [&](const auto& page) { traces.try_emplace(page.where, page).first->second.add(page, wanted); })
      .map([&] {
        for (const auto& [where, each] : traces) to.push_back(each.told(dedup.name, where, dedup.window));
      });
}

}  // namespace

std::vector<std::string> ids_of(std::string_view text, id_form as) {
  if (text.empty()) return {};
  switch (as) {
    case id_form::json:
      if (json::is_document(text)) return found_in_json(std::string{text});
      [[fallthrough]];
    case id_form::json_text:
      return found_in_json('"' + escaped(text) + '"');
    case id_form::part:
      return found_by(key_bytes(), text, {});
    case id_form::integer:
      return all_encoded<std::int8_t, std::uint8_t, std::int16_t, std::uint16_t, std::int32_t, std::uint32_t,
                         std::int64_t, std::uint64_t>(text);
    case id_form::text:
      break;
  }
  return {std::string{text}};
}

result<std::vector<sightings>> sightings_of(const std::vector<std::string>& ids, const topology& of,
                                            const app_options& where, const std::optional<std::string>& node) {
  surroundings there{.clusters = {}, .home = where.home};
  for (const auto& [name, properties] : where.clusters) there.clusters.push_back(name);
  const auto what = of.build(there);
  const auto dedups = dedups_named(node, *what);
  if (!dedups) return tl::unexpected{dedups.error()};
  if (where.state.empty())
    return fail(failure_kind::missing, "the application has no state directory", "name the one of the running program");
  const auto& application = where.application.empty() ? what->application() : where.application;
  const auto kept = database::look_at(where.state, {application, where.home});
  if (!kept) return tl::unexpected{kept.error()};

  std::vector<id_hash> wanted;
  for (const auto& each : ids) wanted.push_back(hash_of(hashed(each, (*kept)->dedup_key())));
  std::vector<sightings> found;
  for (const auto& each : *dedups)
    if (auto added = add(**kept, each, wanted, found); !added) return tl::unexpected{added.error()};
  return found;
}

}  // namespace flow
