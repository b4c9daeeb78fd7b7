#include <flow/flow.hpp>

using namespace flow;

// says: behind | stands an operator, or a function that takes the stream

void build(topology& t) {
  t.from(topic<bytes, int>{"numbers"})
      | 42;  // here
}
