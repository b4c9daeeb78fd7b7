#include <flow/flow.hpp>

using namespace flow;

// says: reading starts at beginning, end or at(time)

void build(topology& t) {
  t.from(topic<bytes, int>{"numbers"}, {.start = "earliest"})  // here
      | to("numbers-again");
}
