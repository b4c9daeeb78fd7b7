#include <flow/flow.hpp>

using namespace flow;

// says: repartition needs a name first, since it stands on disk: repartition("orders-by-customer")

void build(topology& t) {
  t.from(topic<std::string, int>{"numbers"})
      | repartition()  // here
      | to("numbers-again");
}
