// A whole topology under test: two regions, a crash in the middle of a commit, and still every record once.
#include <iostream>

#include <flow/flow.hpp>
#include <flow/testing.hpp>

flow::topology copy() {
  flow::topology t{"copy"};
  t.from(flow::topic<flow::bytes, flow::bytes>{"orders"}) | flow::fan_out("regions", {"tokyo", "oregon"});
  return t;
}

int main() {
  flow::testing::simulation world{42};
  const flow::app_options options{.clusters = {{"home", {}}, {"tokyo", {}}, {"oregon", {}}}};
  world.create_topic("home", "orders", 3);
  for (int i = 0; i < 30; ++i) world.write("home", "orders", i % 3, {.key = std::to_string(i), .value = "an order"});

  const auto arrived = [&](const std::string& region) {
    std::size_t count = 0;
    for (const auto& partition : world.read(region, "orders")) count += partition.size();
    return count;
  };
  world.start("one", copy(), options);
  world.crash_at("one", "offsets sent", 3);
  if (!world.run_until([&] { return !world.is_running("one"); })) return 1;
  std::cout << "crashed with " << arrived("tokyo") << " and " << arrived("oregon") << " orders there\n";

  world.start("one", copy(), options);
  if (!world.run_until([&] { return arrived("tokyo") >= 30 && arrived("oregon") >= 30; })) return 1;
  world.advance(std::chrono::seconds{30});
  std::cout << "in the end " << arrived("tokyo") << " and " << arrived("oregon") << "\n";
  return arrived("tokyo") == 30 && arrived("oregon") == 30 ? 0 : 1;
}
