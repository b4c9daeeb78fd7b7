#include <flow/flow.hpp>

using namespace flow;

// says: the value's type has no codec: specialise flow::codec<V>, give the topic codecs, or map it first

struct order {
  int cents;
};

void build(topology& t) {
  t.from(topic<bytes, order>{"orders"})  // here
      | flow::for_each([](const order&) {});
}
