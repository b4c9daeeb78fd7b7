#include <algorithm>
#include <array>
#include <string_view>

#include "bodies.hpp"
#include "exchanges.hpp"

#include <flow/http.hpp>

namespace flow::http {
namespace {

/// "https://crm.example:8443": all of a URL that is certainly no secret. nullopt: it is none.
std::optional<std::string> place_of(const std::string& url) {
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> parsed{curl_url(), curl_url_cleanup};
  if (!parsed || curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK) return std::nullopt;
  const auto part = [&](CURLUPart which) {
    char* text = nullptr;
    std::string found;
    if (curl_url_get(parsed.get(), which, &text, 0) == CURLUE_OK) found = text;
    curl_free(text);
    return found;
  };
  const auto scheme = part(CURLUPART_SCHEME), host = part(CURLUPART_HOST), port = part(CURLUPART_PORT);
  if ((scheme != "http" && scheme != "https") || host.empty()) return std::nullopt;
  return scheme + "://" + host + (port.empty() ? "" : ":" + port);
}

bool is_token(std::string_view name) {
  constexpr std::string_view others = "!#$%&'*+-.^_`|~";
  return !name.empty() && std::ranges::all_of(name, [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || others.find(c) != others.npos;
  });
}

bool is_ours(std::string_view name) {
  constexpr std::array<std::string_view, 8> ours{"idempotency-key", "fencing-token",    "content-type",
                                                 "content-length",  "flow-key",         "flow-null",
                                                 "flow-timestamp",  "transfer-encoding"};
  const auto same = [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + ('a' - 'A') : a) == b; };
  return std::ranges::any_of(ours, [&](std::string_view each) { return std::ranges::equal(name, each, same); });
}

bool is_line(std::string_view text) {
  return text.find_first_of(std::string_view{"\r\n\0", 3}) == text.npos;
}

class posting final : public destination {
 public:
  posting(const post& what, const delivery_options& how)
      : what_{what},
        in_arrays_{how.batch > 1},
        exchanges_{{.url = what.url,
                    .connect_timeout = what.connect_timeout,
                    .timeout = what.timeout,
                    .ca_file = what.ca_file,
                    .most = how.in_flight,
                    .largest_answer = how.wants_answers ? what.largest_answer : 0}},
        wants_answers_{how.wants_answers} {}

  void deliver(std::span<const delivery> batch, report done) override {
    request made;
    for (const auto& [name, value] : what_.headers) made.headers.push_back(name + ": " + value);
    made.headers.push_back("Content-Type: " + (in_arrays_ ? std::string{"application/json"} : what_.content_type));
    if (!in_arrays_) {
      describe(batch.front(), made);
    } else if (auto body = array_of(batch)) {
      made.kept = std::move(*body);
    } else {
      return done(receipts_of_all(batch.size(), receipt::permanent("its value is not JSON")));
    }
    made.done = [this, count = batch.size(), done = std::move(done)](reply said) {
      done(receipts_of_all(count, receipt_of(std::move(said))));
    };
    exchanges_.add(std::move(made));
  }

 private:
  static void describe(const delivery& one, request& made) {
    made.body = one.value.view();
    made.headers.push_back("Idempotency-Key: " + percent_encoded(one.idempotency_key));
    made.headers.push_back("Fencing-Token: " + std::to_string(one.fencing_token));
    made.headers.push_back("Flow-Timestamp: " + std::to_string(one.timestamp));
    // What ends with a semicolon is sent without a value.
    if (!one.key.is_null())
      made.headers.push_back(one.key.empty() ? "Flow-Key;" : "Flow-Key: " + percent_encoded(one.key.view()));
    if (one.value.is_null()) made.headers.emplace_back("Flow-Null: true");
  }

  receipt receipt_of(reply said) const {
    if (said.status == 0) return receipt::retriable(what_.text() + ": " + said.problem);
    if (said.status >= 200 && said.status < 300) {
      if (!wants_answers_) return receipt::done();
      if (!said.is_cut) return receipt::answered(std::move(said.body));
      return receipt::permanent(what_.text() + " answers with more than " + std::to_string(what_.largest_answer) +
                                " bytes");
    }
    const auto text = what_.text() + " answers " + std::to_string(said.status);
    const bool may_heal = said.status >= 500 || std::ranges::count(what_.retriable, said.status) > 0;
    return may_heal ? receipt::retriable(text, said.after) : receipt::permanent(text);
  }

  const post what_;
  const bool in_arrays_;
  exchanges exchanges_;
  const bool wants_answers_;
};

}  // namespace

std::string post::text() const {
  return "POST " + place_of(url).value_or("nowhere");
}

std::vector<flaw> post::flaws(const delivery_options&) const {
  std::vector<flaw> found;
  if (!place_of(url))
    found.push_back({"http::post has no URL that can be asked", "write http:// or https://, a host, a path"});
  for (const auto& [name, value] : headers) {
    if (!is_token(name) || !is_line(value))
      found.push_back({"the header '" + (is_line(name) ? name : "") + "' of http::post is none",
                       "use letters, digits and dashes for its name, and one line for its value"});
    else if (is_ours(name))
      found.push_back({"the header '" + name + "' of http::post is flow's to set", "leave it out"});
  }
  if (!is_line(content_type)) found.push_back({"the content_type of http::post has several lines", "write one"});
  if (connect_timeout.count() < 1 || timeout.count() < 1)
    found.push_back({"a timeout of http::post is less than a millisecond", "5s and 30s are the defaults"});
  return found;
}

std::unique_ptr<destination> post::operator()(const delivery_options& how) const {
  return std::make_unique<posting>(*this, how);
}

}  // namespace flow::http
