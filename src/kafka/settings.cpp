#include "settings.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string_view>

namespace flow::kafka {
namespace {

struct reserved_property {
  std::string_view name;
  std::string_view why;
};

constexpr std::string_view reading = "flow reads committed records from its own positions and resets none";
constexpr std::string_view positions = "flow keeps positions itself, inside of transactions";
constexpr std::string_view membership = "flow names and times the members of its groups itself";
constexpr std::string_view writing = "exactly-once writing needs it as it is";

constexpr std::array reserved{
    reserved_property{"isolation.level", reading},
    reserved_property{"auto.offset.reset", reading},
    reserved_property{"enable.partition.eof", reading},
    reserved_property{"enable.auto.commit", positions},
    reserved_property{"auto.commit.enable", positions},
    reserved_property{"enable.auto.offset.store", positions},
    reserved_property{"offset.store.method", positions},
    reserved_property{"group.id", membership},
    reserved_property{"group.instance.id", membership},
    reserved_property{"partition.assignment.strategy", membership},
    reserved_property{"session.timeout.ms", membership},
    reserved_property{"max.poll.interval.ms", membership},
    reserved_property{"transactional.id", writing},
    reserved_property{"transaction.timeout.ms", writing},
    reserved_property{"message.timeout.ms", writing},
    reserved_property{"delivery.timeout.ms", writing},
    reserved_property{"enable.idempotence", writing},
    reserved_property{"acks", writing},
    reserved_property{"request.required.acks", writing},
    reserved_property{"allow.auto.create.topics", "flow creates topics on purpose or not at all"},
};

bool set(rd_kafka_conf_t* conf, const std::string& name, const std::string& value, rd_kafka_conf_res_t& how) {
  // The client's own message quotes the value, which may be a password.
  std::array<char, 512> unused{};
  how = rd_kafka_conf_set(conf, name.c_str(), value.c_str(), unused.data(), unused.size());
  return how == RD_KAFKA_CONF_OK;
}

bool is_secret(std::string_view name) {
  constexpr std::array marks{"password", "secret", ".pem", "sasl.username", "oauthbearer.config"};
  return std::ranges::any_of(marks, [&](const char* mark) { return name.find(mark) != std::string_view::npos; });
}

}  // namespace

void check(const connection& to) {
  std::string problems;
  const auto complain = [&](const std::string& name, std::string_view why) {
    problems += (problems.empty() ? "" : "\n") + std::string{"cluster "} + to.name + ": " + name + " ";
    problems += why;
  };
  const conf_ptr scratch{rd_kafka_conf_new()};
  for (const auto& [name, value] : to.properties) {
    const auto found = std::ranges::find(reserved, std::string_view{name}, &reserved_property::name);
    rd_kafka_conf_res_t how{};
    if (found != reserved.end()) {
      complain(name, std::string{"is not yours to set: "}.append(found->why));
    } else if (!set(scratch.get(), name, value, how)) {
      complain(name, how == RD_KAFKA_CONF_UNKNOWN ? "librdkafka has no such property, or was built without it"
                                                  : "librdkafka does not take this value");
    }
  }
  if (!to.properties.contains("bootstrap.servers") && !to.properties.contains("metadata.broker.list"))
    complain("bootstrap.servers", "is missing; it says where the cluster is: host:port, ...");
  if (!problems.empty()) throw std::invalid_argument{problems};
}

conf_ptr configure(const connection& to, const properties& defaults, const properties& needed) {
  conf_ptr conf{rd_kafka_conf_new()};
  rd_kafka_conf_res_t how{};
  const properties always{
      {"client.id", to.client_id}, {"socket.nagle.disable", "true"}, {"log.connection.close", "false"}};
  for (const properties* layer : {&always, &defaults, &to.properties, &needed})
    for (const auto& [name, value] : *layer)
      if (!set(conf.get(), name, value, how)) throw std::logic_error{"librdkafka does not take " + name};
  return conf;
}

std::vector<std::string> secrets_of(const connection& to) {
  std::vector<std::string> secrets;
  for (const auto& [name, value] : to.properties)
    if (!value.empty() && is_secret(name)) secrets.push_back(value);
  // The longest first, so that a secret within another leaves nothing of either.
  std::ranges::sort(secrets, std::ranges::greater{}, &std::string::size);
  return secrets;
}

std::size_t number(const rd_kafka_conf_t* conf, const char* property) {
  std::array<char, 64> text{};
  std::size_t size = text.size();
  if (rd_kafka_conf_get(conf, property, text.data(), &size) != RD_KAFKA_CONF_OK) return 0;
  return std::stoull(text.data());
}

}  // namespace flow::kafka
