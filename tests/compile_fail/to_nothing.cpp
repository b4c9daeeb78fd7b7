#include <flow/flow.hpp>

using namespace flow;

// says: to needs a topic's name, a topic<K, V>, or a function that returns a name

void build(topology& t) {
  t.from(topic<bytes, int>{"numbers"})
      | to();  // here
}
