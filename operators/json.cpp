#include <simdjson.h>
#include <flow/json.hpp>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>
#include <optional>
#include <set>

namespace flow::json {
namespace {

namespace ondemand = simdjson::ondemand;

constexpr int deepest = 1000;

[[noreturn]] void refuse(std::size_t offset, std::string_view why) {
  throw malformed{"not JSON at byte " + std::to_string(offset) + ": " + std::string{why}};
}

// Three values in an order that makes `or` the greater, `and` the lesser of two.
enum class truth : unsigned char { no, open, yes };

truth negated(truth of) {
  return static_cast<truth>(2 - static_cast<unsigned char>(of));
}

struct condition {
  std::vector<std::string> names;
  std::optional<std::set<std::string, std::less<>>> strings;  // none: whatever is there will do

  truth holds(const std::optional<std::string_view>& string) const {
    return !strings || (string && strings->contains(*string)) ? truth::yes : truth::no;
  }
};

struct term {
  enum class kind { condition, either, both, negation };
  kind what = kind::condition;
  std::size_t left = 0;  // a condition's number, otherwise a term's
  std::size_t right = 0;
};

// Where pointers lead, as a tree, so that a document is walked once for all of them.
struct place {
  std::string name;
  std::optional<std::size_t> index;  // what the name means in an array
  std::vector<std::size_t> inside;
  std::vector<std::size_t> here;   // the conditions on what is at this place,
  std::vector<std::size_t> below;  // and those together with all on what is inside

  bool names(std::string_view member) const { return name == member; }
  bool names(std::size_t element) const { return index == element; }
};

std::optional<std::size_t> array_index(const std::string& name) {
  std::size_t index = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), index);
  const bool leading_zero = name.size() > 1 && name.front() == '0';
  if (error != std::errc{} || end != name.data() + name.size() || leading_zero) return std::nullopt;
  return index;
}

}  // namespace

struct rule::formula {
  std::vector<condition> conditions;
  std::vector<term> terms;  // the last one is the rule
  std::vector<place> places{1};

  explicit formula(condition only) {
    add(std::move(only));
    terms.push_back({});
  }

  formula(term::kind what, formula a, const formula& b) : formula{std::move(a)} {
    const auto left = terms.size() - 1;
    const auto first_condition = conditions.size();
    const auto first_term = terms.size();
    for (const auto& one : b.conditions) add(one);
    for (auto one : b.terms) {
      const auto shift = one.what == term::kind::condition ? first_condition : first_term;
      terms.push_back({one.what, one.left + shift, one.right + shift});
    }
    terms.push_back({what, left, terms.size() - 1});
  }

  truth value(const std::vector<truth>& known, std::size_t number) const {
    const auto& [what, left, right] = terms[number];
    switch (what) {
      case term::kind::condition:
        return known[left];
      case term::kind::negation:
        return negated(value(known, left));
      case term::kind::either:
        return std::max(value(known, left), value(known, right));
      case term::kind::both:
        return std::min(value(known, left), value(known, right));
    }
    std::abort();
  }
  truth value(const std::vector<truth>& known) const { return value(known, terms.size() - 1); }

  const place* inside(const place* where, const auto& name) const {
    if (where)
      for (const auto number : where->inside)
        if (places[number].names(name)) return &places[number];
    return nullptr;
  }

 private:
  void add(condition one) {
    const auto number = conditions.size();
    std::size_t at = 0;
    places[at].below.push_back(number);
    for (const auto& name : one.names) {
      const auto* known = inside(&places[at], std::string_view{name});
      const auto next = known ? static_cast<std::size_t>(known - places.data()) : places.size();
      if (!known) {
        places[at].inside.push_back(next);
        places.push_back({name, array_index(name), {}, {}, {}});
      }
      at = next;
      places[at].below.push_back(number);
    }
    places[at].here.push_back(number);
    conditions.push_back(std::move(one));
  }
};

