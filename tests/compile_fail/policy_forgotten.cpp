#include <flow/flow.hpp>

using namespace flow;

// says: on_failure takes a policy: stop or skip

void build(topology& t) {
  t.from(topic<bytes, int>{"numbers"})
      | flow::filter([](int n) { return n > 0; }).on_failure()  // here
      | to("numbers-again");
}
