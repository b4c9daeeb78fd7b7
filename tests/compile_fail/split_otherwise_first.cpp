#include <flow/flow.hpp>

using namespace flow;

// says: otherwise takes what is left, so it stands once and last

void build(topology& t) {
  auto [rest, large] = t.from(topic<bytes, int>{"numbers"})
      | split(otherwise("rest"), when("large", [](int n) { return n > 9; }));  // here
  rest | to("rest");
  large | to("large");
}
