#include "properties.hpp"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string_view>
#include <vector>

#include <flow/masked.hpp>
#include <flow/spelling.hpp>

#include "settings.hpp"

namespace flow::kafka {
namespace {

struct remark {
  std::string_view property;
  std::string_view text;
};

constexpr std::string_view reading = "flow reads committed records from its own positions and resets none";
constexpr std::string_view positions = "flow keeps positions itself, inside of transactions";
constexpr std::string_view membership = "flow names and times the members of its groups itself";
constexpr std::string_view writing = "exactly-once writing needs it as it is";

constexpr std::array reserved{
    remark{"isolation.level", reading},
    remark{"auto.offset.reset", reading},
    remark{"enable.partition.eof", reading},
    remark{"enable.auto.commit", positions},
    remark{"auto.commit.enable", positions},
    remark{"enable.auto.offset.store", positions},
    remark{"offset.store.method", positions},
    remark{"group.id", membership},
    remark{"group.instance.id", membership},
    remark{"partition.assignment.strategy", membership},
    remark{"session.timeout.ms", membership},
    remark{"max.poll.interval.ms", membership},
    remark{"transactional.id", writing},
    remark{"transaction.timeout.ms", writing},
    remark{"message.timeout.ms", writing},
    remark{"delivery.timeout.ms", writing},
    remark{"enable.idempotence", writing},
    remark{"acks", writing},
    remark{"request.required.acks", writing},
    remark{"allow.auto.create.topics", "flow creates topics on purpose or not at all"},
};

constexpr std::array of_java_clients{
    remark{"sasl.jaas.config", "write sasl.mechanism, sasl.username and sasl.password"},
    remark{"ssl.truststore.location", "write ssl.ca.location, a file in PEM"},
    remark{"ssl.truststore.password", "write ssl.ca.location, a file in PEM, which has none"},
    remark{"ssl.truststore.type", "write ssl.ca.location, a file in PEM"},
    remark{"ssl.keystore.type", "leave it out: ssl.keystore.location is a file in PKCS#12"},
    remark{"max.request.size", "write message.max.bytes"},
    remark{"buffer.memory", "write queue.buffering.max.kbytes"},
};

template <std::size_t Count>
const remark* find(const std::array<remark, Count>& among, std::string_view property) {
  const auto found = std::ranges::find(among, property, &remark::property);
  return found == among.end() ? nullptr : &*found;
}

/// Which values each property takes, in librdkafka's words: "0 .. 900000", "none, https", or nothing.
using catalogue = std::map<std::string, std::string, std::less<>>;

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(' ');
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(' ') - first + 1);
}

std::vector<std::string> split(std::string_view text, std::string_view separator) {
  std::vector<std::string> parts;
  for (;;) {
    const auto end = text.find(separator);
    parts.emplace_back(trimmed(text.substr(0, end)));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + separator.size());
  }
}

std::string table_for_people() {
  char* text = nullptr;
  std::size_t size = 0;
  std::FILE* into = open_memstream(&text, &size);
  if (into == nullptr) return {};
  rd_kafka_conf_properties_show(into);
  std::fclose(into);
  const std::unique_ptr<char, decltype(&std::free)> owner{text, &std::free};
  return {text, size};
}

// A property that takes no text is not in it.
catalogue read_catalogue() {
  catalogue all;
  for (const std::string& row : split(table_for_people(), "\n")) {
    const auto cells = split(row, " | ");
    if (cells.size() >= 6 && cells[0] != "Property" && cells.back().find("see dedicated API") == std::string::npos)
      all.emplace(cells[0], cells[2]);
  }
  return all;
}

const catalogue& known() {
  static const catalogue all = read_catalogue();
  return all;
}

bool is_taken(const std::string& name, const std::string& value) {
  const conf_ptr scratch{rd_kafka_conf_new()};
  return set(scratch.get(), name, value);
}

complaint unknown(const std::string& name) {
  if (const remark* java = find(of_java_clients, name))
    return {"is a property of Java clients", std::string{java->text}};
  std::vector<std::string> names;
  for (const auto& [each, values] : known())
    if (!find(reserved, each)) names.push_back(each);
  const std::string meant = spelling::nearest(name, names);
  return {"is no property of librdkafka",
          meant.empty() ? "leave it out; librdkafka's CONFIGURATION.md names them all" : "did you mean " + meant + "?"};
}

constexpr std::string_view between = " .. ";

std::string remedy(std::string_view values) {
  if (values.empty()) return "librdkafka's CONFIGURATION.md says what it takes";
  if (const auto at = values.find(between); at != std::string_view::npos)
    return "write a number from " + std::string{values.substr(0, at)} + " to " +
           std::string{values.substr(at + between.size())};
  return "write " + spelling::either(split(values, ","));
}

template <typename Number>
bool is_number(std::string_view text, Number low, Number high) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size() && low <= number && number <= high;
}

// librdkafka reads "5s" as 5.
bool is_misread(std::string_view values, std::string_view value) {
  constexpr double most = 1e18;
  return values.find(between) != std::string_view::npos && !is_number(value, -most, most);
}

// "host:port", "PLAINTEXT://host", "[::1]:9092"
bool is_address(std::string_view text) {
  if (const auto protocol = text.find("://"); protocol != std::string_view::npos) text.remove_prefix(protocol + 3);
  const auto bracket = text.rfind(']');
  const auto colon = text.find(':', bracket == std::string_view::npos ? 0 : bracket);
  const auto host = text.substr(0, colon);
  if (host.empty() || host.find_first_of(" ;/\"'") != std::string_view::npos) return false;
  return colon == std::string_view::npos || is_number(text.substr(colon + 1), 1, 65535);
}

// librdkafka takes every text for an address, and looks for its host for ever.
complaint check_servers(std::string_view text) {
  if (std::ranges::all_of(split(text, ","), is_address)) return {};
  return {"has an address that is no host:port", "write \"host:port,host:port\""};
}

}  // namespace

bool names_servers(const std::string& property) {
  return property == "bootstrap.servers" || property == "metadata.broker.list";
}

complaint check_properties(const std::map<std::string, std::string>& all) {
  const connection to{{}, all, {}};
  auto conf = configure(to, {}, {});
  rd_kafka_conf_set_log_cb(conf.get(), nullptr);
  std::array<char, 512> why{};
  rd_kafka_t* const made = rd_kafka_new(RD_KAFKA_PRODUCER, conf.get(), why.data(), why.size());
  if (!made)
    return {"cannot be used together: " + masked(why.data(), secrets_of(to)), "correct them; the files have to be there"};
  // The handle owns it.
  conf.release();  // NOLINT(bugprone-unused-return-value)
  rd_kafka_destroy(made);
  return {};
}

complaint check_property(const std::string& name, const std::string& value) {
  if (const remark* why = find(reserved, name))
    return {"is not yours to set: " + std::string{why->text}, "leave it out"};
  if (names_servers(name)) return check_servers(value);
  const bool taken = is_taken(name, value);
  const auto values = known().find(name);
  if (values == known().end()) return taken ? complaint{} : unknown(name);
  if (taken && !is_misread(values->second, value)) return {};
  return {"has a value that librdkafka does not take", remedy(values->second)};
}

}  // namespace flow::kafka
