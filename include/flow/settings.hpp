#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

/// One `bind` makes a struct the settings of a program:
///
///     struct settings {
///       int top = 10;
///       std::chrono::milliseconds commit_every{100};
///       void bind(auto& b) {
///         b("top", top, "how many to show").range(1, 100);
///         b("commit_every", commit_every, "the longest a transaction lasts").environment("COMMIT_EVERY");
///       }
///       void check(flow::problems& found) const;   // optional: rules across settings
///     };
///
/// From it come flags, environment variables, YAML, help, and problems that say where. Flags win over environment,
/// environment over file, file over what the struct holds at first. A setting is `bool`, a number, a text, a duration,
/// a `byte_size`, an enumeration with `words`, a type with a `scalar` of its own, a struct with `bind`, or an optional,
/// a list or a map (by text) of these. Nothing here is safe to share between threads while settings are read.
namespace flow {

/// Where something was written: a file as it was named, `--flag`, or `environment NAME`. Only a file has a line and a
/// column, both from 1, the column in characters.
struct place {
  std::string source;
  int line = 0;
  int column = 0;

  bool operator==(const place&) const = default;
};

/// A text as somebody wrote it, and where.
struct written_text {
  std::string text;
  place at;

  bool operator==(const written_text&) const = default;
};

/// A mistake in the configuration, and what to do about it. Never holds a secret.
struct problem {
  place at;
  std::string text;
  std::string remedy;

  bool operator==(const problem&) const = default;
};

/// "FILE:LINE:COLUMN: error: text (remedy)"; "--flag: error: ..." and "environment NAME: error: ..." alike.
std::string to_string(const problem& what);

/// Every mistake that was found. `what()` has one line for each.
class configuration_error : public std::runtime_error {
 public:
  explicit configuration_error(std::vector<problem> found);
  const std::vector<problem>& problems() const noexcept { return problems_; }

 private:
  std::vector<problem> problems_;
};

/// Why a value is not accepted, to be read after the value itself: "is not a whole number". Empty if it is accepted.
struct complaint {
  std::string text;
  std::string remedy;

