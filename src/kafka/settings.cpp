#include "settings.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string_view>

#include "properties.hpp"

namespace flow::kafka {
namespace {

bool is_secret(std::string_view name) {
  constexpr std::array marks{"password", "secret", ".pem", "sasl.username", "oauthbearer.config"};
  return std::ranges::any_of(marks, [&](const char* mark) { return name.find(mark) != std::string_view::npos; });
}

}  // namespace

void check(const connection& to) {
  std::string problems;
  const auto complain = [&](const std::string& name, const complaint& why) {
    if (!problems.empty()) problems += '\n';
    problems += "cluster " + to.name + ": " + name + " " + why.text + " (" + why.remedy + ")";
  };
  for (const auto& [name, value] : to.properties)
    if (const auto why = check_property(name, value)) complain(name, why);
  if (std::ranges::none_of(to.properties, names_servers, &properties::value_type::first))
    complain("bootstrap.servers", {"is missing", "say where the cluster is: \"host:port,host:port\""});
  if (!problems.empty()) throw std::invalid_argument{problems};
}

bool set(rd_kafka_conf_t* conf, const std::string& name, const std::string& value) {
  // The client's own message quotes the value, which may be a password.
  std::array<char, 512> unused{};
  return rd_kafka_conf_set(conf, name.c_str(), value.c_str(), unused.data(), unused.size()) == RD_KAFKA_CONF_OK;
}

conf_ptr configure(const connection& to, const properties& defaults, const properties& needed) {
  conf_ptr conf{rd_kafka_conf_new()};
  const properties always{{"client.id", to.client_id}, {"socket.nagle.disable", "true"}};
  for (const properties* layer : {&always, &defaults, &to.properties, &needed})
    for (const auto& [name, value] : *layer)
      if (!set(conf.get(), name, value)) throw std::logic_error{"librdkafka does not take " + name};
  return conf;
}

namespace {

constexpr std::size_t its_default = 1'000'000;  // of both sizes here

std::size_t size_of(const connection& to, const std::string& property) {
  const auto own = to.properties.find(property);
  return own == to.properties.end() ? its_default : std::stoull(own->second);
}

}  // namespace

std::size_t least_fetch(const connection& to) { return std::max(its_default, size_of(to, "message.max.bytes")); }

std::size_t largest_batch(const connection& to) { return size_of(to, "batch.size"); }

std::string servers_of(const connection& to) {
  const auto found = std::ranges::find_if(to.properties, names_servers, &properties::value_type::first);
  return found == to.properties.end() ? std::string{} : found->second;
}

std::vector<std::string> secrets_of(const connection& to) {
  std::vector<std::string> secrets;
  for (const auto& [name, value] : to.properties)
    if (!value.empty() && is_secret(name)) secrets.push_back(value);
  return secrets;
}

std::size_t number(const rd_kafka_conf_t* conf, const char* property) {
  std::array<char, 64> text{};
  std::size_t size = text.size();
  if (rd_kafka_conf_get(conf, property, text.data(), &size) != RD_KAFKA_CONF_OK) return 0;
  return std::stoull(text.data());
}

}  // namespace flow::kafka
