#include <flow/flow.hpp>

using namespace flow;

// says: from takes topic<K, V>{name}, topics<K, V>{patterns}, or a range

void build(topology& t) {
  t.from("orders")  // here
      | to("orders-again");
}
