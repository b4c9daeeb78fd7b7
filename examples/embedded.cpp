// A topology inside a program that has other things to do, here on clusters in memory.
#include <condition_variable>
#include <iostream>
#include <mutex>

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
  std::mutex mutex;
  std::condition_variable changed;
  bool ready = false;
  app.on_change([&](const flow::app_status& status) {
    const std::lock_guard lock{mutex};
    ready = status.ready();
    changed.notify_all();
  });
  if (const auto started = app.start(); !started) {
    std::cerr << to_string(started.error()) << "\n";
    return 1;
  }
  std::unique_lock lock{mutex};
  if (!changed.wait_for(lock, 30s, [&] { return ready; })) return 1;
  lock.unlock();

  // A stop commits what is under way.
  const bool finished = app.stop(10s);
  for (const std::string region : {"tokyo", "oregon"})
    for (const auto& record : clusters.read(region, "numbers").at(0))
      std::cout << region << ": " << *record.key << " " << int{record.value->back()} << "\n";
  return finished ? 0 : 1;
}
