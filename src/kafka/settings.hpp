#pragma once

#include <librdkafka/rdkafka.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cluster.hpp"

namespace flow::kafka {

struct conf_deleter {
  void operator()(rd_kafka_conf_t* conf) const { rd_kafka_conf_destroy(conf); }
};
using conf_ptr = std::unique_ptr<rd_kafka_conf_t, conf_deleter>;
using properties = std::map<std::string, std::string>;

/// Throws std::invalid_argument with every property that cannot be used, and why; never with a value.
void check(const connection& to);

/// False if librdkafka does not take the value.
bool set(rd_kafka_conf_t* conf, const std::string& name, const std::string& value);

/// Our defaults, the user's properties over them, and over those what the protocol needs.
conf_ptr configure(const connection& to, const properties& defaults, const properties& needed);

/// What `fetch.max.bytes` has to be at least, so that the client takes it beside the user's properties.
std::size_t least_fetch(const connection& to);

/// Bytes that a producer sends to a partition at once, by the user's properties or by itself.
std::size_t largest_batch(const connection& to);

/// "host:port,host:port"
std::string servers_of(const connection& to);

/// Values that must never be shown: `masked` takes them out of a text.
std::vector<std::string> secrets_of(const connection& to);

/// What `configure` has settled on for a number.
std::size_t number(const rd_kafka_conf_t* conf, const char* property);

}  // namespace flow::kafka
