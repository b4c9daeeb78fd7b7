#include <flow/flow.hpp>

using namespace flow;

// says: merge needs at least two streams

void build(topology& t) {
  flow::merge(t.from(topic<bytes, int>{"numbers"}))  // here
      | to("all");
}
