#include "engine/budget.hpp"

#include "scenario.hpp"

namespace flow::testing {
namespace {

using engine::budget;
using engine::sharers;

TEST(a_budget, is_never_more_than_the_memory_and_seldom_much_less) {
  for (const std::size_t mebibytes : {16, 64, 256, 1024})
    for (const std::size_t workers : {1, 2, 7, 32})
      for (const std::size_t targets : {1, 3, 5, 20})
        for (const bool looks_back : {false, true}) {
          const sharers among{workers, targets, looks_back};
          const auto memory = mebibytes << 20;
          if (memory < budget::least(among)) continue;
          const auto share = budget::share_out(memory, among);
          const auto all = workers * (among.readers() * share.reader + 4 * targets * share.transaction);
          EXPECT_LE(all, memory) << mebibytes << " MiB, " << workers << " workers, " << targets << " targets";
          const bool bounded = share.reader == budget::most_reader || share.transaction == budget::most_transaction;
          EXPECT_TRUE(bounded || all > memory / 4 * 3) << all << " of " << memory;
          EXPECT_LE(share.batch, share.transaction);
        }
}

TEST(a_budget, has_room_for_much_by_default_and_for_a_little_in_a_little) {
  EXPECT_GE(budget::share_out(256u << 20, {1, 3, true}).transaction, 8u << 20);
  EXPECT_LE(budget::least({1, 3, true}), 16u << 20);
}

/// A target that takes nothing while much is written at home.
class buffers : public scenario {
 protected:
  buffers() {
    options.memory = 16u << 20;
    create("orders", 2);
  }
  std::size_t most_buffered(const topology& what) {
    start("one", what);
    EXPECT_TRUE(eventually([&] { return ready("one"); }));
    world.cut("tokyo");
    for (int i = 0; i < 12'000; ++i)
      write(topic_partition{"orders", i % 2}, {.key = "k", .value = std::string(1000, 'v') + std::to_string(i)});
    std::size_t most = 0;
    for (int i = 0; i < 200; ++i) world.advance(50ms), most = std::max(most, working("one").buffered);
    taken = world.status("one").nodes.at(1).received;
    world.heal("tokyo");
    return most;
  }
  std::uint64_t taken = 0;  // by the operators, until the target was back
  const budget share = budget::share_out(16u << 20, {1, 1, false});
};

TEST_F(buffers, of_a_target_that_is_away_hold_its_share_and_a_batch_more_at_most) {
  const auto most = most_buffered(copies());
  EXPECT_GT(most, share.transaction / 2);
  EXPECT_LE(most, share.transaction + share.batch + (2u << 10));
  EXPECT_TRUE(copied("orders"));
}

TEST_F(buffers, count_what_operators_have_written) {
  topology t{"sync"};
  t.from(topic<bytes, std::string>{"orders"}) |
      map([](const std::string& value) { return value + std::string(4000, 'w'); }) | fan_out("regions", targets);
  most_buffered(t);
  EXPECT_GT(taken, 0u);
  EXPECT_LE(taken * 5000, share.transaction + 6 * share.batch);
  EXPECT_TRUE(eventually([&] { return at("tokyo", "orders").at(0).size() == 6000; }, 10s));
}

}  // namespace
}  // namespace flow::testing
