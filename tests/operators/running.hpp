#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <flow/flow.hpp>

namespace flow {

/// A record as a test writes it down.
struct given {
  std::optional<std::string> key{};
  std::optional<std::string> value{};
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  std::int64_t timestamp = 0;
  std::vector<std::pair<std::string, std::optional<std::string>>> headers{};
  std::string topic = "in";
  std::uint32_t source = 0;
};

/// An emission, with everything it looked at.
struct sent {
  std::string sink;
  std::string topic;
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::int32_t partition = 0;
  bool is_hashed = false;
  std::uint32_t hash = 0;
  std::int64_t timestamp = 0;
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;
};

inline std::optional<std::string> text(bytes data) {
  return data.is_null() ? std::nullopt : std::optional{data.str()};
}

/// A topology at work. The buffer in which a record came is overwritten after its push, so whoever kept a view on it
/// shows.
class running {
 public:
  explicit running(const topology& what, const surroundings& where = {})
      : plan_{what.build(where)}, graph_{plan_->open()} {}

  std::optional<blame> push(const given& r, std::uint64_t active = ~std::uint64_t{0},
                            const attempts* before = nullptr) {
    key_ = r.key.value_or("");
    value_ = r.value.value_or("");
    const bytes key = r.key ? bytes{key_} : bytes{};
    const bytes value = r.value ? bytes{value_} : bytes{};
    std::vector<header> headers;
    for (const auto& [name, content] : r.headers) headers.push_back({name, content ? bytes{*content} : bytes{}});
    arena written;
    std::vector<emission> out;
    auto failed =
        graph_->push({r.source, "home", r.topic, r.partition},
                     {.offset = r.offset, .timestamp = r.timestamp, .key = key, .value = value, .headers = headers},
                     {.active = active, .written = written, .out = out, .before = before});
    keep(out);
    key_.assign(key_.size(), '#');
    value_.assign(value_.size(), '#');
    return failed;
  }

  /// Drains a bounded source.
  std::optional<blame> pull(std::uint32_t source = 0, std::uint64_t active = ~std::uint64_t{0}) {
    for (;;) {
      arena written;
      std::vector<emission> out;
      auto pulled = graph_->pull(source, {.active = active, .written = written, .out = out});
      keep(out);
      if (!pulled) return pulled.error();
      if (*pulled == graph::pulled::end) return std::nullopt;
    }
  }

  std::vector<sent> take() { return std::exchange(sent_, {}); }

  /// Values of what was sent since the last call.
  std::vector<std::string> values() {
    std::vector<std::string> all;
    for (const sent& each : take()) all.push_back(each.value.value_or("null"));
    return all;
  }

  node_counts counts(const std::string& node) const {
    for (std::size_t i = 0; i < plan_->nodes().size(); ++i)
      if (plan_->nodes()[i].name == node) return graph_->counts()[i];
    ADD_FAILURE() << "no node " << node;
    return {};
  }

  const flow::plan& plan() const { return *plan_; }

 private:
  void keep(const std::vector<emission>& out) {
    for (const emission& e : out) {
      sent each{.sink = plan_->sinks()[e.sink].name,
                .topic = e.topic.str(),
                .key = text(e.key),
                .value = text(e.value),
                .partition = e.partition,
                .is_hashed = e.how == emission::partitioning::hashed,
                .hash = e.hash,
                .timestamp = e.timestamp,
                .headers{}};
      for (const header& h : e.headers) each.headers.emplace_back(h.key, text(h.value));
      sent_.push_back(std::move(each));
    }
  }

  std::shared_ptr<const flow::plan> plan_;
  std::unique_ptr<graph> graph_;
  std::string key_;
  std::string value_;
  std::vector<sent> sent_;
};

/// One stage between the topics "in" and "out".
template <typename K, typename V>
running stage(auto make) {
  topology t{"test"};
  make(t.from(topic<K, V>{"in"})) | to("out");
  return running{t};
}

inline given value(std::string text) {
  return {.key = "k", .value = std::move(text)};
}

}  // namespace flow
