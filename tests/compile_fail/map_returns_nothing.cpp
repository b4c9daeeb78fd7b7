#include <flow/flow.hpp>

using namespace flow;

// says: the function returns nothing; peek and for_each are for looking at records

void build(topology& t) {
  t.from(topic<bytes, int>{"numbers"})
      | flow::map([](int) {})  // here
      | to("nothing");
}
