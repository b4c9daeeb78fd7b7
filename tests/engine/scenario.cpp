#include "scenario.hpp"

#include <algorithm>
#include <iostream>
#include <stdexcept>

namespace flow::testing {

scenario::scenario() {
  options.lanes = 4;
  options.session = 4s;
}

void scenario::TearDown() {
  if (!HasFailure()) return;
  for (const auto& line : world.log()) std::cout << line << '\n';
}

void scenario::create(const std::string& topic, std::int32_t partitions) {
  world.create_topic("home", topic, partitions);
  written[topic].resize(static_cast<std::size_t>(partitions));
}

void scenario::write(const topic_partition& where, int count) {
  for (const auto& before = written[where.topic][static_cast<std::size_t>(where.partition)]; count > 0; --count)
    write(where, {.key = "k", .value = to_string(where) + " #" + std::to_string(before.size())});
}

void scenario::write(const std::string& topic, int count) {
  const auto partitions = static_cast<std::int32_t>(written[topic].size());
  for (std::int32_t number = 0; number < partitions; ++number) write(topic_partition{topic, number}, count);
}

void scenario::write(const topic_partition& where, const raw_record& what) {
  auto made = what;
  if (made.timestamp == 0) made.timestamp = world.wall_clock();
  world.write("home", where.topic, where.partition, made);
  written[where.topic][static_cast<std::size_t>(where.partition)].push_back(made.value.value_or("null"));
}

topology scenario::copies(std::vector<std::string> of, fan_out_options how) const {
  topology t{"sync"};
  t.from(topics<bytes, bytes>{std::move(of)}) | fan_out("regions", targets, std::move(how));
  return t;
}

void scenario::start(const std::string& instance, const topology& what) {
  options.clusters[options.home] = {};
  for (const auto& each : targets) options.clusters[each] = {};
  world.start(instance, what, options);
}

void scenario::stop(const std::string& instance) {
  world.stop(instance);
  EXPECT_TRUE(world.run_until([&] { return !world.is_running(instance); })) << instance << " does not stop";
}

contents scenario::at(const std::string& cluster, const std::string& topic) {
  contents all;
  try {
    for (const auto& partition : world.read(cluster, topic)) {
      auto& into = all.emplace_back();
      for (const auto& each : partition) into.push_back(each.value.value_or("null"));
    }
  } catch (const std::out_of_range&) {
    // The topic has not been made yet.
  }
  return all;
}

AssertionResult scenario::copied(const std::string& topic) {
  return settles(topic, [&](const std::string& target) { return at(target, topic); }, written[topic]);
}

AssertionResult scenario::copied(const topic_partition& where) {
  const auto number = static_cast<std::size_t>(where.partition);
  const auto found = [&](const std::string& target) -> contents {
    const auto all = at(target, where.topic);
    return number < all.size() ? contents{all[number]} : contents{};
  };
  return settles(to_string(where), found, {written[where.topic][number]});
}

AssertionResult scenario::settles(const std::string& what, const std::function<contents(const std::string&)>& found,
                                  const contents& expected) {
  const auto holds = [&](const std::string& target) { return found(target) == expected; };
  if (eventually([&] { return std::ranges::all_of(targets, holds); })) world.advance(30s);
  const auto wrong = std::ranges::find_if_not(targets, holds);
  if (wrong == targets.end()) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << what << " on " << *wrong << " holds "
                                       << ::testing::PrintToString(found(*wrong)) << ", and should hold "
                                       << ::testing::PrintToString(expected);
}

bool scenario::eventually(const std::function<bool()>& holds, std::chrono::milliseconds look_every) {
  for (auto left = 120s / look_every; !holds(); --left) {
    if (left == 0) return false;
    world.advance(look_every);
  }
  return true;
}

failure scenario::ends(const std::string& instance) {
  EXPECT_TRUE(world.run_until([&] { return !world.is_running(instance); })) << instance << " goes on";
  const auto why = world.ended(instance);
  EXPECT_TRUE(why) << instance << " has ended, and does not say why";
  return why.value_or(failure{});
}

halted_partition scenario::stops(const topic_partition& where, const std::string& instance,
                                 const std::string& target) {
  halted_partition found;
  const auto is_halted = [&] {
    for (const auto& each : working(instance, target).halted)
      if (each.where == where) return found = each, true;
    return false;
  };
  EXPECT_TRUE(eventually(is_halted)) << to_string(where) << " goes on";
  return found;
}

target_status scenario::working(const std::string& instance, const std::string& target) const {
  for (const auto& each : world.status(instance).targets)
    if (each.cluster == target) return each;
  return {};
}

bool scenario::ready(const std::string& instance) const {
  return world.is_running(instance) && app_status{app_phase::running, {world.status(instance)}, {}}.ready();
}

bool scenario::said(std::string_view text) const {
  return std::ranges::any_of(world.log(), [&](const auto& line) { return line.find(text) != std::string::npos; });
}

}  // namespace flow::testing
