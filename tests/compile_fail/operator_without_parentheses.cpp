#include <flow/flow.hpp>

using namespace flow;

// says: overloaded function with no contextual type information

void build(topology& t) {
  t.from(topic<bytes, int>{"numbers"})
      | flow::filter  // here
      | flow::map([](int n) { return n + 1; }) | to("numbers-again");
}
