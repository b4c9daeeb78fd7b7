#include <simdjson.h>
#include <flow/json.hpp>

#include <algorithm>
#include <bit>
#include <cctype>
#include <cstdint>
#include <cstring>
#include <optional>

#include "decimal.hpp"
#include "walk.hpp"

namespace flow::json {
namespace {

namespace ondemand = simdjson::ondemand;

constexpr int deepest = 1000;

[[noreturn]] void refuse(std::size_t offset, std::string_view why) {
  throw malformed{"not JSON at byte " + std::to_string(offset) + ": " + std::string{why}};
}

// The length of the escape sequence at a backslash; 0 if it is none. Half a surrogate pair is one: it is JSON, if no
// text.
std::ptrdiff_t escape_length(const char* at) {
  constexpr std::string_view letters = "\"\\/bfnrt";
  if (at[1] != 'u') return letters.find(at[1]) != letters.npos ? 2 : 0;
  return std::all_of(at + 2, at + 6, [](unsigned char digit) { return std::isxdigit(digit); }) ? 6 : 0;
}

// The first quote or backslash in a string. There is one: simdjson has looked for strings that do not end.
const char* quote_or_escape(const char* at) {
  static_assert(std::endian::native == std::endian::little);
  constexpr std::uint64_t ones = 0x0101010101010101, tops = 0x8080808080808080;
  for (;; at += sizeof ones) {
    std::uint64_t word = 0;
    std::memcpy(&word, at, sizeof word);
    const auto quotes = word ^ ones * '"', escapes = word ^ ones * '\\';
    // The lowest byte that is set here was zero above; those beyond it may only seem to have been.
    const auto found = (((quotes - ones) & ~quotes) | ((escapes - ones) & ~escapes)) & tops;
    if (found) return at + std::countr_zero(found) / 8;
  }
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

// simdjson on demand checks only what it is asked for. Here everything is checked up to the decision, since a rule that
// passed over a broken member would drop an event in silence: what a rule asks about as simdjson reads it, the rest by
// the plain grammar, which is faster.
class walk {
 public:
  /// @param text followed by zeros, which no state of the walk takes for JSON
  walk(const formula& rules, sheet& known, std::string_view text) : rules_{rules}, known_{known}, text_{text} {}

  std::size_t read(ondemand::document& document) {
    const std::string_view token = document.raw_json_token();
    if (token.front() == '{') {
      read(document.get_value(), rules_.places.front(), deepest);
      if (decider_) return *decider_;
      const char* rest = nullptr;
      end_at(document.current_location().get(rest) == simdjson::SUCCESS ? rest : text_.data() + text_.size());
    } else {
      end_at(behind_space(behind(token.data(), deepest)));
    }
    settle(rules_.places.front());
    return *decider_;
  }

 private:
  void read(ondemand::value value, const waypoint& where, int levels) {
    const auto token = value.raw_json_token();
    switch (token.front()) {
      case '{':
        found(where, {});
        if (!decider_) read_members(value.get_object(), where, below(token.data(), levels));
        break;
      case '[':
        found(where, {});
        if (!decider_) read_elements(value.get_array(), where, below(token.data(), levels));
        break;
      case '"': {
        // Taken rather than left for simdjson to skip, which would take a colon behind it for granted.
        const ondemand::raw_json_string string = value.get_raw_json_string();
        const auto text = text_of(string.raw(), [&] { return value.get_string(); });
        found(where, text ? finding{finding::kind::text, *text} : finding{});
        break;
      }
      default:
        found(where, scalar(token));
    }
  }

  void read_inside(ondemand::value value, const waypoint* there, int levels) {
    if (!there) return over(value.raw_json_token().data(), levels);
    read(value, *there, levels);
    settle(*there);
  }

  void read_members(ondemand::object object, const waypoint& where, int levels) {
    for (ondemand::field member : object) {
      const char* key = ondemand::raw_json_string{member.key()}.raw();
      const auto name = text_of(key, [&] { return member.unescaped_key(); });
      const waypoint* there = name ? rules_.inside(where, *name) : nullptr;
      const bool repeated = there && known_.conditions[there->below.front()] != truth::open;
      read_inside(member.value(), repeated ? nullptr : there, levels);
      if (decider_) return;
    }
  }

  void read_elements(ondemand::array array, const waypoint& where, int levels) {
    std::size_t index = 0;
    for (ondemand::value element : array) {
      read_inside(element, rules_.inside(where, index++), levels);
      if (decider_) return;
    }
  }

  // The string behind a quote, checked and unescaped; none if it is no text.
  std::optional<std::string_view> text_of(const char* begin, auto unescape) const {
    const char* const end = quote_or_escape(begin);
    if (*end == '"') return std::string_view{begin, end};
    behind_string(end);
    std::string_view text;
    return unescape().get(text) == simdjson::SUCCESS ? std::optional{text} : std::nullopt;
  }

  finding scalar(std::string_view token) const {
    const auto text = token.substr(0, token.find_last_not_of(" \t\r\n") + 1);
    if (text == "null") return {};
    if (text == "true" || text == "false") return {finding::kind::boolean, text};
    if (!is_number(text)) refuse(offset(token.data()), "a value is expected");
    return {finding::kind::number, text};
  }

  // Nobody asks about this value, and simdjson will skip it, which takes for granted what stands behind it.
  void over(const char* at, int levels) const {
    at = behind_space(behind(at, levels));
    if (*at != ',' && *at != '}' && *at != ']') refuse(offset(at), "a comma or the end is expected");
  }

  const char* behind(const char* at, int levels) const {
    if (*at == '"') return behind_string(at + 1);
    if (*at != '{' && *at != '[') return behind_scalar(at);
    const bool object = *at == '{';
    const char close = object ? '}' : ']';
    levels = below(at, levels);
    at = behind_space(at + 1);
    if (*at == close) return at + 1;
    for (;; at = behind_space(at + 1)) {
      if (object) {
        if (*at != '"') refuse(offset(at), "the name of a member is expected");
        at = behind_space(behind_string(at + 1));
        if (*at != ':') refuse(offset(at), "a colon is expected");
        at = behind_space(at + 1);
      }
      at = behind_space(behind(at, levels));
      if (*at == close) return at + 1;
      if (*at != ',') refuse(offset(at), "a comma or the end is expected");
    }
  }

  const char* behind_string(const char* at) const {
    for (at = quote_or_escape(at); *at != '"'; at = quote_or_escape(at)) {
      const auto length = escape_length(at);
      if (length == 0) refuse(offset(at), "an escape sequence that does not exist");
      at += length;
    }
    return at + 1;
  }

  const char* behind_scalar(const char* at) const {
    const std::string_view text{at, rest(at)};
    const auto length = text.starts_with("true") || text.starts_with("null") ? 4
                        : text.starts_with("false")                          ? 5
                                                                             : number_length(text);
    if (length == 0) refuse(offset(at), "a value is expected");
    return at + length;
  }

  static const char* behind_space(const char* at) {
    while (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t') ++at;
    return at;
  }

  int below(const char* at, int levels) const {
    if (levels == 0) refuse(offset(at), "nested deeper than " + std::to_string(deepest) + " levels");
    return levels - 1;
  }

  void end_at(const char* end) const {
    if (rest(end) > 0) refuse(offset(end), "the document has ended before");
  }

  void found(const waypoint& where, const finding& what) {
    if (where.here.empty()) return;
    for (const auto number : where.here)
      known_.conditions[number] = rules_.conditions[number]->holds(what) ? truth::yes : truth::no;
    decider_ = rules_.decided(known_);
  }

  // What is still open below a place that has been read is not there.
  void settle(const waypoint& where) {
    if (decider_) return;
    bool news = false;
    for (const auto number : where.below)
      if (known_.conditions[number] == truth::open) known_.conditions[number] = truth::no, news = true;
    if (news) decider_ = rules_.decided(known_);
  }

  std::size_t offset(const char* at) const { return static_cast<std::size_t>(at - text_.data()); }
  std::size_t rest(const char* at) const { return text_.size() - offset(at); }

  const formula& rules_;
  sheet& known_;
  const std::string_view text_;
  std::optional<std::size_t> decider_;
};

// What a thread keeps from one document to the next. simdjson reads up to 64 bytes beyond a document, which a view into
// a client's buffer does not have, so each one is copied here.
class desk {
 public:
  std::size_t read(const formula& rules, sheet& known, std::string_view text) {
    copy(text);
    walk steps{rules, known, {buffer_.data(), text.size()}};
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
};

// A document beyond this is rare, and what it needs is seven times its size.
constexpr std::size_t kept = 256u << 10;

}  // namespace

std::size_t read(const formula& rules, sheet& known, std::string_view document) {
  if (document.size() > kept) return desk{}.read(rules, known, document);
  thread_local desk own;
  return own.read(rules, known, document);
}

bool is_document(bytes value) {
  if (value.is_null()) return false;
  const auto is_read_by = [&](simdjson::dom::parser& parser) {
    return parser.parse(value.data(), value.size()).error() == simdjson::SUCCESS;
  };
  thread_local simdjson::dom::parser own;
  if (value.size() <= kept) return is_read_by(own);
  simdjson::dom::parser once;
  return is_read_by(once);
}

}  // namespace flow::json
