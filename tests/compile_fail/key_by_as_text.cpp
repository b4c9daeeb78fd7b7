#include <flow/flow.hpp>

using namespace flow;

// says: a function of the record belongs here, or a member of its value

void build(topology& t) {
  t.from(topic<bytes, int>{"numbers"})
      | key_by("customer")  // here
      | to("numbers-again");
}
