#include <flow/flow.hpp>

using namespace flow;

// says: a stream stands before its operators: orders | filter(is_large) | to("large")

void build(topology& t) {
  auto numbers = t.from(topic<bytes, int>{"numbers"});
  flow::filter([](int n) { return n > 0; }) | numbers;  // here
}
