#include "bodies.hpp"

#include <algorithm>
#include <cstdint>

#include <flow/json.hpp>

namespace flow::http {
namespace {

constexpr std::string_view digits = "0123456789ABCDEF";

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view{"-._~/"}.find(c) != std::string_view::npos;
}

/// As a JSON string, whatever bytes it is of.
std::string quoted(std::string_view text) {
  std::string all = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      all += {'\\', c};
    } else if (static_cast<unsigned char>(c) < 0x20) {
      all += {'\\', 'u', '0', '0', digits[static_cast<std::size_t>(c >> 4)], digits[static_cast<std::size_t>(c & 15)]};
    } else {
      all += c;
    }
  }
  return all + '"';
}

std::string member_of_key(bytes key) {
  if (key.is_null()) return "\"key\":null";
  const auto text = quoted(key.view());
  if (json::is_document(bytes{text})) return "\"key\":" + text;
  return "\"key_base64\":\"" + base64(key.view()) + '"';
}

}  // namespace

std::string base64(std::string_view data) {
  constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string all;
  for (std::size_t at = 0; at < data.size(); at += 3) {
    const auto byte = [&](std::size_t i) -> std::uint32_t {
      return at + i < data.size() ? static_cast<unsigned char>(data[at + i]) : 0;
    };
    const auto bits = byte(0) << 16 | byte(1) << 8 | byte(2);
    for (std::size_t i = 0; i < 4; ++i) all += at + i > data.size() ? '=' : letters[bits >> (18 - 6 * i) & 63];
  }
  return all;
}

std::string percent_encoded(std::string_view text) {
  std::string all;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (is_plain(c))
      all += c;
    else
      all += {'%', digits[byte >> 4], digits[byte & 15u]};
  }
  return all;
}

std::optional<std::string> array_of(std::span<const delivery> batch) {
  const auto is_json = [](const delivery& each) { return each.value.is_null() || json::is_document(each.value); };
  if (!std::ranges::all_of(batch, is_json)) return std::nullopt;
  std::string all = "[";
  for (const auto& each : batch) {
    if (all.size() > 1) all += ",\n";
    all += "{\"idempotency_key\":" + quoted(percent_encoded(each.idempotency_key)) +
           ",\"fencing_token\":" + std::to_string(each.fencing_token) +
           ",\"timestamp\":" + std::to_string(each.timestamp) + "," + member_of_key(each.key) + ",\"value\":";
    all += each.value.is_null() ? "null" : each.value.view();
    all += '}';
  }
  return all + "]";
}

}  // namespace flow::http
