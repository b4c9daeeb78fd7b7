#include <gtest/gtest.h>

#include <flow/flow.hpp>
#include <flow/testing.hpp>

namespace flow::testing {
namespace {

using namespace std::chrono_literals;

topology pass_through(std::vector<std::string> targets) {
  topology t{"sync"};
  t.from(topic<bytes, bytes>{"orders"}) | fan_out("regions", std::move(targets));
  return t;
}

app_options clusters(const std::vector<std::string>& names) {
  app_options options;
  options.lanes = 4;
  for (const auto& name : names) options.clusters[name] = {};
  return options;
}

std::string printed(const std::vector<std::string>& log) {
  std::string all;
  for (const auto& line : log) all += line + "\n";
  return all;
}

// Values per partition: offsets differ from cluster to cluster, contents may not.
std::vector<std::vector<std::string>> values(simulation& world, const std::string& cluster, const std::string& topic) {
  std::vector<std::vector<std::string>> all;
  for (const auto& partition : world.read(cluster, topic)) {
    auto& into = all.emplace_back();
    for (const auto& each : partition) into.push_back(each.value.value_or("null"));
  }
  return all;
}

TEST(replication, brings_every_record_to_every_target_in_order) {
  simulation world{1};
  world.create_topic("home", "orders", 3);
  world.create_topic("tokyo", "orders", 3);
  world.create_topic("oregon", "orders", 3);
  for (int i = 0; i < 30; ++i)
    world.write("home", "orders", i % 3, {.key = "k", .value = std::to_string(i), .timestamp = 1 + i});
  world.start("one", pass_through({"tokyo", "oregon"}), clusters({"home", "tokyo", "oregon"}));
  EXPECT_TRUE(world.run_until([&] {
    return values(world, "tokyo", "orders") == values(world, "home", "orders") &&
           values(world, "oregon", "orders") == values(world, "home", "orders");
  }, 30s)) << printed(world.log());
}

}  // namespace
}  // namespace flow::testing
