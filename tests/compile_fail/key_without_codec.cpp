#include <flow/flow.hpp>

using namespace flow;

// says: the key's type has no codec: specialise flow::codec<K>, give the topic codecs, or map it first

struct region {
  int number;
};

void build(topology& t) {
  t.from(topic<bytes, int>{"numbers"})
      | key_by([](int n) { return region{n}; })
      | to("by-region");  // here
}
