#include <flow/flow.hpp>

using namespace flow;

struct order {
  int cents;
};

// says: as<T> needs a codec that reads a T

void build(topology& t) {
  t.from(topic<bytes, bytes>{"orders"})
      | flow::as<order>()  // here
      | filter([](const order& o) { return o.cents > 0; })
      | to("paid");
}
