#include <flow/flow.hpp>

using namespace flow;

// says: flat_map needs a function that returns a range; map takes single results

void build(topology& t) {
  t.from(topic<bytes, int>{"numbers"})
      | flat_map([](int n) { return n; })  // here
      | to("numbers-again");
}
