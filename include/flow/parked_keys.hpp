#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <flow/bytes.hpp>

namespace flow {

/// The keys of one source partition whose records do not get past certain nodes, each with the offset of the first
/// record that did not. A copy costs nothing until one of the two is changed. Not for use by two threads at once.
class parked_keys {
 public:
  using of_node = std::map<std::string, std::int64_t, std::less<>>;  ///< first offset by key
  using by_node = std::map<std::string, of_node, std::less<>>;

  /// The record at `offset` is the first, unless there is an earlier one.
  void park(std::string_view node, std::string_view key, std::int64_t offset);
  void add(const parked_keys& others);
  /// The first record's offset; nullopt: the key is not parked there. An empty key is a key, null is none.
  std::optional<std::int64_t> find(std::string_view node, bytes key) const;
  /// Those of the nodes for which `wanted` is true.
  parked_keys only(const std::function<bool(const std::string& node)>& wanted) const;

  const by_node& all() const;
  bool empty() const { return !kept_; }
  std::size_t count() const { return kept_ ? kept_->count : 0; }
  std::size_t size() const { return kept_ ? kept_->size : 0; }  ///< bytes, about

  bool operator==(const parked_keys& other) const;

 private:
  struct contents {
    by_node nodes;
    std::size_t count = 0, size = 0;
    std::size_t sum = 0;  ///< of hashes, so that unequal ones are told at once
  };
  std::shared_ptr<contents> kept_;
};

}  // namespace flow
