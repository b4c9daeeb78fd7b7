#include <flow/flow.hpp>

using namespace flow;

// says: a topic says what its records are: topic<K, V>{"orders"}

void build(topology& t) {
  t.from(topics{{"numbers", "more-numbers"}})  // here
      | for_each([](int) {});
}
