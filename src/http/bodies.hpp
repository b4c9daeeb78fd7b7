#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <flow/destination.hpp>

/// Deliveries as they stand in a request.
namespace flow::http {

/// Letters, digits and `-._~/` as they are, everything else as %XX.
std::string percent_encoded(std::string_view text);

/// RFC 4648, with padding.
std::string base64(std::string_view data);

/// The array of a batch; nullopt: one of the values is no JSON.
std::optional<std::string> array_of(std::span<const delivery> batch);

}  // namespace flow::http
