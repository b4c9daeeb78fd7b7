#include <flow/flow.hpp>

using namespace flow;

// says: all threads share this function, so it is called as const: leave out `mutable`

void build(topology& t) {
  t.from(topic<bytes, int>{"numbers"})
      | flow::map([sum = 0](int n) mutable { return sum += n; })  // here
      | to("sums");
}
