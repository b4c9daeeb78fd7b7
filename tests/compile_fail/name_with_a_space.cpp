#include <flow/flow.hpp>

using namespace flow;

// says: a name has 1 to 100 letters, digits, dots, dashes or underscores

void build(topology& t) {
  t.from(topic<bytes, int>{"numbers"})
      | flow::filter("all good", [](int n) { return n > 0; })  // here
      | to("numbers-again");
}
