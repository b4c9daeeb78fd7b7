#include <flow/flow.hpp>

using namespace flow;

// says: retry ends in stop, skip or dead_letter, not in another retry

void build(topology& t) {
  t.from(topic<bytes, int>{"numbers"})
      | flow::filter([](int n) { return n > 0; }).on_failure(retry(5).then(retry(3)))  // here
      | to("numbers-again");
}
