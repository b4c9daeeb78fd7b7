#include "values.hpp"

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

namespace flow::database {
namespace {

constexpr std::size_t width = sizeof(std::uint64_t);

static_assert(std::endian::native == std::endian::little);

std::uint32_t turned(std::uint32_t number) {
  return __builtin_bswap32(number);
}

std::uint64_t turned(std::uint64_t number) {
  return __builtin_bswap64(number);
}

template <typename Integer>
std::array<char, sizeof(Integer)> bytes_of(Integer number) {
  return std::bit_cast<std::array<char, sizeof number>>(turned(number));
}

template <typename Integer>
std::string big_endian(Integer number) {
  const auto bytes = bytes_of(number);
  return {bytes.begin(), bytes.end()};
}

template <typename Integer>
Integer number_of(const char* at) {
  Integer number;
  std::memcpy(&number, at, sizeof number);
  return turned(number);
}

std::uint64_t number_at(std::string_view text, std::size_t index) {
  return number_of<std::uint64_t>(text.data() + index * width);
}

std::int64_t signed_at(std::string_view text, std::size_t index) {
  return static_cast<std::int64_t>(number_at(text, index));
}

}  // namespace

std::string key_of(const port::lane_key& lane) {
  return lane.cluster + big_endian(static_cast<std::uint32_t>(lane.lane));
}

std::string value_of(const port::lane_state& lane) {
  return big_endian(static_cast<std::uint64_t>(lane.sequence)) + lane.position;
}

std::optional<port::lane_state> lane_state_of(std::string_view value) {
  if (value.size() < width) return std::nullopt;
  return port::lane_state{signed_at(value, 0), std::string{value.substr(width)}};
}

// Names and topics hold no null.
std::string prefix_of(const std::string& node) {
  return node + '\0';
}

std::string prefix_of(const std::string& node, const topic_partition& where) {
  return prefix_of(node) + where.topic + '\0' + big_endian(static_cast<std::uint32_t>(where.partition));
}

std::string key_of(const port::seen_page& page) {
  return prefix_of(page.node, page.where) + big_endian(static_cast<std::uint64_t>(page.from));
}

std::string value_of(const port::seen_page& page) {
  std::string text;
  text.reserve((2 + 4 * page.occurrences.size()) * width);
  const auto put = [&](auto number) {
    const auto bytes = bytes_of(static_cast<std::uint64_t>(number));
    text.append(bytes.data(), bytes.size());
  };
  put(page.until), put(page.forgotten);
  for (const auto& each : page.occurrences) put(each.high), put(each.low), put(each.offset), put(each.timestamp);
  return text;
}

std::optional<port::seen_page> seen_page_of(const std::string& node, const topic_partition& where, std::string_view key,
                                            std::string_view value) {
  const auto numbers = value.size() / width;
  if (key.size() != width || value.size() % width != 0 || numbers % 4 != 2) return std::nullopt;
  port::seen_page page{node, where, signed_at(key, 0), signed_at(value, 0), signed_at(value, 1), {}};
  page.occurrences.reserve(numbers / 4);
  for (std::size_t i = 2; i < numbers; i += 4)
    page.occurrences.push_back(
        {number_at(value, i), number_at(value, i + 1), signed_at(value, i + 2), signed_at(value, i + 3)});
  return page;
}

std::optional<port::seen_page> seen_page_of(const std::string& node, std::string_view key, std::string_view value) {
  const auto topic = key.substr(0, key.find('\0'));
  if (key.size() != topic.size() + 1 + sizeof(std::uint32_t) + width) return std::nullopt;
  const auto partition = number_of<std::uint32_t>(key.data() + topic.size() + 1);
  return seen_page_of(node, {std::string{topic}, static_cast<std::int32_t>(partition)}, key.substr(key.size() - width),
                      value);
}

}  // namespace flow::database
