#include <flow/flow.hpp>

using namespace flow;

// says: topics takes lists: topics<K, V>{{"orders", "payments[.].*"}}

void build(topology& t) {
  t.from(topics<bytes, bytes>{"orders", "payments"})  // here
      | to("all");
}
