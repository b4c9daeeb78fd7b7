#include <flow/flow.hpp>

using namespace flow;

// says: where reading starts stands in braces: from(orders, {.start = beginning})

void build(topology& t) {
  t.from(topic<bytes, int>{"numbers"}, beginning)  // here
      | to("numbers-again");
}
