#include <flow/flow.hpp>

using namespace flow;

// says: the stream's key has no codec that encodes: specialise flow::codec<K>, or map it first

struct region {
  int number;
};

void build(topology& t) {
  t.from(topic<bytes, int>{"numbers"})
      | key_by([](int n) { return region{n}; })
      | to("by-region");  // here
}