  complaint() = default;
  complaint(std::string why, std::string what_to_do = {}) : text(std::move(why)), remedy(std::move(what_to_do)) {}
  complaint(const char* why) : text(why) {}
  explicit operator bool() const noexcept { return !text.empty(); }
};

/// An amount of memory or data: "256MiB", "20MB", "64KiB". Units are B, kB, MB, GB, TB and KiB, MiB, GiB, TiB.
struct byte_size {
  std::uint64_t bytes = 0;
  auto operator<=>(const byte_size&) const = default;
};

/// An amount per second: "20MB/s".
struct byte_rate {
  std::uint64_t bytes_per_second = 0;
  auto operator<=>(const byte_rate&) const = default;
};

inline namespace literals {
consteval byte_size operator""_KiB(unsigned long long count) {
  return {count << 10};
}
consteval byte_size operator""_MiB(unsigned long long count) {
  return {count << 20};
}
consteval byte_size operator""_GiB(unsigned long long count) {
  return {count << 30};
}
}  // namespace literals

/// How a T is written as one word or one text. Specialise it for a type of your own:
///
///     template <> struct flow::scalar<pattern> {
///       static constexpr std::string_view kind = "a regular expression", example = "orders.*";
///       static flow::complaint read(std::string_view text, pattern& out);
///       static std::string write(const pattern& value);
///     };
///
/// A type to which 5 is not "5" also has `read_quoted`, for what stands in quotes in a file.
///
/// An enumeration needs none, only its words, in the order of its enumerators (which count from 0), found by its
/// namespace: `constexpr std::array<std::string_view, 2> words(guarantee) { return {"exactly_once", "at_least_once"};
/// }`
template <class T>
struct scalar;

class binder;
class problems;

/// What the compiled half needs to know of a setting's type.
namespace binding {

enum class form { scalar, list, mapping, section, optional };

using visitor = std::function<void(std::string_view key, void* element)>;

/// A type without the type. Functions that a form has no use for are null.
struct face {
  form is = form::scalar;
  std::string_view kind;
  std::string_view example;
  std::string (*choices)() = nullptr;
  bool is_bool = false;
  const face* element = nullptr;
  complaint (*read)(std::string_view text, void* value) = nullptr;
  complaint (*read_quoted)(std::string_view text, void* value) = nullptr;
  std::string (*write)(const void* value) = nullptr;
  void (*clear)(void* value) = nullptr;
  void* (*add)(void* value, std::string_view key) = nullptr;
  void (*each)(void* value, const visitor& visit) = nullptr;
  void (*bind)(void* value, binder& into) = nullptr;
  void (*check)(void* value, problems& found) = nullptr;
};

using test = std::function<complaint(const void* value)>;
using rule = std::function<void(const void* value, problems& found)>;

/// One bound value.
struct setting {
  std::string name;  ///< empty for a section whose settings stand beside its neighbours
  std::string path;  ///< "topics.rename"
  std::string help;
  void* value = nullptr;
  const face* type = nullptr;
  std::vector<std::string> environment;
  std::string limits;       ///< "1 to 100", for people
  std::vector<test> tests;  ///< of each scalar in it
  std::vector<rule> rules;  ///< of the whole value
  char separator = ',';
  bool required = false;
  bool secret = false;
  bool in_file = true;
  bool positional = false;
  bool absent = false;               ///< an optional section that holds a value only while it is bound
  place at;                          ///< where the value in force came from; empty for the default
  std::vector<written_text> written;  ///< each scalar in it, unless it is a secret
  std::vector<std::string> secrets;  ///< paths of the values in it that came from a secret file
  std::vector<setting> children;
};

complaint read_text(std::string_view text, std::string& out);
complaint read_bool(std::string_view text, bool& out);
complaint read_signed(std::string_view text, std::int64_t low, std::int64_t high, std::int64_t& out);
complaint read_unsigned(std::string_view text, std::uint64_t high, std::uint64_t& out);
complaint read_double(std::string_view text, double& out);
std::string write_double(double value);
/// `count` ticks of numerator/denominator seconds each.
complaint read_duration(std::string_view text, std::int64_t numerator, std::int64_t denominator, std::int64_t& count);
std::string write_duration(std::int64_t count, std::int64_t numerator, std::int64_t denominator);
complaint read_word(std::string_view text, const std::string_view* words, std::size_t count, std::size_t& index);
/// "keep or by_key"
std::string alternatives(const std::string_view* words, std::size_t count);

template <class T>
concept a_scalar = requires(std::string_view text, T& value) {
  { scalar<T>::kind } -> std::convertible_to<std::string_view>;
  { scalar<T>::read(text, value) } -> std::same_as<complaint>;
};
template <class T>
concept an_optional = requires(T& value) {
  value.has_value();
  value.emplace();
  value.reset();
};
template <class T>
concept a_mapping = requires {
  typename T::mapped_type;
}
&&std::same_as<typename T::key_type, std::string>;
template <class T>
concept a_list = requires(T& value) {
  value.emplace_back();
  value.clear();
};
template <class T>
concept a_section = requires(T& value, binder& into) {
  value.bind(into);
};
template <class T>
concept checked = requires(T& value, problems& found) {
  value.check(found);
};

template <class T>
T& as(void* value) {
  return *static_cast<T*>(value);
}
template <class T>
const T& as(const void* value) {
  return *static_cast<const T*>(value);
}

template <class T>
constexpr face make_face();
template <class T>
inline constexpr face face_of = make_face<T>();

/// The innermost type: what `range` and `one_of` speak about.
template <class T>
struct leaf {
  using type = T;
};
template <class T>
requires(!a_scalar<T> && (an_optional<T> || a_list<T>)) struct leaf<T> : leaf<typename T::value_type> {
};
template <class T>
requires(!a_scalar<T> && a_mapping<T>) struct leaf<T> : leaf<typename T::mapped_type> {
};
template <class T>
using leaf_t = typename leaf<T>::type;

complaint outside(std::string_view limits, bool below);
complaint none_of(std::string_view text, const std::vector<std::string>& words);
std::string alternatives(const std::vector<std::string>& words);

}  // namespace binding

/// A setting just bound, to be told more about. Valid until the next one is bound.
template <class T>
class bound {
 public:
  using leaf = binding::leaf_t<T>;

  explicit bound(binding::setting& of) noexcept : setting_(&of) {}

