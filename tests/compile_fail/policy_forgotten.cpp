#include <flow/flow.hpp>

using namespace flow;

// says: on_failure takes a policy: stop, skip, retry(5), dead_letter

void build(topology& t) {
  t.from(topic<bytes, int>{"numbers"})
      | flow::filter([](int n) { return n > 0; }).on_failure()  // here
      | to("numbers-again");
}
