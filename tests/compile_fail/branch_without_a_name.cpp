#include <flow/flow.hpp>

using namespace flow;

// says: when needs the branch's name first: when("large", is_large)

void build(topology& t) {
  auto [large, rest] = t.from(topic<bytes, int>{"numbers"})
      | split(when([](int n) { return n > 9; }), otherwise("rest"));  // here
  rest | to("rest");
  large | to("large");
}