  /// Also read from this environment variable, if it is set and not empty. The first that is wins.
  bound& environment(std::string name) { return setting_->environment.push_back(std::move(name)), *this; }
  /// Has to be given by someone; what the struct holds at first does not count.
  bound& required() { return setting_->required = true, *this; }
  /// Never printed, neither in help nor in a problem.
  bound& secret() { return setting_->secret = true, *this; }
  /// Not to be written in a file.
  bound& flag_only() { return setting_->in_file = false, *this; }
  /// An argument without `--name`; a list takes all of them.
  bound& positional() { return setting_->positional = true, setting_->in_file = false, *this; }
  /// Between the items of a list in a flag or variable; a comma otherwise. Within brackets it is part of an item.
  bound& separator(char between) { return setting_->separator = between, *this; }

  /// Each scalar has to be at least `low` and at most `high`.
  bound& range(leaf low, leaf high) {
    setting_->limits = scalar<leaf>::write(low) + " to " + scalar<leaf>::write(high);
    setting_->tests.push_back([low, high, limits = setting_->limits](const void* value) {
      const leaf& given = binding::as<leaf>(value);
      return given < low || high < given ? binding::outside(limits, given < low) : complaint{};
    });
    return *this;
  }

  /// Each scalar has to be one of these.
  bound& one_of(std::initializer_list<leaf> allowed) {
    std::vector<std::string> words;
    for (const leaf& word : allowed) words.push_back(scalar<leaf>::write(word));
    setting_->limits = binding::alternatives(words);
    setting_->tests.push_back([words = std::move(words)](const void* value) {
      return binding::none_of(scalar<leaf>::write(binding::as<leaf>(value)), words);
    });
    return *this;
  }

  /// `test` takes each scalar in the value, and returns a complaint or text that says what is wrong, empty if nothing
  /// is: "has to be even". Or it takes the value and `problems`, and reports whatever is wrong in it.
  template <class Test>
  bound& check(Test test) {
    if constexpr (std::is_invocable_v<Test, const T&, problems&>) {
      setting_->rules.push_back([test = std::move(test)](const void* value, problems& found) {
        test(binding::as<T>(value), found);
      });
    } else {
      constexpr bool fits = std::is_invocable_v<Test, const leaf&>;
      static_assert(fits, "check() takes each scalar, or the setting's type and flow::problems");
      setting_->tests.push_back(
          [test = std::move(test)](const void* value) { return complaint{test(binding::as<leaf>(value))}; });
    }
    return *this;
  }

 private:
  binding::setting* setting_;
};

/// Collects what a struct binds. The struct has to outlive it and stay where it is.
class binder {
 public:
  enum class sections {
    opened,  ///< optional sections hold a value while bound; `read_settings` empties those that nobody wrote
    as_found
  };

  explicit binder(std::string path = {}, sections optional = sections::opened) noexcept
      : path_(std::move(path)), optional_(optional) {}

  /// Binds `value` as `name`; in a nested struct as "outer.name". An empty name puts the settings of a struct beside
  /// the others. Throws std::logic_error for a name that is bound twice.
  template <class T>
  bound<T> operator()(std::string_view name, T& value, std::string_view help) {
    return bound<T>{add(name, &value, &binding::face_of<T>, help)};
  }

  std::vector<binding::setting>& settings() noexcept { return settings_; }
  const std::vector<binding::setting>& settings() const noexcept { return settings_; }

 private:
  binding::setting& add(std::string_view name, void* value, const binding::face* type, std::string_view help);

  std::vector<binding::setting> open(binding::setting& section) const;

  std::string path_;
  sections optional_;
  std::vector<binding::setting> settings_;
};

/// What the `check` of a struct or of a setting found. Every check is called, whatever else is wrong: a value that was
/// not accepted stands as it did before, and nothing more is said of it. A secret in what is said is replaced.
class problems {
 public:
  using reporter = std::function<void(const void* value, const binding::face* type, problem what)>;
  using judge = std::function<bool(const void* value, const binding::face* type)>;

  problems(reporter report, judge accepted) : report_(std::move(report)), accepted_(std::move(accepted)) {}

  /// Reports a problem at `value`: a bound member, an element of a bound list or map, or the struct itself.
  template <class T>
  void at(const T& value, std::string text, std::string remedy = {}) {
    report_(&value, &binding::face_of<T>, {{}, std::move(text), std::move(remedy)});
  }

