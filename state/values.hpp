#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <flow/ports.hpp>

/// Keys and values as they stand in the database. Numbers are big-endian, as everything that Kafka writes, so that what
/// is of one cluster, or of one source partition, lies together and in order.
namespace flow::database {

std::string key_of(const port::lane_key& lane);
std::string value_of(const port::lane_state& lane);
/// nullopt: these are no bytes of ours.
std::optional<port::lane_state> lane_state_of(std::string_view value);

/// What the keys of all pages of a dedup and a source partition begin with.
std::string prefix_of(const std::string& node, const topic_partition& where);
/// The same of a dedup and whatever source partition.
std::string prefix_of(const std::string& node);
std::string key_of(const port::seen_page& page);
std::string value_of(const port::seen_page& page);
/// `key`: what is behind the prefix. nullopt: these are no bytes of ours.
std::optional<port::seen_page> seen_page_of(const std::string& node, const topic_partition& where, std::string_view key,
                                            std::string_view value);
/// The same behind the prefix of the dedup alone.
std::optional<port::seen_page> seen_page_of(const std::string& node, std::string_view key, std::string_view value);

}  // namespace flow::database
