#include "kafka_fixture.hpp"

#include <stdio.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cctype>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <random>
#include <sstream>
#include <stdexcept>
#include <utility>

namespace kafka_fixture {
namespace {

std::string folders() {
  const char* own = std::getenv("FLOW_KAFKA_DIR");
  return own ? own : KAFKA_FIXTURE_DIRS;
}

struct place {
  std::string folder;
  std::string bootstrap;
};

/// The first folder in which the cluster runs.
place find(std::string_view cluster) {
  std::string key = "FLOW_KAFKA_";
  std::ranges::transform(cluster, std::back_inserter(key), [](unsigned char letter) { return std::toupper(letter); });
  key += '=';
  std::istringstream searched(folders());
  for (std::string folder; std::getline(searched, folder, ':');) {
    std::ifstream file(folder + "/clusters.env");
    for (std::string line; std::getline(file, line);) {
      if (line.starts_with(key)) return {folder, line.substr(key.size())};
    }
  }
  throw std::runtime_error("the Kafka cluster " + std::string(cluster) + " does not run in " + folders() +
                           "; start it with: " KAFKA_FIXTURE_START);
}

std::string shell_word(std::string_view word) {
  std::string text = "'";
  for (const char letter : word) text += letter == '\'' ? std::string("'\\''") : std::string(1, letter);
  return text + "'";
}

/// Runs kafka.py and returns what it prints.
std::string kafka(const std::vector<std::string>& arguments) {
  std::string command = shell_word(KAFKA_FIXTURE_PYTHON) + " " + shell_word(KAFKA_FIXTURE_PROGRAM);
  for (const auto& argument : arguments) command += " " + shell_word(argument);
  FILE* output = popen((command + " 2>&1").c_str(), "r");
  if (!output) throw std::runtime_error("cannot run " + command);
  std::string text;
  std::array<char, 4096> part;
  while (const std::size_t size = fread(part.data(), 1, part.size(), output)) text.append(part.data(), size);
  if (pclose(output) != 0) throw std::runtime_error(text);
  return text;
}

}  // namespace

std::string bootstrap(std::string_view cluster) {
  return find(cluster).bootstrap;
}

std::string fresh_name(std::string_view name) {
  static const unsigned process = std::random_device{}();
  static std::atomic<int> count = 0;
  std::ostringstream text;
  text << name << '-' << std::hex << process << '-' << std::dec << ++count;
  return text.str();
}

outage::outage(std::string_view cluster, int broker, std::string_view begin, std::string_view end) {
  std::vector<std::string> place{"--dir", find(cluster).folder, std::string(cluster)};
  if (broker != every_broker) place.insert(place.end(), {"--broker", std::to_string(broker)});
  const auto on_place = [&](std::string_view verb) {
    std::vector<std::string> arguments{std::string(verb)};
    arguments.insert(arguments.end(), place.begin(), place.end());
    return arguments;
  };
  kafka(on_place(begin));
  ending_ = on_place(end);
}

outage::outage(outage&& other) noexcept : ending_(std::exchange(other.ending_, {})) {}

outage::~outage() {
  try {
    end();
  } catch (const std::exception& problem) {
    ADD_FAILURE() << problem.what();
  }
}

void outage::end() {
  if (!ending_.empty()) kafka(std::exchange(ending_, {}));
}

outage kill(std::string_view cluster, int broker) {
  return {cluster, broker, "kill", "restart"};
}

outage pause(std::string_view cluster, int broker) {
  return {cluster, broker, "pause", "resume"};
}

void print_broker_logs_on_failure::OnTestEnd(const testing::TestInfo& test) {
  if (!test.result()->Failed()) return;
  std::istringstream all(folders());
  for (std::string folder; std::getline(all, folder, ':');) {
    if (!std::ifstream(folder + "/clusters.env")) continue;
    try {
      std::cout << kafka({"log", "--dir", folder, "--tail", "40"}) << std::flush;
    } catch (const std::exception& problem) {
      std::cout << problem.what() << std::endl;
    }
  }
}

}  // namespace kafka_fixture
