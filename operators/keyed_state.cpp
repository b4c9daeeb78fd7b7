#include <flow/keyed_state.hpp>

#include <algorithm>
#include <charconv>

#include <flow/codec.hpp>

namespace flow {
namespace {

using namespace std::chrono_literals;

constexpr char format = 1, without_value = 0, with_value = 1;
constexpr char no_key = '-', a_key = '+';
constexpr std::size_t length_of_head = 2 + 2 * sizeof(std::int64_t);

// A clock that is wrong by more than this does not call everybody at once.
constexpr auto skew = 24h;

std::string marked(bytes key) {
  std::string text(1, key.is_null() ? no_key : a_key);
  return text.append(key.view());
}

void append(std::string& to, std::int64_t number) {
  std::string room;
  to += codec<std::int64_t>::encode(number, room).view();
}

std::int64_t number_at(std::string_view data, std::size_t at) {
  return codec<std::int64_t>::decode(bytes{data.substr(at, sizeof(std::int64_t))});
}

}  // namespace

std::string encode(const kept_of_key& what) {
  std::string made{format, what.value ? with_value : without_value};
  append(made, what.stream_time);
  append(made, what.wall_clock);
  if (what.value) made += *what.value;
  return made;
}

result<kept_of_key> decode_kept_of_key(std::string_view data) {
  if (!data.empty() && data[0] > format)
    return fail(failure_kind::refused,
                "what is kept of a key is of format " + std::to_string(data[0]) +
                    ", and this program knows no later one than " + std::to_string(format),
                "start the newer program");
  const bool is_whole = data.size() >= length_of_head && data[0] == format &&
                        (data[1] == with_value || (data[1] == without_value && data.size() == length_of_head));
  if (!is_whole) return fail(failure_kind::corrupt, "what is kept of a key cannot be read");
  kept_of_key found{.stream_time = number_at(data, 2), .wall_clock = number_at(data, 2 + sizeof(std::int64_t))};
  if (data[1] == with_value) found.value = std::string{data.substr(length_of_head)};
  return found;
}

const kept_of_key& keyed_state::find(bytes key) const {
  static const kept_of_key nothing;
  const auto known = kept_.find(marked(key));
  return known == kept_.end() ? nothing : known->second;
}

void keyed_state::put(bytes key, kept_of_key what) {
  auto name = marked(key);
  const auto known = kept_.find(name);
  undo_.emplace_back(name, known == kept_.end() ? kept_of_key{} : known->second);
  set(name, std::move(what));
}

void keyed_state::set(const std::string& key, kept_of_key what) {
  auto& at = kept_[key];
  stream_alarms_.erase({at.stream_time, key});
  wall_alarms_.erase({at.wall_clock, key});
  if (what.stream_time != kept_of_key::never) stream_alarms_.emplace(what.stream_time, key);
  if (what.wall_clock != kept_of_key::never) wall_alarms_.emplace(what.wall_clock, key);
  if (what.is_nothing())
    kept_.erase(key);
  else
    at = std::move(what);
}

std::optional<keyed_state::alarm> keyed_state::due(std::int64_t stream_time, std::int64_t wall_clock) const {
  const auto first = [](auto which, const alarms& among, std::int64_t now) -> std::optional<alarm> {
    if (among.empty() || among.begin()->first > now) return std::nullopt;
    const auto& [time, key] = *among.begin();
    return alarm{which, time, key.substr(1), key.front() == no_key};
  };
  if (auto found = first(&kept_of_key::stream_time, stream_alarms_, stream_time)) return found;
  return first(&kept_of_key::wall_clock, wall_alarms_, wall_clock);
}

void keyed_state::see(std::int64_t timestamp) {
  if (timestamp < 0) return;
  // However many pieces it comes in, it is one record: sixteen in a row would move the clock.
  seen_ = clock_before_ ? std::max(seen_, timestamp) : timestamp;
  if (!clock_before_) clock_before_ = clock_;
  clock_ = *clock_before_;
  clock_.see(seen_, skew);
}

void keyed_state::forget() {
  for (auto each = undo_.rbegin(); each != undo_.rend(); ++each) set(each->first, std::move(each->second));
  undo_.clear();
  if (clock_before_) clock_ = *clock_before_;
  clock_before_.reset();
}

void keyed_state::pass_over() {
  const auto seen = clock_;
  forget();
  clock_ = seen;
}

std::string keyed_state::name_in_changelog(bytes key) const {
  return std::to_string(partition_) + marked(key);
}

result<changelog_key> read_changelog_key(std::string_view data) {
  changelog_key found{-1, {}};
  const auto* end = data.data() + data.size();
  const auto [mark, error] = std::from_chars(data.data(), end, found.partition);
  const bool is_whole = error == std::errc{} && found.partition >= 0 && mark != end &&
                        (*mark == a_key || (*mark == no_key && mark + 1 == end));
  if (!is_whole) return fail(failure_kind::corrupt, "the key of a changelog's record cannot be read");
  if (*mark == a_key) found.key = bytes{std::string_view{mark + 1, static_cast<std::size_t>(end - mark - 1)}};
  return found;
}

}  // namespace flow