namespace {

bool is_number(std::string_view text) {
  const auto take = [&](std::string_view any) {
    const bool found = !text.empty() && any.find(text.front()) != any.npos;
    text.remove_prefix(found ? 1 : 0);
    return found;
  };
  const auto digits = [&] {
    const auto count = std::min(text.find_first_not_of("0123456789"), text.size());
    text.remove_prefix(count);
    return count > 0;
  };
  take("-");
  if (!take("0") && !digits()) return false;
  if (take(".") && !digits()) return false;
  if (take("eE")) {
    take("+-");
    if (!digits()) return false;
  }
  return text.empty();
}

// The length of the escape sequence at a backslash; 0 if it is none. Half a surrogate pair is one: it is JSON, if no
// text.
std::ptrdiff_t escape_length(const char* at) {
  constexpr std::string_view letters = "\"\\/bfnrt";
  if (at[1] != 'u') return letters.find(at[1]) != letters.npos ? 2 : 0;
  return std::all_of(at + 2, at + 6, [](unsigned char digit) { return std::isxdigit(digit); }) ? 6 : 0;
}

// What the first pass of simdjson finds has no place: it looks at blocks.
std::size_t first_break(std::string_view text, simdjson::error_code why) {
  std::size_t at = 0;
  if (why == simdjson::UTF8_ERROR)
    for (std::size_t next = 0; at < text.size(); at = next) {
      for (next = at + 1; next < text.size() && (text[next] & '\xc0') == '\x80';) ++next;
      if (!simdjson::validate_utf8(text.data() + at, next - at)) return at;
    }
  std::optional<std::size_t> opened;
  for (at = 0; at < text.size(); ++at) {
    if (text[at] == '"') opened = opened ? std::nullopt : std::optional{at};
    if (!opened) continue;
    if (text[at] == '\\')
      ++at;
    else if (static_cast<unsigned char>(text[at]) < ' ')
      return at;
  }
  return opened.value_or(text.size());
}

// simdjson on demand checks only what it is asked for. Here everything is asked for, up to the decision: a rule that
// passed over a broken member would drop an event in silence.
template <typename Formula>
class walk {
 public:
  /// @param text followed by zeros, which no state of the walk takes for JSON
  walk(const Formula& formula, std::vector<truth>& known, std::string_view text)
      : formula_{formula}, known_{known}, text_{text} {
    known_.assign(formula.conditions.size(), truth::open);
  }

  bool read(ondemand::document& document) {
    if (document.is_scalar()) {
      const std::string_view token = document.raw_json_token();
      if (token.front() == '"')
        text_of(token.data() + 1, false, [&] { return document.get_string(); });
      else
        scalar(token);
      end_at(token.data() + token.size());
    } else {
      const bool object = document.type() == ondemand::json_type::object;
      read(document.get_value(), object ? &formula_.places.front() : nullptr, deepest);
      if (decided()) return result_ == truth::yes;
      const char* rest = nullptr;
      end_at(document.current_location().get(rest) == simdjson::SUCCESS ? rest : text_.data() + text_.size());
    }
    settle(formula_.places.front());
    return result_ == truth::yes;
  }

 private:
  bool decided() const { return result_ != truth::open; }

  void read(ondemand::value value, const place* where, int levels) {
    const auto token = value.raw_json_token();
    switch (*token.data()) {
      case '{':
        found(where, {});
        if (!decided()) read_members(value.get_object(), where, below(token, levels));
        break;
      case '[':
        found(where, {});
        if (!decided()) read_elements(value.get_array(), where, below(token, levels));
        break;
      case '"': {
        // Taken rather than left for simdjson to skip, which would take a colon behind it for granted.
        const ondemand::raw_json_string string = value.get_raw_json_string();
        found(where, text_of(string.raw(), where, [&] { return value.get_string(); }));
        break;
      }
      default:
        scalar(token), found(where, {});
    }
  }

  void read_inside(ondemand::value value, const place* there, int levels) {
    read(value, there, levels);
    if (there) settle(*there);
  }

  void read_members(ondemand::object object, const place* where, int levels) {
    for (ondemand::field member : object) {
      const char* key = ondemand::raw_json_string{member.key()}.raw();
      const auto name = text_of(key, where, [&] { return member.unescaped_key(); });
      const place* there = name ? formula_.inside(where, *name) : nullptr;
      const bool repeated = there && known_[there->below.front()] != truth::open;
      read_inside(member.value(), repeated ? nullptr : there, levels);
      if (decided()) return;
    }
  }

  void read_elements(ondemand::array array, const place* where, int levels) {
    std::size_t index = 0;
    for (ondemand::value element : array) {
      read_inside(element, formula_.inside(where, index++), levels);
      if (decided()) return;
    }
  }

  // The string behind a quote, checked; unescaped only if somebody wants it, and none if it is no text.
  std::optional<std::string_view> text_of(const char* begin, bool wanted, auto unescape) const {
    const auto* quote = static_cast<const char*>(std::memchr(begin, '"', rest(begin)));
    const auto* escape = static_cast<const char*>(std::memchr(begin, '\\', static_cast<std::size_t>(quote - begin)));
    if (!escape) return std::string_view{begin, quote};
    for (const char* at = escape; *at != '"';) {
      const auto length = *at == '\\' ? escape_length(at) : 1;
      if (length == 0) refuse(offset(at), "an escape sequence that does not exist");
      at += length;
    }
    std::string_view text;
    return wanted && unescape().get(text) == simdjson::SUCCESS ? std::optional{text} : std::nullopt;
  }

