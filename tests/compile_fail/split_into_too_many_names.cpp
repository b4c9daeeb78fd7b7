#include <flow/flow.hpp>

using namespace flow;

// says: 3 names provided for structured binding

void build(topology& t) {
  auto numbers = t.from(topic<bytes, int>{"numbers"});
  auto [large, small, rest] = numbers | split(when("large", [](int n) { return n > 9; }), otherwise("rest"));  // here
}
