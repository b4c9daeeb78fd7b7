#include <charconv>
#include <cmath>
#include <limits>

#include <flow/settings.hpp>

#include "spelling.hpp"

namespace flow {
namespace {

using config::either;
using config::nearest;
using config::trimmed;

struct unit {
  std::string_view name;
  std::uint64_t numerator;
  std::uint64_t denominator;
};

constexpr unit time_units[] = {{"ns", 1, 1'000'000'000}, {"us", 1, 1'000'000}, {"ms", 1, 1'000}, {"s", 1, 1},
                               {"min", 60, 1},           {"h", 3'600, 1},      {"d", 86'400, 1}};

constexpr unit size_units[] = {{"B", 1, 1},
                               {"KB", 1'000, 1},
                               {"kB", 1'000, 1},
                               {"MB", 1'000'000, 1},
                               {"GB", 1'000'000'000, 1},
                               {"TB", 1'000'000'000'000, 1},
                               {"KiB", 1ULL << 10, 1},
                               {"MiB", 1ULL << 20, 1},
                               {"GiB", 1ULL << 30, 1},
                               {"TiB", 1ULL << 40, 1}};

__extension__ using wide = unsigned __int128;

// A decimal number as digits / scale, exactly.
struct amount {
  wide digits = 0;
  wide scale = 1;
  std::string_view rest;  // what follows the number
};

// Nothing if `text` begins with no number, or with one of more digits than anybody needs.
bool take_amount(std::string_view text, amount& out) {
  constexpr std::size_t most_digits = 19;
  std::size_t at = 0, digits = 0;
  bool fraction = false;
  for (; at < text.size(); ++at) {
    if (text[at] == '.' && !fraction && digits > 0) {
      fraction = true;
    } else if (text[at] >= '0' && text[at] <= '9') {
      if (++digits > most_digits) return false;
      out.digits = out.digits * 10 + static_cast<unsigned>(text[at] - '0');
      if (fraction) out.scale *= 10;
    } else {
      break;
    }
  }
  out.rest = trimmed(text.substr(at));
  return digits > 0;
}

template <class Units>
const unit* find_unit(const Units& units, std::string_view name) {
  for (const auto& each : units)
    if (each.name == name) return &each;
  return nullptr;
}

// digits/scale of a unit, in ticks of numerator/denominator. Every factor is below 2^64, and the product of the
// digits with one of them is checked before the next.
complaint ticks(const amount& given, const unit& in, std::uint64_t numerator, std::uint64_t denominator, wide most,
                std::string_view finest, wide& out) {
  wide above = given.digits * in.numerator;
  const wide below = given.scale * in.denominator;
  if (above > std::numeric_limits<wide>::max() / denominator) return {"is too much", "write less"};
  above *= denominator;
  if (below > std::numeric_limits<wide>::max() / numerator) return {"is too little", "write more"};
  const wide divisor = below * numerator;
  if (above % divisor != 0)
    return {"is finer than " + std::string{finest}, "write whole steps of " + std::string{finest}};
  out = above / divisor;
  if (out > most) return {"is too much", "write less"};
  return {};
}

complaint not_a(std::string_view kind, std::string_view example) {
  return {"is not " + std::string{kind}, "write " + std::string{kind} + " such as " + std::string{example}};
}

complaint read_size(std::string_view text, std::string_view kind, std::string_view example, std::uint64_t& out) {
  amount given;
  if (!take_amount(text, given)) return not_a(kind, example);
  if (given.rest.empty()) return {"has no unit", "write " + std::string{text} + "B or " + std::string{text} + "MiB"};
  const auto* found = find_unit(size_units, given.rest);
  if (found == nullptr) return {"has an unknown unit", "units are B, kB, MB, GB, TB, KiB, MiB, GiB and TiB"};
  wide bytes = 0;
  if (auto wrong = ticks(given, *found, 1, 1, std::numeric_limits<std::uint64_t>::max(), "1B", bytes)) return wrong;
  out = static_cast<std::uint64_t>(bytes);
  return {};
}

std::string write_size(std::uint64_t bytes) {
  for (auto each = std::rbegin(size_units); each != std::rend(size_units); ++each)
    if (bytes >= each->numerator && bytes % each->numerator == 0)
      return std::to_string(bytes / each->numerator) + std::string{each->name};
  return std::to_string(bytes) + "B";
}

template <class Integer>
complaint read_integer(std::string_view text, Integer low, Integer high, Integer& out) {
  const auto digits = text.starts_with('+') && !text.starts_with("+-") ? text.substr(1) : text;
  Integer number{};
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  const bool whole = end == digits.data() + digits.size() && !digits.empty();
  if (!whole || error == std::errc::invalid_argument) return not_a("a whole number", "10");
  if (error == std::errc::result_out_of_range || number < low || number > high)
    return binding::outside(std::to_string(low) + " to " + std::to_string(high), text.starts_with('-'));
  out = number;
  return {};
}

}  // namespace

namespace binding {

complaint read_text(std::string_view text, std::string& out) {
  out = text;
  return {};
}

complaint read_bool(std::string_view text, bool& out) {
  if (text != "true" && text != "false") return {"is not true or false", "write true or false"};
  out = text == "true";
  return {};
}

complaint read_signed(std::string_view text, std::int64_t low, std::int64_t high, std::int64_t& out) {
  return read_integer(text, low, high, out);
}

complaint read_unsigned(std::string_view text, std::uint64_t high, std::uint64_t& out) {
  std::int64_t negative = 0;
  if (text.starts_with('-') && !read_integer<std::int64_t>(text, std::numeric_limits<std::int64_t>::min(), 0, negative))
    return outside("0 to " + std::to_string(high), true);
  return read_integer<std::uint64_t>(text, 0, high, out);
}

complaint read_double(std::string_view text, double& out) {
  const auto digits = text.starts_with('+') && !text.starts_with("+-") ? text.substr(1) : text;
  double number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc{} || end != digits.data() + digits.size() || !std::isfinite(number))
    return not_a("a number", "0.5");
  out = number;
  return {};
}

std::string write_double(double value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

complaint read_duration(std::string_view text, std::int64_t numerator, std::int64_t denominator, std::int64_t& count) {
  if (text.starts_with('-')) return {"is negative", "write a duration such as 100ms"};
  amount given;
  if (!take_amount(text, given)) return not_a("a duration", "100ms");
  const std::string number{text.substr(0, text.size() - given.rest.size())};
  if (given.rest.empty()) return {"has no unit", "write " + number + "ms or " + number + "s"};
  if (given.rest == "m") return {"has an unknown unit", "write " + number + "min or " + number + "ms"};
  const auto* found = find_unit(time_units, given.rest);
  if (found == nullptr) return {"has an unknown unit", "units are ns, us, ms, s, min, h and d"};
  wide steps = 0;
  if (auto wrong = ticks(given, *found, static_cast<std::uint64_t>(numerator), static_cast<std::uint64_t>(denominator),
                         std::numeric_limits<std::int64_t>::max(), write_duration(1, numerator, denominator), steps))
    return wrong;
  count = static_cast<std::int64_t>(steps);
  return {};
}

std::string write_duration(std::int64_t count, std::int64_t numerator, std::int64_t denominator) {
  if (count == 0) return "0s";
  __extension__ using signed_wide = __int128;
  const auto above = static_cast<signed_wide>(count) * numerator;
  for (auto each = std::rbegin(time_units); each != std::rend(time_units); ++each) {
    const auto in_unit = above * static_cast<signed_wide>(each->denominator);
    const auto divisor = static_cast<signed_wide>(each->numerator) * denominator;
    if (in_unit % divisor == 0)
      return std::to_string(static_cast<std::int64_t>(in_unit / divisor)) + std::string{each->name};
  }
  return std::to_string(count) + "*" + std::to_string(numerator) + "/" + std::to_string(denominator) + "s";
}

complaint outside(std::string_view limits, bool below) {
  return {below ? "is too little" : "is too much", "write " + std::string{limits}};
}

complaint none_of(std::string_view text, const std::vector<std::string>& words) {
  for (const auto& word : words)
    if (word == text) return {};
  const auto meant = nearest(text, words);
  return {"is not " + either(words), meant.empty() ? "write one of them" : "did you mean " + meant + "?"};
}

complaint read_word(std::string_view text, const std::string_view* words, std::size_t count, std::size_t& index) {
  for (std::size_t i = 0; i < count; ++i)
    if (words[i] == text) return index = i, complaint{};
  return none_of(text, {words, words + count});
}

std::string alternatives(const std::vector<std::string>& words) {
  return either(words);
}

std::string alternatives(const std::string_view* words, std::size_t count) {
  return either({words, words + count});
}

}  // namespace binding

complaint scalar<byte_size>::read(std::string_view text, byte_size& out) {
  return read_size(text, kind, example, out.bytes);
}

std::string scalar<byte_size>::write(byte_size value) {
  return write_size(value.bytes);
}

complaint scalar<byte_rate>::read(std::string_view text, byte_rate& out) {
  if (!text.ends_with("/s")) {
    amount given;
    if (!take_amount(text, given)) return not_a(kind, example);
    return {"is not per second", "write " + std::string{text} + "/s"};
  }
  return read_size(trimmed(text.substr(0, text.size() - 2)), kind, example, out.bytes_per_second);
}

std::string scalar<byte_rate>::write(byte_rate value) {
  return write_size(value.bytes_per_second) + "/s";
}

}  // namespace flow
