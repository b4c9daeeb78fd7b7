#include <flow/flow.hpp>

using namespace flow;

// says: flow: a stream ends in to, fan_out or for_each

void build(topology& t) {
  auto numbers = t.from(topic<bytes, int>{"numbers"});
  numbers | flow::filter([](int n) { return n > 0; });  // here
}
