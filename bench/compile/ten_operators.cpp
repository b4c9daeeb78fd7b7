#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <flow/flow.hpp>

struct order {
  std::int64_t customer = 0;
  std::int64_t cents = 0;
};

flow::topology pipeline() {
  flow::topology t{"orders"};
  auto [large, small] = t.from(flow::topic<std::string, std::int64_t>{"orders"}) |
                        flow::filter([](std::int64_t cents) { return cents > 0; }) |
                        flow::map([](std::string_view customer, std::int64_t cents) {
                          return order{static_cast<std::int64_t>(customer.size()), cents};
                        }) |
                        flow::peek([](const order&) {}) |
                        flow::key_by(&order::customer) |
                        flow::split(flow::when("large", [](const order& o) { return o.cents > 1000; }),
                                    flow::otherwise("small"));
  small | flow::map([](const order& o) { return o.cents; }) | flow::to("small");
  large | flow::flat_map([](const order& o) {
    return std::vector{o.cents / 2, o.cents - o.cents / 2};
  }) | flow::filter([](std::int64_t cents) { return cents % 2 == 0; }) |
      flow::fan_out("regions", {"tokyo", "oregon"});
  return t;
}