  /// Whether `value`, as above, is what was meant: false if something else was written, and not accepted, and of a
  /// struct also if a name in it is unknown. Nothing is reported of a struct or a value then.
  template <class T>
  bool accepted(const T& value) const {
    return accepted_(&value, &binding::face_of<T>);
  }

 private:
  reporter report_;
  judge accepted_;
};

/// Looks up a variable; null if it is not set.
using environment = std::function<const char*(const char* name)>;

/// What one flag was given, by the path of its setting.
struct given_flag {
  std::string path;
  std::vector<std::string> values;
};

/// Where settings come from.
struct setting_sources {
  std::string file;  ///< YAML; empty for none
  std::vector<given_flag> flags;
  environment variables;  ///< the process's own unless set
  std::string prefix;     ///< with "APP", `topics.rename` is also read from APP_TOPICS_RENAME
};

/// Fills what is bound and returns every problem, those of the file first and in its order. With a problem the values
/// are of no use. `${VAR}`, `${VAR:-default}` and `${file:/path}` expand in every scalar of the file, `$${` stands for
/// `${`; what a file held is a secret.
std::vector<problem> read_settings(binder& into, const setting_sources& from);

/// A setting as it stands, a secret as "***"; `at.source` is empty for a default.
struct effective_setting {
  std::string path;
  std::string value;
  place at;
  std::vector<written_text> written{};  ///< each scalar in it that is no default and no secret
};
std::vector<effective_setting> effective_settings(const binder& from);

/// Reads a whole struct; throws configuration_error.
template <class Settings>
Settings load(const setting_sources& from) {
  Settings settings;
  binder into;
  into("", settings, "");
  if (auto found = read_settings(into, from); !found.empty()) throw configuration_error(std::move(found));
  return settings;
}

namespace binding {
setting_sources from_arguments(binder& into, int argc, const char* const* argv, environment variables);
}

/// Reads a whole struct from `--config FILE`, environment and flags; throws configuration_error. A program with verbs
/// and `--help` uses `command_line` instead.
template <class Settings>
Settings load(int argc, const char* const* argv, environment variables = {}) {
  Settings shape;
  binder into;
  into("", shape, "");
  return load<Settings>(binding::from_arguments(into, argc, argv, std::move(variables)));
}

template <>
struct scalar<std::string> {
  static constexpr std::string_view kind = "a text", example = "tokyo";
  static complaint read(std::string_view text, std::string& out) { return binding::read_text(text, out); }
  static std::string write(const std::string& value) { return value; }
};

template <>
struct scalar<bool> {
  static constexpr std::string_view kind = "true or false", example = "true";
  static complaint read(std::string_view text, bool& out) { return binding::read_bool(text, out); }
  static std::string write(bool value) { return value ? "true" : "false"; }
};

template <std::signed_integral T>
struct scalar<T> {
  static constexpr std::string_view kind = "a whole number", example = "10";
  static complaint read(std::string_view text, T& out) {
    // Arithmetic instead of <limits>, which every user's compiler would have to read.
    constexpr auto high = static_cast<T>((T{1} << (8 * sizeof(T) - 2)) - 1 + (T{1} << (8 * sizeof(T) - 2)));
    std::int64_t number = 0;
    auto wrong = binding::read_signed(text, -std::int64_t{high} - 1, high, number);
    if (!wrong) out = static_cast<T>(number);
    return wrong;
  }
  static std::string write(T value) { return std::to_string(value); }
};

template <std::unsigned_integral T>
requires(!std::same_as<T, bool>) struct scalar<T> {
  static constexpr std::string_view kind = "a whole number", example = "10";
  static complaint read(std::string_view text, T& out) {
    std::uint64_t number = 0;
    auto wrong = binding::read_unsigned(text, static_cast<T>(-1), number);
    if (!wrong) out = static_cast<T>(number);
    return wrong;
  }
  static std::string write(T value) { return std::to_string(value); }
};

template <std::floating_point T>
struct scalar<T> {
  static constexpr std::string_view kind = "a number", example = "0.5";
  static complaint read(std::string_view text, T& out) {
    double number = 0;
    auto wrong = binding::read_double(text, number);
    if (!wrong) out = static_cast<T>(number);
    return wrong;
  }
  static std::string write(T value) { return binding::write_double(value); }
};

/// std::chrono durations with whole ticks: "100ms", "10s", "1min", "24h", "7d". Fractions are fine if a whole number
/// of ticks comes out.
template <class T>
requires(std::integral<typename T::rep>&& T::period::num > 0) struct scalar<T> {
  static constexpr std::string_view kind = "a duration", example = "100ms";
  static complaint read(std::string_view text, T& out) {
    std::int64_t count = 0;
    auto wrong = binding::read_duration(text, T::period::num, T::period::den, count);
    if (!wrong) out = T{static_cast<typename T::rep>(count)};
    return wrong;
  }
  static std::string write(T value) { return binding::write_duration(value.count(), T::period::num, T::period::den); }
};

template <>
struct scalar<byte_size> {
  static constexpr std::string_view kind = "a size", example = "256MiB";
  static complaint read(std::string_view text, byte_size& out);
  static std::string write(byte_size value);
};

template <>
struct scalar<byte_rate> {
  static constexpr std::string_view kind = "a rate", example = "20MB/s";
  static complaint read(std::string_view text, byte_rate& out);
  static std::string write(byte_rate value);
};

template <class T>
requires(std::is_enum_v<T>&& requires(T value) { words(value).size(); }) struct scalar<T> {
  static constexpr auto all = words(T{});
  static constexpr std::string_view kind = "one of a few words", example = all[0];
  static complaint read(std::string_view text, T& out) {
    std::size_t index = 0;
    auto wrong = binding::read_word(text, all.data(), all.size(), index);
    if (!wrong) out = static_cast<T>(index);
    return wrong;
  }
  static std::string write(T value) { return std::string{all[static_cast<std::size_t>(value)]}; }
  static std::string choices() { return binding::alternatives(all.data(), all.size()); }
};

namespace binding {

template <class T>
constexpr face make_face() {
  face made;
  if constexpr (a_scalar<T>) {
    made.kind = scalar<T>::kind;
    made.example = scalar<T>::example;
    made.is_bool = std::same_as<T, bool>;
    made.read = [](std::string_view text, void* value) { return scalar<T>::read(text, as<T>(value)); };
    if constexpr (requires { &scalar<T>::read_quoted; })
      made.read_quoted = [](std::string_view text, void* value) { return scalar<T>::read_quoted(text, as<T>(value)); };
    made.write = [](const void* value) { return std::string{scalar<T>::write(as<T>(value))}; };
    if constexpr (std::is_enum_v<T> && requires { scalar<T>::choices(); }) made.choices = &scalar<T>::choices;
  } else if constexpr (an_optional<T>) {
    made.is = form::optional;
    made.element = &face_of<typename T::value_type>;
    made.clear = [](void* value) { as<T>(value).reset(); };
    made.add = [](void* value, std::string_view) -> void* { return &as<T>(value).emplace(); };
    made.each = [](void* value, const visitor& visit) {
      if (as<T>(value).has_value()) visit({}, &*as<T>(value));
    };
  } else if constexpr (a_mapping<T>) {
    made.is = form::mapping;
    made.element = &face_of<typename T::mapped_type>;
    made.clear = [](void* value) { as<T>(value).clear(); };
    made.add = [](void* value, std::string_view key) -> void* { return &as<T>(value)[std::string{key}]; };
    made.each = [](void* value, const visitor& visit) {
      for (auto& [key, element] : as<T>(value)) visit(key, &element);
    };
  } else if constexpr (a_list<T>) {
    static_assert(!std::same_as<typename T::value_type, bool>, "a list of bool has no elements to point at");
    made.is = form::list;
    made.element = &face_of<typename T::value_type>;
    made.clear = [](void* value) { as<T>(value).clear(); };
    made.add = [](void* value, std::string_view) -> void* { return &as<T>(value).emplace_back(); };
    made.each = [](void* value, const visitor& visit) {
      for (auto& element : as<T>(value)) visit({}, &element);
    };
  } else {
    constexpr bool known = a_section<T>;
    static_assert(known, "this type cannot be a setting: give it bind(), or specialise flow::scalar for it");
    made.is = form::section;
    if constexpr (known) made.bind = [](void* value, binder& into) { as<T>(value).bind(into); };
    if constexpr (checked<T>) made.check = [](void* value, problems& found) { as<T>(value).check(found); };
  }
  return made;
}

}  // namespace binding
}  // namespace flow
