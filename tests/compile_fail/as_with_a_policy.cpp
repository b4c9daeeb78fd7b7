#include <flow/flow.hpp>

using namespace flow;

// says: what cannot be decoded is for the source's on_failure

void build(topology& t) {
  t.from(topic<bytes, bytes>{"numbers"})
      | flow::as<int>().on_failure(skip)  // here
      | to("numbers-again");
}
