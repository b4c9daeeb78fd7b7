#include <flow/flow.hpp>

using namespace flow;

// says: async_map keeps the key: let it return the value, and use key_by behind it

void build(topology& t) {
  t.from(topic<bytes, int>{"numbers"})
      | async_map("ask", [](int n) { return keyed{n, n + 1}; })  // here
      | to("numbers-again");
}
