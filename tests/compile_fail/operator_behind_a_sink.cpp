#include <flow/flow.hpp>

using namespace flow;

// says: nothing comes out of a sink; let both read the same stream instead

void build(topology& t) {
  t.from(topic<bytes, int>{"numbers"})
      | to("numbers-again") | to("numbers-once-more");  // here
}
