#include <string>

#include <flow/flow.hpp>

using namespace flow;

// says: ordered_sink needs a destination: a function of a delivery

void build(topology& t) {
  t.from(topic<bytes, int>{"numbers"})
      | ordered_sink("crm", [](int) {});  // here
}
