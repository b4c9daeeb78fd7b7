#include <memory>

#include <flow/flow.hpp>

using namespace flow;

// says: a record's value has to be copyable, since several operators may read one stream

void build(topology& t) {
  t.from(topic<bytes, int>{"numbers"})
      | flow::map([](int n) { return std::make_unique<int>(n); })  // here
      | to("pointers");
}