  void scalar(std::string_view token) const {
    const auto text = token.substr(0, token.find_last_not_of(" \t\r\n") + 1);
    if (text != "true" && text != "false" && text != "null" && !is_number(text))
      refuse(offset(token.data()), "a value is expected");
  }

  int below(std::string_view token, int levels) const {
    if (levels == 0) refuse(offset(token.data()), "nested deeper than " + std::to_string(deepest) + " levels");
    return levels - 1;
  }

  void end_at(const char* end) const {
    if (rest(end) > 0) refuse(offset(end), "the document has ended before");
  }

  void found(const place* where, std::optional<std::string_view> string) {
    if (!where || where->here.empty()) return;
    for (const auto number : where->here) known_[number] = formula_.conditions[number].holds(string);
    result_ = formula_.value(known_);
  }

  // What is still open below a place that has been read is not there.
  void settle(const place& where) {
    if (decided()) return;
    for (const auto number : where.below)
      if (known_[number] == truth::open) known_[number] = truth::no;
    result_ = formula_.value(known_);
  }

  std::size_t offset(const char* at) const { return static_cast<std::size_t>(at - text_.data()); }
  std::size_t rest(const char* at) const { return text_.size() - offset(at); }

  const Formula& formula_;
  std::vector<truth>& known_;
  const std::string_view text_;
  truth result_ = truth::open;
};

// What a thread keeps from one document to the next. simdjson reads up to 64 bytes beyond a document, which a view into
// a client's buffer does not have, so each one is copied here.
class desk {
 public:
  template <typename Formula>
  bool decide(const Formula& formula, std::string_view text) {
    copy(text);
    walk steps{formula, known_, {buffer_.data(), text.size()}};
    ondemand::document document;
    if (const auto error = parser_.iterate(buffer_.data(), text.size(), buffer_.size()).get(document))
      refuse(first_break(text, error), simdjson::error_message(error));
    try {
      return steps.read(document);
    } catch (const simdjson::simdjson_error& error) {
      const char* at = nullptr;
      const bool placed = document.current_location().get(at) == simdjson::SUCCESS;
      refuse(placed ? static_cast<std::size_t>(at - buffer_.data()) : text.size(), error.what());
    }
  }

 private:
  void copy(std::string_view text) {
    const auto needed = text.size() + simdjson::SIMDJSON_PADDING;
    if (buffer_.size() < needed) {
      buffer_.resize(std::bit_ceil(needed));
      if (const auto error = parser_.allocate(buffer_.size())) throw std::bad_alloc{};
    }
    std::memset(std::copy(text.begin(), text.end(), buffer_.data()), 0, simdjson::SIMDJSON_PADDING);
  }

  std::vector<char> buffer_;
  ondemand::parser parser_;
  std::vector<truth> known_;
};

}  // namespace

bool rule::operator()(bytes value) const {
  if (value.is_null()) return true;
  // A document beyond this is rare, and what it needs is seven times its size.
  constexpr std::size_t kept = 256u << 10;
  if (value.size() > kept) return desk{}.decide(*formula_, value.view());
  thread_local desk own;
  return own.decide(*formula_, value.view());
}

rule operator||(const rule& a, const rule& b) {
  return rule{std::make_shared<rule::formula>(term::kind::either, *a.formula_, *b.formula_)};
}

rule operator&&(const rule& a, const rule& b) {
  return rule{std::make_shared<rule::formula>(term::kind::both, *a.formula_, *b.formula_)};
}

rule operator!(const rule& negated) {
  auto what = std::make_shared<rule::formula>(*negated.formula_);
  what->terms.push_back({term::kind::negation, what->terms.size() - 1, 0});
  return rule{std::move(what)};
}

pointer::pointer(std::string_view text) {
  const auto wrong = [&](std::size_t at, const std::string& why) {
    throw std::invalid_argument{"JSON pointer '" + std::string{text} + "', position " + std::to_string(at) + ": " +
                                why};
  };
  if (!text.empty() && text.front() != '/') wrong(0, "a pointer begins with '/' (write '/" + std::string{text} + "')");
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '/') {
      names_.emplace_back();
    } else if (text[at] != '~') {
      names_.back().push_back(text[at]);
    } else if (const auto code = text.substr(at + 1, 1); code == "0" || code == "1") {
      names_.back().push_back(code == "0" ? '~' : '/');
      ++at;
    } else {
      wrong(at, "'~' stands only before 0 and 1 (write '~0' for '~' itself)");
    }
  }
}

rule pointer::exists() const {
  return rule{std::make_shared<rule::formula>(condition{names_, std::nullopt})};
}

rule pointer::any_of(std::vector<std::string> strings) const {
  const std::move_iterator begin{strings.begin()};
  const std::move_iterator end{strings.end()};
  return rule{std::make_shared<rule::formula>(condition{names_, std::set<std::string, std::less<>>{begin, end}})};
}

}  // namespace flow::json
