#include <flow/flow.hpp>

using namespace flow;

// says: async_map needs a name first, since it stands on disk: async_map("scores", f)

void build(topology& t) {
  t.from(topic<bytes, int>{"numbers"})
      | async_map([](int n) { return n + 1; })  // here
      | to("numbers-again");
}
