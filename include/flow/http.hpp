#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <flow/destination.hpp>
#include <flow/wiring.hpp>

/// Destinations of an `ordered_sink` that speak HTTP, and what an `async_map` may ask.
namespace flow::http {

/// Sends deliveries by POST requests, over connections that stay open, on a thread of its own ("flow-http").
///
/// One delivery in one request: its value is the body (empty for null), and headers say what it is.
///
///     Idempotency-Key   as the delivery has it        Flow-Key         percent-encoded; none if it has no key
///     Fencing-Token     likewise                      Flow-Timestamp   milliseconds since 1970 UTC
///     Content-Type      `content_type`                Flow-Null        "true" if the value is null
///
/// With a batch of more than one: an array of objects, in the order of their keys, whose values have to be JSON; what
/// is none is permanent. A key that is not UTF-8 is called "key_base64".
///
///     [{"idempotency_key": "...", "fencing_token": 7, "timestamp": 1700000000000, "key": "...", "value": {...}}, ...]
///
/// A status of 2xx is done; one of `retriable`, any 5xx, and whatever keeps the answer from coming may heal, after the
/// time of a Retry-After if there is one; everything else is permanent. A batch that is refused comes again in parts.
/// Redirects are not followed.
struct post {
  std::string url;  ///< http:// or https://; nothing of it is ever shown but scheme, host and port
  std::vector<std::pair<std::string, std::string>> headers{};  ///< of every request; their values are never shown
  std::string content_type = "application/json";
  std::chrono::milliseconds connect_timeout{5'000};
  std::chrono::milliseconds timeout{30'000};  ///< for a whole request, its answer included
  /// Beside 5xx. 409 is what a request meets while an earlier one of the same idempotency key is still under way.
  std::vector<int> retriable{408, 409, 425, 429};
  std::string ca_file{};  ///< certificates in PEM; empty: those that the machine trusts
  std::size_t largest_answer = 1u << 20;  ///< bytes, in an `async_map`; an answer that is longer is permanent

  /// "POST https://crm.example"
  std::string text() const;
  std::vector<flaw> flaws(const delivery_options& how) const;
  std::unique_ptr<destination> operator()(const delivery_options& how) const;
};

}  // namespace flow::http
