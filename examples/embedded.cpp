// A topology inside a program that has other things to do, here on clusters in memory.
#include <chrono>
#include <iostream>
#include <thread>

#include <flow/app.hpp>
#include <flow/flow.hpp>
#include <flow/memory_clusters.hpp>

using namespace std::chrono_literals;

flow::topology doubled() {
  flow::topology t{"doubled"};
  t.from(flow::topic<std::string, std::int64_t>{"numbers"}) | flow::map([](std::int64_t n) { return 2 * n; }) |
      flow::fan_out("regions", {"tokyo", "oregon"});
  return t;
}

int main() {
  flow::memory_clusters clusters;
  clusters.create_topic("home", "numbers", 1);
  clusters.write("home", "numbers", 0, {.key = "answer", .value = std::string{"\0\0\0\0\0\0\0\x15", 8}});

  flow::app app{doubled(), {.instance = "one",
                            .clusters = {{"home", {}}, {"tokyo", {}}, {"oregon", {}}},
                            .state = "",
                            .connect = clusters.connect()}};
  if (const auto started = app.start(); !started) {
    std::cerr << to_string(started.error()) << "\n";
    return 1;
  }
  const auto arrived = [&](const std::string& region) { return !clusters.read(region, "numbers").at(0).empty(); };
  const auto limit = std::chrono::steady_clock::now() + 30s;
  while (!app.status().ready() || !arrived("tokyo") || !arrived("oregon")) {
    if (std::chrono::steady_clock::now() > limit) return 1;
    std::this_thread::sleep_for(10ms);
  }

  // A stop commits what is under way.
  const bool finished = app.stop(10s);
  for (const std::string region : {"tokyo", "oregon"}) {
    const auto partitions = clusters.read(region, "numbers");
    for (const auto& record : partitions.at(0))
      std::cout << region << ": " << *record.key << " " << int{record.value->back()} << "\n";
  }
  return finished ? 0 : 1;
}
