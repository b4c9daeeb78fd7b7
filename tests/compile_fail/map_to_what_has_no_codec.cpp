#include <flow/flow.hpp>

using namespace flow;

// says: the stream's value has no codec that encodes: specialise flow::codec<V>, or map it first

struct order {
  int cents;
};

void build(topology& t) {
  t.from(topic<bytes, int>{"numbers"})
      | flow::map([](int n) { return order{n}; })
      | to("orders");  // here
}
