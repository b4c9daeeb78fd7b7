#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <flow/codec.hpp>
#include <flow/op.hpp>
#include <flow/plan.hpp>

namespace flow {

/// From the first record that is still there, or only from those that are yet to come.
inline constexpr start_at beginning{start_at::kind::earliest, 0};
inline constexpr start_at end{start_at::kind::latest, 0};

/// Kafka's rules for the name of a topic.
bool is_topic_name(std::string_view name);
/// Names of flow's own topics (`....internal`) and Kafka's (`__...`), which no topology reads or writes.
bool is_internal_topic(std::string_view name);
/// The topic on its home cluster through which an application takes records to itself, at the node of this name.
std::string own_topic(std::string_view application, std::string_view home, std::string_view node);
/// The one, compacted, of what a `process` keeps, with a partition for each lane.
std::string changelog_topic(std::string_view application, std::string_view home, std::string_view node);
/// Throws `std::invalid_argument` for a name that Kafka would refuse.
void check_topic_name(std::string_view name);

/// From the first record whose timestamp is at least `when`.
inline start_at at(std::chrono::system_clock::time_point when) {
  return {start_at::kind::time, std::chrono::duration_cast<std::chrono::milliseconds>(when.time_since_epoch()).count()};
}

/// How keys and values are read and written: by their types, unless codecs are given.
template <typename K, typename V>
class codings {
 public:
  constexpr codings() : keys_{&default_coding<K>}, values_{&default_coding<V>} {}

  template <typename KeyCodec, typename ValueCodec>
  codings(KeyCodec keys, ValueCodec values) {
    constexpr bool keys_fit = can_decode<KeyCodec, K> && can_encode<KeyCodec, K>;
    constexpr bool values_fit = can_decode<ValueCodec, V> && can_encode<ValueCodec, V>;
    static_assert(keys_fit,
                  "flow: a key codec has K decode(bytes) const and bytes encode(const K&, std::string&) const");
    static_assert(values_fit,
                  "flow: a value codec has V decode(bytes) const and bytes encode(const V&, std::string&) const");
    own<KeyCodec, ValueCodec>(std::move(keys), std::move(values));
  }

  /// Of types whose codecs are missing, which has been reported.
  explicit codings(poisoned) {}

  const coding<K>& keys() const { return *keys_; }
  const coding<V>& values() const { return *values_; }

 private:
  template <typename KeyCodec, typename ValueCodec>
  void own(KeyCodec keys, ValueCodec values) {
    struct pair {
      coding_by<K, KeyCodec> keys;
      coding_by<V, ValueCodec> values;
    };
    auto both = std::make_shared<const pair>(
        pair{coding_by<K, KeyCodec>{std::move(keys)}, coding_by<V, ValueCodec>{std::move(values)}});
    keys_ = &both->keys;
    values_ = &both->values;
    owned_ = std::move(both);
  }

  const coding<K>* keys_ = nullptr;
  const coding<V>* values_ = nullptr;
  std::shared_ptr<const void> owned_;
};

template <typename K, typename V>
inline constinit const codings<K, V> default_codings{};

/// True if codecs are found by the types alone; otherwise an error at the line of whoever asked first.
template <typename K, typename V>
consteval bool have_codecs() {
  constexpr bool is_typed = !std::is_same_v<V, poisoned>;
  constexpr bool keys = has_codec<K>;
  constexpr bool values = has_codec<V>;
  static_assert(is_typed, "flow: a topic says what its records are: topic<K, V>{\"orders\"}");
  static_assert(keys || !is_typed,
                "flow: the key's type has no codec: specialise flow::codec<K>, give the topic codecs, or map it first");
  static_assert(
      values || !keys,
      "flow: the value's type has no codec: specialise flow::codec<V>, give the topic codecs, or map it first");
  return keys && values;
}

template <typename K, typename V>
codings<K, V> codings_by_type() {
  if constexpr (have_codecs<K, V>()) {
    return default_codings<K, V>;
  } else {
    return codings<K, V>{poisoned{}};
  }
}

/// One topic by its name, and what its records are.
template <typename K, typename V>
struct topic {
  using key_type = K;
  using value_type = V;

  topic(std::string name) : name{std::move(name)}, codecs{codings_by_type<K, V>()} {}
  template <typename KeyCodec, typename ValueCodec>
  topic(std::string name, KeyCodec keys, ValueCodec values)
      : name{std::move(name)}, codecs{std::move(keys), std::move(values)} {}

  std::string name;
  codings<K, V> codecs;
};

/// Types were forgotten.
topic(std::string)->topic<poisoned, poisoned>;

/// Topics by name or regular expression, each matched whole: an entry that could be a topic's name is one. Topics that
/// end in `.internal` are never among them.
template <typename K, typename V>
struct topics {
  using key_type = K;
  using value_type = V;

  topics(std::vector<std::string> include, std::vector<std::string> exclude = {})
      : include{std::move(include)}, exclude{std::move(exclude)}, codecs{codings_by_type<K, V>()} {}
  template <typename KeyCodec, typename ValueCodec>
  topics(std::vector<std::string> include, std::vector<std::string> exclude, KeyCodec keys, ValueCodec values)
      : include{std::move(include)}, exclude{std::move(exclude)}, codecs{std::move(keys), std::move(values)} {}
  /// Something else than lists.
  template <typename... Others>
  topics(const Others&...) : codecs{poisoned{}} {
    static_assert(never<Others...>, "flow: topics takes lists: topics<K, V>{{\"orders\", \"payments[.].*\"}}");
  }

  std::vector<std::string> include;
  std::vector<std::string> exclude;
  codings<K, V> codecs;
};

topics(std::vector<std::string>, std::vector<std::string> = {})->topics<poisoned, poisoned>;

}  // namespace flow
