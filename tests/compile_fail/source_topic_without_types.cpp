#include <flow/flow.hpp>

using namespace flow;

// says: a topic says what its records are: topic<K, V>{"orders"}

void build(topology& t) {
  t.from(topic{"numbers"})  // here
      | filter([](int n) { return n > 0; }) | to("numbers-again");
}
