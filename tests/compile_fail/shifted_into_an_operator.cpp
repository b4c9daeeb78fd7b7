#include <flow/flow.hpp>

using namespace flow;

// says: a stream goes on with |: orders | to("orders-again")

void build(topology& t) {
  t.from(topic<bytes, int>{"numbers"}) >> flow::filter([](int n) { return n > 0; }) >> to("numbers-again");  // here
}
